"""``session-id``: a GUID the client chose (reference: gateway 4.2)."""

import re
from typing import Final

_FORM: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ZERO: Final = "00000000-0000-0000-0000-000000000000"


def parse_session_id(text: str | None) -> str | None:
    """The id in lower case; ``None`` when it is absent, all zero or not 36 characters of the hyphenated form.

    The runtime tells those three apart only by which layer refuses them, and no client can see that.
    """
    if text is None or _FORM.fullmatch(text) is None or text == _ZERO:
        return None
    return text.lower()
