"""SQLite, in a file of the data directory."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from emulator.storage.database import CHANGE_TIMEOUT_SECONDS, Database, create_tables
from emulator.storage.durability import Durability
from emulator.storage.errors import DataDirectoryError, LockTimeoutError

_BUSY_TIMEOUT_MS: Final = 200
"""What one attempt to begin a transaction waits for other processes."""

_READ_ONLY: Final = "is_read_only"


class SqliteDatabase(Database):
    """One file, which several processes may share."""

    def __init__(self, file: Path, durability: Durability = Durability.PROCESS) -> None:
        super().__init__(create_engine(f"sqlite:///{file}", pool_size=8, max_overflow=56))
        self._file = file
        self._identity: tuple[int, int] | None = None
        self._writer = threading.Lock()
        _set_up(self._engine, str(file), "FULL" if durability is Durability.POWER else "NORMAL")

    def open(self) -> str | None:
        """Create file and tables, and answer with what was upgraded, if anything.

        Raises `NewerDataError`, and `DataDirectoryError` for a file that cannot be used.
        """
        try:
            with self.change() as connection:
                return create_tables(connection)
        except DatabaseError as error:
            raise DataDirectoryError(
                self._file.parent,
                f"{self._file.name}: {error.orig} (without that file nothing but open upload sessions is lost)",
            ) from error

    @contextmanager
    def change(self, timeout: float = CHANGE_TIMEOUT_SECONDS) -> Iterator[Connection]:
        """One transaction; SQLite has one writer at a time."""
        deadline = time.monotonic() + timeout
        with self._writing(timeout), ExitStack() as stack:
            connection = self._begin(stack, deadline)
            self.check()
            yield connection

    def claim(self, connection: Connection, name: str) -> bool:  # noqa: ARG002
        """Whoever may change anything is alone."""
        return False

    @contextmanager
    def _writing(self, timeout: float) -> Iterator[None]:
        """Threads that wait for each other here need not poll the file's lock."""
        if not self._writer.acquire(timeout=timeout):
            raise LockTimeoutError
        try:
            yield
        finally:
            self._writer.release()

    def _begin(self, stack: ExitStack, deadline: float) -> Connection:
        while True:
            try:
                return stack.enter_context(self._engine.begin())
            except OperationalError as error:
                if "locked" not in str(error.orig):
                    raise
                if time.monotonic() >= deadline:
                    raise LockTimeoutError from error

    def check(self) -> None:
        """Raise `FileNotFoundError` when the file was moved away or replaced: what goes into it would be lost."""
        status = os.stat(self._file)
        identity = (status.st_dev, status.st_ino)
        if self._identity is None:
            self._identity = identity
        elif self._identity != identity:
            raise FileNotFoundError(errno.ENOENT, "the database was replaced while the emulator runs", str(self._file))


def _set_up(engine: Engine, file: str, synchronous: str) -> None:
    """Write-ahead log, and transactions that take the write lock when they begin, so that none fails half-way."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_READ_ONLY] = not os.access(file, os.W_OK)
        connection.isolation_level = None  # the driver shall not begin transactions of its own
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.close()

    @event.listens_for(engine, "checkout")
    def _checked_out(_connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if record.info[_READ_ONLY] and os.access(file, os.W_OK):
            raise DisconnectionError  # opened when the disk was read-only, and of no use now that it is not

    @event.listens_for(engine, "begin")
    def _began(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
