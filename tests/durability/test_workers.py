"""Several server processes on one data directory: whatever meets there has one consistent outcome.

Where a test must choose which process gets a request, there are two servers with a port each, which share no more than
two workers do: the directory, its locks and its database.
"""

import json
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import pytest

from emulator.storage.durability import Durability, Sync
from emulator.storage.layout import StoreLayout
from emulator.storage.locks import NamedLocks
from emulator.storage.staging import Staging
from tests.durability.servers import (
    DurableServer,
    V,
    content_of,
    content_range,
    half_received,
    require_clean_staging,
)
from tests.support.databases import Keeping, alter
from tests.support.waiting import eventually
from tests.support.wire import Reply, head, read_reply

Pair = tuple[DurableServer, DurableServer]
Result = TypeVar("Result")

MIB: Final = 1 << 20
RANGE_ERROR: Final = (400, "FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE", "Null")
RACES: Final = 40


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, keeping: Keeping) -> Iterator[Pair]:
    """Two servers on one data directory; what the tests leave must be tidy."""
    data = keeping(tmp_path_factory.mktemp("shared") / "data")
    with DurableServer(data).started() as first, DurableServer(data).started() as second:
        yield first, second
        for server in (first, second):
            assert "Traceback" not in server.log()
            assert server.terminate() == 0
        assert not list((data / "default/staging/workers").iterdir())


def new_id() -> str:
    """An unused session id."""
    return str(uuid.uuid4())


def at_once(*works: Callable[[], Result]) -> list[Result]:
    """Do all of it at the same moment, as nearly as threads can."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Result]) -> Result:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def copy(server: DurableServer, source: str, destination: str) -> Reply:
    """Copy inside the store; names with backslashes, as the service wants its source."""
    body = json.dumps({"RemoteSource": source, "RemoteDestination": destination})
    return server.post(f"/ImageStore/$/Copy?{V}", body.encode())


def delete_session(server: DurableServer, session_id: str) -> Reply:
    """Forget a session."""
    return server.delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={session_id}")


class HalfSentChunk:
    """A chunk from byte 0 on, of which the first half was written by its server; the rest may never come."""

    def __init__(self, server: DurableServer, path: str, session_id: str, body: bytes, total: int) -> None:
        before = staged_bytes(server.data)
        self._rest = body[len(body) // 2 :]
        self._connection: socket.socket = server.connect()
        fields = [
            ("Host", "localhost"),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
            ("Content-Range", content_range(0, len(body), total)),
        ]
        target = f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={session_id}"
        self._connection.sendall(head("PUT", target, fields) + body[: len(body) // 2])
        eventually(lambda: staged_bytes(server.data) > before, "the first half is being written")

    def finish(self) -> Reply:
        """Send the rest after all."""
        self._connection.sendall(self._rest)
        with self._connection:
            return read_reply(self._connection, "PUT")

    def hang_up(self) -> None:
        """The rest never comes."""
        self._connection.close()


def staged_bytes(data: Path) -> int:
    """Bytes that all files in staging take on disk, holes not counted."""
    total = 0
    for file in (data / "default/staging").rglob("*"):
        with suppress(FileNotFoundError):
            total += file.stat().st_blocks
    return total


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_one_of_two_chunks_for_the_same_range_wins_whole(size: int, pair: Pair) -> None:
    """One answer is 200, the other the range error; what is committed is the first one's bytes, none of the other's."""
    for number in range(RACES):
        session_id, path = new_id(), f"same/{size}/{number}"
        assert pair[0].chunk(path, session_id, 2 * size, b"z", 2 * size + 1).status == 200
        bodies = b"a" * size, b"b" * size
        replies = at_once(
            lambda: pair[0].chunk(path, session_id, 0, bodies[0], 2 * size + 1),  # noqa: B023
            lambda: pair[1].chunk(path, session_id, 0, bodies[1], 2 * size + 1),  # noqa: B023
        )
        assert sorted(reply.status for reply in replies) == [200, 400], replies
        loser = next(reply for reply in replies if reply.status == 400)
        assert loser.error == RANGE_ERROR
        winner = bodies[[reply.status for reply in replies].index(200)]
        assert pair[number % 2].chunk(path, session_id, size, b"c" * size, 2 * size + 1).status == 200
        assert pair[0].commit(session_id).status == 200
        assert (pair[0].data / "default/content" / path).read_bytes() == winner + b"c" * size + b"z"
    require_clean_staging(pair[0].data, 2)


@pytest.mark.parametrize("size", [5, 2 * MIB])
def test_first_chunks_of_one_session_at_two_processes_both_count(size: int, pair: Pair) -> None:
    """Neither knows of a session when it begins; both chunks are acknowledged and both are in the committed file."""
    for number in range(RACES if size < MIB else RACES // 5):
        session_id, path = new_id(), f"first/{size}/{number}"
        replies = at_once(
            lambda: pair[0].chunk(path, session_id, 0, b"a" * size, 2 * size),  # noqa: B023
            lambda: pair[1].chunk(path, session_id, size, b"b" * size, 2 * size),  # noqa: B023
        )
        assert [reply.status for reply in replies] == [200, 200]
        assert pair[number % 2].expected_ranges(session_id) == []
        assert pair[number % 2].commit(session_id).status == 200
        assert (pair[0].data / "default/content" / path).read_bytes() == b"a" * size + b"b" * size
    require_clean_staging(pair[0].data, 2)


def test_first_chunks_of_one_session_at_one_process_all_count(pair: Pair) -> None:
    """Whichever makes the session, the bytes of the others, which had just begun, are in its file as well."""
    for number in range(4 * RACES):
        session_id, path = new_id(), f"together/{number}"
        bodies = [bytes([65 + each]) * 30 for each in range(6)]
        replies = at_once(
            *(
                lambda each=each: pair[0].chunk(path, session_id, 30 * each, bodies[each], 180)  # noqa: B023
                for each in range(6)
            )
        )
        assert {reply.status for reply in replies} == {200}
        assert pair[1].commit(session_id).status == 200
        assert (pair[0].data / "default/content" / path).read_bytes() == b"".join(bodies), f"round {number}"
    require_clean_staging(pair[0].data, 2)


def test_one_of_two_first_chunks_for_the_same_range_wins_whole(pair: Pair) -> None:
    """The session is the winner's, the other gets the range error, and the bytes are the winner's."""
    for number in range(RACES):
        session_id, path = new_id(), f"first-same/{number}"
        bodies = b"a" * 5000, b"b" * 5000
        replies = at_once(
            lambda: pair[0].chunk(path, session_id, 0, bodies[0], 5000),  # noqa: B023
            lambda: pair[1].chunk(path, session_id, 0, bodies[1], 5000),  # noqa: B023
        )
        assert sorted(reply.status for reply in replies) == [200, 400], replies
        assert pair[1].commit(session_id).status == 200
        winner = bodies[[reply.status for reply in replies].index(200)]
        assert (pair[0].data / "default/content" / path).read_bytes() == winner
    require_clean_staging(pair[0].data, 2)


def test_chunks_spread_over_both_processes_make_one_file(pair: Pair) -> None:
    """Sixteen at a time, every second one through the other process, in no order; each counts and lands in place."""
    content = b"".join(bytes([number]) * 20_000 for number in range(64))
    session_id, path = new_id(), "spread/file"
    with ThreadPoolExecutor(16) as pool:
        replies = pool.map(
            lambda number: pair[number % 2].chunk(
                path, session_id, 20_000 * number, content[20_000 * number : 20_000 * (number + 1)], len(content)
            ),
            [(number * 37) % 64 for number in range(64)],
        )
        assert {reply.status for reply in replies} == {200}
    assert pair[0].commit(session_id).status == 200
    assert (pair[0].data / "default/content" / path).read_bytes() == content
    require_clean_staging(pair[0].data, 2)


def test_two_commits_of_one_session_both_succeed_and_publish_one_file(pair: Pair) -> None:
    """Committing again is fine, so both are; the file is whole."""
    for number in range(RACES):
        session_id, path = new_id(), f"commits/{number}"
        content = b"%d " % number * 1000
        assert pair[0].chunk(path, session_id, 0, content, len(content)).status == 200
        replies = at_once(lambda: pair[0].commit(session_id), lambda: pair[1].commit(session_id))  # noqa: B023
        assert [reply.status for reply in replies] == [200, 200]
        assert (pair[0].data / "default/content" / path).read_bytes() == content
    require_clean_staging(pair[0].data, 2)


def test_a_commit_that_meets_the_last_chunk_publishes_the_whole_file_or_is_refused(pair: Pair) -> None:
    """There is no file with a hole: the commit succeeds after the chunk or comes too early."""
    for number in range(RACES):
        session_id, path = new_id(), f"early/{number}"
        assert pair[0].chunk(path, session_id, 0, b"a" * 9000, 18_000).status == 200
        committed, sent = at_once(
            lambda: pair[0].commit(session_id),  # noqa: B023
            lambda: pair[1].chunk(path, session_id, 9000, b"b" * 9000, 18_000),  # noqa: B023
        )
        assert sent.status == 200
        file = pair[0].data / "default/content" / path
        assert file.exists() == (committed.status == 200)
        if committed.status != 200:
            assert committed.error[:2] == (400, "E_INVALIDARG")
            assert pair[1].commit(session_id).status == 200
        assert file.read_bytes() == b"a" * 9000 + b"b" * 9000
    require_clean_staging(pair[0].data, 2)


def test_an_upload_that_meets_the_deletion_of_its_folder_is_there_whole_or_not_at_all(pair: Pair) -> None:
    """Both succeed. What was in the folder before is gone; the new file is there if it came second."""
    for number in range(RACES):
        folder = f"deleted/{number}"
        assert pair[0].upload(f"{folder}/old", b"old").status == 200
        uploaded, deleted = at_once(
            lambda: pair[number % 2].upload(f"{folder}/new", b"new" * 100),  # noqa: B023
            lambda: pair[(number + 1) % 2].delete(f"/ImageStore/{folder}?{V}"),  # noqa: B023
        )
        assert (uploaded.status, deleted.status) == (200, 200), (uploaded, deleted)
        assert content_of(pair[0].data, folder) in ({}, {"new": b"new" * 100})
    require_clean_staging(pair[0].data, 2)


def test_an_upload_that_meets_a_folder_copy_onto_its_folder_is_there_whole_or_replaced(pair: Pair) -> None:
    """Both succeed. The folder is the copy, with the new file in it if that came second, and nothing of what was."""
    for name in ("_.dir", "one", "two"):
        assert pair[0].upload(f"original/{name}", name.encode() * 50).status == 200
    copied = {name: name.encode() * 50 for name in ("_.dir", "one", "two")}
    for number in range(RACES):
        folder = f"copy{number}"
        assert pair[0].upload(f"{folder}/old", b"old").status == 200
        replies = at_once(
            lambda: pair[number % 2].upload(f"{folder}/new", b"new" * 100),  # noqa: B023
            lambda: copy(pair[(number + 1) % 2], "original", folder),  # noqa: B023
        )
        assert [reply.status for reply in replies] == [200, 200]
        assert content_of(pair[0].data, folder) in (copied, copied | {"new": b"new" * 100})
    require_clean_staging(pair[0].data, 2)


def test_two_folder_copies_to_one_place_leave_one_of_them(pair: Pair) -> None:
    """Each replaces the folder in one step, so what is there afterwards is one of the sources and no mixture."""
    sources = {"left": {"_.dir", "l1", "l2", "l3"}, "right": {"_.dir", "r1", "r2", "r3"}}
    for source, names in sources.items():
        for name in names:
            assert pair[0].upload(f"{source}/{name}", source.encode()).status == 200
    for _ in range(RACES):
        replies = at_once(lambda: copy(pair[0], "left", "place"), lambda: copy(pair[1], "right", "place"))
        assert [reply.status for reply in replies] == [200, 200]
        assert set(os.listdir(pair[0].data / "default/content/place")) in sources.values()
    require_clean_staging(pair[0].data, 2)


def test_a_folder_that_is_being_replaced_is_never_absent(pair: Pair) -> None:
    """Copying a folder over another takes one step: whoever looks sees the old one or the new one.

    Otherwise a process that dies in between takes an acknowledged folder with it.
    """
    for name in ("_.dir", "file"):
        assert pair[0].upload(f"template/{name}", b"x").status == 200
    assert copy(pair[0], "template", "steady").status == 200
    place = str(pair[0].data / "default/content/steady")
    is_over = threading.Event()

    def watch() -> int:
        return sum(not os.path.isdir(place) for _ in iter(is_over.is_set, True))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            for number in range(3 * RACES):
                assert copy(pair[number % 2], "template", "steady").status == 200
        finally:
            is_over.set()
        assert watching.result() == 0, "looks that found no folder"


def test_a_chunk_that_meets_the_deletion_of_its_session_leaves_nothing_behind(pair: Pair) -> None:
    """The chunk counted before the session went, or found none, or began one anew; staging has what rows name."""
    for number in range(RACES):
        session_id, path = new_id(), f"forgotten/{number}"
        assert pair[0].chunk(path, session_id, 0, b"a" * 100, 300).status == 200
        sent, deleted = at_once(
            lambda: pair[number % 2].chunk(path, session_id, 100, b"b" * 100, 300),  # noqa: B023
            lambda: delete_session(pair[(number + 1) % 2], session_id),  # noqa: B023
        )
        assert deleted.status == 200
        assert sent.status in (200, 404), sent
        expected = pair[0].expected_ranges(session_id)
        assert expected is None or (sent.status == 200 and expected == [(0, 99), (200, 299)])
    require_clean_staging(pair[0].data, 2)


def test_a_commit_that_meets_the_deletion_of_its_session_publishes_the_whole_file_or_nothing(pair: Pair) -> None:
    """Whichever came first, the session is gone, and there is a file if the commit said so."""
    for number in range(RACES):
        session_id, path = new_id(), f"deleted-commit/{number}"
        assert pair[0].chunk(path, session_id, 0, b"a" * 9000, 9000).status == 200
        committed, deleted = at_once(
            lambda: pair[number % 2].commit(session_id),  # noqa: B023
            lambda: delete_session(pair[(number + 1) % 2], session_id),  # noqa: B023
        )
        assert deleted.status == 200
        assert committed.status in (200, 400, 404), committed
        assert pair[0].expected_ranges(session_id) is None
        file = pair[0].data / "default/content" / path
        assert (file.read_bytes() if file.exists() else b"") == (b"a" * 9000 if committed.status == 200 else b"")
    require_clean_staging(pair[0].data, 2)


def test_first_chunks_over_an_expired_session_of_the_same_id_all_count(pair: Pair) -> None:
    """Its row is in their way when they arrive at both processes at once; the old one goes, the new one is whole."""
    for number in range(RACES):
        session_id, path = new_id(), f"again/{number}"
        assert pair[0].chunk("before", session_id, 0, b"old", 6).status == 200
        alter(pair[0].data, f"UPDATE upload_session SET modified_ns = 1 WHERE session_id = '{session_id}'")
        replies = at_once(
            *(
                lambda each=each: pair[each % 2].chunk(path, session_id, 9 * each, b"%d" % each * 9, 36)  # noqa: B023
                for each in range(4)
            )
        )
        assert [reply.status for reply in replies] == [200] * 4, replies
        assert pair[0].commit(session_id).status == 200
        assert (pair[0].data / "default/content" / path).read_bytes() == b"".join(b"%d" % each * 9 for each in range(4))
    require_clean_staging(pair[0].data, 2)


@pytest.mark.parametrize("is_first", [True, False], ids=["first chunk", "later chunk"])
def test_a_complete_chunk_overtakes_one_that_stalls_in_another_process(is_first: bool, pair: Pair) -> None:  # noqa: FBT001
    """The stalled one holds nobody up. When its rest comes after all, it gets the range error, and its bytes go."""
    for number in range(4):
        session_id, path = new_id(), f"stalled/{is_first}/{number}"
        total = 4 * MIB + 1
        if not is_first:
            assert pair[number % 2].chunk(path, session_id, 4 * MIB, b"z", total).status == 200
        stalled = HalfSentChunk(pair[0], path, session_id, b"a" * 4 * MIB, total)
        assert pair[1].chunk(path, session_id, 0, b"b" * 4 * MIB, total).status == 200
        if is_first:
            assert pair[1].chunk(path, session_id, 4 * MIB, b"z", total).status == 200
        if number % 2:
            assert pair[1].commit(session_id).status == 200
        assert stalled.finish().error == RANGE_ERROR
        assert pair[number % 2].commit(session_id).status == 200
        assert (pair[0].data / "default/content" / path).read_bytes() == b"b" * 4 * MIB + b"z"
    require_clean_staging(pair[0].data, 2)


def test_a_chunk_that_stalls_forever_holds_nobody_up(pair: Pair) -> None:
    """Its range can be sent through another process, committed, overwritten and committed again."""
    session_id, path = new_id(), "forever"
    assert pair[0].chunk(path, session_id, 3 * MIB, b"z", 3 * MIB + 1).status == 200
    stalled = HalfSentChunk(pair[0], path, session_id, b"a" * 3 * MIB, 3 * MIB + 1)
    assert pair[1].chunk(path, session_id, 0, b"b" * 3 * MIB, 3 * MIB + 1).status == 200
    assert pair[1].commit(session_id).status == 200
    assert pair[0].upload(path, b"other").status == 200
    assert pair[0].commit(session_id).status == 200
    stalled.hang_up()
    eventually(lambda: not half_received(pair[0].data), "the stalled one is forgotten")
    assert (pair[0].data / "default/content" / path).read_bytes() == b"b" * 3 * MIB + b"z"
    require_clean_staging(pair[0].data, 2)


def test_a_chunk_whose_session_was_deleted_elsewhere_meanwhile_is_refused(pair: Pair) -> None:
    """It joined a session that is gone when it is complete: not found, and no file of it stays."""
    session_id, path = new_id(), "gone-meanwhile"
    assert pair[1].chunk(path, session_id, 3 * MIB, b"z", 3 * MIB + 1).status == 200
    stalled = HalfSentChunk(pair[0], path, session_id, b"a" * 3 * MIB, 3 * MIB + 1)
    assert delete_session(pair[1], session_id).status == 200
    assert stalled.finish().status == 404
    assert pair[0].expected_ranges(session_id) is None
    require_clean_staging(pair[0].data, 2)


def test_a_process_that_dies_while_it_holds_a_range_holds_it_no_longer(pair: Pair) -> None:
    """Its lock goes with it, what it had of the chunk counts for nothing, and the next server sweeps its directory."""
    data = pair[0].data
    session_id, path = new_id(), "orphaned"
    assert pair[0].chunk(path, session_id, 3 * MIB, b"z", 3 * MIB + 1).status == 200
    with DurableServer(data) as victim:
        halves = [
            HalfSentChunk(victim, path, session_id, b"a" * 3 * MIB, 3 * MIB + 1),
            HalfSentChunk(victim, "never", new_id(), b"a" * 3 * MIB, 3 * MIB),
        ]
        eventually(lambda: half_received(data), "the chunk of the new session has begun")
        victim.kill()
        for half in halves:
            half.hang_up()
    assert half_received(data)
    assert pair[0].expected_ranges(session_id) == [(0, 3 * MIB - 1)]
    assert pair[0].chunk(path, session_id, 0, b"b" * 3 * MIB, 3 * MIB + 1).status == 200
    assert pair[1].commit(session_id).status == 200
    assert (data / "default/content" / path).read_bytes() == b"b" * 3 * MIB + b"z"
    with DurableServer(data).started():
        require_clean_staging(data, 3)
    require_clean_staging(data, 2)


def test_workers_share_one_port_replace_their_dead_and_end_with_0(tmp_path: Path, keeping: Keeping) -> None:
    """A worker killed in the middle of an upload breaks that connection off and nothing else.

    Another takes its place, what it had received is swept, and SIGTERM to the parent ends all of them with success.
    """
    data = keeping(tmp_path / "data")
    with DurableServer(data, "--workers", "2") as server:
        server.started()
        assert server.upload("file", b"old").status == 200
        with server.connect() as connection:
            connection.sendall(
                head("PUT", f"/ImageStore/file?{V}", [("Host", "localhost"), ("Content-Length", str(4 * MIB))])
            )
            connection.sendall(b"n" * 2 * MIB)
            eventually(lambda: half_received(data), "a worker receives it")
            (victim,) = [pid for pid in server.workers() if receives(pid, data)]
            before = server.workers()
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: victim not in server.workers(), "it is dead")
            assert connection_broke(connection)
        for number in range(20):
            assert server.upload(f"served/{number}", b"x").status == 200
        assert server.upload("file", b"new").status == 200
        assert server.started().workers() != before
        require_clean_staging(data, 2)
        assert content_of(data)["file"] == b"new"
        everyone = server.workers()
        assert server.terminate() == 0
        assert "Traceback" not in server.log()
        assert not any(Path(f"/proc/{pid}").exists() for pid in everyone)
        assert not list((data / "default/staging/workers").iterdir())


def test_workers_that_are_still_starting_end_with_0_as_well(tmp_path: Path) -> None:
    """SIGTERM right after the line that says where it listens, before any worker has begun to serve."""
    with DurableServer(tmp_path / "data", "--workers", "2") as server:
        assert server.terminate() == 0
        assert "Traceback" not in server.log()


def test_workers_that_cannot_start_end_the_emulator_instead_of_being_started_for_ever(tmp_path: Path) -> None:
    """Five in a row; the others finish what they do, and the exit code and the last line say what happened."""
    data = tmp_path / "data"
    with DurableServer(data, "--workers", "2").started() as server:
        (data / "format").write_text("999\n")
        victim, survivor = server.workers()
        os.kill(victim, signal.SIGKILL)
        assert server.ended() == 7
        assert server.log().splitlines()[-1].startswith("imagestore-emulator: a server process ended right after its")
        assert server.log().count("newer") == 5
        assert "Traceback" not in server.log()
        assert not Path(f"/proc/{survivor}").exists()


def test_workers_that_somebody_kills_at_their_start_are_replaced_however_often(tmp_path: Path) -> None:
    """A kill from outside says nothing about the next start, so it is not one of the five that end the emulator."""
    with DurableServer(tmp_path / "data", "--workers", "2").started() as server:
        survivor = min(server.workers())
        for _ in range(6):
            (victim,) = server.workers() - {survivor}
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: server.workers() - {survivor, victim}, "it is replaced")  # noqa: B023
        assert server.upload("file", b"x").status == 200
        assert server.terminate() == 0
        assert "Traceback" not in server.log()


def receives(pid: int, data: Path) -> bool:
    """Whether a process has a half received file of its own open."""
    workers = str(data / "default/staging/workers")
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:
            continue
        if target.startswith(workers) and not target.endswith(".lock"):
            return True
    return False


def connection_broke(connection: socket.socket) -> bool:
    """Whether the server is gone from its other end without an answer."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_servers_that_start_at_the_same_time_sweep_what_one_dead_server_left_without_falling_over_each_other(
    tmp_path: Path,
) -> None:
    layout = StoreLayout(tmp_path / "default")
    layout.create()
    for number in range(300):
        (layout.workers / f"{number}.lock").touch()
    with ThreadPoolExecutor(4) as starting:
        locks, sync = NamedLocks(layout.locks), Sync(Durability.PROCESS)
        started = list(starting.map(lambda _: Staging(layout, locks, sync), range(4)))
    assert len(list(layout.workers.glob("*.lock"))) == 4
    for staging in started:
        staging.close()
    assert not list(layout.workers.iterdir())
