"""What is uploaded: slices of one file that stays in the page cache, so that sending them costs the client little."""

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.benchmarks.sizes import GIB, MIB

_SEED: Final = 1
_MOST_TOUCHED: Final = 4 * GIB


@dataclass(frozen=True)
class Slice:
    """A part of the payload file."""

    descriptor: int
    offset: int
    length: int


class Payload:
    """A file of bytes that do not compress."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        block = random.Random(_SEED).randbytes(MIB)
        with path.open("wb") as file:
            for number in range(-(-size // MIB)):
                file.write((number.to_bytes(8, "big") + block[8:])[: size - number * MIB])
            file.flush()
            os.fsync(file.fileno())
        self._descriptor = os.open(path, os.O_RDONLY)

    def slice(self, length: int, offset: int = 0) -> Slice:
        """That many bytes from `offset`."""
        assert offset + length <= self.size, "the payload file is too short"
        return Slice(self._descriptor, offset, length)

    def read(self, length: int, offset: int = 0) -> bytes:
        """The bytes of such a slice."""
        return os.pread(self._descriptor, length, offset)

    def touch_memory(self) -> None:
        """Fill a good part of the free memory with a file and give it back.

        In a virtual machine the first use of a page costs far more than the next, and the first contender would pay.
        """
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        place = self.path.with_suffix(".scratch")
        with place.open("wb") as scratch:
            for _ in range(min(_MOST_TOUCHED, free // 4) // self.size):
                with self.path.open("rb") as whole:
                    shutil.copyfileobj(whole, scratch, MIB)
        place.unlink()

    def close(self) -> None:
        """Close and delete the file."""
        os.close(self._descriptor)
        self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
