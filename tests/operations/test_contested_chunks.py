"""Two chunks fight for one range, and the one that has won it fails at the last moment."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.app import prepare_data
from emulator.clock import Clock
from emulator.operations.expiry import SessionLife
from emulator.operations.uploads import Arrival, Uploads
from emulator.protocol.content_path import PathRules
from emulator.protocol.content_range import ContentRange
from emulator.protocol.errors import FabricError
from emulator.settings import Settings
from emulator.storage.durability import Sync
from emulator.storage.errors import LockTimeoutError
from emulator.storage.layout import DataDirectory
from emulator.storage.sqlite import SqliteDatabase
from emulator.storage.staging import ChunkFile
from emulator.storage.store import Store

HALF = 1024 * 1024
WHOLE = ContentRange(0, 2 * HALF - 1, 2 * HALF)
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    settings = Settings(data=tmp_path / "data")
    prepare_data(settings)
    data = DataDirectory(settings.data)
    database = SqliteDatabase(data.database, settings.durability)
    store = Store(data.store(), database, PathRules(settings.profile), Sync(settings.durability))
    yield Uploads(store, SessionLife(Clock.frozen_at(datetime(2024, 5, 1, tzinfo=UTC)), timedelta(minutes=30)))
    store.close()
    database.close()


def test_a_chunk_that_was_written_over_is_refused_even_if_the_other_one_came_to_nothing(
    uploads: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are no longer there, whoever's those are that are; sent again, it counts."""
    first = Arrival(uploads, "f", SESSION, WHOLE)
    first.write(b"1" * HALF)
    second = Arrival(uploads, "f", SESSION, WHOLE)
    second.write(b"2" * 2 * HALF)
    place = ChunkFile.place
    with closing(sqlite3.connect(tmp_path / "data/emulator.db", isolation_level=None)) as other:

        def place_and_be_locked_out(chunk: ChunkFile, token: str, location: str) -> None:
            place(chunk, token, location)
            other.execute("BEGIN IMMEDIATE")

        with monkeypatch.context() as patch:
            patch.setattr(ChunkFile, "place", place_and_be_locked_out)
            with pytest.raises(LockTimeoutError):
                second.finish(b"", 0.3)
        other.execute("ROLLBACK")
    first.write(b"1" * HALF)

    with pytest.raises(FabricError, match="FABRIC_E_TIMEOUT"):
        first.finish(b"", 5)

    assert uploads.find(SESSION) is None
    again = Arrival(uploads, "f", SESSION, WHOLE)
    again.write(b"3" * 2 * HALF)
    again.finish(b"", 5)
    asyncio.run(uploads.commit(SESSION, 5))
    assert (tmp_path / "data/default/content/f").read_bytes() == b"3" * 2 * HALF
