"""Content paths: the one gate between text a client sent and a place in the store."""

import re
from dataclasses import dataclass
from typing import Final

from emulator.protocol.errors import FabricError, invalid_argument, shortened
from emulator.protocol.profile import Profile

MARK_FILE: Final = "_.dir"
"""The empty file that says a folder was uploaded completely (store 2.5)."""

_LONGEST_PART: Final = 255
_LONGEST: Final = 32_767
_DEEPEST: Final = 256


@dataclass(frozen=True, slots=True)
class ContentPath:
    """A path that is safe to join to the root of a store: no empty, ``.`` or ``..`` part, no forbidden character.

    `parts` keeps the spelling it was sent with; `key` is what paths are compared by.
    """

    parts: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def is_root(self) -> bool:
        """The store itself."""
        return not self.parts

    @property
    def name(self) -> str:
        """The last part, ``""`` for the root."""
        return self.parts[-1] if self.parts else ""

    def contains(self, other: "ContentPath") -> bool:
        """True when `other` is this path or lies below it."""
        return other.key[: len(self.key)] == self.key


_ROOT: Final = ContentPath((), ())


class PathRules:
    """How one platform reads and compares content paths."""

    def __init__(self, profile: Profile) -> None:
        self.separator = profile.separator
        self._other_separator = "/" if profile.separator == "\\" else "\\"
        forbidden = "".join(sorted(profile.forbidden_characters | {"/", "\0", profile.separator}))
        separator = re.escape(profile.separator)
        name = rf"(?!\.\.?(?:{separator}|\Z))[^{re.escape(forbidden)}\ud800-\udfff]{{1,{_LONGEST_PART}}}"
        self._name = re.compile(name)
        self._path = re.compile(rf"{name}(?:{separator}{name})*")
        self._doubled = profile.separator * 2
        self.folds_case = not profile.is_case_sensitive

    def parse(self, text: str) -> ContentPath:
        """Normalise as the store does: either separator, surrounding spaces and separators trimmed (store 1.2).

        Raises ``E_INVALIDARG`` for a path that cannot be stored (store 1.5). Empty text is the root.
        """
        if len(text) > _LONGEST:
            raise invalid_argument(f"the path has more than {_LONGEST} characters")
        text = text.replace(self._other_separator, self.separator).strip(" ").strip(self.separator)
        while self._doubled in text:
            text = text.replace(self._doubled, self.separator)
        if not text:
            return _ROOT
        if not self._path.fullmatch(text):
            raise invalid_argument(
                f"the path {shortened(text)!r} has a part that is . or .., or longer than {_LONGEST_PART}, "
                "or has a character that no file name has"
            )
        return self._made_of(text.split(self.separator))

    def of(self, parts: list[str]) -> ContentPath:
        """A path of these parts.

        Raises ``E_INVALIDARG`` when one is not a name, ``FABRIC_E_PATH_TOO_LONG`` for too many.
        """
        if not all(map(self.is_name, parts)):
            raise invalid_argument("the path has a part that is no file name")
        return self._made_of(parts)

    def _made_of(self, parts: list[str]) -> ContentPath:
        if len(parts) > _DEEPEST:
            raise FabricError("FABRIC_E_PATH_TOO_LONG", why=f"the path has more than {_DEEPEST} parts")
        return ContentPath(tuple(parts), tuple(map(self.fold, parts)))

    def is_name(self, part: str) -> bool:
        """Whether `part` can name a file or a folder; a lone surrogate stands for bytes that are no UTF-8."""
        return self._name.fullmatch(part) is not None

    def fold(self, name: str) -> str:
        """What a name is compared by: lower case, letter by letter, on Windows; itself on Linux (store 1.3)."""
        if not self.folds_case:
            return name
        return name.lower() if name.isascii() else "".join(map(str.lower, name))

    def text(self, parts: tuple[str, ...]) -> str:
        """A path as listings show it: from the root of the store, without a leading separator."""
        return self.separator.join(parts)
