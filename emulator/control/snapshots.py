"""Named snapshots of stores: content, open sessions and their bytes, and the time. Any store can be made one again."""

import re
import shutil
from pathlib import Path
from typing import Final

from emulator.clock import to_datetime
from emulator.control.progress import Progress
from emulator.control.stores import IsolatedStore, Stores
from emulator.operations.body import in_thread
from emulator.protocol.upload_session import UploadSession
from emulator.storage.disk import exchange
from emulator.storage.errors import NewerDataError
from emulator.storage.layout import StoreLayout
from emulator.storage.snapshots import count_files, restore, save

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Snapshots:
    """The snapshots of one data directory."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def names(self) -> list[str]:
        """All there are."""
        return self._stores.data.snapshots()

    async def save(self, store: IsolatedStore, name: str, progress: Progress) -> int:
        """Take a snapshot, in the place of an older one of that name; answers with the number of its files.

        A file that is being written at this moment is in it as it was before or as it is afterwards.
        """
        return await in_thread(self._save, store, self._place(name), progress)

    def _save(self, store: IsolatedStore, place: Path, progress: Progress) -> int:
        layout = self._stores.data.store(store.name)
        progress.total = count_files(layout.content)
        new = self._stores.data.spare_store().root
        try:
            count = save(layout, store.uploads.all(), new, store.clock.now_ns(), progress.step)
            place.parent.mkdir(exist_ok=True)
            if place.exists():
                exchange(str(new), str(place))
            else:
                new.rename(place)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return count

    async def restore(self, name: str, store: IsolatedStore, progress: Progress) -> None:
        """Let a store be as the snapshot was, its time included; raises `FileNotFoundError` if there is none."""
        place = self._place(name)
        moment_ns = 0

        def build(layout: StoreLayout) -> list[UploadSession]:
            nonlocal moment_ns
            if not place.is_dir():
                raise FileNotFoundError(f"there is no snapshot {name!r}")
            progress.total = count_files(place)
            try:
                sessions, moment_ns = restore(place, layout, progress.step)
            except NewerDataError as error:
                raise ValueError(str(error)) from error
            return sessions

        restored = await self._stores.replace(store.name, build)
        restored.clock.set(to_datetime(moment_ns))

    async def delete(self, name: str) -> bool:
        """Delete one; false if there is none."""
        return await in_thread(self._delete, self._place(name))

    def _delete(self, place: Path) -> bool:
        gone = self._stores.data.spare_store().root
        try:
            place.rename(gone)
        except FileNotFoundError:
            return False
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def _place(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no snapshot: letters, digits, dot, - and _, at most 100")
        return self._stores.data.snapshot(name)
