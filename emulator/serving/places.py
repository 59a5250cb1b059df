"""Where data is kept: in the data directory, or for a while in memory."""

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

from emulator.settings import Settings

_MEMORY: Final = "/dev/shm"  # noqa: S108  # the directory made in it is ours
_WORTH_USING: Final = 1 << 30
_MOUNTS: Final = Path("/proc/self/mountinfo")


def is_in_memory(settings: Settings) -> bool:
    """Whether nothing is to outlast the emulator."""
    return settings.in_memory or (settings.in_memory_unless_mounted and not is_mounted(settings.data))


def is_mounted(directory: Path) -> bool:
    """Whether something is mounted at the directory or above it, the root of the file system aside.

    The system's own list is read, since a volume may lie on the same disk as the root and then looks like any folder.
    """
    path = directory.resolve()
    candidates = [path, *path.parents][:-1]
    try:
        lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return any(each.is_mount() for each in candidates)
    points = {line.split(" ")[4].replace(r"\040", " ") for line in lines}
    return any(str(each) in points for each in candidates)


def temporary_directory() -> "tempfile.TemporaryDirectory[str]":
    """A directory to use in place of the data directory, deleted on leaving; raises `OSError` if there can be none."""
    return tempfile.TemporaryDirectory(prefix="imagestore-", dir=_temporary_parent(), ignore_cleanup_errors=True)


def _temporary_parent() -> str:
    """Memory if there is plenty of it, or if nothing else can be written."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY).free >= _WORTH_USING:
            return _MEMORY
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:  # a read-only file system
        return _MEMORY
