"""Copy inside the store (reference: store 4, gateway 7.6)."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from emulator.clock import Clock
from emulator.operations.body import Turns, in_thread
from emulator.operations.content import is_reserved
from emulator.operations.path_locks import changing
from emulator.operations.room import Room
from emulator.protocol.content_path import MARK_FILE, ContentPath
from emulator.protocol.copy_description import CopyDescription
from emulator.protocol.errors import FabricError, file_not_found, invalid_argument, shortened
from emulator.protocol.profile import Profile
from emulator.storage.content_tree import ContentTree, Stored, clone_file
from emulator.storage.store import Store

_COPIES_AT_ONCE: Final = 4


class Copying:
    """The copy operation of one store."""

    def __init__(self, store: Store, clock: Clock, profile: Profile, room: Room) -> None:
        self._store = store
        self._rules = store.rules
        self._clock = clock
        self._profile = profile
        self._room = room
        self._turns = Turns()

    async def copy(self, description: CopyDescription, timeout: float) -> None:
        """Copy a file, or a folder that has its mark file, to a full new name.

        A copied folder replaces what was at the destination in one step. Raises ``FABRIC_E_FILE_NOT_FOUND`` for a
        missing source or mark file, ``E_INVALIDARG`` for an empty destination. Copying a folder over itself or over
        a folder it lies in would destroy it in the original; here it is refused with ``E_INVALIDARG``.
        """
        async with self._turns.take(timeout):
            await in_thread(self._copy, description, timeout)

    def _copy(self, description: CopyDescription, timeout: float) -> None:
        source = self._source(description.source)
        destination = self._rules.parse(description.destination)
        with changing(self._store.locks, destination, reading=source, timeout=timeout):
            stored = self._store.content.find(source)
            if stored is None:
                raise file_not_found(f"nothing is stored at {shortened(description.source)!r}")
            if stored.is_folder and not self._has_mark(source):
                raise file_not_found(
                    f"the folder {shortened(description.source)!r} has no {MARK_FILE}, so it counts as half uploaded"
                )
            if destination.is_root:
                raise invalid_argument("the destination is empty")
            if stored.is_folder:
                self._copy_folder(stored, source, destination, description)
            else:
                self._copy_file(stored, destination, description)

    def _source(self, text: str) -> ContentPath:
        """Windows compares the source with stored paths as it was sent: other separators match nothing (store 4.2)."""
        path = self._rules.parse(text)
        if self._profile.is_windows and self._rules.fold(text) != self._rules.text(path.key):
            raise file_not_found(
                f"the source {shortened(text)!r} is compared with stored paths as it is: it has to be written with "
                f"{self._rules.separator} and without one at its ends"
            )
        return path

    def _copy_file(self, source: Stored, destination: ContentPath, description: CopyDescription) -> None:
        before = self._store.content.find(destination)
        if before and not before.is_folder and not description.overwrites:
            return
        if self._is_skipped(description)(source.parts[-1]):
            return
        staged = self._store.staging.new_name()
        try:
            with self._room.taking(lambda: source.size):
                _clone(source, staged, self._date_of_copy)
                self._store.staging.sync_tree(staged)
                after = self._store.content.publish_copy(staged, destination)
        finally:
            self._store.staging.discard(staged)
        if before:
            self._store.sessions.republished(before.identity, after.identity)

    def _copy_folder(
        self, source: Stored, source_path: ContentPath, destination: ContentPath, description: CopyDescription
    ) -> None:
        before = self._store.content.find(destination)
        if not description.overwrites and before and before.is_folder and self._has_mark(destination):
            return
        if is_reserved(destination):
            raise FabricError(
                "FABRIC_E_IMAGEBUILDER_RESERVED_DIRECTORY_ERROR", why=f"the cluster keeps {destination.name} for itself"
            )
        if destination.contains(source_path) or (before and source_path.contains(destination)):
            raise invalid_argument("a folder cannot be copied over itself or over a folder it lies in")
        is_named = self._is_skipped(description)

        def is_skipped(parts: tuple[str, ...]) -> bool:
            is_top_mark = len(parts) == 1 and self._rules.fold(parts[0]) == MARK_FILE
            return is_named(parts[-1]) and not is_top_mark

        staged = self._store.staging.new_name()
        try:
            with self._room.taking(lambda: self._store.content.usage(source)[0]):
                clone_folder(self._store.content, source, staged, self._date_of_copy, is_skipped)
                self._store.staging.sync_tree(staged)
                self._store.content.publish_folder(staged, destination)
        finally:
            self._store.staging.discard(staged)

    def _has_mark(self, folder: ContentPath) -> bool:
        mark = self._store.content.find(self._rules.of([*folder.parts, MARK_FILE]))
        return mark is not None and not mark.is_folder

    def _is_skipped(self, description: CopyDescription) -> Callable[[str], bool]:
        """``SkipFiles`` holds bare file names, at any depth (store 4.4)."""
        names = {name.lower() for name in description.skip_files}
        return lambda name: name.lower() in names

    def _date_of_copy(self, source: Stored) -> int:
        """Windows keeps the source's date, Linux writes the data anew (store 2.3)."""
        return source.modified_ns if self._profile.is_windows else self._clock.now_ns()


def clone_folder(
    tree: ContentTree,
    source: Stored,
    staged: str,
    date_of_copy: Callable[[Stored], int],
    is_skipped: Callable[[tuple[str, ...]], bool] = lambda _: False,
) -> None:
    """Copy a folder of `tree` to the new folder `staged`; files are skipped by their path in it.

    Raises ``FABRIC_E_FILE_NOT_FOUND`` for a file that is gone since it was listed, as in the original (store 4.5).
    """
    depth = len(source.parts)
    files = [file for file in tree.files(source) if not is_skipped(file.parts[depth:])]
    targets = ["/".join([staged, *file.parts[depth:]]) for file in files]
    for folder in sorted({staged, *map(os.path.dirname, targets)}):
        os.makedirs(folder, exist_ok=True)
    with ThreadPoolExecutor(_COPIES_AT_ONCE, thread_name_prefix="copy") as pool:
        for _ in pool.map(lambda source, target: _clone(source, target, date_of_copy), files, targets):
            pass


def _clone(source: Stored, target: str, date_of_copy: Callable[[Stored], int]) -> None:
    try:
        clone_file(source, target, date_of_copy(source))
    except FileNotFoundError:
        raise file_not_found("the source was deleted while it was copied") from None
