"""Locks on content paths and byte ranges that hold between threads, between processes, and never outlive either.

They are Linux's open-file-description locks: owned by an open file, gone when it is closed or its process dies, so no
lease has to be renewed and nothing is left behind after ``kill -9``. Where the system has none, the same rules are kept
in memory; then only one server process may use a data directory.

A content path is locked as one byte of an empty file, at the hash of the path. Two paths with one hash wait for each
other needlessly and nothing worse. All bytes of a request are taken in ascending order, so no two requests can each
hold what the other needs.
"""

import fcntl
import hashlib
import os
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from emulator.storage.errors import LockTimeoutError

_LARGEST_OFFSET: Final = (1 << 63) - 1
_GATE: Final = 1 << 62
"""Added to a name's byte: the byte that whoever waits for the name alone holds, so that no newcomer goes before."""

_FLOCK: Final = "hhqqi"
_FIRST_WAIT: Final = 0.0005
_LONGEST_WAIT: Final = 0.02


class RangeLocks(Protocol):
    """Shared or exclusive locks on byte ranges, owned by an open file descriptor."""

    def try_lock(self, descriptor: int, start: int, length: int, *, exclusive: bool) -> bool:
        """Take the lock if nobody else's is in the way; `length` 0 reaches to the end."""
        ...

    def is_free(self, descriptor: int, start: int) -> bool:
        """Whether nobody else has locked that byte exclusively."""
        ...

    def unlock(self, descriptor: int, start: int = 0, length: int = 0) -> None:
        """Give up what this descriptor holds there; a lock must not outlive its descriptor's use."""
        ...


class _KernelLocks:
    """Linux: the kernel keeps the locks."""

    def try_lock(self, descriptor: int, start: int, length: int, *, exclusive: bool) -> bool:
        try:
            self._set(descriptor, fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK, start, length)
        except BlockingIOError:
            return False
        return True

    def is_free(self, descriptor: int, start: int) -> bool:
        question = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, start, 1, 0)
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, question)
        return bool(struct.unpack(_FLOCK, answer)[0] == fcntl.F_UNLCK)

    def unlock(self, descriptor: int, start: int = 0, length: int = 0) -> None:
        self._set(descriptor, fcntl.F_UNLCK, start, length)

    @staticmethod
    def _set(descriptor: int, kind: int, start: int, length: int) -> None:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, start, length, 0))


class _MemoryLocks:
    """Elsewhere: a table of (start, end, descriptor, exclusive) for each file, for one process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: defaultdict[tuple[int, int], list[tuple[int, int, int, bool]]] = defaultdict(list)

    def try_lock(self, descriptor: int, start: int, length: int, *, exclusive: bool) -> bool:
        end = start + length - 1 if length else _LARGEST_OFFSET
        with self._guard:
            held = self._held[self._file(descriptor)]
            if any(
                first <= end and start <= last and owner != descriptor and (exclusive or theirs)
                for first, last, owner, theirs in held
            ):
                return False
            held.append((start, end, descriptor, exclusive))
            return True

    def is_free(self, descriptor: int, start: int) -> bool:
        with self._guard:
            held = self._held[self._file(descriptor)]
            return not any(h[0] <= start <= h[1] and h[2] != descriptor and h[3] for h in held)

    def unlock(self, descriptor: int, start: int = 0, length: int = 0) -> None:
        end = start + length - 1 if length else _LARGEST_OFFSET
        with self._guard:
            file = self._file(descriptor)
            kept = [h for h in self._held[file] if h[2] != descriptor or h[0] < start or h[1] > end]
            if kept:
                self._held[file] = kept
            else:
                del self._held[file]

    @staticmethod
    def _file(descriptor: int) -> tuple[int, int]:
        status = os.fstat(descriptor)
        return status.st_dev, status.st_ino


LOCKS_SPAN_PROCESSES: Final = hasattr(fcntl, "F_OFD_SETLK")
range_locks: Final[RangeLocks] = _KernelLocks() if LOCKS_SPAN_PROCESSES else _MemoryLocks()


class NamedLocks:
    """Shared and exclusive locks on names, kept as single bytes of one empty file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._idle: list[int] = []

    @contextmanager
    def hold(
        self, *, exclusive: Iterable[str] = (), shared: Iterable[str] = (), timeout: float = 60.0
    ) -> Iterator[None]:
        """Hold all of these names, or raise `LockTimeoutError` after `timeout` seconds without any of them."""
        wanted = {_offset(name): False for name in shared}
        wanted |= {_offset(name): True for name in exclusive}
        descriptor = (
            self._idle.pop() if self._idle else os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        )
        try:
            deadline = time.monotonic() + timeout
            for offset in sorted(wanted):
                _wait_for(descriptor, offset, exclusive=wanted[offset], deadline=deadline)
            yield
        finally:
            range_locks.unlock(descriptor)
            self._idle.append(descriptor)

    def close(self) -> None:
        """Close what is kept open for the next request."""
        while self._idle:
            os.close(self._idle.pop())


@lru_cache(maxsize=4096)
def _offset(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") % _GATE


def _wait_for(descriptor: int, offset: int, *, exclusive: bool, deadline: float) -> None:
    """Take the lock. While one waits to have it alone, those who would share it stay behind, or they could for ever."""
    wait = _FIRST_WAIT
    gate = offset + _GATE
    has_gate = False
    while not ((exclusive or range_locks.is_free(descriptor, gate)) and _try(descriptor, offset, exclusive=exclusive)):
        if time.monotonic() >= deadline:
            raise LockTimeoutError
        has_gate = has_gate or (exclusive and _try(descriptor, gate, exclusive=True))
        time.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT)
    if has_gate:
        range_locks.unlock(descriptor, gate, 1)


def _try(descriptor: int, offset: int, *, exclusive: bool) -> bool:
    return range_locks.try_lock(descriptor, offset, 1, exclusive=exclusive)
