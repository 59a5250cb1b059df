"""A newer program opens an older data directory and says what it upgraded; an older one refuses a newer."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from emulator.storage.database import SCHEMA
from emulator.storage.layout import FORMAT
from tests.durability.servers import DurableServer, V, content_of, require_clean_staging
from tests.support.databases import Keeping, alter, environment_of, looks_into_sqlite
from tests.support.emulator import inherited_environment
from tests.support.waiting import eventually

CONTENT = {"App/_.dir": b"", "App/Code.zip": b"code" * 1000, "top": b"top"}


def used(data: Path) -> str:
    """A data directory that was in use and was left with content and an open session; answers with its id."""
    session_id = str(uuid.uuid4())
    with DurableServer(data) as server:
        for path, body in CONTENT.items():
            assert server.upload(path, body).status == 200
        assert server.chunk("session", session_id, 0, b"a" * 10, 20).status == 200
        assert server.terminate() == 0
    return session_id


def set_schema(data: Path, version: int) -> None:
    """Make the database one of another version."""
    alter(data, f"UPDATE schema_stamp SET version = {version}")


def everything(data: Path) -> dict[str, bytes]:
    """Every file in the data directory."""
    return {str(file.relative_to(data)): file.read_bytes() for file in data.rglob("*") if file.is_file()}


def upgrades(server: DurableServer) -> list[str]:
    """The lines about upgrades in the log."""
    return [line for line in server.log().splitlines() if "upgraded" in line]


def lists_all(server: DurableServer) -> bool:
    """Whether all that was stored is listed."""
    root, app = server.get(f"/ImageStore?{V}").json(), server.get(f"/ImageStore/App?{V}").json()
    assert [file["StoreRelativePath"] for file in root["StoreFiles"]] == ["top"]
    assert [folder["StoreRelativePath"] for folder in root["StoreFolders"]] == ["App"]
    return [file["StoreRelativePath"] for file in app["StoreFiles"]] == ["App\\_.dir", "App\\Code.zip"]


def works(server: DurableServer) -> None:
    """A session from its first chunk to its commit."""
    session_id = str(uuid.uuid4())
    assert server.chunk("works", session_id, 0, b"w" * 10, 20).status == 200
    assert server.expected_ranges(session_id) == [(10, 19)]
    assert server.chunk("works", session_id, 10, b"w" * 10, 20).status == 200
    assert server.commit(session_id).status == 200
    assert content_of(server.data)["works"] == b"w" * 20


def refused(data: Path, *options: str) -> str:
    """What the emulator says when it ends at once, with the exit code that means newer data."""
    ended = subprocess.run(
        [sys.executable, "-m", "emulator", "serve", "--port", "0", "--data", str(data), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=inherited_environment() | environment_of(data),
    )
    assert ended.returncode == 5, ended
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_data_as_it_was_left_opens_without_an_upgrade(tmp_path: Path) -> None:
    """Content and sessions are there, and nothing is said of upgrades."""
    data = tmp_path / "data"
    session_id = used(data)
    with DurableServer(data).started() as server:
        assert server.expected_ranges(session_id) == [(10, 19)]
        assert lists_all(server)
        assert upgrades(server) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_content_without_a_format_stamp_gets_one(workers: str, tmp_path: Path) -> None:
    """From before there were stamps: the content is listed as it is, the log says so once, and never again."""
    data = tmp_path / "data"
    for path, body in CONTENT.items():
        file = data / "default/content" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    with DurableServer(data, "--workers", workers).started() as server:
        assert lists_all(server)
        eventually(lambda: upgrades(server), "the log says what was upgraded")
        (line,) = upgrades(server)
        assert "format" in line
        assert (data / "format").read_text() == f"{FORMAT}\n"
        works(server)
    with DurableServer(data).started() as server:
        assert upgrades(server) == []
        assert content_of(data) == CONTENT | {"works": b"w" * 20}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_tables_of_an_older_version_are_made_anew(workers: str, tmp_path: Path, keeping: Keeping) -> None:
    """They hold only sessions. The log says once what is gone, their bytes are swept, content is untouched."""
    data = keeping(tmp_path / "data")
    session_id = used(data)
    set_schema(data, SCHEMA - 1)
    with DurableServer(data, "--workers", workers).started() as server:
        assert lists_all(server)
        eventually(lambda: upgrades(server), "the log says what was upgraded")
        (line,) = upgrades(server)
        assert f"version {SCHEMA - 1}" in line
        assert f"version {SCHEMA}" in line
        assert "sessions" in line
        assert server.expected_ranges(session_id) is None
        require_clean_staging(data, int(workers))
        works(server)
    with DurableServer(data).started() as server:
        assert upgrades(server) == []


def test_tables_of_an_older_version_may_have_looked_different(tmp_path: Path, keeping: Keeping) -> None:
    """Other columns don't matter: nothing is read from them."""
    data = keeping(tmp_path / "data")
    used(data)
    alter(
        data,
        "DROP TABLE upload_session",
        "CREATE TABLE upload_session (id INTEGER PRIMARY KEY, something TEXT)",
        "INSERT INTO upload_session VALUES (1, 'old')",
        f"UPDATE schema_stamp SET version = {SCHEMA - 1}",
    )
    with DurableServer(data).started() as server:
        assert lists_all(server)
        require_clean_staging(data, 1)
        works(server)


@looks_into_sqlite
def test_a_missing_database_is_made_anew_and_its_sessions_swept(tmp_path: Path) -> None:
    """The disk is the truth about content; deleting the database loses sessions and nothing else."""
    data = tmp_path / "data"
    session_id = used(data)
    for file in data.glob("emulator.db*"):
        file.unlink()
    with DurableServer(data).started() as server:
        assert lists_all(server)
        assert server.expected_ranges(session_id) is None
        require_clean_staging(data, 1)
        works(server)


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one process", "workers"])
@pytest.mark.parametrize("what", ["format", "schema"])
def test_newer_data_is_refused_with_code_5_and_left_as_it_is(
    what: str, options: list[str], tmp_path: Path, keeping: Keeping
) -> None:
    """The sentence names the version found and the one known; not a byte changes, and the newer program goes on."""
    data = keeping(tmp_path / "data")
    session_id = used(data)
    known = FORMAT if what == "format" else SCHEMA
    if what == "format":
        (data / "format").write_text(f"{FORMAT + 1}\n")
    else:
        set_schema(data, SCHEMA + 1)
    before = everything(data)
    sentence = refused(data, *options)
    assert f"has format {known + 1}" in sentence
    assert f"up to {known}" in sentence
    assert everything(data) == before
    if what == "format":
        (data / "format").write_text(f"{FORMAT}\n")
    else:
        set_schema(data, SCHEMA)
    with DurableServer(data).started() as server:
        assert lists_all(server)
        assert server.expected_ranges(session_id) == [(10, 19)]


def test_an_older_database_is_not_touched_when_the_format_is_newer(tmp_path: Path) -> None:
    """Refused is refused: nothing is upgraded on the way out."""
    data = tmp_path / "data"
    used(data)
    set_schema(data, SCHEMA - 1)
    (data / "format").write_text(f"{FORMAT + 1}\n")
    before = everything(data)
    refused(data)
    assert everything(data) == before
