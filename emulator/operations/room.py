"""How much may come into a store: the largest body of a PUT, and what all of the store may hold."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from emulator.operations.body import in_thread
from emulator.protocol.errors import FabricError


class Room:
    """What one store may hold: `limit` bytes, or whatever comes if that is 0.

    Bytes are spoken for before they come, so that uploads at the same time cannot fill one gap together. What the store
    holds is measured, by reading all folders, when it might be too much, and otherwise estimated from above; with other
    processes about it is measured each time.
    """

    def __init__(self, limit: int, measure: Callable[[], int], is_alone: Callable[[], bool]) -> None:
        self.limit = limit
        self._measure = measure
        self._is_alone = is_alone
        self._guard = threading.Lock()
        self._held: int | None = None
        self._coming = 0

    def take(self, size: int) -> None:
        """Speak for bytes; raises ``FABRIC_E_IMAGESTORE_IOERROR``, as a full disk does, where there is no room."""
        with self._guard:
            if self._held is None or not self._is_alone() or not self._fits(self._held, size):
                self._held = self._measure()
            if not self._fits(self._held, size):
                raise FabricError(
                    "FABRIC_E_IMAGESTORE_IOERROR",
                    why=f"the store is full: it may hold {self.limit} bytes, has {self._held}, "
                    f"and {self._coming + size} are to come",
                )
            self._coming += size

    def came(self, size: int) -> None:
        """Bytes spoken for have come, or never will: what is stored is at most so much more."""
        with self._guard:
            self._coming -= size
            self._held = (self._held or 0) + size

    @contextmanager
    def taking(self, size: Callable[[], int]) -> Iterator[None]:
        """Inside, so many bytes come; they are only counted where it matters."""
        if not self.limit:
            yield
            return
        taken = size()
        self.take(taken)
        try:
            yield
        finally:
            self.came(taken)

    def _fits(self, held: int, size: int) -> bool:
        return held + self._coming + size <= self.limit


class Allowance:
    """What the body of one PUT may bring, `largest` bytes at most if that is not 0."""

    def __init__(self, largest: int, room: Room) -> None:
        self._largest = largest
        self._room = room
        self._taken = 0

    async def take(self, size: int) -> None:
        """So many bytes are announced, or have come; raises the service's error if they are too many."""
        if self._largest and self._taken + size > self._largest:
            raise FabricError("FABRIC_E_MESSAGE_TOO_LARGE", why=f"a body here may have {self._largest} bytes")
        if self._room.limit:
            await in_thread(self._room.take, size)
        self._taken += size

    def end(self) -> None:
        """The request is over, whatever became of it."""
        if self._room.limit:
            self._room.came(self._taken)
