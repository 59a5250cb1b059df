"""Upload sessions in and out of their table. Rows never leave this file."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from emulator.protocol.received_ranges import ReceivedRanges
from emulator.protocol.upload_session import UploadSession
from emulator.storage.database import Database
from emulator.storage.tables import UPLOAD_SESSION as _TABLE

_COLUMNS = _TABLE.c
_MINE = _COLUMNS.store == bindparam("mine")
_THIS = _COLUMNS.session_id == bindparam("this")
_ALIVE = _COLUMNS.modified_ns > bindparam("alive_since")

# Built once: building a statement costs as much as running it.
_FIND = select(_TABLE).where(_MINE, _THIS)
_FIND_TO_CHANGE = _FIND.with_for_update()
_FIND_BY_PATH = select(_TABLE).where(_MINE, _COLUMNS.path == bindparam("path"), _ALIVE).order_by(_COLUMNS.session_id)
_FIND_ALL = select(_TABLE).where(_MINE, _ALIVE).order_by(_COLUMNS.path, _COLUMNS.session_id)
_FIND_EXPIRED = select(_TABLE).where(_MINE, ~_ALIVE).with_for_update(skip_locked=True)
_USAGE = select(func.count(), func.sum(_COLUMNS.byte_count), func.sum(_COLUMNS.chunk_count)).where(_MINE, _ALIVE)
_UNPUBLISHED = select(func.sum(_COLUMNS.byte_count)).where(_MINE, _ALIVE, _COLUMNS.published == "")
_COUNT = select(func.count()).where(_MINE, _ALIVE)
_TOKENS = select(_COLUMNS.staging).where(_MINE)
_TOKEN = select(_COLUMNS.staging).where(_MINE, _THIS)
_INSERT = insert(_TABLE)
_UPDATE = update(_TABLE).where(_MINE, _THIS)
_DELETE = delete(_TABLE).where(_MINE, _THIS)
_DELETE_ALL = delete(_TABLE).where(_MINE)
_REPUBLISHED = (
    update(_TABLE).where(_MINE, _COLUMNS.published == bindparam("before")).values(published=bindparam("after"))
)


@dataclass(frozen=True, slots=True)
class StagedUsage:
    """A store's sessions, and what their chunks take: bytes, and their number."""

    session_count: int
    byte_count: int
    chunk_count: int


class SessionTable:
    """The upload sessions of one store. A session not changed after `alive_since_ns` has expired: it is not there."""

    def __init__(self, database: Database, store: str) -> None:
        self._database = database
        self._store = database.scope + store

    def find(self, session_id: str, alive_since_ns: int) -> UploadSession | None:
        """The session of that id."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"mine": self._store, "this": session_id}).one_or_none()
        return _living(row, alive_since_ns)

    def find_by_path(self, path: str, alive_since_ns: int) -> list[UploadSession]:
        """All sessions whose path is exactly `path`, in order of their ids."""
        values = {"mine": self._store, "path": path, "alive_since": alive_since_ns}
        with self._database.read() as connection:
            return [_session(row) for row in connection.execute(_FIND_BY_PATH, values)]

    def all(self, alive_since_ns: int) -> list[UploadSession]:
        """All sessions, in order of their paths."""
        with self._database.read() as connection:
            return [
                _session(row)
                for row in connection.execute(_FIND_ALL, {"mine": self._store, "alive_since": alive_since_ns})
            ]

    def usage(self, alive_since_ns: int) -> StagedUsage:
        """What all sessions have staged."""
        with self._database.read() as connection:
            values = {"mine": self._store, "alive_since": alive_since_ns}
            session_count, byte_count, chunk_count = connection.execute(_USAGE, values).one()
        return StagedUsage(session_count, int(byte_count or 0), int(chunk_count or 0))

    def unpublished_size(self, alive_since_ns: int) -> int:
        """Bytes that sessions which were not committed have staged."""
        with self._database.read() as connection:
            return int(connection.scalar(_UNPUBLISHED, {"mine": self._store, "alive_since": alive_since_ns}) or 0)

    def tokens(self) -> set[str]:
        """The staging files that rows name, those of expired sessions included."""
        with self._database.read() as connection:
            return set(connection.scalars(_TOKENS, {"mine": self._store}))

    def check(self) -> None:
        """Raise whatever keeps the table from being read or changed."""
        self._database.check()
        self.usage(0)

    @contextmanager
    def change(self, timeout: float) -> Iterator["SessionRows"]:
        """One transaction on the table; raises `LockTimeoutError` when it cannot begin within `timeout` seconds."""
        with self._database.change(timeout) as connection:
            yield SessionRows(self._database, connection, self._store)

    def delete_expired(self, alive_since_ns: int) -> list[UploadSession]:
        """Delete what has expired and answer with it; a session somebody is busy with is left for the next time."""
        with self._database.change() as connection:
            values = {"mine": self._store, "alive_since": alive_since_ns}
            expired = [_session(row) for row in connection.execute(_FIND_EXPIRED, values)]
            for session in expired:
                connection.execute(_DELETE, {"mine": self._store, "this": session.session_id})
        return expired

    @contextmanager
    def replacing(self, sessions: Iterable[UploadSession]) -> Iterator[None]:
        """These become the store's sessions, and all others go, if nothing fails inside."""
        with self._database.change() as connection:
            connection.execute(_DELETE_ALL, {"mine": self._store})
            rows = SessionRows(self._database, connection, self._store)
            for session in sessions:
                rows.insert(session)
            yield

    def republished(self, before: str, after: str) -> None:
        """A content file that a commit made was overwritten by a copy, which leaves it its session (store 6.8)."""
        with self._database.change() as connection:
            connection.execute(_REPUBLISHED, {"mine": self._store, "before": before, "after": after})


class SessionRows:
    """The table inside a transaction; a session looked for stays as it is, or absent, until the transaction ends."""

    def __init__(self, database: Database, connection: Connection, store: str) -> None:
        self._database = database
        self._connection = connection
        self._store = store

    def find(self, session_id: str, alive_since_ns: int) -> UploadSession | None:
        """The session of that id."""
        values = {"mine": self._store, "this": session_id}
        row = self._connection.execute(_FIND_TO_CHANGE, values).one_or_none()
        if row is None and self._database.claim(self._connection, f"session {self._store} {session_id}"):
            row = self._connection.execute(_FIND_TO_CHANGE, values).one_or_none()
        return _living(row, alive_since_ns)

    def insert(self, session: UploadSession) -> None:
        """Add a session that `find` did not find."""
        self._connection.execute(_INSERT, {"store": self._store, "session_id": session.session_id, **_values(session)})

    def update(self, session: UploadSession) -> None:
        """Write a changed session back."""
        self._connection.execute(_UPDATE, {"mine": self._store, "this": session.session_id, **_values(session)})

    def count(self, alive_since_ns: int) -> int:
        """How many sessions are alive; nobody else who asks can add one until the transaction ends."""
        self._database.claim(self._connection, f"sessions {self._store}")
        return int(self._connection.scalar(_COUNT, {"mine": self._store, "alive_since": alive_since_ns}) or 0)

    def is_empty(self, alive_since_ns: int) -> bool:
        """Whether no session is alive."""
        return self._connection.execute(_FIND_ALL, {"mine": self._store, "alive_since": alive_since_ns}).first() is None

    def delete(self, session_id: str) -> str | None:
        """Delete the row of that id, expired or not, and answer with its staging token."""
        values = {"mine": self._store, "this": session_id}
        token: str | None = self._connection.scalar(_TOKEN, values)
        if token is not None:
            self._connection.execute(_DELETE, values)
        return token


def _living(row: Row[Any] | None, alive_since_ns: int) -> UploadSession | None:
    return _session(row) if row is not None and row.modified_ns > alive_since_ns else None


def _session(row: Row[Any]) -> UploadSession:
    return UploadSession(
        session_id=row.session_id,
        path=row.path,
        size=int(row.size),
        modified_ns=row.modified_ns,
        staging=row.staging,
        received=ReceivedRanges.from_bytes(row.received),
        chunk_count=row.chunk_count,
        byte_count=row.byte_count,
        is_misfit=row.is_misfit,
        published=row.published,
    )


def _values(session: UploadSession) -> dict[str, Any]:
    return {
        "path": session.path,
        "size": str(session.size),
        "modified_ns": session.modified_ns,
        "received": session.received.to_bytes(),
        "chunk_count": session.chunk_count,
        "byte_count": session.byte_count,
        "is_misfit": session.is_misfit,
        "staging": session.staging,
        "published": session.published,
    }
