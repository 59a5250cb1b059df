"""Why storage cannot be opened: what a person, not a client of the service, has to mend."""

from pathlib import Path


class DataDirectoryError(Exception):
    """The data directory cannot be used."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(f"cannot use the data directory {directory}: {reason}")


class NewerDataError(Exception):
    """The data was written by a newer emulator."""

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} has format {found}, this version knows formats up to {known}: "
            "use the newer emulator that wrote it, or another data directory"
        )


class NameTakenError(Exception):
    """A file is to be stored where a folder is, or below a file or a link: impossible on this file tree."""

    def __init__(self, parts: tuple[str, ...], kind: str) -> None:
        self.parts = parts
        self.kind = kind
        super().__init__(f"{'/'.join(parts)} is a {kind} in the emulator's file tree")


class LockTimeoutError(Exception):
    """Somebody else held what was to be locked for too long."""
