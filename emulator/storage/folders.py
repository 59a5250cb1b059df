"""What a folder on disk holds, by folded name, remembered for as long as the folder does not change.

Finding ``APP.EXE`` where ``App.exe`` is stored, and the first page of a hundred thousand files, both need the whole
folder read once; a folder's own modification time tells whether that reading still holds. Files that people drop into
the tree by hand change it too, so they show up at once.

Kernels stamp that time in ticks of some milliseconds, so a reading taken within a tick of the last change may have
missed a change of the same tick: it is used while this process is the one making the changes, and read again for a
listing.
"""

import os
import stat
import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from emulator.protocol.content_path import PathRules

_TICK_NS: Final = 20_000_000
_NAMES_KEPT: Final = 400_000
_FOLDER_LOCKS: Final = 64


@dataclass(slots=True)
class Folder:
    """One reading of a folder: file and folder names by what they are compared by."""

    signature: tuple[int, int]
    is_settled: bool
    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    _ordered: list[tuple[str, str, bool]] | None = None

    def __len__(self) -> int:
        return len(self.files) + len(self.folders)

    def spelling(self, key: str) -> str | None:
        """The name on disk that `key` stands for."""
        return self.files.get(key) or self.folders.get(key)

    def ordered(self, separator: str, since: str = "") -> Iterator[tuple[str, str, bool]]:
        """(sort key, name, is folder), from the first key not below `since`.

        The service sorts by whole path, in which a folder's name is followed by a separator (store 3.4).
        """
        if self._ordered is None:
            entries = [(key, name, False) for key, name in self.files.items()]
            entries += [(key + separator, name, True) for key, name in self.folders.items()]
            self._ordered = sorted(entries)
        first = bisect_left(self._ordered, (since,)) if since else 0
        return iter(self._ordered[first:] if first else self._ordered)

    def added(self, key: str, name: str) -> None:
        """A file of that name was just put in."""
        if self.files.get(key) != name:
            self.files[key] = name
            self._ordered = None


class FolderReader:
    """Reads folders and remembers the readings, the least recently used forgotten first."""

    def __init__(self, rules: PathRules, is_alone: Callable[[], bool]) -> None:
        self._rules = rules
        self._is_alone = is_alone
        self._guard = threading.Lock()
        self._readings: OrderedDict[str, Folder] = OrderedDict()
        self._names = 0
        self._changes = [threading.Lock() for _ in range(_FOLDER_LOCKS)]

    def read(self, directory: str, *, settled: bool = False) -> Folder:
        """What `directory` holds now; with `settled` not even a change within the last tick is missed.

        Raises `FileNotFoundError` or `NotADirectoryError` when it is not there.
        """
        signature = _signature(directory)
        with self._guard:
            known = self._readings.get(directory)
            if known and known.signature == signature and (known.is_settled or (not settled and self._is_alone())):
                self._readings.move_to_end(directory)
                return known
        folder = self._scan(directory)
        with self._guard:
            self._forget(directory)
            self._readings[directory] = folder
            self._names += len(folder)
            while self._names > _NAMES_KEPT and len(self._readings) > 1:
                self._forget(next(iter(self._readings)))
        return folder

    def changing(self, key: tuple[str, ...]) -> threading.Lock:
        """To be held by this process's threads from looking a name up in a folder to `file_added`.

        Or one's change would pass for the other's, and its name be missed.
        """
        return self._changes[hash(key) % len(self._changes)]

    def known(self, directory: str) -> Folder | None:
        """The reading of `directory`, if it was read before and has not changed since."""
        with self._guard:
            known = self._readings.get(directory)
        if known is None or known.signature != _signature(directory):
            return None
        return known if known.is_settled or self._is_alone() else None

    def file_added(self, directory: str, before: Folder, name: str) -> None:
        """This process put a file in a folder it had read as `before`: keep the reading, with the file in it.

        With other processes about, their changes could hide behind this one: then the folder is read again.
        """
        if not self._is_alone():
            self.forget(directory)
            return
        signature = _signature(directory)
        with self._guard:
            if self._readings.get(directory) is before:
                self._names -= len(before)
                before.added(self._rules.fold(name), name)
                before.signature, before.is_settled = signature, False
                self._names += len(before)

    def forget(self, directory: str) -> None:
        """Something but a file was put in: the folder is read again."""
        with self._guard:
            self._forget(directory)

    def _forget(self, directory: str) -> None:
        folder = self._readings.pop(directory, None)
        if folder:
            self._names -= len(folder)

    def _scan(self, directory: str) -> Folder:
        now = time.time_ns()
        signature = _signature(directory)
        folder = Folder(signature, is_settled=not 0 <= now - signature[1] < _TICK_NS)
        with os.scandir(directory) as entries:
            for entry in entries:
                if not self._rules.is_name(entry.name):
                    continue
                if entry.is_file(follow_symlinks=False):
                    names = folder.files
                elif entry.is_dir(follow_symlinks=False):
                    names = folder.folders
                else:
                    continue
                key = self._rules.fold(entry.name)
                names[key] = min(entry.name, names.get(key, entry.name))
        return folder


def _signature(directory: str) -> tuple[int, int]:
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(directory)
    return status.st_ino, status.st_mtime_ns
