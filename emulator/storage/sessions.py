"""Upload sessions in and out of their table. Rows never leave this file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from emulator.protocol.received_ranges import ReceivedRanges
from emulator.protocol.upload_session import UploadSession
from emulator.storage.database import Database
from emulator.storage.tables import UPLOAD_SESSION as _TABLE

_COLUMNS = _TABLE.c


@dataclass(frozen=True, slots=True)
class StagedUsage:
    """What the chunks of a store's sessions take: bytes, and their number."""

    byte_count: int
    chunk_count: int


class SessionTable:
    """The upload sessions of one store. A session not changed after `alive_since_ns` has expired: it is not there."""

    def __init__(self, database: Database, store: str) -> None:
        self._database = database
        self._store = store
        self._mine = select(_TABLE).where(_COLUMNS.store == store)

    def find(self, session_id: str, alive_since_ns: int) -> UploadSession | None:
        """The session of that id."""
        with self._database.read() as connection:
            return _one(connection, self._by_id(session_id), alive_since_ns)

    def find_by_path(self, path: str, alive_since_ns: int) -> list[UploadSession]:
        """All sessions whose path is exactly `path`, in order of their ids."""
        query = self._mine.where(_COLUMNS.path == path, _COLUMNS.modified_ns > alive_since_ns)
        with self._database.read() as connection:
            return [_session(row) for row in connection.execute(query.order_by(_COLUMNS.session_id))]

    def usage(self, alive_since_ns: int) -> StagedUsage:
        """What all sessions have staged."""
        query = select(func.sum(_COLUMNS.byte_count), func.sum(_COLUMNS.chunk_count)).where(
            _COLUMNS.store == self._store, _COLUMNS.modified_ns > alive_since_ns
        )
        with self._database.read() as connection:
            byte_count, chunk_count = connection.execute(query).one()
        return StagedUsage(int(byte_count or 0), int(chunk_count or 0))

    def tokens(self) -> set[str]:
        """The staging files that rows name, those of expired sessions included."""
        with self._database.read() as connection:
            return set(connection.scalars(select(_COLUMNS.staging).where(_COLUMNS.store == self._store)))

    def check(self) -> None:
        """Raise whatever keeps the table from being read or changed."""
        self._database.check_file()
        self.usage(0)

    @contextmanager
    def change(self) -> Iterator["SessionRows"]:
        """One transaction on the table."""
        with self._database.change() as connection:
            yield SessionRows(connection, self._store, self._mine)

    def delete_expired(self, alive_since_ns: int) -> list[UploadSession]:
        """Delete what has expired and answer with it."""
        with self._database.change() as connection:
            query = self._mine.where(_COLUMNS.modified_ns <= alive_since_ns).with_for_update()
            expired = [_session(row) for row in connection.execute(query)]
            for session in expired:
                connection.execute(_delete(self._store, session.session_id))
        return expired

    def republished(self, before: str, after: str) -> None:
        """A content file that a commit made was overwritten by a copy, which leaves it its session (store 6.8)."""
        statement = (
            update(_TABLE).where(_COLUMNS.store == self._store, _COLUMNS.published == before).values(published=after)
        )
        with self._database.change() as connection:
            connection.execute(statement)

    def _by_id(self, session_id: str) -> Any:
        return self._mine.where(_COLUMNS.session_id == session_id)


class SessionRows:
    """The table inside a transaction; a session read here stays as it is until the transaction ends."""

    def __init__(self, connection: Connection, store: str, mine: Any) -> None:
        self._connection = connection
        self._store = store
        self._mine = mine

    def find(self, session_id: str, alive_since_ns: int) -> UploadSession | None:
        """The session of that id."""
        query = self._mine.where(_COLUMNS.session_id == session_id).with_for_update()
        return _one(self._connection, query, alive_since_ns)

    def insert(self, session: UploadSession) -> None:
        """Add a session; raises `sqlalchemy.exc.IntegrityError` when another process was faster."""
        self._connection.execute(
            insert(_TABLE).values(store=self._store, session_id=session.session_id, **_values(session))
        )

    def update(self, session: UploadSession) -> None:
        """Write a changed session back."""
        statement = update(_TABLE).where(_COLUMNS.store == self._store, _COLUMNS.session_id == session.session_id)
        self._connection.execute(statement.values(**_values(session)))

    def delete(self, session_id: str) -> str | None:
        """Delete the row of that id, expired or not, and answer with its staging token."""
        query = self._mine.with_only_columns(_COLUMNS.staging).where(_COLUMNS.session_id == session_id)
        token: str | None = self._connection.scalar(query)
        if token is not None:
            self._connection.execute(_delete(self._store, session_id))
        return token


def _one(connection: Connection, query: Any, alive_since_ns: int) -> UploadSession | None:
    row = connection.execute(query).one_or_none()
    return _session(row) if row is not None and row.modified_ns > alive_since_ns else None


def _delete(store: str, session_id: str) -> Any:
    return delete(_TABLE).where(_COLUMNS.store == store, _COLUMNS.session_id == session_id)


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
