"""JSON bodies, read with the leniency of the runtime's own reader (reference: gateway 7.6).

Names are case-sensitive, unknown members are skipped, ``null`` leaves the default, of duplicates the last one wins,
text after the closing brace is ignored, a number serves as text.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from emulator.protocol.errors import invalid_argument

_NUMERIC: Final = re.compile(r"[ \t\r\n]*[+-]?(?:0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})[ \t\r\n]*")


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


def members(body: bytes) -> Iterator[tuple[str, Any]]:
    """The members of the object in `body` that are not ``null``; raises ``E_INVALIDARG`` where there is none."""
    try:
        value, _ = _DECODER.raw_decode(body.decode("utf-8").lstrip(" \t\r\n"))
    except (ValueError, RecursionError):
        raise invalid_argument("the body is not JSON") from None
    if not isinstance(value, _Members):
        raise invalid_argument("the body is not a JSON object")
    return ((name, each) for name, each in value if each is not None)


def text(name: str, value: Any) -> str:
    """A text, or a number as its text."""
    if not isinstance(value, str):
        raise invalid_argument(f"{name} in the body is not a text")
    return str(value)


def texts(name: str, value: Any) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list) or isinstance(value, _Members):
        raise invalid_argument(f"{name} is not a list")
    return [text(name, each) for each in value]


def boolean(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise invalid_argument(f"{name} is neither true nor false")
    return value


def enumeration(name: str, value: Any, numbers: Mapping[str, int]) -> int:
    """An enumeration's number, given by name, as a number, or as a number in a text."""
    if isinstance(value, _Number):
        return _truncate(float(value))
    if isinstance(value, str):
        if value in numbers:
            return numbers[value]
        if _NUMERIC.fullmatch(value):
            return int(value, 16 if "x" in value.lower() else 10)
    raise invalid_argument(f"{name} is none of {', '.join(numbers)}")


def _truncate(number: float) -> int:
    try:
        return int(number)
    except OverflowError:
        return 0
