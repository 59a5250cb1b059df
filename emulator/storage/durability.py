"""What "acknowledged" means: that a change survives the process dying, or the power failing as well."""

import os
from enum import StrEnum


class Durability(StrEnum):
    """How far an acknowledged change has got."""

    PROCESS = "process"
    POWER = "power"


class Sync:
    """Pushes files and directories to the disk where durability asks for it, and does nothing where not."""

    def __init__(self, durability: Durability) -> None:
        self.is_on = durability is Durability.POWER

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

    def directories(self, location: str, top: str) -> None:
        """A directory and all above it as far as `top`."""
        while self.is_on:
            self.directory(location)
            if location == top:
                return
            location = os.path.dirname(location)

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
