"""Limits that are settings: what is too much is refused with the service's own error, and leaves nothing behind."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.durability.servers import DurableServer, content_of, half_received, require_clean_staging
from tests.support.databases import Keeping
from tests.support.emulator import InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Connection, Reply, Wire, head, read_reply

V: Final = "api-version=6.0"
KIB: Final = 1024
MIB: Final = 1024 * 1024
TOO_LARGE: Final = (413, "FABRIC_E_MESSAGE_TOO_LARGE", "Fabric Message is too large")
FULL: Final = (500, "FABRIC_E_IMAGESTORE_IOERROR", "There was an IOException when using the Image Store.")
BUSY: Final = (
    503,
    "FABRIC_E_SERVICE_TOO_BUSY",
    "The service cannot process the request because it is too busy. Please retry.",
)

Start = Callable[..., InProcessEmulator]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an emulator with these limits."""
    running: list[InProcessEmulator] = []

    def started(**limits: Any) -> InProcessEmulator:
        running.append(InProcessEmulator(tmp_path / "data", **limits).start())
        return running[-1]

    yield started
    for each in running:
        each.stop()


def new_id() -> str:
    """An unused session id."""
    return str(uuid.uuid4())


def upload(wire: Wire, path: str, body: bytes) -> Reply:
    """Store a whole file."""
    return wire.put(f"/ImageStore/{path}?{V}", body)


def chunk(wire: Wire, path: str, session: str, start: int, body: bytes, total: int) -> Reply:  # noqa: PLR0917
    """Send one chunk."""
    target = f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={session}"
    return wire.put(target, body, headers={"Content-Range": f"bytes {start}-{start + len(body) - 1}/{total}"})


def commit(wire: Wire, session: str) -> Reply:
    """Make a file of a session."""
    return wire.post(f"/ImageStore/$/CommitUploadSession?{V}&session-id={session}")


def copy(wire: Wire, source: str, destination: str) -> Reply:
    """Copy inside the store."""
    body = f'{{"RemoteSource":"{source}","RemoteDestination":"{destination}"}}'.encode()
    return wire.post(f"/ImageStore/$/Copy?{V}", body)


def send_in_chunked_coding(wire: Wire, target: str, body: bytes, piece: int = 64 * KIB) -> Reply:
    """A PUT whose length nobody knows before its end."""
    with wire.connect() as connection:
        connection.sendall(head("PUT", target, [("Host", "localhost"), ("Transfer-Encoding", "chunked")]))
        for begin in range(0, len(body), piece):
            part = body[begin : begin + piece]
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        connection.sendall(b"0\r\n\r\n")
        return read_reply(connection, "PUT")


# --- the largest body of a PUT ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1000, 3 * MIB], ids=["small", "large"])
def test_a_body_above_the_limit_is_refused_and_one_at_the_limit_is_not(limit: int, start: Start) -> None:
    """Of a file and of a chunk alike, and in chunked coding, where it shows in the middle of the body."""
    emulator = start(upload_limit=limit)
    target = f"/ImageStore/file?{V}"
    assert upload(emulator, "file", b"a" * limit).status == 200
    assert upload(emulator, "file", b"b" * (limit + 1)).error == TOO_LARGE
    assert send_in_chunked_coding(emulator, target, b"c" * (limit + 1)).error == TOO_LARGE
    session = new_id()
    assert chunk(emulator, "chunked", session, 0, b"d" * (limit + 1), 2 * limit).error == TOO_LARGE
    assert emulator.get(f"/ImageStore/$/GetUploadSession?{V}&session-id={session}").status == 204
    assert content_of(emulator.data) == {"file": b"a" * limit}
    require_clean_staging(emulator.data, 1)
    assert send_in_chunked_coding(emulator, target, b"e" * limit).status == 200
    assert content_of(emulator.data) == {"file": b"e" * limit}


def test_a_connection_goes_on_after_a_body_that_was_too_large(start: Start) -> None:
    connection = Connection(start(upload_limit="64k"))
    for _ in range(3):
        assert connection.send("PUT", f"/ImageStore/large?{V}", body=b"x" * 5 * MIB).error == TOO_LARGE
        assert connection.send("PUT", f"/ImageStore/small?{V}", body=b"x").status == 200
    connection.close()


def test_a_client_that_asks_first_need_not_send_a_body_that_is_too_large(start: Start) -> None:
    """`Expect: 100-continue`, as curl says it."""
    emulator = start(upload_limit="64k")
    fields = [("Host", "localhost"), ("Content-Length", str(5 * MIB)), ("Expect", "100-continue")]
    with emulator.connect() as connection:
        connection.sendall(head("PUT", f"/ImageStore/large?{V}", fields))
        assert read_reply(connection, "PUT").error == TOO_LARGE


# --- what a store may hold --------------------------------------------------------------------------------------------


def test_a_full_store_takes_no_more_until_something_is_deleted(start: Start) -> None:
    emulator = start(store_limit=1000)
    assert upload(emulator, "App/one", b"1" * 600).status == 200
    assert upload(emulator, "App/two", b"2" * 400).status == 200
    assert upload(emulator, "App/three", b"3").error == FULL
    assert copy(emulator, "App\\\\two", "copied").error == FULL
    assert content_of(emulator.data) == {"App/one": b"1" * 600, "App/two": b"2" * 400}
    assert emulator.delete(f"/ImageStore/App/two?{V}").status == 200
    assert upload(emulator, "App/three", b"3" * 200).status == 200
    assert copy(emulator, "App\\\\three", "copied").status == 200
    require_clean_staging(emulator.data, 1)


def test_a_folder_that_does_not_fit_is_not_copied_in_part(start: Start) -> None:
    emulator = start(store_limit=1000)
    for name in ("_.dir", "one", "two"):
        assert upload(emulator, f"App/{name}", b"x" * 200).status == 200
    assert copy(emulator, "App", "Copied").error == FULL
    assert content_of(emulator.data, "Copied") == {}
    require_clean_staging(emulator.data, 1)


def test_a_body_that_fills_the_store_half_way_leaves_nothing(start: Start) -> None:
    """Its length was not announced, so that shows only when much of it has been written."""
    emulator = start(store_limit=3 * MIB)
    assert send_in_chunked_coding(emulator, f"/ImageStore/large?{V}", b"x" * 4 * MIB).error == FULL
    assert content_of(emulator.data) == {}
    require_clean_staging(emulator.data, 1)
    assert send_in_chunked_coding(emulator, f"/ImageStore/large?{V}", b"x" * 3 * MIB).status == 200


def test_chunks_count_until_they_expire_and_a_commit_needs_no_room(start: Start) -> None:
    emulator = start(store_limit=1000)
    session, other = new_id(), new_id()
    assert chunk(emulator, "file", session, 0, b"a" * 600, 900).status == 200
    assert chunk(emulator, "other", other, 0, b"b" * 500, 500).error == FULL
    assert chunk(emulator, "file", session, 600, b"c" * 300, 900).status == 200
    assert commit(emulator, session).status == 200
    assert upload(emulator, "small", b"d" * 100).status == 200
    assert upload(emulator, "more", b"e").error == FULL
    assert emulator.delete(f"/ImageStore/file?{V}").status == 200

    assert chunk(emulator, "other", other, 0, b"b" * 900, 1000).status == 200
    assert upload(emulator, "more", b"e").error == FULL
    emulator.clock.advance(timedelta(minutes=31))
    assert upload(emulator, "more", b"e" * 900).status == 200


def test_uploads_at_the_same_time_do_not_fill_one_gap_together(start: Start) -> None:
    """Sixteen at once, of which ten fit."""
    emulator = start(store_limit=10 * 200_000)
    gate = threading.Barrier(16)

    def send(number: int) -> int:
        gate.wait()
        return upload(emulator, f"{number}", b"x" * 200_000).status

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(send, range(16)))
    assert sorted(statuses) == [200] * 10 + [500] * 6
    assert sum(map(len, content_of(emulator.data).values())) == 10 * 200_000


def test_an_upload_that_hangs_holds_its_room_until_its_client_is_gone(start: Start) -> None:
    emulator = start(store_limit=5 * MIB)
    with emulator.connect() as hanging:
        fields = [("Host", "localhost"), ("Content-Length", str(4 * MIB))]
        hanging.sendall(head("PUT", f"/ImageStore/hanging?{V}", fields) + b"x" * 2 * MIB)
        eventually(lambda: half_received(emulator.data), "it is being received")
        assert upload(emulator, "other", b"y" * 2 * MIB).error == FULL
    eventually(lambda: upload(emulator, "other", b"y" * 2 * MIB).status == 200, "its room is free again")


def test_files_put_in_by_hand_count_when_it_gets_tight_and_stores_do_not_share(start: Start) -> None:
    emulator = start(store_limit=1000)
    assert upload(emulator, "one", b"x" * 500).status == 200
    (emulator.data / "default/content/by-hand").write_bytes(b"y" * 400)
    assert emulator.delete(f"/ImageStore/one?{V}").status == 200
    assert upload(emulator, "two", b"x" * 700).error == FULL
    assert emulator.put(f"/_emulator/on/other/ImageStore/two?{V}", b"x" * 700).status == 200


def test_a_restored_store_is_measured_anew(start: Start) -> None:
    emulator = start(store_limit=1000)
    assert upload(emulator, "large", b"x" * 900).status == 200
    assert emulator.put("/_emulator/snapshots/full").status == 200
    assert emulator.post("/_emulator/reset").status == 204
    assert upload(emulator, "small", b"x" * 200).status == 200
    assert emulator.post("/_emulator/snapshots/full/restore").status == 200
    assert upload(emulator, "other", b"x" * 200).error == FULL


# --- how many sessions ------------------------------------------------------------------------------------------------


def test_no_more_sessions_than_the_limit_and_those_there_are_go_on(start: Start) -> None:
    emulator = start(session_limit=2)
    first, second, third = new_id(), new_id(), new_id()
    assert chunk(emulator, "1", first, 0, b"a", 2).status == 200
    assert chunk(emulator, "2", second, 0, b"a", 2).status == 200
    assert chunk(emulator, "3", third, 0, b"a", 2).error == BUSY
    assert emulator.get(f"/ImageStore/$/GetUploadSession?{V}&session-id={third}").status == 204
    require_clean_staging(emulator.data, 1)
    assert chunk(emulator, "1", first, 1, b"b", 2).status == 200
    assert commit(emulator, first).status == 200
    assert chunk(emulator, "3", third, 0, b"a", 2).error == BUSY, "a committed one is still there"
    assert emulator.delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={first}").status == 200
    assert chunk(emulator, "3", third, 0, b"a", 2).status == 200
    emulator.clock.advance(timedelta(minutes=31))
    assert {chunk(emulator, "4", new_id(), 0, b"a", 2).status for _ in range(2)} == {200}


def test_two_processes_together_let_in_no_more_sessions_than_the_limit(tmp_path: Path, keeping: Keeping) -> None:
    """All at the same moment."""
    data = keeping(tmp_path / "data")
    options = ("--session-limit", "5")
    with DurableServer(data, *options).started() as one, DurableServer(data, *options).started() as other:
        gate = threading.Barrier(16)

        def send(number: int) -> int:
            gate.wait()
            return (one, other)[number % 2].chunk(f"{number}", new_id(), 0, b"a", 2).status

        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(send, range(16)))
        assert sorted(statuses) == [200] * 5 + [503] * 11
        require_clean_staging(data, 2)
