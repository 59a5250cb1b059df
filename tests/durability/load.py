"""A mixed load whose every outcome is known: what must be there, and what may be there because no answer came.

Each client has files and sessions of its own and makes one change at a time (several chunks of one session count as
one), so that what is on disk after a crash is either its last acknowledged state or that state with the one change that
was under way, whole.
"""

import http.client
import itertools
import json
import random
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.durability.servers import DurableServer, V, content_range
from tests.support.wire import Reply

Broken = (OSError, http.client.HTTPException)
"""What a client sees when its server dies."""

Files = dict[str, bytes]


@dataclass
class Session:
    """One upload session as its client knows it: which of its chunks were acknowledged, and which sent."""

    session_id: str
    path: str
    content: bytes
    bounds: list[tuple[int, int]]
    acknowledged: set[int] = field(default_factory=set)
    sent: set[int] = field(default_factory=set)
    may_be_gone: bool = False
    was_committed: bool = False

    def received_of(self, expected: list[tuple[int, int]]) -> set[int]:
        """The chunks that a list of expected ranges says were received; fails where it cuts through one."""
        received = set()
        for index, (start, end) in enumerate(self.bounds):
            missing = sum(max(0, min(end - 1, last) - max(start, first) + 1) for first, last in expected)
            assert missing in (0, end - start), f"chunk {start}-{end - 1} is half there: {expected}"
            if not missing:
                received.add(index)
        return received


class StopLoadError(Exception):
    """The load is over, or its server is."""


class Client:
    """Makes one change after another, and knows what must and what may be there."""

    def __init__(self, name: str, seed: int, *, retries: bool = False) -> None:
        self.name = name
        self.files: Files = {}
        self.possible: Files | None = None
        self.sessions: list[Session] = []
        self.acknowledged = 0
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self._retries = retries
        self._is_stopping: Callable[[], bool] = lambda: False
        self._server: DurableServer
        self._chunks = ThreadPoolExecutor(3)

    def run(self, server: DurableServer, is_stopping: Callable[[], bool]) -> None:
        """Change things until told to stop or the server is gone."""
        self._server = server
        self._is_stopping = is_stopping
        changes = [self.upload] * 5 + [self.send_chunks] * 6 + [self.commit] * 3 + [self.copy_file] * 2
        changes += [self.copy_folder] * 6 + [self.delete] * 2 + [self.delete_session, self.list_content]
        try:
            while not is_stopping():
                self._random.choice(changes)()
                self.acknowledged += 1
        except StopLoadError:
            pass

    def upload(self) -> None:
        """Store a new file or overwrite one."""
        path = self._a_path()
        content = self._new_content(path)
        self._change(self.files | {path: content}, "PUT", f"/ImageStore/{path}", content)

    def send_chunks(self) -> None:
        """Send some missing chunks of a session, three at a time; sometimes begin a new session."""
        open_ones = [each for each in self.sessions if len(each.acknowledged) < len(each.bounds)]
        if len(open_ones) < 2:
            path = self._a_path()
            content = self._new_content(path)
            cuts = sorted(self._random.sample(range(1, len(content)), 5))
            bounds = list(itertools.pairwise([0, *cuts, len(content)]))
            open_ones.append(Session(self._new_id(), path, content, bounds))
            self.sessions.append(open_ones[-1])
        session = self._random.choice(open_ones)
        missing = [index for index in range(len(session.bounds)) if index not in session.acknowledged]
        chosen = self._random.sample(missing, min(3, len(missing)))
        session.sent |= set(chosen)
        replies = [self._chunks.submit(self._send_chunk, session, index) for index in chosen]
        for index, reply in zip(chosen, replies, strict=True):
            if reply.result():
                session.acknowledged.add(index)
        if not all(reply.result() for reply in replies):
            raise StopLoadError

    def commit(self) -> None:
        """Publish a complete session, perhaps once more."""
        complete = [each for each in self._committable() if len(each.acknowledged) == len(each.bounds)]
        if complete:
            session = self._random.choice(complete)
            session.was_committed = True
            target = f"/ImageStore/$/CommitUploadSession?session-id={session.session_id}"
            self._change(self.files | {session.path: session.content}, "POST", target)

    def copy_file(self) -> None:
        """Copy a file to a new name or over another."""
        if self.files:
            source, target = self._random.choice(sorted(self.files)), self._a_path()
            if source != target:
                self._copy(self.files | {target: self.files[source]}, source, target)

    def copy_folder(self) -> None:
        """Copy a folder over another, whatever was there."""
        source, target = self._random.sample([f"{self.name}/{each}" for each in ("x", "y", "z")], 2)
        inside = self._below(source)
        if f"{source}/_.dir" not in inside:
            path = f"{source}/_.dir"
            content = self._new_content(path)
            self._change(self.files | {path: content}, "PUT", f"/ImageStore/{path}", content)
            inside = self._below(source)
        kept = {path: content for path, content in self.files.items() if not path.startswith(target + "/")}
        moved = {target + path.removeprefix(source): content for path, content in inside.items()}
        self._copy(kept | moved, source, target)

    def delete(self) -> None:
        """Delete a file, or now and then a whole folder."""
        path = self._a_path()
        if self._random.random() < 0.3:
            path = path.rpartition("/")[0]
        kept = {each: content for each, content in self.files.items() if each != path}
        kept = {each: content for each, content in kept.items() if not each.startswith(path + "/")}
        self._change(kept, "DELETE", f"/ImageStore/{path}")

    def delete_session(self) -> None:
        """Forget a session; what it published stays."""
        begun = [each for each in self.sessions if each.acknowledged]
        if len(begun) > 3:
            session = self._random.choice(begun)
            session.may_be_gone = True
            reply = self._send("DELETE", f"/ImageStore/$/DeleteUploadSession?session-id={session.session_id}")
            assert reply.status == 200 or (self._retries and reply.status == 404), (
                session.acknowledged,
                session.sent,
                len(session.bounds),
                reply,
            )
            self.sessions.remove(session)

    def list_content(self) -> None:
        """Read in between."""
        assert self._send("GET", f"/ImageStore/{self.name}").status in (200, 404)

    def _committable(self) -> list[Session]:
        """Not those whose file is another one by now: what a commit means then depends on how that came (store 6.8)."""
        return [each for each in self.sessions if not each.was_committed or self.files.get(each.path) == each.content]

    def _copy(self, after: Files, source: str, target: str) -> None:
        body = {"RemoteSource": source.replace("/", "\\"), "RemoteDestination": target.replace("/", "\\")}
        self._change(after, "POST", "/ImageStore/$/Copy", json.dumps(body).encode())

    def _change(self, after: Files, method: str, target: str, body: bytes = b"") -> None:
        self.possible = after
        reply = self._send(method, target, body)
        assert reply.status == 200, (method, target, reply)
        self.files, self.possible = after, None

    def _send_chunk(self, session: Session, index: int) -> bool:
        start, end = session.bounds[index]
        headers = {"Content-Range": content_range(start, end - start, len(session.content))}
        target = f"/ImageStore/{session.path}/$/UploadChunk?session-id={session.session_id}"
        try:
            reply = self._send("PUT", target, session.content[start:end], headers)
        except StopLoadError:
            return False
        is_repeated = self._retries and b"RANGE_NOT_SATISFIABLE" in reply.body
        assert reply.status == 200 or is_repeated, reply
        return True

    def _send(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        target += ("&" if "?" in target else "?") + V
        while True:
            try:
                return self._server.send(method, target, body=body, headers=headers)
            except Broken:
                if not self._retries:
                    raise StopLoadError from None

    def _below(self, folder: str) -> Files:
        return {path: content for path, content in self.files.items() if path.startswith(folder + "/")}

    def _a_path(self) -> str:
        return f"{self.name}/{self._random.choice('xyz')}/{self._random.choice('abcd')}"

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128)))

    def _new_content(self, path: str) -> bytes:
        """Bytes that name their path and number, and differ from all others in every part."""
        size = self._random.choice([100, 4_000, 90_000, 300_000, 300_000, 2_500_000])
        number = next(self._numbers)
        return f"{path} {number}\n".encode() + random.Random(f"{path} {number}").randbytes(size)

    def settle(self, server: DurableServer, on_disk: Files) -> None:
        """After a restart: fail unless all is as acknowledged or as wholly changed by what was under way.

        Then take what is there as known, and finish every session from what it still expects.
        """
        mine = {path: content for path, content in on_disk.items() if path.startswith(self.name + "/")}
        if self.possible is not None and mine == self.possible != self.files:
            self.files = self.possible
        assert mine == self.files, self._difference(mine)
        self.possible = None
        for session in list(self.sessions):
            self._settle_session(server, session)

    def _settle_session(self, server: DurableServer, session: Session) -> None:
        expected = server.expected_ranges(session.session_id)
        if expected is None:
            assert session.may_be_gone or not session.acknowledged, f"session {session.session_id} is lost"
            self.sessions.remove(session)
            return
        received = session.received_of(expected)
        assert session.acknowledged <= received <= session.sent, (session.acknowledged, received, session.sent)
        session.acknowledged, session.may_be_gone = received, False

    def finish_session(self, server: DurableServer) -> None:
        """Send what one session lacks and commit it: the bytes are exactly those that were meant."""
        self._server = server
        committable = self._committable()
        if not committable:
            return
        session = self._random.choice(committable)
        for index, (start, end) in enumerate(session.bounds):
            if index not in session.acknowledged:
                session.sent.add(index)
                reply = server.chunk(
                    session.path, session.session_id, start, session.content[start:end], len(session.content)
                )
                assert reply.status == 200, reply
                session.acknowledged.add(index)
        expected = server.expected_ranges(session.session_id)
        assert expected == [], (session.session_id, expected)
        session.was_committed = True
        reply = server.commit(session.session_id)
        assert reply.status == 200, reply
        self.files[session.path] = session.content
        is_exact = (server.data / "default/content" / session.path).read_bytes() == session.content
        assert is_exact, f"{session.session_id} was committed to {session.path} as other bytes"

    def _difference(self, mine: Files) -> str:
        def named(files: Files) -> dict[str, str]:
            return {path: _named(content) for path, content in sorted(files.items())}

        return (
            f"on disk:\n{named(mine)}\nacknowledged:\n{named(self.files)}\n"
            f"under way:\n{named(self.possible) if self.possible is not None else 'nothing'}"
        )


def _named(content: bytes) -> str:
    """What content says it is, and where it stops being that."""
    first_line = content.partition(b"\n")[0]
    try:
        meant = first_line + b"\n" + random.Random(first_line.decode()).randbytes(len(content) - len(first_line) - 1)
    except ValueError:
        meant = b""
    wrong = [at for at in range(0, len(content), 256) if content[at : at + 256] != meant[at : at + 256]]
    return f"{first_line[:40]!r} of {len(content)} bytes" + (
        f", wrong in {len(wrong)} of its blocks of 256 bytes, from {wrong[0]} to {wrong[-1]}" if wrong else ""
    )


class Load:
    """All clients at work, each on a thread, until `stop` or until their server is gone."""

    def __init__(self, clients: Iterable[Client], server: DurableServer) -> None:
        self._clients = list(clients)
        self._stopping = threading.Event()
        self._before = self.acknowledged
        self._pool = ThreadPoolExecutor(len(self._clients))
        self._runs = [self._pool.submit(client.run, server, self._stopping.is_set) for client in self._clients]

    @property
    def acknowledged(self) -> int:
        """How many changes all clients made, ever."""
        return sum(client.acknowledged for client in self._clients)

    @property
    def since_start(self) -> int:
        """How many changes this load made."""
        return self.acknowledged - self._before

    @property
    def failed(self) -> bool:
        """Whether a client saw what it should not have; `stop` raises it."""
        return any(run.done() and run.exception() for run in self._runs)

    def stop(self) -> None:
        """Let every client finish the change it is at; raises what one of them failed with."""
        self._stopping.set()
        for run in self._runs:
            run.result(60)
        self._pool.shutdown()
