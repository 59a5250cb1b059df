"""Named snapshots of stores: content, open sessions and their bytes, and the time. Any store can be made one again."""

import re
import shutil
from pathlib import Path
from typing import Any, Final

from emulator.clock import to_datetime
from emulator.control.progress import Progress
from emulator.control.stores import IsolatedStore, ReplacedError, Stores
from emulator.operations.body import in_thread
from emulator.operations.expiry import Expiry
from emulator.storage.disk import exchange
from emulator.storage.errors import NewerDataError
from emulator.storage.layout import StoreLayout
from emulator.storage.snapshots import count_files, restore, save

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Snapshots:
    """The snapshots of one data directory; one at a time is saved, restored or deleted."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def names(self) -> list[str]:
        """All there are."""
        return self._stores.data.snapshots()

    async def save(self, store: IsolatedStore, name: str, progress: Progress) -> int:
        """Take a snapshot, in the place of an older one of that name; answers with the number of its files.

        A file that is being written at this moment is in it as it was before or as it is afterwards. Raises
        `ReplacedError` when the store was reset, restored or dropped meanwhile.
        """
        place = self._place(name)
        async with self._stores.snapshots_lock:
            new = self._stores.data.spare_store().root
            opened = store.opened
            try:
                count = await in_thread(self._save, store, new, progress)
                if store.opened is not opened or self._stores.at_hand(store.name) is not store:
                    raise ReplacedError(f"the store {store.name} was replaced while its snapshot was taken")
                await in_thread(_put, new, place)
            finally:
                await in_thread(_delete, new)
        return count

    def _save(self, store: IsolatedStore, new: Path, progress: Progress) -> int:
        layout = self._stores.data.store(store.name)
        progress.total = count_files(layout.content)
        clock = store.clock
        times = {"now_ns": str(clock.now_ns()), "rate": clock.rate, "expiry": store.life.mode.value}
        return save(layout, store.uploads.all(), new, times, progress.step)

    async def restore(self, name: str, store: IsolatedStore, progress: Progress) -> None:
        """Let a store be as the snapshot was, its time included; raises `FileNotFoundError` if there is none."""
        place = self._place(name)
        times: dict[str, Any] = {}

        def build(layout: StoreLayout) -> None:
            if not place.is_dir():
                raise FileNotFoundError(f"there is no snapshot {name!r}")
            progress.total = count_files(place) - 1
            try:
                times.update(restore(place, layout, progress.step))
            except NewerDataError as error:
                raise ValueError(str(error)) from error

        def set_time(restored: IsolatedStore) -> None:
            restored.clock.start(to_datetime(int(times["now_ns"])), times["rate"])
            restored.life.set_mode(Expiry(times["expiry"]))

        async with self._stores.snapshots_lock:
            await self._stores.replace(store.name, build, set_time)

    async def delete(self, name: str) -> bool:
        """Delete one; false if there is none."""
        place = self._place(name)
        async with self._stores.snapshots_lock:
            gone = self._stores.data.spare_store().root
            try:
                place.rename(gone)
            except FileNotFoundError:
                return False
            await in_thread(_delete, gone)
        return True

    def _place(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no snapshot: letters, digits, dot, - and _, at most 100")
        return self._stores.data.snapshot(name)


def _put(new: Path, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    if place.exists():
        exchange(str(new), str(place))
    else:
        new.rename(place)


def _delete(location: Path) -> None:
    shutil.rmtree(location, ignore_errors=True)
