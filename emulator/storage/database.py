"""The database: engine, SQLite's settings, tables and their stamp. Synchronous, called from worker threads."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from emulator.storage.durability import Durability
from emulator.storage.errors import LockTimeoutError, NewerDataError
from emulator.storage.tables import METADATA, SCHEMA_STAMP

SCHEMA: Final = 1
_BUSY_TIMEOUT_MS: Final = 200
"""What one attempt to begin a transaction waits for other processes."""

_TIMEOUT_SECONDS: Final = 10.0
_READ_ONLY: Final = "is_read_only"


class Database:
    """Connections to one database, for reading and for changing rows."""

    def __init__(self, url: str, durability: Durability = Durability.PROCESS) -> None:
        self._engine = create_engine(url, pool_size=8, max_overflow=56)
        self._readers = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._file = self._engine.url.database if self._is_sqlite else None
        self._identity: tuple[int, int] | None = None
        self._writer = threading.Lock()
        if self._is_sqlite:
            _set_up_sqlite(self._engine, "FULL" if durability is Durability.POWER else "NORMAL")

    @classmethod
    def at(cls, file: Path, durability: Durability) -> "Database":
        """SQLite in a file."""
        return cls(f"sqlite:///{file}", durability)

    def open(self) -> str | None:
        """Create the tables, and answer with what was upgraded, if anything; raises `NewerDataError`.

        Tables of an older version are made anew: they hold nothing but upload sessions, which live half an hour.
        """
        upgrade = None
        with self.change() as connection:
            found = None
            if inspect(connection).has_table(SCHEMA_STAMP.name):
                found = connection.scalar(select(SCHEMA_STAMP.c.version))
            if found is not None and found > SCHEMA:
                raise NewerDataError("the database", found, SCHEMA)
            if found is not None and found < SCHEMA:
                METADATA.drop_all(connection)
                upgrade = f"tables of version {found} were made anew as version {SCHEMA}; open upload sessions are gone"
            METADATA.create_all(connection)
            if found != SCHEMA:
                connection.execute(insert(SCHEMA_STAMP).values(version=SCHEMA))
        return upgrade

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Single selects, each seeing the newest committed state."""
        with self._readers.connect() as connection:
            yield connection

    @contextmanager
    def change(self, timeout: float = _TIMEOUT_SECONDS) -> Iterator[Connection]:
        """One transaction: all of it happens or none.

        Raises `LockTimeoutError` when others have kept the database for `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._writing(timeout), ExitStack() as stack:
            connection = self._begin(stack, deadline)
            self.check_file()
            yield connection

    @contextmanager
    def _writing(self, timeout: float) -> Iterator[None]:
        """SQLite has one writer at a time; threads that wait for each other here need not poll its file lock."""
        if not self._is_sqlite:
            yield
            return
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

    def check_file(self) -> None:
        """Raise `FileNotFoundError` when SQLite's file was moved away or replaced: what goes into it would be lost."""
        if self._file is None:
            return
        status = os.stat(self._file)
        identity = (status.st_dev, status.st_ino)
        if self._identity is None:
            self._identity = identity
        elif self._identity != identity:
            raise FileNotFoundError(errno.ENOENT, "the database was replaced while the emulator runs", self._file)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _set_up_sqlite(engine: Engine, synchronous: str) -> None:
    """Write-ahead log, and transactions that take the write lock when they begin, so that none fails half-way."""
    file = engine.url.database or ""

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
