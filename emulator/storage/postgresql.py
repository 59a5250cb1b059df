"""PostgreSQL, wherever a URL says, through psycopg.

Transactions run at READ COMMITTED, whatever the server's default. A row is locked when it is looked for, so that it
stays as it was seen; where there is none yet, an advisory lock stands for it, as PostgreSQL locks no absent rows.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError

from emulator.storage.database import CHANGE_TIMEOUT_SECONDS, Database, create_tables
from emulator.storage.durability import Durability
from emulator.storage.errors import DatabaseUnusableError, LockTimeoutError, reason_of
from emulator.storage.tables import SCHEMA_STAMP, UPLOAD_SESSION

_CONNECTION: Final = {
    "application_name": "imagestore-emulator",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "tcp_user_timeout": "10000",
}
"""What a URL may say otherwise: a host that has vanished is given up after ten seconds."""

_KEPT_CONNECTIONS: Final = 8
_MORE_CONNECTIONS: Final = 16
"""Changes wait for each other on few connections, see `Turns`; this leaves some for reading meanwhile."""

_LOCK_NOT_AVAILABLE: Final = "55P03"
_LONGEST_TIMEOUT_MS: Final = (1 << 31) - 1
_CLAIM: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('imagestore-emulator ' || :name, 0))")


class PostgresqlDatabase(Database):
    """A database, or a schema of one, which several processes and several data directories may share."""

    def __init__(self, url: str, scope: str, durability: Durability = Durability.PROCESS) -> None:
        self._place = place_of(url)
        try:
            engine = create_engine(
                _driver_url(url, durability),
                isolation_level="READ COMMITTED",
                pool_size=_KEPT_CONNECTIONS,
                max_overflow=_MORE_CONNECTIONS,
                pool_timeout=CHANGE_TIMEOUT_SECONDS,
            )
        except ImportError as error:
            raise DatabaseUnusableError(
                self._place,
                f"its driver cannot be loaded ({error}); install it with pip install 'imagestore-emulator[postgresql]'",
            ) from error
        super().__init__(engine, scope)
        _let_go_of_broken_connections(engine)

    def open(self) -> str | None:
        """Create the tables, and answer with what was upgraded, if anything.

        Raises `NewerDataError`, and `DatabaseUnusableError` for one that cannot be reached or is not the emulator's.
        """
        try:
            with self.change() as connection:
                self.claim(connection, "tables")
                tables = inspect(connection)
                if tables.has_table(UPLOAD_SESSION.name) and not tables.has_table(SCHEMA_STAMP.name):
                    raise DatabaseUnusableError(
                        self._place,
                        f"it has a table {UPLOAD_SESSION.name} that no emulator made; choose another database",
                    )
                return create_tables(connection)
        except LockTimeoutError as error:
            raise DatabaseUnusableError(self._place, "others have kept its tables locked") from error
        except SQLAlchemyError as error:
            raise DatabaseUnusableError(self._place, reason_of(error)) from error

    @contextmanager
    def change(self, timeout: float = CHANGE_TIMEOUT_SECONDS) -> Iterator[Connection]:
        """One transaction, which waits for each row another one has locked."""
        milliseconds = min(max(int(timeout * 1000), 1), _LONGEST_TIMEOUT_MS)
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
                yield connection
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                raise LockTimeoutError from error
            raise

    def claim(self, connection: Connection, name: str) -> bool:
        """Names are hashed: those with the same hash wait for each other needlessly and nothing worse."""
        connection.execute(_CLAIM, {"name": name})
        return True

    def check(self) -> None:
        """A query shows every fault."""


def place_of(url: str) -> str:
    """Which database a URL means, without user, password and options."""
    parsed = make_url(url)
    return str(URL.create("postgresql", host=parsed.host, port=parsed.port, database=parsed.database))


def _driver_url(url: str, durability: Durability) -> URL:
    parsed = make_url(url)
    query = {**_CONNECTION, **parsed.query}
    if durability is Durability.POWER:
        query["options"] = f"-c synchronous_commit=on {query.get('options', '')}"
    return parsed.set(drivername="postgresql+psycopg", query=query)


def _let_go_of_broken_connections(engine: Engine) -> None:
    """A connection the server has closed says so by itself, so that no question need be sent before each use."""

    @event.listens_for(engine, "checkout")
    def _checked_out(connection: Any, _record: Any, _proxy: Any) -> None:
        if connection.closed or _has_news(connection.fileno()):
            raise DisconnectionError


def _has_news(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
