"""The image store's content as a plain tree of files: find, list, publish, remove, copy.

The disk is the only truth: nothing here is kept in the database, so files dropped in by hand are content and deleting
the database loses none. Folded names find files whatever the spelling they are asked for in; symbolic links are never
followed and never listed. Callers hold the locks on the paths they change.

A file's version number is its modification time in microseconds, and each publication takes one that is higher than
the last, so numbers grow with every write, survive restarts and hand-made copies of the directory, and need no counter.
The date shown has milliseconds, so a copy keeps its source's date and still gets a number of its own.
"""

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from emulator.protocol.content_path import ContentPath, PathRules
from emulator.storage.disk import copy_bytes, exchange, write_file
from emulator.storage.durability import Sync
from emulator.storage.errors import NameTakenError
from emulator.storage.folders import Folder, FolderReader
from emulator.storage.locks import NamedLocks

_MICROSECOND: Final = 1_000
_MILLISECOND: Final = 1_000_000
_MOMENT: Final = 1_000_000
"""Microseconds by which numbers may run ahead of the clock."""
_PUBLISH_ATTEMPTS: Final = 50
_NEW_FOLDERS: Final = "new folders"
_GONE: Final = (FileNotFoundError, NotADirectoryError)
_CHANGED: Final = (FileNotFoundError, NotADirectoryError, FileExistsError)


@dataclass(frozen=True, slots=True)
class Stored:
    """A file or folder that is there: its parts as spelled on disk, where it is, and its status."""

    parts: tuple[str, ...]
    location: str
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """A folder, or else a file."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def size(self) -> int:
        """Bytes of a file."""
        return self.status.st_size

    @property
    def modified_ns(self) -> int:
        """When the bytes were received, in nanoseconds since 1970."""
        return self.status.st_mtime_ns

    @property
    def identity(self) -> str:
        """What tells this file from every other one published at its path."""
        return f"{self.status.st_ino}:{self.status.st_mtime_ns}:{self.status.st_ctime_ns}"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file in a listing: its parts, bytes, date in nanoseconds since 1970 and version number."""

    sort_key: str
    parts: tuple[str, ...]
    size: int
    modified_ns: int
    version: int

    @classmethod
    def of(cls, sort_key: str, parts: tuple[str, ...], status: os.stat_result) -> "FileEntry":
        """The entry of a file with this status."""
        modified_ns = status.st_mtime_ns
        return cls(sort_key, parts, status.st_size, modified_ns, modified_ns // _MICROSECOND)


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A folder in a listing, with the number of files below it at any depth."""

    sort_key: str
    parts: tuple[str, ...]
    file_count: int


class ContentTree:
    """The content of one store."""

    def __init__(
        self, root: str, rules: PathRules, locks: NamedLocks, sync: Sync, is_alone: Callable[[], bool]
    ) -> None:
        self._root = root
        self._sync = sync
        self._locks = locks
        self._rules = rules
        self._is_alone = is_alone
        self._folders = FolderReader(rules, is_alone)
        self._stamps = _Stamps()

    def find(self, path: ContentPath) -> Stored | None:
        """What is stored at `path`, in whatever spelling, or ``None``."""
        found = self._nearest(path)
        return found if len(found.parts) == len(path.parts) else None

    def entries(self, folder: Stored, since: str = "") -> Iterator[FileEntry | FolderEntry]:
        """One level of `folder` in the service's order, from sort key `since` on. Folders without files are not there.

        Sort keys are whole folded paths; a folder's ends in the separator.
        """
        separator = self._rules.separator
        prefix = "".join(self._rules.fold(part) + separator for part in folder.parts)
        if since > prefix and not since.startswith(prefix):
            return
        since = since.removeprefix(prefix) if since > prefix else ""
        try:
            reading = self._read(folder.location)
        except _GONE:
            return
        for key, name, is_folder in reading.ordered(separator, since):
            location = f"{folder.location}/{name}"
            parts = (*folder.parts, name)
            if is_folder:
                count = self.count_files(location)
                if count:
                    yield FolderEntry(prefix + key, parts, count)
            else:
                status = _status(location)
                if status and stat.S_ISREG(status.st_mode):
                    yield FileEntry.of(prefix + key, parts, status)

    def count_files(self, location: str) -> int:
        """How many files lie below a folder, at any depth, mark files included (store 3.3)."""
        count = 0
        pending = [location]
        while pending:
            directory = pending.pop()
            try:
                folder = self._folders.read(directory, settled=True)
            except _GONE:
                continue
            count += len(folder.files)
            pending += [f"{directory}/{name}" for name in folder.folders.values()]
        return count

    def files(self, stored: Stored) -> Iterator[Stored]:
        """All files at or below `stored`, at any depth."""
        pending = [stored]
        while pending:
            current = pending.pop()
            if not current.is_folder:
                yield current
                continue
            pending += self.children(current)

    def children(self, folder: Stored) -> Iterator[Stored]:
        """Files and folders of one level, in no order."""
        try:
            reading = self._read(folder.location)
        except _GONE:
            return
        for name in [*reading.files.values(), *reading.folders.values()]:
            location = f"{folder.location}/{name}"
            status = _status(location)
            if status:
                yield Stored((*folder.parts, name), location, status)

    def usage(self, stored: Stored) -> tuple[int, int]:
        """(bytes, number of files) at or below `stored`."""
        if not stored.is_folder:
            return stored.size, 1
        return self._usage(stored.location)

    def publish_at_hand(self, content: bytes, staged: str, path: ContentPath, now_ns: int) -> bool:
        """Store and publish a small file if its folder has been read and has not changed since; else do nothing.

        Such a folder is a real one: it was found without following a link, and its identity is part of the reading.
        Raises `FileNotFoundError` when it is gone at the last moment.
        """
        change = self._folders.changing(path.key[:-1])
        if not change.acquire(blocking=False):
            return False
        try:
            parent = "/".join((self._root, *path.parts[:-1]))
            reading = self._folders.known(parent)
            if reading is None or path.key[-1] in reading.folders:
                return False
            name = reading.files.get(path.key[-1])
            before = _status(f"{parent}/{name}") if name else None
            write_file(staged, content)
            modified_ns = self._stamps.next(now_ns, before.st_mtime_ns if before else None)
            os.utime(staged, ns=(modified_ns, modified_ns))
            name = name or path.parts[-1]
            os.rename(staged, f"{parent}/{name}")
            if before is None:
                self._folders.file_added(parent, reading, name)
        finally:
            change.release()
        return True

    def publish(self, staged: str, path: ContentPath, now_ns: int) -> Stored:
        """Move the whole file `staged` to `path` in one step; readers see the old file or the new one.

        An existing file keeps its spelling (store 1.3). Raises `NameTakenError` where a folder is in the way.
        """
        return self._move_in(staged, path, lambda before: self._stamps.next(now_ns, before))

    def publish_copy(self, staged: str, path: ContentPath) -> Stored:
        """Like `publish` for what `clone_file` made: the copy keeps the date it was given there."""
        return self._move_in(staged, path, lambda before: _copy_stamp(os.lstat(staged).st_mtime_ns, before))

    def publish_folder(self, staged: str, path: ContentPath) -> None:
        """Move the whole folder `staged` to `path` in one step; what was there is at `staged` afterwards."""
        for _ in range(_PUBLISH_ATTEMPTS):
            found = self._nearest(path)
            try:
                location = self._place_for(path, found)
                if found.location == location:
                    exchange(staged, location)
                else:
                    os.rename(staged, location)
            except _CHANGED:
                self._require(staged)
                continue  # a folder above came or went in between
            self._folders.forget(os.path.dirname(location))
            self._sync.path(os.path.dirname(location), self._root, is_alone=self._is_alone())
            return
        raise FileNotFoundError(staged)

    def take_out(self, stored: Stored, trash: str) -> None:
        """Move a file or folder out of the content in one step and drop the folders that this leaves empty."""
        os.rename(stored.location, trash)
        parent = os.path.dirname(stored.location)
        while parent != self._root:
            try:
                os.rmdir(parent)
            except FileNotFoundError:
                pass  # another request was faster
            except OSError:
                break
            parent = os.path.dirname(parent)
        with contextlib.suppress(FileNotFoundError):  # by now somebody else's removal, and theirs to sync
            self._sync.directory(parent)

    def _read(self, location: str) -> Folder:
        return self._folders.read(location, settled=True)

    def _nearest(self, path: ContentPath, *, settled: bool = False) -> Stored:
        """The longest part of `path` that is there."""
        location = self._root
        parts: tuple[str, ...] = ()
        found = Stored(parts, location, os.lstat(location))
        for part, key in zip(path.parts, path.key, strict=True):
            if not found.is_folder:
                break
            name: str | None = part
            status = _status(f"{location}/{part}")
            if status is None:
                name = self._other_spelling(location, key, settled=settled)
                status = _status(f"{location}/{name}") if name else None
            if name is None or status is None:
                break
            location, parts = f"{location}/{name}", (*parts, name)
            found = Stored(parts, location, status)
        return found

    def _other_spelling(self, location: str, key: str, *, settled: bool) -> str | None:
        if not self._rules.folds_case:
            return None
        try:
            return self._folders.read(location, settled=settled).spelling(key)
        except _GONE:
            return None

    def _place_for(self, path: ContentPath, found: Stored) -> str:
        """Where `path` is or is to be, its parent folders made; raises `NameTakenError` below a file."""
        missing = path.parts[len(found.parts) :]
        if not missing:
            return found.location
        if not found.is_folder:
            raise NameTakenError(found.parts, "file")
        if len(missing) == 1:
            return f"{found.location}/{missing[0]}"
        with self._locks.hold(exclusive=[_NEW_FOLDERS]):  # or two spellings of one folder could be made at once
            found = self._nearest(ContentPath(path.parts[:-1], path.key[:-1]), settled=True)
            new = path.parts[len(found.parts) : -1]
            if new and os.path.islink(f"{found.location}/{new[0]}"):
                raise NameTakenError((*found.parts, new[0]), "link")
            parent = "/".join([found.location, *new])
            self._sync.making(found.location, new)
            os.makedirs(parent, exist_ok=True)
            self._folders.forget(found.location)
        return f"{parent}/{path.name}"

    @staticmethod
    def _require(staged: str) -> None:
        """Raise `FileNotFoundError` if it is the staged file itself that is gone."""
        os.lstat(staged)

    def _move_in(self, staged: str, path: ContentPath, stamp: Callable[[int | None], int]) -> Stored:
        for _ in range(_PUBLISH_ATTEMPTS):
            try:
                with self._folders.changing(path.key[:-1]):
                    location = self._rename_in(staged, path, stamp)
            except _CHANGED:
                self._require(staged)
                continue  # a folder above came or went in between
            # Up to the root, since another request may just have made a folder above.
            self._sync.path(os.path.dirname(location), self._root, is_alone=self._is_alone())
            parts = tuple(location.removeprefix(self._root + "/").split("/"))
            return Stored(parts, location, os.lstat(location))
        raise FileNotFoundError(staged)

    def _rename_in(self, staged: str, path: ContentPath, stamp: Callable[[int | None], int]) -> str:
        """Where the file went."""
        found = self._nearest(path)
        before = found if len(found.parts) == len(path.parts) else None
        if before and before.is_folder:
            self._remove_empty(before)
            raise FileNotFoundError(before.location)  # so that it is looked for again
        modified_ns = stamp(before.modified_ns if before else None)
        os.utime(staged, ns=(modified_ns, modified_ns))
        location = self._place_for(path, found)
        parent, _, name = location.rpartition("/")
        reading = None if before or not self._rules.folds_case else self._folders.known(parent)
        os.rename(staged, location)
        if reading:
            self._folders.file_added(parent, reading, name)
        return location

    def _remove_empty(self, folder: Stored) -> None:
        """Remove folders without a file, which are no content; raises `NameTakenError` for one that is."""
        for directory, _, _ in os.walk(folder.location, topdown=False):
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                pass
            except OSError:
                raise NameTakenError(folder.parts, "folder") from None

    def _usage(self, location: str) -> tuple[int, int]:
        size = count = 0
        is_name = self._rules.is_name
        pending = [location]
        while pending:
            with contextlib.suppress(*_GONE), os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if not is_name(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        with contextlib.suppress(FileNotFoundError):
                            size += entry.stat(follow_symlinks=False).st_size
                            count += 1
        return size, count


def clone_file(source: Stored, target: str, modified_ns: int) -> None:
    """Copy a file to the new file `target`, as cheaply as the file system can, with a version number of its own.

    What is copied is the file that is there when it is opened, whole. Raises `FileNotFoundError` if none is.
    """
    with open(source.location, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        copy_bytes(reader.fileno(), writer.fileno(), os.fstat(reader.fileno()).st_size)
    stamp = _copy_stamp(modified_ns, source.modified_ns)
    os.utime(target, ns=(stamp, stamp))


def _status(location: str) -> os.stat_result | None:
    """The status of a file or a folder; links, pipes and the like are not there."""
    try:
        status = os.lstat(location)
    except _GONE:
        return None
    return status if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else None


class _Stamps:
    """Modification times for what is written, each a microsecond or more after the one before."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._last = 0

    def next(self, now_ns: int, before: int | None) -> int:
        """A time at or just after `now_ns`, and after `before`, the file's own until now.

        A clock that was set back by more than a moment is followed.
        """
        stamp = now_ns // _MICROSECOND
        with self._guard:
            if stamp <= self._last < stamp + _MOMENT:
                stamp = self._last + 1
            if before is not None:
                stamp = max(stamp, before // _MICROSECOND + 1)
            self._last = stamp
        return stamp * _MICROSECOND


def _copy_stamp(modified_ns: int, *others: int | None) -> int:
    """A time within the millisecond of `modified_ns` whose version number is none of the others'."""
    taken = {other // _MICROSECOND for other in others if other is not None}
    start = modified_ns - modified_ns % _MILLISECOND
    within = modified_ns % _MILLISECOND // _MICROSECOND
    return next(
        stamp
        for stamp in (start + (within + step) % 1000 * _MICROSECOND for step in range(1000))
        if stamp // _MICROSECOND not in taken
    )
