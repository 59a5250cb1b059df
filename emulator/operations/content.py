"""Content: upload a whole file, list, delete, sizes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import aiofiles

from emulator.clock import Clock
from emulator.operations.body import Body, Turns, in_thread
from emulator.operations.path_locks import changing
from emulator.protocol.content_path import MARK_FILE, ContentPath
from emulator.protocol.errors import FabricError, file_not_found, invalid_argument
from emulator.protocol.limits import PAGE_SIZE
from emulator.storage.content_tree import FileEntry, FolderEntry, Stored
from emulator.storage.disk import AppendingWriter, read_pieces, write_file
from emulator.storage.errors import LockTimeoutError
from emulator.storage.sessions import StagedUsage
from emulator.storage.store import Store

RESERVED: Final = frozenset({"store", "windowsfabricstore"})
"""Top folders that cannot be deleted, in lower case (store 1.6)."""

_AT_ONCE: Final = 64 * 1024
"""Bytes up to which a file may be stored without leaving the event loop."""

_FILE_ESTIMATE: Final = 64
_FOLDER_ESTIMATE: Final = 24


@dataclass(frozen=True, slots=True)
class Listing:
    """One page: files and folders in the service's order, and the token of the next page, ``""`` at the end."""

    files: list[FileEntry]
    folders: list[FolderEntry]
    token: str = ""

    @property
    def is_empty(self) -> bool:
        """No entry at all."""
        return not self.files and not self.folders


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes and number of files."""

    used_space: int
    file_count: int


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """The store's disk, and what takes how much of it (store 10.1)."""

    capacity: int
    available_space: int
    metadata: Usage
    staging: Usage
    copy: Usage
    register: Usage


class Content:
    """The operations on content of one store."""

    def __init__(self, store: Store, clock: Clock, page_size: int = PAGE_SIZE) -> None:
        self._store = store
        self._rules = store.rules
        self._clock = clock
        self._page_size = page_size
        self._turns = Turns()

    async def upload_file(self, path: ContentPath, body: Body, timeout: float) -> None:
        """Store the whole body at `path`, over whatever file was there; a body that breaks off changes nothing."""
        if path.is_root:
            raise invalid_argument("the path names the store itself")
        staged = self._store.staging.new_name()
        try:
            small = await body.read_small()
            if small is None:
                with self._store.staging.receiving():
                    async with aiofiles.open(staged, "xb", buffering=0) as file:
                        await body.pour(AppendingWriter(file.fileno()).write)
                        await in_thread(self._store.staging.sync_file, file.fileno())
                async with self._turns.take(timeout):
                    await in_thread(self._publish, staged, path, timeout)
            elif not self._store_at_once(staged, small, path):
                async with self._turns.take(timeout):
                    await in_thread(self._store_small, staged, small, path, timeout)
        except BaseException:
            await in_thread(self._store.staging.discard, staged)
            raise

    def list_content(self, path: ContentPath, token: str, *, is_paged: bool) -> Listing | None:
        """One level of the folder at `path`, or the file there; ``None`` where nothing is stored.

        A page ends where the estimated size of its entries would reach the page size; its token is the whole path of
        the first entry that did not fit, a folder's with a separator behind it, so that it survives whatever is put in
        or deleted meanwhile. Raises ``FABRIC_E_VALUE_TOO_LARGE`` when an unpaged listing does not fit (gateway 2.3).
        """
        stored = self._store.content.find(path)
        if stored is None:
            return None
        files: list[FileEntry] = []
        folders: list[FolderEntry] = []
        estimate = 0
        entries = self._store.content.entries(stored, token) if stored.is_folder else self._file_entry(stored, token)
        for entry in entries:
            overhead = _FILE_ESTIMATE if isinstance(entry, FileEntry) else _FOLDER_ESTIMATE
            estimate += overhead + 2 * len(self._rules.text(entry.parts))
            if estimate >= self._page_size and not (is_paged and not files and not folders):
                if is_paged:
                    return Listing(files, folders, self._token(entry))
                raise FabricError(
                    "FABRIC_E_VALUE_TOO_LARGE",
                    f"Entry is too large. Estimated size and maximum allowed size are: {estimate} {self._page_size}",
                    why="api-version 1.0, 2.0 and 3.0 list without pages, and this listing is too long for one",
                )
            if isinstance(entry, FileEntry):
                files.append(entry)
            else:
                folders.append(entry)
        return Listing(files, folders)

    def exists(self, path: ContentPath) -> bool:
        """The service's own probe: a file at `path`, or the mark file of a folder there (store 3.6)."""
        stored = self._store.content.find(path)
        if stored is None or not stored.is_folder:
            return stored is not None
        return self._store.content.find(self._rules.of([*path.parts, MARK_FILE])) is not None

    async def delete(self, path: ContentPath, timeout: float) -> None:
        """Delete a file, or a folder with all that is in it; nothing there is fine too (store 5)."""
        require_deletable(path)
        async with self._turns.take(timeout):
            await in_thread(self.remove, path, timeout)

    def remove(self, path: ContentPath, timeout: float) -> None:
        """Delete whatever is at `path`, the cluster's own folders too, right here on this thread."""
        trash = self._store.staging.new_name()
        with changing(self._store.locks, path, timeout=timeout):
            stored = self._store.content.find(path)
            if stored is None:
                return
            self._store.content.take_out(stored, trash)
        self._store.staging.discard(trash)

    def all_files(self) -> Iterator[Stored]:
        """Every file of the store, at any depth, in order of their paths."""
        root = self._store.content.find(self._rules.of([]))
        return iter(sorted(self._store.content.files(root), key=lambda each: each.parts) if root else [])

    def read(self, path: ContentPath) -> tuple[int, Iterator[bytes]]:
        """A file's size and bytes, as it was when it was opened; raises ``FABRIC_E_FILE_NOT_FOUND`` for none."""
        stored = self._store.content.find(path)
        if stored is None or stored.is_folder:
            raise file_not_found("no file is stored there")
        try:
            file = open(stored.location, "rb", buffering=0)  # noqa: SIM115  # closed when its pieces are read
        except FileNotFoundError:
            raise file_not_found("the file was deleted a moment ago") from None
        size = os.fstat(file.fileno()).st_size
        return size, read_pieces(file, size)

    def folder_size(self, path: ContentPath) -> tuple[Stored, int]:
        """The folder at `path` and the bytes of all files in it; a file counts itself."""
        stored = self._store.content.find(path)
        if stored is None:
            raise file_not_found("nothing is stored there")
        size, count = self._store.content.usage(stored)
        if not count and not path.is_root:
            raise file_not_found("the folder has no files, so it does not exist")
        return stored, size

    def total_size(self) -> int:
        """The bytes of all files."""
        root = self._store.content.find(self._rules.of([]))
        return self._store.content.usage(root)[0] if root else 0

    def store_info(self, staged: StagedUsage) -> StoreInfo:
        """The figures of the whole store; `staged` is what upload sessions hold."""
        register, copied = Usage(0, 0), Usage(0, 0)
        root = self._store.content.find(self._rules.of([]))
        if root:
            total = Usage(*self._store.content.usage(root))
            for name in sorted(RESERVED):
                reserved = self._store.content.find(self._rules.of([name]))
                if reserved:
                    size, count = self._store.content.usage(reserved)
                    register = Usage(register.used_space + size, register.file_count + count)
            copied = Usage(total.used_space - register.used_space, total.file_count - register.file_count)
        capacity, available = self._store.disk_space()
        metadata, staging = Usage(*self._store.metadata_usage()), Usage(staged.byte_count, staged.chunk_count)
        return StoreInfo(capacity, available, metadata, staging, copied, register)

    def _store_at_once(self, staged: str, content: bytes, path: ContentPath) -> bool:
        """Store a small file right here, on the event loop, when nothing could make it wait; false when it might.

        Handing it to a thread and back takes longer than the work itself: creating, writing and renaming a file in the
        page cache.
        """
        if len(content) > _AT_ONCE or not self._store.staging.is_quick:
            return False
        try:
            with changing(self._store.locks, path, timeout=0):
                return self._store.content.publish_at_hand(content, staged, path, self._clock.now_ns())
        except (LockTimeoutError, FileNotFoundError):
            return False

    def _store_small(self, staged: str, content: bytes, path: ContentPath, timeout: float) -> None:
        self._store.staging.discard(staged)
        write_file(staged, content, self._store.staging.sync_file)
        self._publish(staged, path, timeout)

    def _publish(self, staged: str, path: ContentPath, timeout: float) -> None:
        with changing(self._store.locks, path, timeout=timeout):
            self._store.content.publish(staged, path, self._clock.now_ns())

    def _file_entry(self, stored: Stored, token: str) -> list[FileEntry]:
        key = self._rules.separator.join(map(self._rules.fold, stored.parts))
        return [] if key < token else [FileEntry.of(key, stored.parts, stored.status)]

    def _token(self, entry: FileEntry | FolderEntry) -> str:
        text = self._rules.text(entry.parts)
        return text + self._rules.separator if isinstance(entry, FolderEntry) else text


def require_deletable(path: ContentPath) -> None:
    """Raise for what nobody may delete: the store itself, and the cluster's own folders (store 1.6)."""
    if path.is_root:
        raise invalid_argument("the path names the store itself")
    if is_reserved(path):
        raise FabricError(
            "FABRIC_E_IMAGEBUILDER_RESERVED_DIRECTORY_ERROR", why=f"the cluster keeps {path.name} for itself"
        )


def is_reserved(path: ContentPath) -> bool:
    """Exactly one of the cluster's own folders, in any case."""
    return len(path.parts) == 1 and path.name.lower() in RESERVED
