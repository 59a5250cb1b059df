"""What "acknowledged" means: that a change survives the process dying, or the power failing as well."""

import os
from collections.abc import Iterable
from enum import StrEnum


class Durability(StrEnum):
    """How far an acknowledged change has got."""

    PROCESS = "process"
    POWER = "power"


class Sync:
    """Pushes files and directories to the disk where durability asks for it, and does nothing where not."""

    def __init__(self, durability: Durability) -> None:
        self.is_on = durability is Durability.POWER
        self._linked: set[str] = set()

    def file(self, descriptor: int) -> None:
        """The bytes of an open file are on the disk when this returns."""
        if self.is_on:
            os.fsync(descriptor)

    def directory(self, location: str) -> None:
        """The names in a directory are on the disk when this returns."""
        if not self.is_on:
            return
        descriptor = os.open(location, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def path(self, location: str, top: str, *, is_alone: bool) -> None:
        """The names in a directory, and its own name and those of all above it as far as `top`.

        Flushing even a clean directory waits for the disk, so those whose own names were seen there are remembered, for
        as long as no other process can make one of them anew.
        """
        if not self.is_on:
            return
        if not is_alone:
            self._linked.clear()
        self.directory(location)
        flushed = []
        while location != top and location not in self._linked:
            flushed.append(location)
            location = os.path.dirname(location)
            self.directory(location)
        if is_alone:
            self._linked.update(flushed)

    def making(self, top: str, names: Iterable[str]) -> None:
        """Directories are about to be made, one in the other below `top`: to be called before they are there."""
        for name in names:
            top = f"{top}/{name}"
            self._linked.discard(top)

    def tree(self, location: str) -> None:
        """A whole folder, files and names, or a single file."""
        if not self.is_on:
            return
        if not os.path.isdir(location):
            self._path(location)
            return
        for directory, _, names in os.walk(location):
            for name in names:
                self._path(f"{directory}/{name}")
            self.directory(directory)

    @staticmethod
    def _path(location: str) -> None:
        with open(location, "rb", buffering=0) as file:
            os.fsync(file.fileno())
