"""Where emulators under test keep their sessions: in SQLite's file, or in PostgreSQL.

A test that asks for the fixture `keeping` runs on each of them. All others run on SQLite, or on what the variable
``IMAGESTORE_TEST_DATABASE`` says.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.support import postgresql

WHOLE_RUN: Final = os.environ.get("IMAGESTORE_TEST_DATABASE") or "sqlite"
POSTGRESQL: Final = pytest.param("postgresql", marks=pytest.mark.postgresql)
EACH: Final = [POSTGRESQL] if WHOLE_RUN == "postgresql" else ["sqlite", POSTGRESQL]

Keeping = Callable[[Path], Path]
"""The fixture `keeping`: settles where a data directory's sessions go, and answers with it."""

looks_into_sqlite = pytest.mark.skipif(WHOLE_RUN != "sqlite", reason="looks into SQLite's file")

_urls: dict[Path, str] = {}


def keep_in_postgresql(data: Path, url: str = "") -> None:
    """Every emulator on this data directory uses PostgreSQL from now on: that of the URL, or a schema of its own."""
    _urls[data] = url or postgresql.server().new_schema()


def url_of(data: Path) -> str:
    """Where the sessions of a data directory are, ``""`` for SQLite's file."""
    if WHOLE_RUN == "postgresql" and data not in _urls:
        keep_in_postgresql(data)
    return _urls.get(data, "")


def environment_of(data: Path | None) -> dict[str, str]:
    """The variable that tells an emulator."""
    url = url_of(data) if data else ""
    return {"IMAGESTORE_DATABASE_URL": url} if url else {}


def rows_of(data: Path, statement: str) -> list[tuple[Any, ...]]:
    """What a query of the sessions' database answers."""
    url = url_of(data)
    if url:
        with psycopg.connect(url) as connection:
            return connection.execute(statement.encode()).fetchall()
    with closing(sqlite3.connect(f"file:{data / 'emulator.db'}?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()


def alter(data: Path, *statements: str) -> None:
    """Change the sessions' database behind the emulator's back."""
    url = url_of(data)
    if url:
        with psycopg.connect(url) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return
    with closing(sqlite3.connect(data / "emulator.db")) as database, database:
        for statement in statements:
            database.execute(statement)


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Inside, nobody else can change a session, and everybody can read."""
    url = url_of(data)
    if url:
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE upload_session IN EXCLUSIVE MODE")
            yield
        return
    with closing(sqlite3.connect(data / "emulator.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")
