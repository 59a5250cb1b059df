"""Clients that dribble, flood and lie: others are served, errors are clear, memory and open files stay bounded."""

import http.client
import json
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.durability.servers import DurableServer, V, content_of, memory_of, open_files_of, require_clean_staging
from tests.support.waiting import eventually
from tests.support.wire import Reply, head, read_reply

MIB: Final = 1 << 20
MEMORY_BOUND: Final = 64 * MIB
FILES_BOUND: Final = 40
"""Descriptors kept open for the next request: database connections, three each, and locks."""
FLOOD: Final = 24 * MIB
DRIBBLERS: Final = 64
TINY_CHUNKS: Final = int(os.environ.get("TINY_CHUNKS", "5000"))
LARGEST: Final = (1 << 64) - 1


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DurableServer]:
    """One server for all of it: it must survive each of them."""
    with DurableServer(tmp_path_factory.mktemp("hostile") / "data").started() as server:
        yield server
        assert "Traceback" not in server.log()
        assert server.terminate() == 0


@pytest.fixture
def server(running: DurableServer) -> Iterator[DurableServer]:
    """The server, which afterwards is as it was: healthy, about as large, no more files open, staging clean."""
    assert running.upload("warm", b"w" * 2 * MIB).status == 200
    memory, files = memory_of(running.pid), open_files_of(running.pid)
    yield running
    assert running.is_ready()
    assert running.upload("warm", b"again").status == 200
    require_clean_staging(running.data, 1)
    eventually(lambda: open_files_of(running.pid) <= files + FILES_BOUND, "connections that are gone hold no files")
    assert memory_of(running.pid) < memory + MEMORY_BOUND


def new_id() -> str:
    """An unused session id."""
    return str(uuid.uuid4())


def try_to_read(connection: socket.socket, method: str = "PUT") -> Reply | None:
    """The answer, or ``None`` when the server hung up without one."""
    try:
        return read_reply(connection, method)
    except (OSError, http.client.HTTPException):
        return None


def is_service_error(reply: Reply) -> bool:
    """A client error in the service's own shape."""
    return 400 <= reply.status < 500 and reply.error[0] == reply.status


def test_clients_that_dribble_their_headers_and_bodies_keep_nobody_waiting(server: DurableServer) -> None:
    """Sixty-four connections send a byte now and then: half of them headers, half bodies of files and chunks."""
    with ExitStack() as connections:
        dribbling = []
        for number in range(DRIBBLERS):
            connection = connections.enter_context(server.connect())
            fields = [("Host", "localhost"), ("Content-Length", "8000000"), ("Content-Range", "bytes 0-9/8000000")]
            match number % 4:
                case 0 | 1:
                    started = head("PUT", f"/ImageStore/slow{number}?{V}", fields)[:-2] + b"X-Slow: "
                case 2:
                    started = head("PUT", f"/ImageStore/slow{number}?{V}", fields)
                case _:
                    target = f"/ImageStore/slow{number}/$/UploadChunk?{V}&session-id={new_id()}"
                    started = head("PUT", target, fields)
            connection.sendall(started)
            dribbling.append(connection)
        for turn in range(10):
            for connection in dribbling:
                connection.sendall(b"a")
            assert server.upload(f"served/{turn}", b"s" * 100_000).status == 200
            assert server.get(f"/ImageStore/served?{V}").status == 200
            session_id = new_id()
            assert server.chunk(f"served/chunk{turn}", session_id, 0, b"c", 1).status == 200
            assert server.commit(session_id).status == 200
    assert not [name for name in os.listdir(server.data / "default/content") if name.startswith("slow")]


def flood(server: DurableServer, start: bytes, piece: bytes) -> int:
    """Send `piece` over and over until the server or this has had enough; answers how many bytes it took."""
    taken = 0
    with server.connect() as connection:
        connection.sendall(start)
        with suppress(OSError):
            while taken < FLOOD:
                connection.sendall(piece)
                taken += len(piece)
    return taken


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"GET /ImageStore HTTP/1.1\r\n", b"X-Header: value\r\n" * 4000, id="header after header"),
        pytest.param(b"GET /ImageStore HTTP/1.1\r\nX-Header: ", b"v" * 64_000, id="one endless header"),
        pytest.param(b"GET /ImageStore HTTP/1.1\r\n", b"n" * 64_000, id="one endless header name"),
        pytest.param(b"GET /ImageStore/", b"p" * 64_000, id="one endless path"),
    ],
)
def test_a_request_head_without_end_is_cut_off(start: bytes, piece: bytes, server: DurableServer) -> None:
    """The server refuses it or hangs up; what it has taken until then is no more than sockets buffer."""
    assert flood(server, start, piece) < FLOOD


def test_a_chunked_body_without_end_takes_no_memory(server: DurableServer) -> None:
    """A whole file is streamed to disk however long it gets, and gone when its client is."""
    piece = b"10000\r\n" + b"b" * 0x10000 + b"\r\n"
    fields = [("Host", "localhost"), ("Transfer-Encoding", "chunked")]
    memory = memory_of(server.pid)
    with server.connect() as connection:
        connection.sendall(head("PUT", f"/ImageStore/endless?{V}", fields))
        for _ in range(4 * MEMORY_BOUND // 0x10000):
            connection.sendall(piece)
        assert memory_of(server.pid) < memory + MEMORY_BOUND
    assert not (server.data / "default/content/endless").exists()


@pytest.mark.parametrize("operation", ["$/Copy", "$/CommitUploadSession"])
def test_a_command_with_an_endless_body_is_refused(operation: str, server: DurableServer) -> None:
    """More than 4 MiB are too much for a command, and are refused before all of it has been sent."""
    with server.connect() as connection:
        fields = [("Host", "localhost"), ("Content-Length", str(1 << 40)), ("Connection", "close")]
        connection.sendall(head("POST", f"/ImageStore/{operation}?{V}", fields))
        with suppress(OSError):
            for _ in range(4 * MEMORY_BOUND // MIB):
                connection.sendall(b"x" * MIB)
        reply = try_to_read(connection, "POST")
    assert reply is None or reply.status == 413


@pytest.mark.parametrize(
    ("count", "step"),
    [pytest.param(TINY_CHUNKS, 1, id="in order"), pytest.param(TINY_CHUNKS // 10, 2, id="every second one first")],
)
def test_a_session_of_tiny_chunks_is_taken_in_and_committed(count: int, step: int, server: DurableServer) -> None:
    """One byte each, on a connection that sends requests ahead. ``TINY_CHUNKS`` sets how many.

    In order they are one range; with every second one first there are as many gaps as can be.
    """
    session_id = new_id()
    content = os.urandom(count)
    target = f"/ImageStore/tiny/$/UploadChunk?{V}&session-id={session_id}"

    def request(at: int) -> bytes:
        fields = [("Host", "localhost"), ("Content-Length", "1"), ("Content-Range", f"bytes {at}-{at}/{count}")]
        return head("PUT", target, fields) + content[at : at + 1]

    with server.connect() as connection:
        order = [at for first in range(step) for at in range(first, count, step)]
        for first in range(0, count, 50):
            some = order[first : first + 50]
            connection.sendall(b"".join(map(request, some)))
            answers = b""
            while answers.count(b"HTTP/1.1 ") < len(some) or not answers.endswith(b"\r\n\r\n"):
                answers += connection.recv(1 << 16)
            assert answers.count(b"HTTP/1.1 200 ") == len(some), answers
    assert server.expected_ranges(session_id) == []
    assert server.commit(session_id).status == 200
    assert (server.data / "default/content/tiny").read_bytes() == content


@pytest.mark.parametrize("path", ["p" * 32_000, "p/" * 16_000 + "p", "%70" * 10_000], ids=["name", "depth", "escaped"])
def test_a_path_of_32_kilobytes_gets_an_error_of_the_service(path: str, server: DurableServer) -> None:
    """For every operation that takes a path: no file, no folder, no session of it comes to be."""
    before = content_of(server.data)
    session_id = new_id()
    refused = [
        server.upload(path, b"x"),
        server.get(f"/ImageStore/{path}?{V}"),
        server.get(f"/ImageStore/{path}/$/FolderSize?api-version=6.5"),
    ]
    assert all(400 <= reply.status < 500 for reply in refused), refused
    assert is_service_error(refused[0])
    assert is_service_error(refused[2])
    body = {"RemoteSource": "warm", "RemoteDestination": path}
    assert is_service_error(server.post(f"/ImageStore/$/Copy?{V}", json.dumps(body).encode()))
    assert server.delete(f"/ImageStore/{path}?{V}").status in (200, 400)
    chunk = server.chunk(path, session_id, 0, b"x", 1)
    assert chunk.status == 200 or is_service_error(chunk)
    if chunk.status == 200:
        assert is_service_error(server.commit(session_id))
        assert server.delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={session_id}").status == 200
    assert content_of(server.data) == before
    assert set(os.listdir(server.data / "default/content")) == {path.partition("/")[0] for path in before}


@pytest.mark.parametrize(
    "header",
    [
        f"bytes 0-0/{LARGEST}",
        f"bytes {LARGEST - 1}-{LARGEST - 1}/{LARGEST}",
        f"bytes {LARGEST}-{LARGEST}/{LARGEST}",
        f"bytes 0-{LARGEST - 1}/{LARGEST}",
        f"bytes 0-{LARGEST}/{LARGEST}",
        f"bytes {1 << 63}-{1 << 63}/{LARGEST}",
        f"bytes {(1 << 63) - 1}-{1 << 63}/{(1 << 63) + 1}",
        f"bytes 0-0/{1 << 63}",
        f"bytes {(1 << 43) - 1}-{(1 << 43) - 1}/{1 << 43}",
        f"bytes {1 << 43}-{1 << 43}/{(1 << 43) + 1}",
        f"bytes 0-{(1 << 43) - 1}/{1 << 43}",
    ],
)
def test_huge_ranges_are_kept_exactly_and_never_committed(header: str, server: DurableServer) -> None:
    """Sixty-four bits each, up to the last: taken in as numbers, told back, and a commit is a bad argument."""
    session_id = new_id()
    target = f"/ImageStore/huge/$/UploadChunk?{V}&session-id={session_id}"
    reply = server.put(target, b"x" * 1000, headers={"Content-Range": header})
    assert reply.status == 200, reply
    positions, total = header.removeprefix("bytes ").split("/")
    start, end = map(int, positions.split("-"))
    expected = server.expected_ranges(session_id)
    gaps = [(0, start - 1)] if start else []
    gaps += [(end + 1, int(total) - 1)] if end + 1 < int(total) else []
    assert expected == gaps
    assert server.commit(session_id).error[:2] == (400, "E_INVALIDARG")
    again = server.put(target, b"x", headers={"Content-Range": header})
    assert is_service_error(again)
    assert server.get(f"/ImageStore/$/Info?api-version=6.5").status == 200  # noqa: F541
    assert server.delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={session_id}").status == 200
    assert not (server.data / "default/content/huge").exists()


@pytest.mark.parametrize("header", ["bytes 0-0/18446744073709551616", "bytes 0-99999999999999999999/1", "bytes -1-0/1"])
def test_ranges_beyond_64_bits_are_refused_or_read_as_the_gateway_does(header: str, server: DurableServer) -> None:
    """Never wrapped around to something smaller."""
    session_id = new_id()
    target = f"/ImageStore/beyond/$/UploadChunk?{V}&session-id={session_id}"
    reply = server.put(target, b"x", headers={"Content-Range": header})
    assert reply.status == 200 or is_service_error(reply)
    if reply.status != 200:
        assert server.expected_ranges(session_id) is None
    server.delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={session_id}")


@pytest.mark.parametrize(
    "length", ["-1", "-9223372036854775808", "18446744073709551616", "9" * 40, "1e3", "0x10", "1, 2", ""]
)
def test_a_length_that_is_none_is_refused_and_stores_nothing(length: str, server: DurableServer) -> None:
    """Negative, overflowing or no number at all: an answer of 4xx or the connection closed, never a file."""
    with server.connect() as connection:
        connection.sendall(
            head("PUT", f"/ImageStore/lied?{V}", [("Host", "localhost"), ("Content-Length", length)]) + b"body"
        )
        connection.shutdown(socket.SHUT_WR)
        reply = try_to_read(connection)
    assert reply is None or 400 <= reply.status < 500
    assert not (server.data / "default/content/lied").exists()


def test_the_largest_possible_length_is_no_reason_to_set_space_aside(server: DurableServer) -> None:
    """A client announces 2^63-1 bytes, sends a few and goes: nothing is stored."""
    with server.connect() as connection:
        fields = [("Host", "localhost"), ("Content-Length", str((1 << 63) - 1))]
        connection.sendall(head("PUT", f"/ImageStore/announced?{V}", fields) + b"few bytes")
        assert server.is_ready()
    assert not (server.data / "default/content/announced").exists()


class Planted:
    """Symbolic links in the content folder, and what they point to outside."""

    def __init__(self, server: DurableServer, place: Path) -> None:
        self.outside = place / "outside"
        (self.outside / "inner").mkdir(parents=True)
        for name in ("secret", "_.dir", "inner/secret"):
            (self.outside / name).write_bytes(b"secret")
        self._before = self._seen()
        content = server.data / "default/content"
        assert server.upload("real/file", b"real").status == 200
        self.links = [content / "folder-link", content / "file-link", content / "real/link", content / "dangling"]
        targets = [self.outside, self.outside / "secret", self.outside, self.outside / "not there"]
        for link, target in zip(self.links, targets, strict=True):
            link.symlink_to(target)

    def _seen(self) -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in self.outside.rglob("*") if file.is_file()}

    def require_untouched(self) -> None:
        """Nothing outside was changed, added or taken away."""
        assert self._seen() == self._before

    def remove(self) -> None:
        """Take the links away again."""
        for link in [*self.links, *(link.with_name(link.name.upper()) for link in self.links)]:
            if link.is_dir() and not link.is_symlink():
                shutil.rmtree(link)
            else:
                link.unlink(missing_ok=True)


@pytest.fixture
def planted(server: DurableServer, tmp_path: Path) -> Iterator[Planted]:
    """Links to a folder and a file outside, at the root and below a folder, and one to nowhere."""
    links = Planted(server, tmp_path)
    try:
        yield links
        links.require_untouched()
    finally:
        links.remove()


LINKED: Final = [
    "folder-link",
    "folder-link/secret",
    "folder-link/new",
    "folder-link/inner/secret",
    "folder-link/new/new",
    "FOLDER-LINK/secret",
    "FOLDER-LINK/new",
    "real/link",
    "real/link/secret",
    "real/link/new",
    "real/link/inner/new",
    "file-link",
    "file-link/new",
    "dangling",
    "dangling/new",
]


def test_links_are_not_listed_counted_or_measured(server: DurableServer, planted: Planted) -> None:
    """As if they weren't there, and nothing behind them either."""
    root = server.get(f"/ImageStore?{V}").json()
    files = {file["StoreRelativePath"] for file in root["StoreFiles"]}
    folders = {folder["StoreRelativePath"]: folder["FileCount"] for folder in root["StoreFolders"]}
    assert not {"file-link", "dangling", "folder-link"} & (files | set(folders))
    assert folders["real"] == "1"
    below = server.get(f"/ImageStore/real?{V}").json()
    assert [file["StoreRelativePath"] for file in below["StoreFiles"]] == ["real\\file"]
    assert below["StoreFolders"] == []
    assert server.get("/ImageStore/real/$/FolderSize?api-version=6.5").json()["FolderSize"] == "4"


@pytest.mark.parametrize("path", LINKED)
def test_nothing_is_read_or_measured_through_a_link(path: str, server: DurableServer, planted: Planted) -> None:
    """It is not there."""
    assert server.get(f"/ImageStore/{path}?{V}").status == 404
    assert server.get(f"/ImageStore/{path}/$/FolderSize?api-version=6.5").status == 404
    body = {"RemoteSource": path.replace("/", "\\"), "RemoteDestination": "stolen"}
    assert server.post(f"/ImageStore/$/Copy?{V}", json.dumps(body).encode()).status == 404
    assert not (server.data / "default/content/stolen").exists()


@pytest.mark.parametrize("path", LINKED)
def test_an_upload_through_a_link_is_refused(path: str, server: DurableServer, planted: Planted) -> None:
    """As a whole file, in chunks or as a copy: an error of the service; the link stays and nothing is behind it.

    The link's own name is not there, so something may be stored by that name, in place of the link; and in another
    case it is another name.
    """
    refused = [server.upload(path, b"x")]
    planted.require_untouched()
    session_id = new_id()
    assert server.chunk(path, session_id, 0, b"x", 1).status == 200
    refused.append(server.commit(session_id))
    planted.require_untouched()
    for source in (r"real\file", "copied-from"):
        if source == "copied-from":
            assert server.upload("copied-from/_.dir", b"").status == 200
        body = {"RemoteSource": source, "RemoteDestination": path.replace("/", "\\")}
        refused.append(server.post(f"/ImageStore/$/Copy?{V}", json.dumps(body).encode()))
        planted.require_untouched()
    assert server.delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={session_id}").status == 200
    assert (server.data / "default/content/real/file").read_bytes() == b"real"
    place = server.data / "default/content" / path
    if any(link in place.parents for link in planted.links):
        assert all(map(is_service_error, refused)), refused
        assert all(link.is_symlink() for link in planted.links)


@pytest.mark.parametrize("path", LINKED)
def test_a_delete_through_a_link_deletes_nothing(path: str, server: DurableServer, planted: Planted) -> None:
    """There is nothing to delete, which is fine."""
    assert server.delete(f"/ImageStore/{path}?{V}").status == 200
    assert all(link.is_symlink() for link in planted.links)


def test_a_folder_is_copied_and_deleted_without_its_links(server: DurableServer, planted: Planted) -> None:
    """The copy has the real files only; deleting the folder takes the link away and nothing that it points to."""
    assert server.upload("real/_.dir", b"").status == 200
    body = {"RemoteSource": "real", "RemoteDestination": "duplicate"}
    assert server.post(f"/ImageStore/$/Copy?{V}", json.dumps(body).encode()).status == 200
    assert set(os.listdir(server.data / "default/content/duplicate")) == {"_.dir", "file"}
    assert server.delete(f"/ImageStore/real?{V}").status == 200
    assert not (server.data / "default/content/real").exists()
    planted.require_untouched()
