"""Which bytes of a file have arrived: merged ranges, their gaps, and the rule for taking in another chunk."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator


class ReceivedRanges:
    """Disjoint, ascending, never touching ranges, kept as their starts and their inclusive ends."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts = array("Q")
        self._ends = array("Q")

    @classmethod
    def from_bytes(cls, stored: bytes) -> "ReceivedRanges":
        """The inverse of `to_bytes`."""
        flat = array("Q", stored)
        ranges = cls()
        ranges._starts, ranges._ends = flat[::2], flat[1::2]
        return ranges

    def to_bytes(self) -> bytes:
        """``start, end, start, end, ...`` as 8 bytes each, the compact form in which a session row stores it."""
        flat = array("Q", bytes(16 * len(self._starts)))
        flat[::2], flat[1::2] = self._starts, self._ends
        return flat.tobytes()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def gaps(self, size: int) -> list[tuple[int, int]]:
        """What a file of `size` bytes still lacks, ascending and inclusive.

        A file of size 0 always lacks 0-0, even after a chunk: the runtime's own rule
        (``UploadSessionMetadata.cpp``), which is why such a session can never be committed.
        """
        if size == 0:
            return [(0, 0)]
        missing = []
        position = 0
        for start, end in self:
            if position < start:
                missing.append((position, start - 1))
            position = end + 1
        if position < size:
            missing.append((position, size - 1))
        return missing

    def covers_exactly(self, size: int) -> bool:
        """One range from the first byte to the last and not beyond: what a commit insists on."""
        return size > 0 and len(self._starts) == 1 and self._starts[0] == 0 and self._ends[0] == size - 1

    def is_free(self, start: int, end: int, size: int) -> bool:
        """True when the chunk lies wholly inside one gap, the rule for every chunk but the first."""
        if size == 0:
            return start == end == 0
        return end < size and not self._overlaps(start, end)

    def add(self, start: int, end: int) -> bool:
        """Take in a chunk `is_free` admits; ranges that touch become one.

        False when it was there already, which only a file of size 0 makes possible.
        """
        if self._overlaps(start, end):
            return False
        at = bisect_right(self._starts, start)
        joins_left = at > 0 and self._ends[at - 1] + 1 == start
        joins_right = at < len(self._starts) and self._starts[at] == end + 1
        if joins_left and joins_right:
            self._ends[at - 1] = self._ends.pop(at)
            del self._starts[at]
        elif joins_left:
            self._ends[at - 1] = end
        elif joins_right:
            self._starts[at] = start
        else:
            self._starts.insert(at, start)
            self._ends.insert(at, end)
        return True

    def _overlaps(self, start: int, end: int) -> bool:
        at = bisect_right(self._starts, end)
        return at > 0 and self._ends[at - 1] >= start
