"""Random lives of upload sessions and content over a real socket, held against `reference.ReferenceStore`."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.stateful.reference import DONE, LIFE, Outcome, Range, ReferenceStore, Session
from tests.support.emulator import InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Reply, head

API: Final = "api-version=6.0"
LARGEST: Final = 8
PATHS: Final = ("p", "P", "d/q")
"""Two spellings of one file, which sessions tell apart, and a file in a folder."""

IDS: Final = st.sampled_from([0, 0, 0, 1, 1, 2])
A_PATH: Final = st.sampled_from(PATHS)
FIRST_BYTES: Final = st.integers(0, 255)
SIZES: Final = st.sampled_from([2, 3, 1, 5, 8, 0])
INSTANT: Final = timedelta(milliseconds=1)
STEPS: Final = st.sampled_from([INSTANT, timedelta(minutes=10), LIFE / 2, LIFE - INSTANT, LIFE])

_examples = count(1)


def outcome(reply: Reply) -> Outcome:
    """Status and error code, without a code when there is no body."""
    return (reply.status, reply.error[1]) if reply.body else (reply.status, "")


def body_of(first_byte: int, length: int) -> bytes:
    """Bytes that tell where they belong."""
    return bytes((first_byte + position) % 256 for position in range(length))


@dataclass(frozen=True)
class Filling:
    """What a chunk is filled with, and by how much its body is longer than its range; mostly not at all."""

    first_byte: int
    surplus: int

    def body(self, start: int, end: int) -> bytes:
        """The body for this range, which may be none."""
        return body_of(self.first_byte, max(0, end - start + 1 + self.surplus))


FILLINGS: Final = st.builds(Filling, FIRST_BYTES, st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1, 3, -1, -3]))


class LifeCycle(RuleBasedStateMachine):
    """Every rule does one thing to the emulator and to the reference, and compares the answers."""

    def __init__(self, emulator: InProcessEmulator) -> None:
        super().__init__()
        self.emulator = emulator
        self.reference = ReferenceStore()
        self.example = next(_examples)
        self.looks = 0
        self.born = datetime.fromtimestamp(emulator.clock.now_ns() // 1_000_000 / 1000, UTC)
        self.may_restart = True
        self.staged_before = self.staged()

    @initialize()
    def start_with_nothing(self) -> None:
        assert self.get("/ImageStore").status == 404

    # what a client can do

    @rule(number=IDS, path=A_PATH, size=SIZES, data=st.data(), filling=FILLINGS)
    def send_any_chunk(self, number: int, path: str, size: int, data: st.DataObject, filling: Filling) -> None:
        """Any path, any size, any range: mostly refused where there is a session already."""
        start = data.draw(st.integers(0, LARGEST), label="start")
        end = data.draw(st.integers(0, LARGEST), label="end")
        self.send_chunk(number, path, (start, end), size, filling.body(start, end))

    @rule(number=IDS, path=A_PATH, size=SIZES, data=st.data(), filling=FILLINGS)
    def begin_a_session(self, number: int, path: str, size: int, data: st.DataObject, filling: Filling) -> None:
        """A range of the file, or one that ends at its size, which only a first chunk may."""
        end = data.draw(st.integers(0, size), label="end")
        start = data.draw(st.integers(0, end), label="start")
        self.send_chunk(number, path, (start, end), size, filling.body(start, end))

    @precondition(lambda self: self.unfinished())
    @rule(data=st.data(), filling=FILLINGS)
    def send_what_is_missing(self, data: st.DataObject, filling: Filling) -> None:
        """A part of a gap: the start, the end, the middle or the whole of it."""
        number, session = data.draw(st.sampled_from(self.unfinished()), label="session")
        first, last = data.draw(st.sampled_from(session.expected), label="gap")
        start = data.draw(st.integers(first, last), label="start")
        end = data.draw(st.integers(start, last), label="end")
        self.send_chunk(number, session.path, (start, end), session.size, filling.body(start, end))

    @precondition(lambda self: self.living())
    @rule(data=st.data(), first_byte=FIRST_BYTES)
    def send_across_an_edge(self, data: st.DataObject, first_byte: int) -> None:
        """The right file, any range of it: repeated, overlapping, contained, or reaching past the end."""
        number, session = data.draw(st.sampled_from(self.living()), label="session")
        start = data.draw(st.integers(0, session.size), label="start")
        end = data.draw(st.integers(start, session.size), label="end")
        self.send_chunk(number, session.path, (start, end), session.size, body_of(first_byte, end - start + 1))

    @precondition(lambda self: self.unfinished())
    @rule(data=st.data(), first_byte=FIRST_BYTES, commits=st.booleans())
    def finish_a_session(self, data: st.DataObject, first_byte: int, *, commits: bool) -> None:
        """All gaps, the last one first."""
        number, session = data.draw(st.sampled_from(self.unfinished()), label="session")
        for start, end in reversed(session.expected):
            body = body_of(first_byte, end - start + 1)
            self.send_chunk(number, session.path, (start, end), session.size, body)
        if commits:
            self.commit(number)

    @precondition(lambda self: self.complete())
    @rule(data=st.data(), path=A_PATH, first_byte=FIRST_BYTES, change=st.sampled_from(["upload", "delete", "copy", ""]))
    def commit_again(self, data: st.DataObject, path: str, first_byte: int, change: str) -> None:
        """A complete session is committed, its file perhaps changed, and the session committed once more."""
        number, session = data.draw(st.sampled_from(self.complete()), label="session")
        self.commit(number)
        if change == "upload":
            self.upload(session.path, first_byte, 3)
        elif change == "delete":
            self.delete(session.path)
        elif change == "copy":
            self.copy(path, session.path, overwrites=True)
        self.content_on_disk_is_what_was_stored()
        self.commit(number)

    @rule(number=IDS, path=A_PATH, size=SIZES, data=st.data(), first_byte=FIRST_BYTES, is_plain=st.booleans())
    def break_off(
        self, number: int, path: str, size: int, data: st.DataObject, first_byte: int, *, is_plain: bool
    ) -> None:
        """A body cut off half-way, of a chunk that could join or could not: as if it had never been sent."""
        session = self.reference.find(self.session_id(number))
        if session and data.draw(st.booleans(), label="joins"):
            path, size = session.path, session.size
        end = data.draw(st.integers(0, size), label="end")
        start = data.draw(st.integers(0, end), label="start")
        body = body_of(first_byte, end - start + 1)
        target = f"/ImageStore/{path}?{API}" if is_plain else self.chunk_target(number, path)
        fields = [
            ("Host", "localhost"),
            ("Content-Range", f"bytes {start}-{end}/{size}"),
            ("Content-Length", str(len(body))),
        ]
        with self.emulator.connect() as connection:
            connection.sendall(head("PUT", target, fields) + body[: len(body) // 2])

    @precondition(lambda self: self.reference.sessions)
    @rule(number=IDS, times=st.integers(1, 2))
    def commit(self, number: int, times: int = 1) -> None:
        for _ in range(times):
            reply = self.send("POST", f"/ImageStore/$/CommitUploadSession?{API}&session-id={self.session_id(number)}")
            assert outcome(reply) == self.reference.commit(self.session_id(number))

    @precondition(lambda self: self.reference.sessions)
    @rule(number=IDS)
    def delete_a_session(self, number: int) -> None:
        target = f"/ImageStore/$/DeleteUploadSession?{API}&session-id={self.session_id(number)}"
        assert outcome(self.send("DELETE", target)) == self.reference.delete_session(self.session_id(number))

    @rule(path=A_PATH, first_byte=FIRST_BYTES, size=SIZES)
    def upload(self, path: str, first_byte: int, size: int) -> None:
        body = body_of(first_byte, size)
        assert outcome(self.send("PUT", f"/ImageStore/{path}?{API}", body=body)) == self.reference.upload(path, body)

    @precondition(lambda self: self.reference.files)
    @rule(path=st.sampled_from([*PATHS, "d", "D"]))
    def delete(self, path: str) -> None:
        assert outcome(self.send("DELETE", f"/ImageStore/{path}?{API}")) == self.reference.delete(path)

    @precondition(lambda self: self.reference.files)
    @rule(source=A_PATH, destination=A_PATH, overwrites=st.booleans())
    def copy(self, source: str, destination: str, *, overwrites: bool) -> None:
        description = {
            "RemoteSource": source.replace("/", "\\"),
            "RemoteDestination": destination,
            "CopyFlag": "Overwrite" if overwrites else "Echo",
        }
        reply = self.send("POST", f"/ImageStore/$/Copy?{API}", body=json.dumps(description).encode())
        assert outcome(reply) == self.reference.copy(source, destination, overwrites=overwrites)

    @rule(step=STEPS)
    def let_time_pass(self, step: timedelta) -> None:
        self.advance(step)

    @precondition(lambda self: self.living())
    @rule(data=st.data(), is_up=st.booleans())
    def let_a_session_reach_its_end(self, data: st.DataObject, *, is_up: bool) -> None:
        """To the moment at which it expires, or to the one before."""
        number, session = data.draw(st.sampled_from(self.living()), label="session")
        moment = session.modified + LIFE - (timedelta() if is_up else INSTANT)
        self.advance(max(moment - self.reference.now, timedelta()))
        self.look_at_session(number)

    @precondition(lambda self: self.may_restart and (self.reference.sessions or self.reference.files))
    @rule()
    def restart(self) -> None:
        """Sessions and content outlive the server. Once in a life will do, since it takes as long as all the rest."""
        self.may_restart = False
        self.emulator.restart()

    # what must be true after each of them

    @invariant()
    def content_on_disk_is_what_was_stored(self) -> None:
        content = self.emulator.data / "default" / "content"
        found = {
            os.path.relpath(os.path.join(folder, name), content): Path(folder, name).read_bytes()
            for folder, _, names in os.walk(content)
            for name in names
        }
        assert found == {file.spelling: file.content for file in self.reference.files.values()}

    @invariant()
    def sessions_and_listings_say_the_same(self) -> None:
        """One look of each kind after each step, all of them at the end."""
        self.look_at_session(self.looks % 3)
        self.look_at_path(PATHS[self.looks % 3])
        self.look_at_listing(("", "d", "p", "D")[self.looks % 4])
        self.looks += 1
        self.advance(INSTANT)

    @invariant()
    def staging_holds_the_living_sessions_and_nothing_else(self) -> None:
        """What has expired may still be there: it is swept later."""
        extra = self.staged() - self.staged_before
        assert len(self.living()) <= extra <= len(self.reference.sessions)

    def teardown(self) -> None:
        try:
            for number in range(3):
                self.look_at_session(number)
                self.look_at_path(PATHS[number])
            for path in ("", "d", "p", "D"):
                self.look_at_listing(path)
            eventually(lambda: not self.arriving(), "nothing is left of requests that are over")
        finally:
            self.wipe()

    def wipe(self) -> None:
        """Leave nothing to the next example."""
        for number in range(3):
            self.send("DELETE", f"/ImageStore/$/DeleteUploadSession?{API}&session-id={self.session_id(number)}")
        for path in PATHS:
            self.send("DELETE", f"/ImageStore/{path}?{API}")

    def look_at_session(self, number: int) -> None:
        session_id = self.session_id(number)
        session = self.reference.find(session_id)
        reply = self.get("/ImageStore/$/GetUploadSession", f"session-id={session_id}")
        self.check_sessions(reply, [(session_id, session)] if session else [])

    def look_at_path(self, path: str) -> None:
        sessions = [(self.session_id(number), session) for number, session in self.living() if session.path == path]
        self.check_sessions(self.get(f"/ImageStore/{path}/$/GetUploadSession"), sessions)

    def check_sessions(self, reply: Reply, sessions: list[tuple[str, Session]]) -> None:
        if not sessions:
            assert (reply.status, reply.body) == (204, b"")
            return
        assert reply.status == 200
        assert reply.json() == {
            "UploadSessions": [
                {
                    "StoreRelativePath": session.path,
                    "SessionId": session_id.lower(),
                    "FileSize": str(session.size),
                    "ModifiedDate": f"{self.born + session.modified:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
                    "ExpectedRanges": [
                        {"StartPosition": str(first), "EndPosition": str(last)} for first, last in session.expected
                    ],
                }
                for session_id, session in sessions
            ]
        }

    def look_at_listing(self, path: str) -> None:
        files = self.reference.files
        in_folder = files.get("d/q")
        reply = self.get(f"/ImageStore/{path}")
        if path.lower() == "d":
            shown, folders = [in_folder] if in_folder else [], []
        else:
            shown = [files["p"]] if "p" in files else []
            folders = [{"StoreRelativePath": "d", "FileCount": "1"}] if in_folder and not path else []
        if not shown and not folders:
            assert outcome(reply) == ((404, "") if path else (404, "FABRIC_E_NAME_DOES_NOT_EXIST"))
            return
        assert reply.status == 200
        listing: dict[str, Any] = reply.json()
        assert [(file["StoreRelativePath"], file["FileSize"]) for file in listing["StoreFiles"]] == [
            (file.spelling.replace("/", "\\"), str(len(file.content))) for file in shown
        ]
        assert listing["StoreFolders"] == folders

    # how it is done

    def send_chunk(self, number: int, path: str, chunk: Range, size: int, body: bytes) -> None:
        start, end = chunk
        reply = self.send(
            "PUT", self.chunk_target(number, path), headers={"Content-Range": f"bytes {start}-{end}/{size}"}, body=body
        )
        assert outcome(reply) == self.reference.upload_chunk(self.session_id(number), path, chunk, size, body)

    def chunk_target(self, number: int, path: str) -> str:
        return f"/ImageStore/{path}/$/UploadChunk?{API}&session-id={self.session_id(number)}"

    def send(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        return self.emulator.send(method, target, headers=headers, body=body)

    def get(self, path: str, query: str = "") -> Reply:
        return self.send("GET", f"{path}?{API}&{query}")

    def advance(self, step: timedelta) -> None:
        self.emulator.clock.advance(step)
        self.reference.now += step

    def session_id(self, number: int) -> str:
        """Ids no other example used, with letters in both cases."""
        return f"{self.example:08x}-AbCd-4000-8000-00000000000{number}"

    def living(self) -> list[tuple[int, Session]]:
        found = [(number, self.reference.find(self.session_id(number))) for number in range(3)]
        return [(number, session) for number, session in found if session]

    def unfinished(self) -> list[tuple[int, Session]]:
        return [(number, session) for number, session in self.living() if session.expected]

    def complete(self) -> list[tuple[int, Session]]:
        return [(number, session) for number, session in self.living() if session.is_complete]

    def staged(self) -> int:
        names = os.listdir(self.emulator.data / "default" / "staging" / "sessions")
        return len([name for name in names if "." not in name])

    def arriving(self) -> list[Path]:
        return list((self.emulator.data / "default" / "staging" / "workers").glob("*/*"))


@pytest.fixture(scope="module")
def lasting_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessEmulator]:
    """One emulator for all examples, whose sweep never comes round: what has expired is merely invisible."""
    data = tmp_path_factory.mktemp("life") / "data"
    with InProcessEmulator(data, sweep_interval=timedelta(hours=1), access_log=False) as emulator:
        yield emulator


def test_sessions_and_content_live_as_the_reference_says(lasting_emulator: InProcessEmulator) -> None:
    """Chunks in any order, overlapping, repeated, too long, too short, cut off; commits, deletions, overwriting
    uploads and copies; half an hour passing; the server restarting. Every answer, every session, every listing and
    every byte on disk is what the reference says."""

    class OnOneEmulator(LifeCycle):
        def __init__(self) -> None:
            super().__init__(lasting_emulator)

    run_state_machine_as_test(
        OnOneEmulator,
        settings=settings(
            deadline=None,
            max_examples=30,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


@pytest.fixture
def life(lasting_emulator: InProcessEmulator) -> Iterator[LifeCycle]:
    """A life told by hand, whose every step is compared like that of a random one."""
    life = LifeCycle(lasting_emulator)
    yield life
    life.wipe()


def test_a_committed_session_publishes_again_what_was_overwritten_or_deleted(life: LifeCycle) -> None:
    life.send_chunk(0, "p", (0, 2), 3, b"abc")
    life.commit(0, times=2)
    life.upload("P", 1, 2)
    life.commit(0)
    life.content_on_disk_is_what_was_stored()
    life.delete("p")
    life.commit(0)
    life.content_on_disk_is_what_was_stored()
    life.send_chunk(1, "P", (0, 1), 2, b"xy")
    life.commit(1)
    life.content_on_disk_is_what_was_stored()
    life.commit(0)
    life.content_on_disk_is_what_was_stored()


def test_a_file_copied_over_a_committed_one_stays(life: LifeCycle) -> None:
    """The row keeps its session, so that committing it once more does nothing (store 6.8)."""
    life.upload("d/q", 1, 5)
    life.send_chunk(0, "p", (0, 2), 3, b"abc")
    life.commit(0)
    life.copy("d/q", "p", overwrites=True)
    life.commit(0)
    life.content_on_disk_is_what_was_stored()
    life.delete("p")
    life.commit(0)
    life.content_on_disk_is_what_was_stored()


def test_a_file_copied_to_where_a_committed_one_was_deleted_is_published_over(life: LifeCycle) -> None:
    """The copy made a row of its own there, which no session made."""
    life.upload("d/q", 1, 5)
    life.send_chunk(0, "p", (0, 2), 3, b"abc")
    life.commit(0)
    for _ in range(5):
        life.copy("d/q", "p", overwrites=True)
        life.delete("p")
        life.copy("d/q", "p", overwrites=True)
        life.commit(0)
        life.content_on_disk_is_what_was_stored()


def test_a_session_lives_half_an_hour_after_its_last_new_chunk(life: LifeCycle) -> None:
    """A repeated or refused one does not count, nor do a look and a commit (store 6.10)."""
    life.send_chunk(0, "p", (0, 0), 3, b"a")
    life.advance(LIFE / 2)
    life.send_chunk(0, "p", (1, 1), 3, b"b")
    life.advance(LIFE - INSTANT)
    life.look_at_session(0)
    life.send_chunk(0, "p", (1, 1), 3, b"b")
    life.commit(0)
    life.advance(INSTANT)
    life.look_at_session(0)
    life.commit(0)
    life.delete_a_session(0)
    life.send_chunk(0, "d/q", (1, 1), 2, b"c")
    life.look_at_session(0)


def test_the_reference_itself_publishes_what_was_sent() -> None:
    """One life told by hand, so that the reference is not only held against the emulator."""
    store = ReferenceStore()
    assert store.upload_chunk("s", "p", (3, 4), 5, b"lo") == DONE
    assert store.upload_chunk("s", "p", (0, 3), 5, b"help")[0] == 400
    assert store.upload_chunk("s", "P", (0, 2), 5, b"hel")[0] == 409
    assert store.upload_chunk("s", "p", (0, 2), 6, b"hel")[0] == 400
    assert store.commit("s")[0] == 400
    assert store.upload_chunk("s", "p", (0, 2), 5, b"hel") == DONE
    assert store.commit("s") == DONE
    assert store.files["p"].content == b"hello"
    store.upload("P", b"other")
    store.commit("s")
    assert store.files["p"].content == b"hello"
    store.now += LIFE
    assert store.commit("s")[0] == 400
