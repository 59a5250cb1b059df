"""Speaks HTTP over a raw socket, so that a target goes out exactly as written and a body can be cut anywhere."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer: status, headers with lower-case names, the whole body."""

    status: int
    headers: dict[str, str]
    body: bytes
    reason: str = ""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message of an error of the service."""
        error = self.json()["Error"]
        assert list(error) == ["Code", "Message"], error
        return self.status, error["Code"], error["Message"]


def head(method: str, target: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Request line and headers, ended by the empty line."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def read_reply(connection: socket.socket, method: str = "GET") -> Reply:
    """Read one answer off the socket; raises `http.client.HTTPException` when the server hangs up first."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, body, response.reason)


class Wire:
    """A client of one server: `send` opens a connection, sends one request and reads its answer."""

    def __init__(self, host: str, port: int, timeout: float = 30.0) -> None:
        self.host = host
        self.port = port
        self._timeout = timeout

    @property
    def endpoint(self) -> str:
        """The address that other clients are given."""
        return f"http://{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """A new connection for tests that write bytes themselves."""
        return socket.create_connection((self.host, self.port), timeout=self._timeout)

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_length: bool = True,
    ) -> Reply:
        """Send one request. `target` goes out untouched; a body (or a PUT/POST without one) gets a Content-Length."""
        given = headers or {}
        fields = [("Connection", "close"), *given.items()]
        if "Host" not in given:
            fields.insert(0, ("Host", f"{self.host}:{self.port}"))
        if content_length and (body is not None or method in ("PUT", "POST")):
            fields.append(("Content-Length", str(len(body or b""))))
        with self.connect() as connection:
            connection.sendall(head(method, target, fields))
            if body:
                # The server may answer and hang up before it has read everything.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(body)
            return read_reply(connection, method)

    def get(self, target: str, **options: Any) -> Reply:
        """GET."""
        return self.send("GET", target, **options)

    def put(self, target: str, body: bytes = b"", **options: Any) -> Reply:
        """PUT with a body."""
        return self.send("PUT", target, body=body, **options)

    def post(self, target: str, body: bytes = b"", **options: Any) -> Reply:
        """POST with a body."""
        return self.send("POST", target, body=body, **options)

    def delete(self, target: str, **options: Any) -> Reply:
        """DELETE."""
        return self.send("DELETE", target, **options)


class Connection:
    """A connection that stays open over many requests, for tests that send a lot of them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._socket = wire.connect()

    def send(self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        """Send one request and read its answer, leaving the connection open."""
        fields = [("Host", f"{self._wire.host}:{self._wire.port}"), *(headers or {}).items()]
        fields.append(("Content-Length", str(len(body))))
        self._socket.sendall(head(method, target, fields) + body)
        return read_reply(self._socket, method)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
