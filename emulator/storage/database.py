"""The database: engine, SQLite's settings, tables and their stamp. Synchronous, called from worker threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select

from emulator.storage.tables import Base, SchemaStamp

SCHEMA: Final = 1
_BUSY_TIMEOUT_MS: Final = 30_000


class NewerSchemaError(Exception):
    """The tables were made by a newer emulator."""

    def __init__(self, found: int) -> None:
        super().__init__(
            f"the database has tables of version {found}, this emulator knows versions up to {SCHEMA}: "
            "use the newer emulator that made them, or another database"
        )


class Database:
    """Connections to one database, for reading and for changing rows."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, pool_size=8, max_overflow=56)
        self._readers = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        # SQLite has one writer at a time; threads that wait for each other here need not poll its file lock.
        self._writer = threading.Lock() if self._is_sqlite else nullcontext()
        if self._is_sqlite:
            _set_up_sqlite(self._engine)

    @classmethod
    def at(cls, file: Path) -> "Database":
        """SQLite in a file."""
        return cls(f"sqlite:///{file}")

    def open(self) -> None:
        """Create the tables; raises `NewerSchemaError` for those of a newer emulator."""
        with self.change() as connection:
            if inspect(connection).has_table(SchemaStamp.__tablename__):
                found = connection.scalar(select(SchemaStamp.version))
                if found is not None and found > SCHEMA:
                    raise NewerSchemaError(found)
            Base.metadata.create_all(connection)
            if connection.scalar(select(SchemaStamp.version)) is None:
                connection.execute(insert(SchemaStamp).values(version=SCHEMA))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Single selects, each seeing the newest committed state."""
        with self._readers.connect() as connection:
            yield connection

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """One transaction: all of it happens or none."""
        with self._writer, self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _set_up_sqlite(engine: Engine) -> None:
    """Write-ahead log, and transactions that take the write lock when they begin, so that none fails half-way."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver shall not begin transactions of its own
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _began(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
