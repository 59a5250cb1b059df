"""Why storage cannot be opened: what a person, not a client of the service, has to mend."""

from pathlib import Path


class UnusableError(Exception):
    """What the emulator keeps its state in cannot be used."""


class DataDirectoryError(UnusableError):
    """The data directory cannot be used."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(f"cannot use the data directory {directory}: {reason}")


class DatabaseUnusableError(UnusableError):
    """The database a URL names cannot be used."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"cannot use the database {place}: {reason}")


class NewerDataError(UnusableError):
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


def reason_of(error: Exception) -> str:
    """What went wrong, in one line: of a database's error the database's own words."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0]
