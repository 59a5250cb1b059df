"""Azurite's blob service: Put Blob, and Put Block with Put Block List. Requests carry a shared-key signature."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import Final
from urllib.parse import parse_qsl, quote

from tests.benchmarks.client import Connection, Request, request, send_in_parallel
from tests.benchmarks.payload import Slice
from tests.benchmarks.servers.base import ChunkedServer

_ACCOUNT: Final = "benchmark"
_CONTAINER: Final = "store"
_VERSION: Final = "2021-12-02"
_SIGNED_HEADERS: Final = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Date",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
)


def script(peers: Path) -> Path:
    """The program as `install` installs it."""
    return peers / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def version(peers: Path) -> str:
    """``3.37.0``."""
    description = json.loads((peers / "azurite" / "node_modules" / "azurite" / "package.json").read_text())
    return str(description["version"])


def fault(peers: Path) -> str | None:
    """Why it cannot run."""
    if not which("node"):
        return "node is not installed"
    return None if script(peers).exists() else "not installed"


class Azurite(ChunkedServer):
    """Azurite with an account whose key is made up for this run."""

    def __init__(self, directory: Path, peers: Path) -> None:
        super().__init__(directory)
        self._script = script(peers)
        self._key = secrets.token_bytes(32)

    def command(self) -> Sequence[str]:
        place = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", str(self.directory)]
        options = ["--blobKeepAliveTimeout", "300", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
        return ["node", str(self._script), *place, *options]

    def environment(self) -> Mapping[str, str]:
        return {"AZURITE_ACCOUNTS": f"{_ACCOUNT}:{base64.b64encode(self._key).decode()}"}

    def prepare(self) -> None:
        with self.connect() as connection:
            connection.send(self._signed("PUT", "", "restype=container", expected=(201,)))

    def upload_request(self, name: str, body: Slice | bytes) -> Request:
        return self._signed("PUT", name, "", body, headers={"x-ms-blob-type": "BlockBlob"}, expected=(201,))

    def delete_request(self, name: str) -> Request:
        return self._signed("DELETE", name, expected=(202,))

    def upload_in_chunks(self, name: str, chunks: Sequence[Slice], in_flight: int) -> float:
        requests = []
        for chunk in chunks:
            query = f"comp=block&blockid={quote(_block_id(chunk), safe='')}"
            requests.append(self._signed("PUT", name, query, chunk, expected=(201,)))
        in_order = sorted(chunks, key=lambda chunk: chunk.offset)
        blocks = "".join(f"<Latest>{_block_id(chunk)}</Latest>" for chunk in in_order)
        listing = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{blocks}</BlockList>'.encode()
        commit = self._signed("PUT", name, "comp=blocklist", listing, expected=(201,))
        begin = time.perf_counter()
        send_in_parallel(self.port, requests, in_flight)
        with Connection(self.port) as connection:
            connection.send(commit)
        return time.perf_counter() - begin

    def _signed(
        self,
        method: str,
        name: str,
        query: str = "",
        body: Slice | bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        expected: tuple[int, ...],
    ) -> Request:
        path = f"/{_ACCOUNT}/{_CONTAINER}" + (f"/{name}" if name else "")
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        fields = {**(headers or {}), "x-ms-date": date, "x-ms-version": _VERSION}
        length = len(body) if isinstance(body, bytes) else body.length
        text = _text_to_sign(method, path, query, {**fields, "Content-Length": str(length or "")})
        signature = base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()
        fields["Authorization"] = f"SharedKey {_ACCOUNT}:{signature}"
        return request(method, f"{path}?{query}" if query else path, body, fields, expected)


def _text_to_sign(method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    lines = [method, *(headers.get(name, "") for name in _SIGNED_HEADERS)]
    lines += sorted(f"{name}:{value}" for name, value in headers.items() if name.startswith("x-ms-"))
    lines.append(f"/{_ACCOUNT}{path}")
    lines += sorted(f"{name}:{value}" for name, value in parse_qsl(query))
    return "\n".join(lines)


def _block_id(chunk: Slice) -> str:
    return base64.b64encode(f"{chunk.offset:016}".encode()).decode()
