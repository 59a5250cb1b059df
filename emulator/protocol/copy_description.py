"""The body of ``$/Copy``, read with the leniency of the runtime's own JSON reader (reference: gateway 7.6)."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.protocol.errors import invalid_argument

_FLAGS: Final = {"Invalid": 0, "Echo": 1, "Overwrite": 2}
_OVERWRITE: Final = _FLAGS["Overwrite"]
_NUMERIC: Final = re.compile(r"[ \t\r\n]*[+-]?(?:0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})[ \t\r\n]*")


@dataclass(slots=True)
class CopyDescription:
    """What to copy where. ``CheckMarkFile`` is read and then ignored, as the runtime does."""

    source: str = ""
    destination: str = ""
    skip_files: list[str] = field(default_factory=list)
    overwrites: bool = True


def parse_copy_description(body: bytes) -> CopyDescription:
    """Read the body; raises ``E_INVALIDARG`` for what the runtime's reader refuses.

    Names are case-sensitive, unknown members are skipped, ``null`` leaves the default, the last duplicate wins
    (``SkipFiles`` adds up), text after the closing brace is ignored, a number serves as text.
    """
    description = CopyDescription()
    for name, value in _members(body):
        match name:
            case _ if value is None:
                continue
            case "RemoteSource":
                description.source = _text(value)
            case "RemoteDestination":
                description.destination = _text(value)
            case "SkipFiles":
                if not isinstance(value, list) or isinstance(value, _Members):
                    raise invalid_argument("SkipFiles is not a list")
                description.skip_files += map(_text, value)
            case "CopyFlag":
                description.overwrites = _flag(value) == _OVERWRITE
            case "CheckMarkFile" if not isinstance(value, bool):
                raise invalid_argument("CheckMarkFile is neither true nor false")
    return description


class _Number(str):
    """A number as it was written: where the reader wants text, a number is taken as its text."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """An object with its members in order and its duplicates kept."""


def _refuse(text: str) -> Any:
    raise ValueError(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_Members, parse_int=_Number, parse_float=_Number, parse_constant=_refuse
)


def _members(body: bytes) -> _Members:
    try:
        value, _ = _DECODER.raw_decode(body.decode("utf-8").lstrip(" \t\r\n"))
    except (ValueError, RecursionError):
        raise invalid_argument("the body is not JSON") from None
    if not isinstance(value, _Members):
        raise invalid_argument("the body is not a JSON object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise invalid_argument("a path in the body is not a text")
    return str(value)


def _flag(value: Any) -> int:
    if isinstance(value, _Number):
        return _truncate(float(value))
    if isinstance(value, str):
        if value in _FLAGS:
            return _FLAGS[value]
        if _NUMERIC.fullmatch(value):
            return int(value, 16 if "x" in value.lower() else 10)
    raise invalid_argument("CopyFlag is none of the flags")


def _truncate(number: float) -> int:
    try:
        return int(number)
    except OverflowError:
        return _FLAGS["Invalid"]
