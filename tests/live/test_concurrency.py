"""Many clients at once: what each is told is true, and no bytes of one end up in another's file."""

import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import pytest

from tests.support.emulator import EmulatorProcess, InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Reply, Wire, head, read_reply

API: Final = "api-version=6.0"
OK: Final = (200, "")
RANGE_ERROR: Final = (400, "FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE")
KIB: Final = 1024
MIB: Final = 1024 * KIB
PIECE: Final = MIB
"""What the emulator writes at a time: a longer body is on disk in part before all of it has arrived."""

_Result = TypeVar("_Result")
Outcome = tuple[int, str]


def session_id(number: int) -> str:
    return f"{number:08x}-1111-4111-8111-111111111111"


def outcome(reply: Reply) -> Outcome:
    """Status and error code, without a code when there is no body."""
    return (reply.status, reply.error[1]) if reply.body else (reply.status, "")


def at_once(works: Sequence[Callable[[], _Result]]) -> list[_Result]:
    """Start all of these at the same moment, each on a thread of its own, and wait for what they answer."""
    barrier = threading.Barrier(len(works))

    def start(work: Callable[[], _Result]) -> _Result:
        barrier.wait(30)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(start, works))


def chunk_target(path: str, number: int) -> str:
    return f"/ImageStore/{path}/$/UploadChunk?{API}&session-id={session_id(number)}"


def range_header(start: int, end: int, total: int) -> dict[str, str]:
    return {"Content-Range": f"bytes {start}-{end}/{total}"}


def send_chunk(wire: Wire, path: str, number: int, start: int, body: bytes, *, total: int) -> Outcome:
    headers = range_header(start, start + len(body) - 1, total)
    return outcome(wire.put(chunk_target(path, number), body, headers=headers))


def commit(wire: Wire, number: int) -> Outcome:
    return outcome(wire.post(f"/ImageStore/$/CommitUploadSession?{API}&session-id={session_id(number)}"))


def delete_session(wire: Wire, number: int) -> Outcome:
    return outcome(wire.delete(f"/ImageStore/$/DeleteUploadSession?{API}&session-id={session_id(number)}"))


def upload(wire: Wire, path: str, body: bytes) -> Outcome:
    return outcome(wire.put(f"/ImageStore/{path}?{API}", body))


def delete(wire: Wire, path: str) -> Outcome:
    return outcome(wire.delete(f"/ImageStore/{path}?{API}"))


def copy(wire: Wire, source: str, destination: str) -> Outcome:
    body = json.dumps({"RemoteSource": source.replace("/", "\\"), "RemoteDestination": destination}).encode()
    return outcome(wire.post(f"/ImageStore/$/Copy?{API}", body))


def content(data: Path) -> dict[str, bytes]:
    """Every file of the store, by its path."""
    root = data / "default" / "content"
    return {
        os.path.relpath(os.path.join(folder, name), root): Path(folder, name).read_bytes()
        for folder, _, names in os.walk(root)
        for name in names
    }


class SlowChunk:
    """A chunk whose body arrives when the test says so."""

    def __init__(self, wire: Wire, path: str, number: int, start: int, body: bytes, *, total: int) -> None:
        self._body = body
        self._sent = 0
        self._connection = wire.connect()
        fields = [("Host", "localhost"), ("Content-Length", str(len(body)))]
        fields += range_header(start, start + len(body) - 1, total).items()
        self._connection.sendall(head("PUT", chunk_target(path, number), fields))

    def send(self, length: int) -> None:
        """The next bytes of the body."""
        self._connection.sendall(self._body[self._sent : self._sent + length])
        self._sent += length

    def finish(self) -> Outcome:
        """The rest of the body, and the answer."""
        self.send(len(self._body) - self._sent)
        reply = read_reply(self._connection, "PUT")
        self.hang_up()
        return outcome(reply)

    def hang_up(self) -> None:
        self._connection.close()


def staging(emulator: InProcessEmulator) -> Path:
    return emulator.data / "default" / "staging"


def has_arrived(emulator: InProcessEmulator, marker: bytes) -> bool:
    """Whether these bytes, the beginning of some chunk, are on disk."""
    for folder, _, names in os.walk(staging(emulator)):
        for name in names:
            try:
                found = Path(folder, name).read_bytes()
            except FileNotFoundError:
                continue
            if marker in found:
                return True
    return False


# many files at once


@pytest.mark.parametrize("size", [5 * MIB // 2, pytest.param(25 * MIB, marks=pytest.mark.slow)], ids=["2.5MB", "25MB"])
def test_ten_files_in_ten_chunks_each_arrive_byte_for_byte(tmp_path: Path, size: int) -> None:
    """All hundred chunks in flight together, shuffled, some of them twice, some cut off in the middle and sent again.

    Of every range exactly one request succeeds, whatever the order; the other one is told that the range is taken.
    """
    chance = random.Random(size)
    data = tmp_path / "data"
    files = [chance.randbytes(size) for _ in range(10)]
    length = -(-size // 10)

    with EmulatorProcess(data) as emulator:

        def cut_off(number: int, start: int) -> None:
            slow = SlowChunk(
                emulator, f"app/f{number}", number, start, files[number][start : start + length], total=size
            )
            slow.send(length // 2)
            slow.hang_up()

        def send(number: int, start: int, *, is_cut: bool) -> tuple[int, int, Outcome]:
            if is_cut:
                cut_off(number, start)
            body = files[number][start : start + length]
            return number, start, send_chunk(emulator, f"app/f{number}", number, start, body, total=size)

        chunks = [(number, start) for number in range(10) for start in range(0, size, length)]
        chunks += chance.sample(chunks, 20)
        chance.shuffle(chunks)
        with ThreadPoolExecutor(100) as clients:
            replies = list(clients.map(lambda chunk: send(*chunk, is_cut=chunk in chunks[:15]), chunks))
        for range_of_file, times in Counter(chunks).items():
            expected = Counter({OK: 1, RANGE_ERROR: times - 1}) if times > 1 else Counter({OK: 1})
            assert Counter(reply for *which, reply in replies if tuple(which) == range_of_file) == expected
        assert at_once([partial(commit, emulator, number) for number in range(10)]) == [OK] * 10
    stored = content(data)
    assert sorted(stored) == sorted(f"app/f{number}" for number in range(10))
    for number, expected_content in enumerate(files):
        assert stored[f"app/f{number}"] == expected_content, f"f{number} has other bytes than were sent"


def test_the_first_chunks_of_a_session_sent_all_at_once_are_all_in_its_file(tmp_path: Path) -> None:
    """Any of them may be the one that makes the session, and none may lose its bytes over that (store 6.3).

    The .NET client begins every large file like this, ten chunks at a time.
    """
    data = tmp_path / "data"
    bodies = [bytes([65 + position]) * 10 for position in range(10)]
    with EmulatorProcess(data) as emulator:
        for number in range(150):
            works = [
                partial(send_chunk, emulator, f"f{number}", number, 10 * position, body, total=100)
                for position, body in enumerate(bodies)
            ]
            assert at_once(works) == [OK] * 10
            assert commit(emulator, number) == OK
        left = list((data / "default" / "staging" / "workers").glob("*/*"))
    assert {path for path, stored in content(data).items() if stored != b"".join(bodies)} == set()
    assert left == []


# one range, many clients


@pytest.mark.parametrize("is_new", [True, False], ids=["new session", "known session"])
@pytest.mark.parametrize(("length", "rounds"), [(100, 25), (3 * PIECE, 4)], ids=["small", "large"])
def test_of_many_clients_that_send_one_range_exactly_one_wins(
    emulator: InProcessEmulator, length: int, rounds: int, *, is_new: bool
) -> None:
    """The others get the range error, and the file holds the winner's bytes and nobody else's."""
    clients = 6
    for number in range(rounds):
        path, total = f"f{number}", length + 1
        first = b"-"
        if not is_new:
            assert send_chunk(emulator, path, number, 0, first, total=total) == OK
        bodies = [bytes([65 + client]) * length for client in range(clients)]
        replies = at_once([partial(send_chunk, emulator, path, number, 1, body, total=total) for body in bodies])
        assert Counter(replies) == Counter({OK: 1, RANGE_ERROR: clients - 1})
        if is_new:
            assert send_chunk(emulator, path, number, 0, first, total=total) == OK
        assert commit(emulator, number) == OK
        assert content(emulator.data)[path] == first + bodies[replies.index(OK)]
        assert delete(emulator, path) == OK
        assert delete_session(emulator, number) == OK


def test_one_id_used_for_two_files_at_once_belongs_to_one_of_them(emulator: InProcessEmulator) -> None:
    """The one that came first; the other is told of the conflict, or of the other size."""
    for number in range(15):
        replies = at_once(
            [
                partial(send_chunk, emulator, "one", number, 0, b"1" * 10, total=10),
                partial(send_chunk, emulator, "two", number, 0, b"2" * 10, total=10),
                partial(send_chunk, emulator, "one", number, 0, b"3" * 10, total=20),
            ]
        )
        assert replies.count(OK) == 1
        winner = replies.index(OK)
        allowed = {
            0: {(409, "FABRIC_E_UPLOAD_SESSION_ID_CONFLICT"), (400, "E_INVALIDARG")},
            1: {(409, "FABRIC_E_UPLOAD_SESSION_ID_CONFLICT")},
            2: {(409, "FABRIC_E_UPLOAD_SESSION_ID_CONFLICT"), (400, "E_INVALIDARG")},
        }[winner]
        assert set(replies) - {OK} == allowed


# a client that stalls


HALF: Final = {"small": 8, "large": 3 * PIECE}
BY_SIZE: Final = pytest.mark.parametrize("half", HALF.values(), ids=HALF)
BY_AGE: Final = pytest.mark.parametrize("is_new", [True, False], ids=["new session", "known session"])


class Contest:
    """A file of which one chunk stalls half-way; everything is there for somebody else to send it instead."""

    def __init__(self, emulator: InProcessEmulator, half: int, *, is_new: bool) -> None:
        self.emulator = emulator
        self.total = 2 * half + 1
        self.stalled_body = b"stalled!" + b"s" * (2 * half - 8)
        self.other_body = b"OTHER" + b"o" * (2 * half - 5)
        if not is_new:
            self.send_first_byte()
        self.stalled = SlowChunk(emulator, "f", 1, 1, self.stalled_body, total=self.total)
        self.stalled.send(half)
        if half >= PIECE:  # a chunk of one piece touches nothing before it is complete
            eventually(lambda: has_arrived(emulator, b"stalled!"), "the first half is on disk")

    def send_first_byte(self) -> None:
        assert send_chunk(self.emulator, "f", 1, 0, b"-", total=self.total) == OK

    def send_other(self) -> Outcome:
        return send_chunk(self.emulator, "f", 1, 1, self.other_body, total=self.total)

    def check_stored(self) -> None:
        assert content(self.emulator.data) == {"f": b"-" + self.other_body}


@BY_SIZE
@BY_AGE
def test_a_stalled_chunk_does_not_hold_up_another_client(
    emulator: InProcessEmulator, half: int, *, is_new: bool
) -> None:
    """The second one is answered while the first hangs; when the first goes on it is too late, and changes nothing."""
    contest = Contest(emulator, half, is_new=is_new)
    assert contest.send_other() == OK
    assert contest.stalled.finish() == RANGE_ERROR
    if is_new:
        contest.send_first_byte()
    assert commit(emulator, 1) == OK
    contest.check_stored()


@BY_SIZE
@BY_AGE
def test_a_stalled_chunk_that_goes_on_after_the_commit_changes_nothing(
    emulator: InProcessEmulator, half: int, *, is_new: bool
) -> None:
    """A committed file is never written to again."""
    contest = Contest(emulator, half, is_new=is_new)
    assert contest.send_other() == OK
    if is_new:
        contest.send_first_byte()
    assert commit(emulator, 1) == OK
    contest.check_stored()
    contest.stalled.send(half - 4)
    contest.check_stored()
    assert contest.stalled.finish() == RANGE_ERROR
    contest.check_stored()
    assert commit(emulator, 1) == OK
    contest.check_stored()


@BY_SIZE
@BY_AGE
def test_a_stalled_chunk_that_is_given_up_leaves_nothing(
    emulator: InProcessEmulator, half: int, *, is_new: bool
) -> None:
    contest = Contest(emulator, half, is_new=is_new)
    contest.stalled.hang_up()
    assert contest.send_other() == OK
    if is_new:
        contest.send_first_byte()
    assert commit(emulator, 1) == OK
    contest.check_stored()
    eventually(lambda: not list((staging(emulator) / "workers").glob("*/*")), "nothing is left of the stalled chunk")


@BY_AGE
def test_a_stalled_chunk_that_overlaps_is_refused_when_it_is_done(emulator: InProcessEmulator, *, is_new: bool) -> None:
    """Ranges need not be the same to be in each other's way."""
    if not is_new:
        assert send_chunk(emulator, "f", 1, 0, b"-", total=30) == OK
    stalled = SlowChunk(emulator, "f", 1, 1, b"s" * 19, total=30)
    stalled.send(9)
    assert send_chunk(emulator, "f", 1, 10, b"o" * 20, total=30) == OK
    assert stalled.finish() == RANGE_ERROR
    assert send_chunk(emulator, "f", 1, 1, b"x" * 9, total=30) == OK
    if is_new:
        assert send_chunk(emulator, "f", 1, 0, b"-", total=30) == OK
    assert commit(emulator, 1) == OK
    assert content(emulator.data) == {"f": b"-" + b"x" * 9 + b"o" * 20}


def test_a_stalled_chunk_of_a_deleted_session_is_not_found(emulator: InProcessEmulator) -> None:
    """Even when a new session has got its id in the meantime; that one stays as it is (gateway 4.3)."""
    contest = Contest(emulator, 2 * PIECE, is_new=False)
    assert delete_session(emulator, 1) == OK
    contest.send_first_byte()
    assert contest.stalled.finish() == (404, "NotFound")
    assert contest.send_other() == OK
    assert commit(emulator, 1) == OK
    contest.check_stored()


@BY_SIZE
def test_a_stalled_chunk_wins_when_nobody_else_comes(emulator: InProcessEmulator, half: int) -> None:
    contest = Contest(emulator, half, is_new=True)
    contest.send_first_byte()
    assert contest.stalled.finish() == OK
    assert contest.send_other() == RANGE_ERROR
    assert commit(emulator, 1) == OK
    assert content(emulator.data) == {"f": b"-" + contest.stalled_body}


def test_any_number_of_stalled_chunks_lets_others_through(emulator: InProcessEmulator) -> None:
    """More than the server has threads: a stalled client costs a connection and nothing else."""
    stalled = [SlowChunk(emulator, "f", 1, 10 * number, b"s" * 10, total=1000) for number in range(100)]
    for slow in stalled:
        slow.send(5)
    assert upload(emulator, "g", b"through") == OK
    assert send_chunk(emulator, "f", 2, 0, b"x" * 1000, total=1000) == OK
    assert commit(emulator, 2) == OK
    assert content(emulator.data) == {"g": b"through", "f": b"x" * 1000}
    assert [slow.finish() for slow in stalled] == [OK] * 100
    assert commit(emulator, 1) == OK
    assert content(emulator.data) == {"g": b"through", "f": b"s" * 1000}


# writes to one path, or around it


@pytest.mark.parametrize(("length", "rounds"), [(50, 20), (2 * PIECE + 1, 3)], ids=["small", "large"])
def test_of_many_uploads_to_one_path_each_succeeds_and_one_is_stored_whole(
    emulator: InProcessEmulator, length: int, rounds: int
) -> None:
    """They happen one after the other, so the last one stays; a mixture never does (store 2.4)."""
    bodies = [bytes([65 + client]) * (length + client) for client in range(6)]
    for _ in range(rounds):
        works = [partial(upload, emulator, "d/f", body) for body in bodies]
        assert at_once(works) == [OK] * 6
        stored = content(emulator.data)
        assert list(stored) == ["d/f"]
        assert stored["d/f"] in bodies


def test_uploads_and_deletions_of_neighbours_all_succeed(emulator: InProcessEmulator) -> None:
    """A deletion takes folders it leaves empty with it, and an upload next to it needs them again."""
    for number in range(150):
        assert upload(emulator, "a/b/c/old", b"old") == OK
        replies = at_once(
            [
                partial(delete, emulator, "a/b/c/old"),
                partial(upload, emulator, f"a/b/c/{number}", b"new"),
                partial(upload, emulator, f"a/b/e/{number}", b"new"),
            ]
        )
        assert replies == [OK] * 3
        assert content(emulator.data) == {f"a/b/c/{number}": b"new", f"a/b/e/{number}": b"new"}
        assert delete(emulator, "a") == OK


def test_an_upload_and_the_deletion_of_its_folder_are_one_after_the_other(emulator: InProcessEmulator) -> None:
    """Either the file is there whole afterwards or it is gone."""
    for _ in range(60):
        assert upload(emulator, "d/e/kept", b"old") == OK
        replies = at_once(
            [
                partial(delete, emulator, "d"),
                partial(upload, emulator, "d/e/new", b"n" * 1000),
            ]
        )
        assert replies == [OK, OK]
        assert content(emulator.data) in ({}, {"d/e/new": b"n" * 1000})
        assert delete(emulator, "d") == OK


def test_a_folder_copied_while_its_files_change_holds_whole_files(emulator: InProcessEmulator) -> None:
    """A file that changes at that moment is copied as it was before or after; the copy may also find it gone (404)."""
    versions = [b"s" * 10, b"L" * (MIB // 2)]
    assert upload(emulator, "d/_.dir", b"") == OK

    def change() -> set[Outcome]:
        seen = set()
        for number in range(60):
            seen.add(upload(emulator, "d/f", versions[number % 2]))
        return seen

    def replicate() -> set[Outcome]:
        seen = set()
        for _ in range(60):
            seen.add(copy(emulator, "d", "copy"))
            assert content(emulator.data).get("copy/f", versions[0]) in versions
        return seen

    assert upload(emulator, "d/f", versions[0]) == OK
    changed, copied = at_once([change, replicate])
    assert changed == {OK}
    assert copied <= {OK, (404, "FABRIC_E_FILE_NOT_FOUND")}


def test_a_folder_copied_while_a_file_comes_and_goes_is_no_failure(emulator: InProcessEmulator) -> None:
    """As the service says it: the copy is made, or a file was not found."""
    assert upload(emulator, "d/_.dir", b"") == OK

    def come_and_go() -> set[Outcome]:
        seen = set()
        for _ in range(60):
            seen.add(upload(emulator, "d/e/f", b"whole"))
            seen.add(delete(emulator, "d/e/f"))
        return seen

    def replicate() -> set[Outcome]:
        return {copy(emulator, "d", "copy") for _ in range(60)}

    changed, copied = at_once([come_and_go, replicate])
    assert changed == {OK}
    assert copied <= {OK, (404, "FABRIC_E_FILE_NOT_FOUND")}
    assert content(emulator.data).get("copy/e/f", b"whole") == b"whole"


def test_an_upload_into_a_folder_that_is_being_copied_over_is_whole_or_gone(emulator: InProcessEmulator) -> None:
    assert upload(emulator, "d/_.dir", b"") == OK
    assert upload(emulator, "d/x", b"copied") == OK
    for _ in range(40):
        assert at_once(
            [partial(copy, emulator, "d", "e"), partial(upload, emulator, "e/y", b"new")],
        ) == [OK, OK]
        stored = content(emulator.data)
        assert (stored["e/_.dir"], stored["e/x"], stored.get("e/y", b"new")) == (b"", b"copied", b"new")
        assert delete(emulator, "e") == OK


def test_sizes_and_listings_are_answered_while_content_changes(emulator: InProcessEmulator) -> None:
    """Whoever looks meanwhile sees some state of the store, not a failure."""
    assert upload(emulator, "d/kept", b"12345") == OK

    def come_and_go() -> None:
        for number in range(60):
            assert upload(emulator, f"d/e/{number}/f", b"12345") == OK
            assert delete(emulator, "d/e") == OK

    def look() -> set[int]:
        targets = [
            f"/ImageStore/d?{API}",
            "/ImageStore/d/$/FolderSize?api-version=6.5",
            "/ImageStore/$/Info?api-version=6.5",
        ]
        return {emulator.get(target).status for _ in range(40) for target in targets}

    _, seen = at_once([come_and_go, look])
    assert seen == {200}


def test_one_folder_in_two_spellings_at_once_is_one_folder(emulator: InProcessEmulator) -> None:
    """Both files are in it, whichever spelling came first (store 1.3)."""
    for number in range(60):
        replies = at_once(
            [
                partial(upload, emulator, f"App{number}/x", b"x"),
                partial(upload, emulator, f"aPP{number}/y", b"y"),
            ]
        )
        assert replies == [OK, OK]
        listing = emulator.get(f"/ImageStore/app{number}?{API}").json()
        names = [file["StoreRelativePath"].lower() for file in listing["StoreFiles"]]
        assert names == [f"app{number}\\x", f"app{number}\\y"]


# commits


def test_two_commits_at_once_both_succeed(emulator: InProcessEmulator) -> None:
    for number in range(30):
        assert send_chunk(emulator, f"d{number}/f", number, 0, b"content", total=7) == OK
        works = [partial(commit, emulator, number)] * 4
        assert at_once(works) == [OK] * 4
        assert content(emulator.data)[f"d{number}/f"] == b"content"


def test_two_sessions_committed_to_one_path_at_once_leave_one_of_the_two(emulator: InProcessEmulator) -> None:
    for number in range(0, 40, 2):
        assert send_chunk(emulator, "f", number, 0, b"first", total=5) == OK
        assert send_chunk(emulator, "f", number + 1, 0, b"second!", total=7) == OK
        works = [partial(commit, emulator, number), partial(commit, emulator, number + 1)]
        assert at_once(works) == [OK, OK]
        assert content(emulator.data)["f"] in (b"first", b"second!")


def test_a_commit_and_the_deletion_of_its_session_publish_the_file_or_not(emulator: InProcessEmulator) -> None:
    """Told of success, the file is there; told otherwise, it isn't."""
    for number in range(40):
        path = f"f{number}"
        assert send_chunk(emulator, path, number, 0, b"content", total=7) == OK
        committed, deleted = at_once([partial(commit, emulator, number), partial(delete_session, emulator, number)])
        assert deleted == OK
        assert committed in (OK, (400, "E_INVALIDARG"), (404, "NotFound"))
        assert content(emulator.data).get(path) == (b"content" if committed == OK else None)


def test_deleting_a_session_while_its_chunks_arrive_leaves_no_file_behind(emulator: InProcessEmulator) -> None:
    """Each chunk counts, is not found, or begins a session of its own; what nobody can reach is not kept."""
    for number in range(60):
        assert send_chunk(emulator, "f", number, 0, b"0", total=10) == OK
        replies = at_once(
            [
                partial(delete_session, emulator, number),
                partial(send_chunk, emulator, "f", number, 1, b"1", total=10),
                partial(send_chunk, emulator, "f", number, 2, b"2", total=10),
            ]
        )
        assert replies[0] == OK
        assert set(replies[1:]) <= {OK, (404, "NotFound")}
        assert delete_session(emulator, number) in (OK, (404, "NotFound"))
    eventually(lambda: not list((staging(emulator) / "workers").glob("*/*")), "nothing is left of the requests")
    assert list((staging(emulator) / "sessions").iterdir()) == []
