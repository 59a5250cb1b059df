"""What is kept: over a stop, over ``kill -9``, without the database, and in files that people put in by hand."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.databases import looks_into_sqlite
from tests.support.emulator import EmulatorProcess, InProcessEmulator
from tests.support.wire import Wire, head

PATIENCE: Final = 60.0
V: Final = "api-version=6.0"
G: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
G2: Final = "00000000-0e1b-4e0b-9d6b-3f5c1f3f2a11"
SESSION: Final = f"/ImageStore/$/GetUploadSession?{V}&session-id={G}"
COMMIT: Final = f"/ImageStore/$/CommitUploadSession?{V}&session-id={G}"

End = Callable[[EmulatorProcess], object]
ENDS: Final = [pytest.param(EmulatorProcess.terminate, id="stop"), pytest.param(EmulatorProcess.kill, id="kill -9")]


def serving(data: Path) -> EmulatorProcess:
    """A process that has answered its first request."""
    process = EmulatorProcess(data)
    assert process.get("/_emulator/health/ready").status == 200
    return process


def send_chunk(wire: Wire, path: str, content_range: str, body: bytes, session: str = G) -> int:
    """Send one chunk and answer with the status."""
    target = f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={session}"
    return wire.put(target, body, headers={"Content-Range": content_range}).status


def names(wire: Wire, path: str = "") -> list[str]:
    """The files and then the folders of one level, as listed; none where nothing is there."""
    reply = wire.get(f"/ImageStore{path}?{V}")
    if reply.status == 404:
        return []
    assert reply.status == 200, reply
    listing: dict[str, Any] = reply.json()
    return [entry["StoreRelativePath"] for entry in [*listing["StoreFiles"], *listing["StoreFolders"]]]


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Look again and again until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.005)


def staged_bytes(data: Path) -> int:
    """Bytes in staging, of whole files and chunks alike."""
    size = 0
    for file in (data / "default/staging").rglob("*"):
        with suppress(FileNotFoundError):
            size += file.stat().st_size if file.is_file() else 0
    return size


# --- over a restart ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_content_and_sessions_survive(end: End, tmp_path: Path) -> None:
    """Listings, versions, dates, sessions and their ranges are the same before and after, byte for byte."""
    reads = [
        f"/ImageStore?{V}",
        f"/ImageStore/App/Code?{V}",
        "/ImageStore/App/$/FolderSize?api-version=6.5",
        SESSION,
        f"/ImageStore/App/big/$/GetUploadSession?{V}",
    ]
    process = serving(tmp_path)
    assert process.put(f"/ImageStore/App/_.dir?{V}").status == 200
    assert process.put(f"/ImageStore/App/Code/app.exe?{V}", b"MZ" * 1000).status == 200
    assert send_chunk(process, "App/big", "bytes 10-19/30", b"b" * 10) == 200
    assert send_chunk(process, "App/big", "bytes 0-0/7", b"x", G2) == 200
    before = [process.get(target) for target in reads]
    end(process)
    with serving(tmp_path) as process:
        after = [process.get(target) for target in reads]
    assert [(reply.status, reply.body) for reply in after] == [(reply.status, reply.body) for reply in before]
    assert {reply.status for reply in before} == {200}


@pytest.mark.parametrize("end", ENDS)
def test_a_session_goes_on_where_it_was(end: End, tmp_path: Path) -> None:
    """Chunks from before and after make one file; what was received is refused again, commit is repeatable."""
    process = serving(tmp_path)
    assert send_chunk(process, "big", "bytes 5-9/15", b"56789") == 200
    end(process)
    process = serving(tmp_path)
    assert send_chunk(process, "big", "bytes 5-9/15", b"?????") == 400
    assert process.post(COMMIT).status == 400
    assert send_chunk(process, "big", "bytes 0-4/15", b"01234") == 200
    end(process)
    process = serving(tmp_path)
    assert send_chunk(process, "big", "bytes 10-14/15", b"abcde") == 200
    assert process.post(COMMIT).status == 200
    end(process)
    assert (tmp_path / "default/content/big").read_bytes() == b"0123456789abcde"
    with serving(tmp_path) as process:
        assert process.get(SESSION).json()["UploadSessions"][0]["ExpectedRanges"] == []
        assert process.post(COMMIT).status == 200
        assert process.delete(f"/ImageStore/big?{V}").status == 200
        assert process.post(COMMIT).status == 200
        assert names(process) == ["big"]


def test_version_numbers_keep_growing(tmp_path: Path) -> None:
    """A file that is overwritten after a restart gets a higher version than it had before."""

    def version(process: EmulatorProcess) -> int:
        return int(process.get(f"/ImageStore/file?{V}").json()["StoreFiles"][0]["FileVersion"]["VersionNumber"])

    with serving(tmp_path) as process:
        process.put(f"/ImageStore/file?{V}", b"1")
        before = version(process)
    with serving(tmp_path) as process:
        assert version(process) == before
        process.put(f"/ImageStore/file?{V}", b"1")
        assert version(process) > before


def test_a_deleted_session_and_deleted_content_stay_deleted(tmp_path: Path) -> None:
    """A kill right after the answer brings nothing back."""
    process = serving(tmp_path)
    process.put(f"/ImageStore/file?{V}", b"1")
    send_chunk(process, "big", "bytes 0-4/10", b"01234")
    assert process.delete(f"/ImageStore/file?{V}").status == 200
    assert process.delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={G}").status == 200
    process.kill()
    with serving(tmp_path) as process:
        assert names(process) == []
        assert process.get(SESSION).status == 204
    assert staged_bytes(tmp_path) == 0


@pytest.mark.parametrize(
    "target", [f"/ImageStore/old?{V}", f"/ImageStore/old/$/UploadChunk?{V}&session-id={G}"], ids=["file", "chunk"]
)
def test_what_a_killed_process_was_receiving_is_swept_at_the_next_start(target: str, tmp_path: Path) -> None:
    """Half of a body is on disk when the process dies: the old file stays, no session is there, no byte is left."""
    process = serving(tmp_path)
    assert process.put(f"/ImageStore/old?{V}", b"old").status == 200
    with process.connect() as connection:
        fields = [("Host", "localhost"), ("Content-Length", "8000000"), ("Content-Range", "bytes 0-7999999/8000000")]
        connection.sendall(head("PUT", target, fields) + b"x" * 4_000_000)
        wait_until(lambda: staged_bytes(tmp_path) > 1_000_000, "a part of the body is on disk")
        process.kill()
    with serving(tmp_path) as process:
        assert process.get(f"/ImageStore/old?{V}").json()["StoreFiles"][0]["FileSize"] == "3"
        assert process.get(SESSION).status == 204
        assert staged_bytes(tmp_path) == 0
        assert len(list((tmp_path / "default/staging/workers").glob("*.lock"))) == 1, "the dead one's is gone"


def test_a_chunk_cut_off_by_a_kill_can_be_sent_again(tmp_path: Path) -> None:
    """The ranges received before it count on; its own was never received."""
    process = serving(tmp_path)
    assert send_chunk(process, "big", "bytes 4000000-4000004/4000005", b"tail!") == 200
    with process.connect() as connection:
        target = f"/ImageStore/big/$/UploadChunk?{V}&session-id={G}"
        fields = [("Host", "localhost"), ("Content-Length", "4000000"), ("Content-Range", "bytes 0-3999999/4000005")]
        connection.sendall(head("PUT", target, fields) + b"x" * 3_000_000)
        sessions = tmp_path / "default/staging/sessions"
        wait_until(lambda: any(b"x" in file.read_bytes() for file in sessions.iterdir()), "a part of it is on disk")
        process.kill()
    with serving(tmp_path) as process:
        expected = process.get(SESSION).json()["UploadSessions"][0]["ExpectedRanges"]
        assert expected == [{"StartPosition": "0", "EndPosition": "3999999"}]
        assert send_chunk(process, "big", "bytes 0-3999999/4000005", b"y" * 4_000_000) == 200
        assert process.post(COMMIT).status == 200
    assert (tmp_path / "default/content/big").read_bytes() == b"y" * 4_000_000 + b"tail!"


@looks_into_sqlite
@pytest.mark.parametrize("end", ENDS)
def test_without_the_database_content_is_still_there(end: End, tmp_path: Path) -> None:
    """Who deletes ``emulator.db`` loses upload sessions and nothing else; their bytes are swept."""
    process = serving(tmp_path)
    assert process.put(f"/ImageStore/App/file?{V}", b"content").status == 200
    assert send_chunk(process, "big", "bytes 0-4/10", b"01234") == 200
    before = process.get(f"/ImageStore/App/file?{V}").body
    end(process)
    for file in tmp_path.glob("emulator.db*"):
        file.unlink()
    with serving(tmp_path) as process:
        assert process.get(f"/ImageStore/App/file?{V}").body == before
        assert process.get(SESSION).status == 204
        assert staged_bytes(tmp_path) == 0
        assert send_chunk(process, "big", "bytes 0-4/10", b"01234") == 200


# --- files put in by hand ---------------------------------------------------------------------------------------------


@pytest.fixture
def content(emulator: InProcessEmulator) -> Path:
    """Where the emulator's content lies."""
    return emulator.data / "default/content"


def test_a_dropped_tree_is_listed_at_once(emulator: InProcessEmulator, content: Path) -> None:
    """Files and folders copied into the content folder are content, counted and sized like any other."""
    assert names(emulator) == []
    (content / "Pkg/Code").mkdir(parents=True)
    (content / "Pkg/_.dir").touch()
    (content / "Pkg/Code/app.dll").write_bytes(b"12345")
    assert names(emulator, "/Pkg") == [r"Pkg\_.dir", r"Pkg\Code"]
    listing = emulator.get(f"/ImageStore/Pkg?{V}").json()
    assert listing["StoreFolders"] == [{"StoreRelativePath": r"Pkg\Code", "FileCount": "1"}]
    assert emulator.get("/ImageStore/Pkg/$/FolderSize?api-version=6.5").json()["FolderSize"] == "5"
    assert emulator.post(f"/ImageStore/$/Copy?{V}", b'{"RemoteSource":"Pkg","RemoteDestination":"Copy"}').status == 200
    assert (content / "Copy/Code/app.dll").read_bytes() == b"12345"
    assert emulator.delete(f"/ImageStore/Pkg?{V}").status == 200
    assert names(emulator) == ["Copy"]


def test_files_dropped_one_after_the_other_are_each_listed_at_once(emulator: InProcessEmulator, content: Path) -> None:
    """However close together, so that a folder's own time of change may not show the second."""
    (content / "folder").mkdir()
    for number in range(150):
        (content / f"folder/{number:03}").touch()
        listed = names(emulator, "/folder")
        assert listed == [rf"folder\{known:03}" for known in range(number + 1)]
    for number in range(149):
        (content / f"folder/{number:03}").unlink()
        assert len(names(emulator, "/folder")) == 149 - number


def test_a_dropped_file_is_found_in_any_spelling_at_once(emulator: InProcessEmulator, content: Path) -> None:
    """Also right after the folder was looked through for it in vain, and it keeps the name it has on disk."""
    (content / "Folder").mkdir()
    for number in range(100):
        assert emulator.get(f"/ImageStore/FOLDER/DROPPED{number}?{V}").status == 404
        (content / f"Folder/Dropped{number}").touch()
        assert names(emulator, f"/FOLDER/DROPPED{number}") == [rf"Folder\Dropped{number}"]
    assert emulator.put(f"/ImageStore/folder/dropped0?{V}", b"over").status == 200
    assert (content / "Folder/Dropped0").read_bytes() == b"over"
    assert len(list((content / "Folder").iterdir())) == 100
    assert emulator.delete(f"/ImageStore/fOLDER/dROPPED0?{V}").status == 200
    assert len(list((content / "Folder").iterdir())) == 99


def test_a_file_changed_by_hand_is_listed_as_it_is(emulator: InProcessEmulator, content: Path) -> None:
    """Size and version are those of the file on disk."""
    emulator.put(f"/ImageStore/file?{V}", b"before")
    before = emulator.get(f"/ImageStore/file?{V}").json()["StoreFiles"][0]
    (content / "file").write_bytes(b"edited by hand")
    after = emulator.get(f"/ImageStore/file?{V}").json()["StoreFiles"][0]
    assert (before["FileSize"], after["FileSize"]) == ("6", "14")
    assert before["FileVersion"] != after["FileVersion"]


def test_names_the_service_could_not_store_are_skipped(emulator: InProcessEmulator, content: Path) -> None:
    """What no client could ask for is neither listed nor counted, and doesn't keep anything else from being served."""
    odd = [b'quo"te', b"star*", b"que?stion", b"pi|pe", b"col:on", b"<", b"back\\slash", b"new\nline", b"caf\xe9"]
    for name in map(os.fsdecode, odd):
        (content / name).write_bytes(b"odd")
    folder = content / "odd*folder"
    folder.mkdir()
    (folder / "file").touch()
    os.mkfifo(content / "pipe")
    assert names(emulator) == []
    (content / "plain").write_bytes(b"1")
    (content / ".hidden").write_bytes(b"22")
    assert names(emulator) == [".hidden", "plain"], "a leading dot is nothing special to the service"
    assert emulator.get("/ImageStore/$/FolderSize?api-version=6.5").json()["FolderSize"] == "3"
    info = emulator.get("/ImageStore/$/Info?api-version=6.5").json()
    assert info["UsedByCopy"] == {"UsedSpace": "3", "FileCount": "2"}
    for asked in ("star*", "back%5Cslash", "caf%E9", "col:on", "pipe"):
        assert emulator.get(f"/ImageStore/{asked}?{V}").status in (400, 404), asked


@pytest.fixture
def outside(content: Path, tmp_path: Path) -> Path:
    """A folder with a secret beside the data directory, and links to both in the content."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(b"secret")
    (content / "real").mkdir()
    (content / "real/file").write_bytes(b"1")
    (content / "folder").symlink_to(folder)
    (content / "file").symlink_to(folder / "secret")
    (content / "real/up").symlink_to("..")
    (content / "dangling").symlink_to(folder / "nothing")
    return folder


def test_links_are_neither_listed_nor_followed(emulator: InProcessEmulator, outside: Path) -> None:
    """To whatever they point, even back into the store, they are not there for any reader."""
    assert names(emulator) == ["real"]
    assert names(emulator, "/real") == [r"real\file"]
    for path in ("folder", "folder/secret", "file", "dangling", "real/up", "real/up/real/file", "FOLDER", "FILE"):
        assert emulator.get(f"/ImageStore/{path}?{V}").status == 404, path
        assert emulator.get(f"/ImageStore/{path}/$/FolderSize?api-version=6.5").status == 404, path
        source = path.replace("/", r"\\")
        body = f'{{"RemoteSource":"{source}","RemoteDestination":"stolen"}}'.encode()
        assert emulator.post(f"/ImageStore/$/Copy?{V}", body).status == 404, path
    assert emulator.get("/ImageStore/$/FolderSize?api-version=6.5").json()["FolderSize"] == "1"
    assert emulator.get("/ImageStore/$/Info?api-version=6.5").json()["UsedByCopy"]["FileCount"] == "1"
    assert outside.exists()


@pytest.mark.parametrize("path", ["folder/new", "folder/secret", "folder/a/b", "FOLDER/new", "file", "dangling"])
@pytest.mark.parametrize("way", ["upload", "copy", "commit", "delete"])
def test_nothing_is_written_or_deleted_through_a_link(
    way: str, path: str, emulator: InProcessEmulator, outside: Path
) -> None:
    """Whatever the answer is, it is an answer of the service, and what lies outside the store stays as it was."""
    match way:
        case "upload":
            reply = emulator.put(f"/ImageStore/{path}?{V}", b"evil")
        case "copy":
            destination = path.replace("/", r"\\")
            body = rf'{{"RemoteSource":"real\\file","RemoteDestination":"{destination}"}}'.encode()
            reply = emulator.post(f"/ImageStore/$/Copy?{V}", body)
        case "commit":
            assert send_chunk(emulator, path, "bytes 0-3/4", b"evil") == 200
            reply = emulator.post(COMMIT)
        case _:
            reply = emulator.delete(f"/ImageStore/{path}?{V}")
    assert reply.status in (200, 400, 404)
    assert [file.name for file in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_deleting_a_folder_leaves_what_its_links_point_to(emulator: InProcessEmulator, outside: Path) -> None:
    """The link goes with the folder; nothing behind it does."""
    content = emulator.data / "default/content"
    (content / "real/link").symlink_to(outside)
    assert emulator.delete(f"/ImageStore/real?{V}").status == 200
    assert names(emulator) == []
    assert (outside / "secret").read_bytes() == b"secret"
    assert list((emulator.data / "default/staging/workers").rglob("*/*")) == []
