"""tuspyserver in a virtual environment of its own: an upload is created with POST and filled with PATCH.

tus appends at the end of an upload, so its chunks go out in order on one connection whatever order is asked for.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from tests.benchmarks.client import Connection, Request, request
from tests.benchmarks.payload import Slice
from tests.benchmarks.servers.base import ChunkedServer

_RESUMABLE: Final = {"Tus-Resumable": "1.0.0"}
_METADATA: Final = "filename YmVuY2htYXJr,filetype YXBwbGljYXRpb24vb2N0ZXQtc3RyZWFt"
_APP: Final = Path(__file__).with_name("tus_app.py")


def interpreter(peers: Path) -> Path:
    """The Python of its environment."""
    return peers / "tuspyserver" / "bin" / "python"


def version(peers: Path) -> str:
    """``4.4.3``."""
    found = list((peers / "tuspyserver").glob("lib/python*/site-packages/tuspyserver-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").rpartition("-")[2] if found else ""


def fault(peers: Path) -> str | None:
    """Why it cannot run."""
    return None if interpreter(peers).exists() and version(peers) else "not installed"


class Tuspyserver(ChunkedServer):
    """One worker of uvicorn.

    By default each PATCH syncs a small file beside the upload, and not the upload; with `syncs_data` it uses the
    storage class that gathers a PATCH in memory and syncs the upload too.
    """

    ready_target: ClassVar[str] = "/files/nothing"
    ready_statuses: ClassVar[tuple[int, ...]] = (404, 405, 412)

    def __init__(self, directory: Path, peers: Path, *, syncs_data: bool) -> None:
        super().__init__(directory)
        self._python = interpreter(peers)
        self._storage = "data" if syncs_data else "default"
        self._places: dict[str, str] = {}

    def command(self) -> Sequence[str]:
        return [str(self._python), str(_APP), str(self.port), str(self.directory), self._storage]

    def upload_request(self, name: str, body: Slice | bytes) -> Request:
        raise NotImplementedError("an upload takes two requests")

    def delete_request(self, name: str) -> Request:
        return request("DELETE", self._places.pop(name), b"", _RESUMABLE, (204,))

    def upload(self, connection: Connection, name: str, body: Slice) -> None:
        self._create(connection, name, body.length)
        connection.send(self._append(name, 0, body))

    def create_all(self, names: Sequence[str], body: Slice) -> list[Request]:
        """Create uploads; the requests that fill them."""
        with self.connect() as connection:
            for name in names:
                self._create(connection, name, body.length)
        return [self._append(name, 0, body) for name in names]

    def upload_in_chunks(self, name: str, chunks: Sequence[Slice], in_flight: int) -> float:
        with self.connect() as connection:
            begin = time.perf_counter()
            self._create(connection, name, sum(chunk.length for chunk in chunks))
            for chunk in sorted(chunks, key=lambda each: each.offset):
                connection.send(self._append(name, chunk.offset, chunk))
            return time.perf_counter() - begin

    def _create(self, connection: Connection, name: str, size: int) -> None:
        headers = {**_RESUMABLE, "Upload-Length": str(size), "Upload-Metadata": _METADATA}
        reply = connection.send(request("POST", "/files/", b"", headers, (201,)))
        self._places[name] = "/files/" + reply.header("Location").rpartition("/")[2]

    def _append(self, name: str, offset: int, body: Slice) -> Request:
        headers = {**_RESUMABLE, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        return request("PATCH", self._places[name], body, headers, (204,))
