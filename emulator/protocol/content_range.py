"""``Content-Range`` of an upload, with the gateway's own grammar (reference: gateway 5.1)."""

import re
from dataclasses import dataclass
from typing import Final

from emulator.protocol.errors import range_not_satisfiable
from emulator.protocol.numbers import parse_unsigned

_UNIT: Final = re.compile(r"[bytes]*\s*")


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Bytes `start` to `end`, both inclusive as on the wire, of a file of `total` bytes."""

    start: int
    end: int
    total: int

    @property
    def length(self) -> int:
        """Number of bytes the range names."""
        return self.end - self.start + 1


WHOLE_EMPTY_FILE: Final = ContentRange(0, 0, 0)
"""What the gateway takes an absent or empty header for."""


def parse_content_range(header: str) -> ContentRange:
    """Read the header; raises the range error (400) for what the gateway refuses.

    The unit is optional and case-sensitive; numbers may be hexadecimal; a left side that isn't two numbers joined
    by ``-`` silently means 0-0; ``end == total`` passes.
    """
    if not header:
        return WHOLE_EMPTY_FILE
    if header.startswith("bytes"):
        header = header[_UNIT.match(header).end() :]  # type: ignore[union-attr]  # the pattern matches empty text
    sides = [side for side in header.split("/") if side]
    if len(sides) != 2:
        raise range_not_satisfiable(f"Content-Range {header!r} is not of the form bytes first-last/size")
    total = parse_unsigned(sides[1], 64, any_base=True)
    positions = [text for text in sides[0].split("-") if text]
    if len(positions) != 2:
        positions = ["0", "0"]
    start, end = (parse_unsigned(text, 64, any_base=True) for text in positions)
    if start is None or end is None or total is None or start > end or end > total:
        raise range_not_satisfiable(
            f"Content-Range {header!r} has no two numbers in order, or ends behind the size of the file"
        )
    return ContentRange(start, end, total)
