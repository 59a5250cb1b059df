"""How the runtime reads numbers from text (``Common/Parse.cpp``): tolerant in ways Python's ``int`` is not."""

import re
from typing import Final

_DECIMAL: Final = re.compile(r" *\+?([0-9]+) *")
_ANY_BASE: Final = re.compile(r" *\+?(?:0[xX]([0-9a-fA-F]+)|([0-9]+)) *")
_LONGEST: Final = 64
"""Digits looked at: past this a number overflows anyway, and Python's own conversion would refuse or crawl."""


def parse_unsigned(text: str, bits: int, *, any_base: bool = False) -> int | None:
    """Read an unsigned number of at most `bits` bits; ``None`` where the runtime's parser fails.

    Surrounding spaces and one leading ``+`` are tolerated. With `any_base` a ``0x`` prefix means hexadecimal.
    """
    match = (_ANY_BASE if any_base else _DECIMAL).fullmatch(text)
    if match is None:
        return None
    hexadecimal = match.group(1) if any_base else None
    digits = (hexadecimal or match.group(match.lastindex or 1)).lstrip("0") or "0"
    if len(digits) > _LONGEST:
        return None
    value = int(digits, 16 if hexadecimal else 10)
    return value if value < 1 << bits else None
