"""What both databases have in common: tables, their stamp, reading. Synchronous, called from worker threads."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, insert, inspect, select

from emulator.storage.errors import NewerDataError
from emulator.storage.tables import METADATA, SCHEMA_STAMP

SCHEMA: Final = 1
CHANGE_TIMEOUT_SECONDS: Final = 10.0


class Database(ABC):
    """Connections to one database, for reading and for changing rows.

    `scope` goes before the names of stores, so that several data directories may share a database.
    """

    def __init__(self, engine: Engine, scope: str = "") -> None:
        self._engine = engine
        self._readers = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.scope = scope

    @abstractmethod
    def open(self) -> str | None:
        """Create the tables, and answer with what was upgraded, if anything.

        Raises `NewerDataError`, or the `UnusableError` that says why the database is of no use.
        """

    @abstractmethod
    def change(self, timeout: float = CHANGE_TIMEOUT_SECONDS) -> AbstractContextManager[Connection]:
        """One transaction: all of it happens or none.

        Raises `LockTimeoutError` when others have kept what it needs for `timeout` seconds.
        """

    @abstractmethod
    def claim(self, connection: Connection, name: str) -> bool:
        """Before making a row that was not found: hold off others who would make it, until the transaction ends.

        True where one of them may have made it since the look, so that another look is due.
        """

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Single selects, each seeing the newest committed state."""
        with self._readers.connect() as connection:
            yield connection

    @abstractmethod
    def check(self) -> None:
        """Raise `OSError` for a fault that no query would show."""

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def create_tables(connection: Connection) -> str | None:
    """Create the tables, and answer with what was upgraded, if anything; raises `NewerDataError`.

    Tables of an older version are made anew: they hold nothing but upload sessions, which live half an hour.
    """
    upgrade = None
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
