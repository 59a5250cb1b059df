"""A body that breaks off, at whatever byte, is as if it had never been sent."""

import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.emulator import InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Reply, head

API: Final = "api-version=6.0"
SESSION: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
OTHER_SESSION: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a12"
BODY: Final = b"0123456789abcdefghijklmn"
PARTS: Final = (BODY[:1], BODY[1:9], BODY[9:])
OPEN_FILES: Final = Path("/proc/self/fd")

GET_SESSION: Final = f"/ImageStore/$/GetUploadSession?{API}&session-id={SESSION}"
GET_OTHER_SESSION: Final = f"/ImageStore/$/GetUploadSession?{API}&session-id={OTHER_SESSION}"
COMMIT: Final = f"/ImageStore/$/CommitUploadSession?{API}&session-id={SESSION}"


@dataclass(frozen=True)
class Coding:
    """One way to send a body: its header and its bytes."""

    header: tuple[str, str]
    encoded: bytes


CODINGS: Final = {
    "length": Coding(("Content-Length", str(len(BODY))), BODY),
    "chunked": Coding(
        ("Transfer-Encoding", "chunked"), b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in PARTS) + b"0\r\n\r\n"
    ),
}


@dataclass(frozen=True)
class Request:
    """A PUT whose body is to be cut: where it goes, and its range if it is a chunk."""

    target: str
    content_range: str = ""


def chunk(session_id: str) -> str:
    return f"/ImageStore/d/big/$/UploadChunk?{API}&session-id={session_id}"


REQUESTS: Final = {
    "chunk of a known session": Request(chunk(SESSION), "bytes 8-31/40"),
    "first chunk of a session": Request(chunk(OTHER_SESSION), "bytes 0-23/24"),
    "chunk that may not join": Request(chunk(SESSION), "bytes 0-23/40"),
    "file over a file": Request(f"/ImageStore/d/old?{API}"),
    "new file in a new folder": Request(f"/ImageStore/new/file?{API}"),
}


def close(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    """What a client that dies with unread bytes does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def end_halfway(connection: socket.socket) -> None:
    """The client sends no more and still listens; it is told of no success."""
    connection.shutdown(socket.SHUT_WR)
    answer = connection.recv(65536)
    assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3"))
    connection.close()


ENDS: Final[dict[str, Callable[[socket.socket], None]]] = {"close": close, "reset": reset, "half-close": end_halfway}


def cut(emulator: InProcessEmulator, request: Request, coding: Coding, length: int, end: str) -> None:
    """Send so many bytes of the body and break off; wait until the server is done with it."""
    state = emulator.server.server_state
    fields = [("Host", "localhost"), coding.header]
    if request.content_range:
        fields.append(("Content-Range", request.content_range))
    with emulator.connect() as connection:
        connection.sendall(head("PUT", request.target, fields) + coding.encoded[:length])
        if end != "half-close":
            eventually(lambda: state.connections, "the server takes the connection")
        ENDS[end](connection)
    eventually(lambda: not state.connections and not state.tasks, "the server is done with the connection")


def snapshot(emulator: InProcessEmulator) -> dict[str, Any]:
    """What clients and people see: the sessions, the listing, the files on disk."""
    root = emulator.data / "default" / "content"
    return {
        "sessions": [seen(emulator.get(target)) for target in (GET_SESSION, GET_OTHER_SESSION)],
        "listing": seen(emulator.get(f"/ImageStore/d?{API}")),
        "root": seen(emulator.get(f"/ImageStore?{API}")),
        "files": {str(file): file.read_bytes() for file in root.rglob("*") if file.is_file()},
        "folders": sorted(str(folder) for folder in root.rglob("*") if folder.is_dir()),
    }


def seen(reply: Reply) -> tuple[int, bytes]:
    return reply.status, reply.body


def arriving(emulator: InProcessEmulator) -> list[Path]:
    """What requests have on disk that are not over."""
    return list((emulator.data / "default" / "staging" / "workers").glob("*/*"))


def staged(emulator: InProcessEmulator) -> list[str]:
    """The files of sessions."""
    return sorted(os.listdir(emulator.data / "default" / "staging" / "sessions"))


def prepare(emulator: InProcessEmulator) -> None:
    """A file, and a session of which the first 8 of 40 bytes are there."""
    assert emulator.put(f"/ImageStore/d/old?{API}", b"old content").status == 200
    assert emulator.put(chunk(SESSION), b"12345678", headers={"Content-Range": "bytes 0-7/40"}).status == 200


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_body_cut_at_any_byte_changes_nothing(
    emulator: InProcessEmulator, request_: Request, coding: Coding, end: str
) -> None:
    """Sessions, listings, content and staging are what they were, and the next client is served."""
    prepare(emulator)
    before, files_of_sessions = snapshot(emulator), staged(emulator)
    for length in range(len(coding.encoded)):
        cut(emulator, request_, coding, length, end)
        assert arriving(emulator) == [], f"cut after {length} bytes"
        assert staged(emulator) == files_of_sessions, f"cut after {length} bytes"
    assert snapshot(emulator) == before
    whole = emulator.put(f"/ImageStore/d/next?{API}", b"next")
    assert (whole.status, whole.body) == (200, b"")


@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_client_that_ends_its_body_early_is_told_of_no_success(
    emulator: InProcessEmulator, request_: Request, coding: Coding
) -> None:
    prepare(emulator)
    before = snapshot(emulator)
    for length in (0, 1, len(coding.encoded) // 2, len(coding.encoded) - 1):
        cut(emulator, request_, coding, length, "half-close")
        assert arriving(emulator) == []
        assert snapshot(emulator) == before


@pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
def test_a_chunk_cut_at_any_byte_can_be_sent_again(emulator: InProcessEmulator, coding: Coding) -> None:
    """Its range is still free, and what had arrived of it does not show in the committed file."""
    for length in range(0, len(coding.encoded), 3):
        path = f"f{length}"
        session_id = f"{length:08x}-0e1b-4e0b-9d6b-3f5c1f3f2a11"
        target = f"/ImageStore/{path}/$/UploadChunk?{API}&session-id={session_id}"
        cut(emulator, Request(target, "bytes 0-23/24"), coding, length, "close")
        again = emulator.put(target, b"x" * 24, headers={"Content-Range": "bytes 0-23/24"})
        assert (again.status, again.body) == (200, b"")
        assert emulator.post(f"/ImageStore/$/CommitUploadSession?{API}&session-id={session_id}").status == 200
        assert (emulator.data / "default" / "content" / path).read_bytes() == b"x" * 24


def test_a_session_goes_on_after_chunks_that_were_cut(emulator: InProcessEmulator) -> None:
    """A cut chunk in its middle does not spoil it: the rest is sent, and the file is right."""
    prepare(emulator)
    for length in range(len(BODY)):
        cut(emulator, REQUESTS["chunk of a known session"], CODINGS["length"], length, "close")
    assert emulator.put(chunk(SESSION), BODY, headers={"Content-Range": "bytes 8-31/40"}).status == 200
    assert emulator.put(chunk(SESSION), b"z" * 8, headers={"Content-Range": "bytes 32-39/40"}).status == 200
    assert emulator.post(COMMIT).status == 200
    assert (emulator.data / "default" / "content" / "d" / "big").read_bytes() == b"12345678" + BODY + b"z" * 8


@pytest.mark.parametrize("size", [3 * 1024 * 1024, 20 * 1024 * 1024], ids=["3MB", "20MB"])
@pytest.mark.parametrize("request_", [*REQUESTS.values()], ids=REQUESTS)
def test_a_large_body_cut_in_the_middle_changes_nothing(
    emulator: InProcessEmulator, request_: Request, size: int
) -> None:
    """Parts of it were on disk already."""
    prepare(emulator)
    before, files_of_sessions = snapshot(emulator), staged(emulator)
    body = b"L" * size
    coding = Coding(("Content-Length", str(size)), body)
    ranges = {"bytes 8-31/40": f"bytes 8-{size + 7}/{size + 8}", "bytes 0-23/24": f"bytes 0-{size - 1}/{size}"}
    large = Request(request_.target, ranges.get(request_.content_range, request_.content_range))
    for length in (size // 2, size - 1):
        cut(emulator, large, coding, length, "close")
        assert arriving(emulator) == []
        assert staged(emulator) == files_of_sessions
    assert snapshot(emulator) == before


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="open files are counted as Linux shows them")
def test_connections_that_broke_leave_no_file_open(emulator: InProcessEmulator) -> None:
    """However many there were: neither a socket nor a file of the server."""
    prepare(emulator)

    def cut_all(rounds: int) -> None:
        for length in range(rounds):
            for request in REQUESTS.values():
                for coding in CODINGS.values():
                    cut(emulator, request, coding, length % len(coding.encoded), "close")

    cut_all(3)
    before = len(os.listdir(OPEN_FILES))
    cut_all(10)
    eventually(lambda: len(os.listdir(OPEN_FILES)) <= before, "no more files are open than before")
