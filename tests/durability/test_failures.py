"""Disk, files, directory or database fail under a running server: an error of the service, nothing lost, then healthy.

Each test takes something away, sees every change refused with the service's error and what was stored before intact,
gives it back, and sees the same changes succeed with nothing left over in staging.
"""

import os
import resource
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.durability.servers import DurableServer, V, open_files_of, require_clean_staging
from tests.support.databases import Keeping, locked
from tests.support.waiting import eventually
from tests.support.wire import Connection, Reply

MIB: Final = 1 << 20
OLD: Final = b"old" * 30_000
IO_ERROR: Final = (500, "FABRIC_E_IMAGESTORE_IOERROR")
TIMEOUT: Final = (504, "FABRIC_E_TIMEOUT")


def new_id() -> str:
    """An unused session id."""
    return str(uuid.uuid4())


def is_io_error(reply: Reply) -> bool:
    """The service's own words for a disk that fails."""
    return reply.headers["content-type"].startswith("application/json") and reply.error[:2] == IO_ERROR


def is_fine_or_io_error(reply: Reply) -> bool:
    """Where a little space or an open file may just have been enough."""
    return reply.status == 200 or is_io_error(reply)


def copy(server: DurableServer, source: str, destination: str) -> Reply:
    """Copy a file."""
    body = f'{{"RemoteSource":"{source}","RemoteDestination":"{destination}"}}'
    return server.post(f"/ImageStore/$/Copy?{V}", body.encode())


@contextmanager
def mounted(place: Path, *how: str) -> Iterator[None]:
    """A file system mounted there; skips where that isn't permitted."""
    try:
        subprocess.run(["mount", *how, str(place)], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting a file system isn't permitted here: {getattr(error, 'stderr', error)}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    with mounted(place, "-t", "tmpfs", "-o", "size=6m", "tmpfs"):
        yield place


class Stored:
    """What was stored before the failure: a file, and half a session."""

    def __init__(self, server: DurableServer) -> None:
        self._server = server
        self.session_id = new_id()
        assert server.upload("old", OLD).status == 200
        assert server.chunk("session", self.session_id, 0, b"a" * 1000, 2000).status == 200

    def require_intact(self) -> None:
        """On disk as it was."""
        assert (self._server.data / "default/content/old").read_bytes() == OLD

    def require_healthy(self) -> None:
        """Everything works: the session goes on where it was, uploads, copies, a listing; staging is clean."""
        server = self._server
        eventually(server.is_ready, "it is ready again")
        self.require_intact()
        assert server.expected_ranges(self.session_id) == [(1000, 1999)]
        assert server.chunk("session", self.session_id, 1000, b"b" * 1000, 2000).status == 200
        assert server.commit(self.session_id).status == 200
        assert server.upload("new", b"new").status == 200
        assert server.upload("old", b"newer").status == 200
        assert copy(server, "old", "copied").status == 200
        content = server.data / "default/content"
        assert (content / "session").read_bytes() == b"a" * 1000 + b"b" * 1000
        assert (content / "new").read_bytes() == b"new"
        assert (content / "old").read_bytes() == (content / "copied").read_bytes() == b"newer"
        names = [file["StoreRelativePath"] for file in server.get(f"/ImageStore?{V}").json()["StoreFiles"]]
        assert {"copied", "new", "old", "session"} <= set(names)
        # The pool may hold connections that were opened during the failure; use as many as there can be.
        with ThreadPoolExecutor(16) as pool:
            ids = [new_id() for _ in range(32)]
            replies = list(pool.map(lambda each: server.chunk(f"many/{each}", each, 0, b"x", 1), ids))
            assert {reply.status for reply in replies} == {200}, replies
        require_clean_staging(server.data, 1)
        assert "Traceback" not in server.log()


def test_an_upload_that_does_not_fit_the_disk_changes_nothing(small_disk: Path) -> None:
    """Whole files and chunks larger than what is left: the error, the old content, and the space is free again."""
    with DurableServer(small_disk / "data") as server:
        stored = Stored(server)
        free = os.statvfs(small_disk).f_bavail
        for path in ("new", "old", "below/a/folder"):
            assert is_io_error(server.upload(path, b"n" * 8 * MIB))
        session_id = new_id()
        assert is_io_error(server.chunk("other", session_id, 0, b"n" * 8 * MIB, 9 * MIB))
        assert server.expected_ranges(session_id) is None
        stored.require_intact()
        eventually(lambda: os.statvfs(small_disk).f_bavail > free - 64, "the space is free again")
        assert set(os.listdir(server.data / "default/content")) == {"old"}


def test_a_copy_that_does_not_fit_the_disk_changes_nothing(small_disk: Path) -> None:
    """A file and a folder of 3 MiB where 2 MiB are left; a folder that was to be replaced is still the old one."""
    with DurableServer(small_disk / "data") as server:
        stored = Stored(server)
        assert server.upload("big/_.dir", b"").status == 200
        assert server.upload("big/file", b"b" * 3 * MIB).status == 200
        assert server.upload("place/_.dir", b"").status == 200
        assert server.upload("place/kept", b"kept").status == 200
        assert is_io_error(copy(server, r"big\\file", "copied"))
        assert is_io_error(copy(server, r"big\\file", "old"))
        assert is_io_error(copy(server, "big", "new"))
        assert is_io_error(copy(server, "big", "place"))
        assert (server.data / "default/content/place/kept").read_bytes() == b"kept"
        assert set(os.listdir(server.data / "default/content")) == {"big", "old", "place"}
        stored.require_intact()
        assert server.delete(f"/ImageStore/big?{V}").status == 200
        stored.require_healthy()


def test_a_disk_full_to_the_last_byte_refuses_changes_and_recovers(small_disk: Path) -> None:
    """Everything that writes is refused or fits into a corner; reading and deleting go on; afterwards all is well."""
    with DurableServer(small_disk / "data") as server:
        stored = Stored(server)
        assert server.upload("useless", b"u" * 200_000).status == 200
        with (small_disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError):
            while True:
                filler.write(b"f" * 4096)
        assert is_io_error(server.upload("new", b"n" * 10_000))
        assert is_io_error(server.upload("old", b"n" * 10_000))
        assert is_io_error(server.upload("old", b"n" * 2 * MIB))
        with ThreadPoolExecutor(4) as pool:
            ids = [new_id() for _ in range(100)]
            replies = list(pool.map(lambda each: server.chunk(f"full/{each}", each, 0, b"c" * 100, 200), ids))
        assert all(map(is_fine_or_io_error, replies)), [reply for reply in replies if not is_fine_or_io_error(reply)]
        assert any(map(is_io_error, replies))
        for each, reply in zip(ids, replies, strict=True):
            assert server.expected_ranges(each) == ([(100, 199)] if reply.status == 200 else None)
        stored.require_intact()
        listing = server.get(f"/ImageStore?{V}").json()["StoreFiles"]
        assert {file["StoreRelativePath"] for file in listing} == {"old", "useless"}
        assert is_fine_or_io_error(server.delete(f"/ImageStore/useless?{V}"))
        (small_disk / "filler").unlink()
        stored.require_healthy()


def test_a_database_that_finds_the_disk_full_leaves_no_session_file(small_disk: Path) -> None:
    """The chunk's bytes are stored and its row isn't: it was refused, so its file goes as well."""
    with DurableServer(small_disk / "data") as server:
        stored = Stored(server)
        ids = [new_id() for _ in range(60)]
        with (small_disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError):
            while True:
                filler.write(b"f" * 4096)
        replies = [server.chunk("p" * 150, each, 0, b"c", 200) for each in ids]
        assert all(map(is_fine_or_io_error, replies))
        assert any(map(is_io_error, replies))
        require_clean_staging(server.data, 1)
        (small_disk / "filler").unlink()
        stored.require_healthy()


def test_a_read_only_file_system_refuses_changes_and_recovers(tmp_path: Path) -> None:
    """Mounted read-only over itself: files and database can be read, nothing can be changed.

    Database connections that were opened meanwhile must be able to write once the file system is writable again.
    """
    with DurableServer(tmp_path / "data") as server:
        stored = Stored(server)
        with mounted(server.data, "--bind", str(server.data)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(server.data)], check=True)
            for path in ("new", "old", "below/a/folder"):
                assert is_io_error(server.upload(path, b"n"))
                assert is_io_error(server.upload(path, b"n" * 3 * MIB))
            assert is_io_error(server.delete(f"/ImageStore/old?{V}"))
            assert is_io_error(copy(server, "old", "copied"))
            with ThreadPoolExecutor(16) as pool:
                replies = list(pool.map(lambda _: server.chunk("other", new_id(), 0, b"n", 2), range(32)))
                assert all(map(is_io_error, replies)), replies
                sessions = pool.map(lambda _: server.expected_ranges(stored.session_id), range(64))
                assert list(sessions) == [[(1000, 1999)]] * 64
            assert server.get(f"/ImageStore?{V}").status == 200
            assert server.get("/_emulator/health/live").status == 200
            stored.require_intact()
        stored.require_healthy()


def test_a_read_only_file_system_is_not_ready(tmp_path: Path) -> None:
    """Ready says 503 and why, while nothing can be stored."""
    with DurableServer(tmp_path / "data") as server:
        assert server.is_ready()
        with mounted(server.data, "--bind", str(server.data)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(server.data)], check=True)
            health = server.get("/_emulator/health/ready")
            assert health.status == 503
            assert health.json()["reason"]
        eventually(server.is_ready, "it is ready again")


def test_too_many_open_files_refuse_changes_and_recover(tmp_path: Path) -> None:
    """Not one more file can be opened, nor a connection accepted: who is connected gets the error.

    Once files may be opened again, the same connection and new ones are served.
    """
    with DurableServer(tmp_path / "data").started() as server:
        stored = Stored(server)
        connection = Connection(server)
        assert connection.send("PUT", f"/ImageStore/old?{V}", body=OLD).status == 200
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        # every number up to the highest one in use counts, so that none below is left
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        chunk = f"/ImageStore/other/$/UploadChunk?{V}&session-id={new_id()}"
        for _ in range(3):
            assert is_io_error(connection.send("PUT", f"/ImageStore/new?{V}", body=b"n"))
            assert is_io_error(connection.send("PUT", f"/ImageStore/new?{V}", body=b"n" * 3 * MIB))
            assert is_io_error(connection.send("PUT", chunk, headers={"Content-Range": "bytes 0-0/2"}, body=b"c"))
            copying = b'{"RemoteSource":"old","RemoteDestination":"copied"}'
            assert is_io_error(connection.send("POST", f"/ImageStore/$/Copy?{V}", body=copying))
            live = connection.send("GET", "/_emulator/health/live")
            assert live.status == 200
        with server.connect() as waiting:
            assert connection.send("GET", "/_emulator/health/live").status == 200
            waiting.close()
        stored.require_intact()
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        assert connection.send("PUT", f"/ImageStore/again?{V}", body=b"n").status == 200
        connection.close()
        stored.require_healthy()


def test_more_connections_than_open_files_are_served_in_turn(tmp_path: Path) -> None:
    """A limit of 80 and 120 connections: none stops the server, and when they are gone all is as before."""
    with DurableServer(tmp_path / "data").started() as server:
        stored = Stored(server)
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        before = open_files_of(server.pid)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (80, limits[1]))
        idle = [server.connect() for _ in range(120)]
        eventually(lambda: open_files_of(server.pid) >= 78, "it has as many files open as it may")
        for each in idle:
            each.close()
        eventually(lambda: open_files_of(server.pid) < before + 10, "connections that are gone hold no files")
        eventually(server.is_ready, "it is served again")
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        stored.require_healthy()


def test_a_vanished_data_directory_refuses_everything_and_recovers(tmp_path: Path) -> None:
    """Moved away: the error for every operation on content and every change, ready says 503, no directory is made anew.

    Moved back, all goes on where it was.
    """
    with DurableServer(tmp_path / "data") as server:
        stored = Stored(server)
        away = tmp_path / "away"
        server.data.rename(away)
        try:
            for path in ("new", "old", "below/a/folder"):
                assert is_io_error(server.upload(path, b"n"))
                assert is_io_error(server.upload(path, b"n" * 3 * MIB))
            assert is_io_error(server.delete(f"/ImageStore/old?{V}"))
            assert is_io_error(copy(server, "old", "copied"))
            assert is_io_error(server.get(f"/ImageStore?{V}"))
            assert is_io_error(server.get(f"/ImageStore/old?{V}"))
            assert is_io_error(server.get(f"/ImageStore/$/FolderSize?{V.replace('6.1', '6.5')}"))
            assert is_io_error(server.get(f"/ImageStore/$/Info?{V.replace('6.1', '6.5')}"))
            with ThreadPoolExecutor(16) as pool:
                replies = list(pool.map(lambda _: server.chunk("other", new_id(), 0, b"n", 2), range(32)))
                assert all(map(is_io_error, replies)), replies
            assert is_io_error(server.chunk("session", stored.session_id, 1000, b"b" * 1000, 2000))
            health = server.get("/_emulator/health/ready")
            assert health.status == 503
            assert health.json()["reason"]
            assert server.get("/_emulator/health/live").status == 200
            assert not server.data.exists()
        finally:
            away.rename(server.data)
        stored.require_healthy()


def test_a_locked_database_times_out_and_recovers(tmp_path: Path, keeping: Keeping) -> None:
    """While another process writes: a change of sessions ends in a timeout, once its own time is up.

    Reading sessions, and content, which needs no database, go on.
    """
    with DurableServer(keeping(tmp_path / "data")) as server:
        stored = Stored(server)
        session_id = new_id()
        with locked(server.data):
            target = f"/ImageStore/other/$/UploadChunk?{V}&timeout=1&session-id={session_id}"
            reply = server.put(target, b"n", headers={"Content-Range": "bytes 0-0/2"})
            assert reply.error[:2] == TIMEOUT
            assert server.expected_ranges(stored.session_id) == [(1000, 1999)]
            assert server.expected_ranges(session_id) is None
            assert server.upload("meanwhile", b"m").status == 200
            assert server.get(f"/ImageStore?{V}").status == 200
            stored.require_intact()
        stored.require_healthy()


def test_changes_that_wait_for_a_locked_database_keep_nobody_else_waiting(tmp_path: Path, keeping: Keeping) -> None:
    """Forty chunks wait for another process to finish; meanwhile content is stored and listed, and health answered.

    Each chunk gets an answer of its own within its own time, none after all the others.
    """
    with DurableServer(keeping(tmp_path / "data")) as server, ThreadPoolExecutor(40) as pool:
        stored = Stored(server)
        with locked(server.data):
            targets = [f"/ImageStore/{n}/$/UploadChunk?{V}&timeout=1&session-id={new_id()}" for n in range(40)]
            waiting = [
                pool.submit(server.put, target, b"n", headers={"Content-Range": "bytes 0-0/2"}) for target in targets
            ]
            assert server.upload("meanwhile", b"m").status == 200
            assert server.get(f"/ImageStore?{V}").status == 200
            assert server.is_ready()
            assert {each.result().error[:2] for each in waiting} == {TIMEOUT}
        stored.require_healthy()
