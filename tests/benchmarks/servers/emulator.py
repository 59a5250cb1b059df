"""The emulator, as a user starts it but without its access log, which no peer writes either."""

import functools
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from tests.benchmarks.client import Connection, Request, request, send_in_parallel
from tests.benchmarks.payload import Slice
from tests.benchmarks.servers.base import ChunkedServer

_TIMEOUT: Final = "timeout=600"
_COMMAND: Final = (sys.executable, "-m", "emulator", "serve")


class Emulator(ChunkedServer):
    """One emulator. Options of its command line are given as they are."""

    ready_target: ClassVar[str] = "/_emulator/health/live"
    ready_statuses: ClassVar[tuple[int, ...]] = (200,)

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory)
        self._options = options
        self._sessions: dict[str, str] = {}

    def command(self) -> Sequence[str]:
        place = ["--host", "127.0.0.1", "--port", str(self.port), "--data", str(self.data)]
        return [*_COMMAND, *place, "--no-access-log", "--log-level", "warning", *self._options]

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def content(self) -> Path:
        """The tree of files, into which a work may put files by hand."""
        return self.data / "default" / "content"

    def upload_request(self, name: str, body: Slice | bytes) -> Request:
        return request("PUT", f"/ImageStore/{name}?api-version=6.0&{_TIMEOUT}", body)

    def delete_request(self, name: str) -> Request:
        return request("DELETE", f"/ImageStore/{name}?api-version=6.0&{_TIMEOUT}")

    def chunk_request(self, name: str, session: str, start: int, total: int, body: Slice | bytes) -> Request:
        """One chunk of a session."""
        length = len(body) if isinstance(body, bytes) else body.length
        span = f"bytes {start}-{start + length - 1}/{total}"
        target = f"/ImageStore/{name}/$/UploadChunk?api-version=6.0&session-id={session}&{_TIMEOUT}"
        return request("PUT", target, body, {"Content-Range": span})

    def commit_request(self, session: str) -> Request:
        """The commit of a session."""
        return request(
            "POST", f"/ImageStore/$/CommitUploadSession?api-version=6.0&session-id={session}&{_TIMEOUT}", b""
        )

    def delete_session_request(self, session: str) -> Request:
        """The end of a session."""
        return request("DELETE", f"/ImageStore/$/DeleteUploadSession?api-version=6.0&session-id={session}")

    def upload_in_chunks(self, name: str, chunks: Sequence[Slice], in_flight: int) -> float:
        session = str(uuid.uuid4())
        total = sum(chunk.length for chunk in chunks)
        requests = [self.chunk_request(name, session, chunk.offset, total, chunk) for chunk in chunks]
        begin = time.perf_counter()
        send_in_parallel(self.port, requests, in_flight)
        with self.connect() as connection:
            connection.send(self.commit_request(session))
        seconds = time.perf_counter() - begin
        self._sessions[name] = session
        return seconds

    def forget(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        with self.connect() as connection:
            connection.send(self.delete_request(name))
            if session:
                connection.send(self.delete_session_request(session))

    def list_request(self, folder: str, token: str = "") -> Request:
        """One page of a folder; the root for ``""``."""
        path = f"/ImageStore/{folder}".rstrip("/")
        continuation = f"&ContinuationToken={token}" if token else ""
        return request("GET", f"{path}?api-version=6.2{continuation}")

    def folder_size_request(self, folder: str) -> Request:
        """The size of a folder."""
        return request("GET", f"/ImageStore/{folder}/$/FolderSize?api-version=6.5")

    def copy_request(self, source: str, destination: str) -> Request:
        """The copy of a folder."""
        body = f'{{"RemoteSource":"{source}","RemoteDestination":"{destination}"}}'.encode()
        return request("POST", f"/ImageStore/$/Copy?api-version=6.0&{_TIMEOUT}", body)


@functools.cache
def has_option(option: str) -> bool:
    """Whether this emulator knows an option."""
    shown = subprocess.run([*_COMMAND, "--help"], capture_output=True, text=True, check=True)
    return option in shown.stdout


def warm_up(server: Emulator, connection: Connection) -> None:
    """Let everything that is done once be done: a small file, a session, a commit, a listing."""
    session = str(uuid.uuid4())
    for prepared in (
        server.upload_request("warm/file", b"warm"),
        server.chunk_request("warm/chunked", session, 0, 4, b"warm"),
        server.commit_request(session),
        server.delete_session_request(session),
        server.list_request("warm"),
        server.delete_request("warm"),
    ):
        connection.send(prepared)
