"""One store, opened: its content, its staging area, its sessions and its locks."""

import os

from sqlalchemy.exc import SQLAlchemyError

from emulator.protocol.content_path import PathRules
from emulator.storage.content_tree import ContentTree
from emulator.storage.database import Database
from emulator.storage.durability import Sync
from emulator.storage.errors import reason_of
from emulator.storage.layout import StoreLayout
from emulator.storage.locks import NamedLocks
from emulator.storage.sessions import SessionTable
from emulator.storage.snapshots import read_arrival, write_arrival
from emulator.storage.staging import Staging


class Store:
    """What operations work on. Opening one sweeps what a dead process left in staging."""

    def __init__(
        self, layout: StoreLayout, database: Database, rules: PathRules, sync: Sync, name: str = "default"
    ) -> None:
        is_new = not layout.content.exists()
        layout.create()
        self._layout = layout
        self._sync = sync
        self.rules = rules
        self.locks = NamedLocks(layout.locks)
        self.staging = Staging(layout, self.locks, sync)
        self.content = ContentTree(str(layout.content), rules, self.locks, sync, self.staging.is_alone)
        self.sessions = SessionTable(database, name)
        self.is_open = True
        try:
            self._take_arrival(is_new=is_new)
            self.staging.sweep_sessions(self.sessions.tokens)
        except BaseException:
            self.close()
            raise

    def _take_arrival(self, *, is_new: bool) -> None:
        """Sessions are those that came with the directories; with new ones none did, whatever was here before."""
        arrived = read_arrival(self._layout)
        if arrived is None and is_new and self.staging.is_alone():
            arrived = []
        if arrived is not None:
            try:
                with self.sessions.replacing(arrived):
                    pass
            except Exception:
                write_arrival(self._layout, arrived)  # for the next who opens it: the database is away
                raise
            self._layout.arrival.unlink(missing_ok=True)

    def unpacked(self, folder: str) -> ContentTree:
        """A folder outside the content, read by the same rules."""
        return ContentTree(folder, self.rules, self.locks, self._sync, self.staging.is_alone)

    def disk_space(self) -> tuple[int, int]:
        """(capacity, available) bytes of the file system the content is on."""
        status = os.statvfs(self._layout.content)
        return status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize

    def metadata_usage(self) -> tuple[int, int]:
        """(bytes, number of files) of what the emulator keeps beside the content."""
        files = [file for file in self._layout.root.parent.iterdir() if file.is_file()]
        return sum(file.stat().st_size for file in files), len(files)

    def find_fault(self) -> str | None:
        """Why the store cannot be used right now, if so."""
        try:
            self.sessions.check()
            if os.statvfs(self._layout.content).f_flag & os.ST_RDONLY:
                return f"{self._layout.content} is on a read-only file system"
        except (OSError, SQLAlchemyError) as error:
            return reason_of(error)
        return None

    def close(self) -> None:
        """Stop using the store, leaving content and sessions as they are."""
        self.is_open = False
        self.staging.close()
        self.locks.close()
