"""The load client, the same for every server: raw sockets, `sendfile` for large bodies, an epoll loop for small ones.

It does as little as it can, because it shares the cores with the server it measures. The status of each answer is
checked.
"""

import contextlib
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from tests.benchmarks.payload import Slice

HOST: Final = "127.0.0.1"
_TIMEOUT_SECONDS: Final = 300
_RECEIVE_SIZE: Final = 1 << 18
_HEAD_END: Final = b"\r\n\r\n"


class BenchmarkError(Exception):
    """A server did not do what it was asked."""


@dataclass(frozen=True)
class Request:
    """A request ready to be sent: its head as bytes, its body as bytes or as a slice of the payload file."""

    head: bytes
    body: Slice | bytes = b""
    expected: tuple[int, ...] = (200,)

    @property
    def wire(self) -> bytes:
        """Head and body in one piece, for small bodies."""
        assert isinstance(self.body, bytes)
        return self.head + self.body


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header; ``""`` where it is absent."""
        return _header(self.head, name.lower().encode()).decode("latin-1")


def request(
    method: str,
    target: str,
    body: Slice | bytes = b"",
    headers: Mapping[str, str] | None = None,
    expected: tuple[int, ...] = (200,),
) -> Request:
    """Prepare a request with a Content-Length."""
    length = len(body) if isinstance(body, bytes) else body.length
    fields = {"Host": HOST, **(headers or {}), "Content-Length": str(length)}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return Request("\r\n".join(lines).encode(), body, expected)


class Connection:
    """A connection that stays open over many requests, each sent and answered before the next."""

    def __init__(self, port: int) -> None:
        self._socket = connect(port)

    def send(self, prepared: Request) -> Reply:
        """Send a request and read its answer; raises `BenchmarkError` for an unexpected status."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # an early answer says why
            self._send(prepared)
        reply = self._receive()
        check(prepared, reply.status, reply.body)
        return reply

    def start(self, prepared: Request, length: int) -> None:
        """Send the head and the first `length` bytes of the body and leave the server waiting for the rest."""
        assert isinstance(prepared.body, Slice)
        self._socket.sendall(prepared.head)
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # the socket's buffers are full: enough for the server to wait on
            os.sendfile(self._socket.fileno(), prepared.body.descriptor, prepared.body.offset, length)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, prepared: Request) -> None:
        body = prepared.body
        if isinstance(body, bytes):
            self._socket.sendall(prepared.head + body)
            return
        self._socket.sendall(prepared.head, socket.MSG_MORE)
        sent = 0
        while sent < body.length:
            sent += os.sendfile(self._socket.fileno(), body.descriptor, body.offset + sent, body.length - sent)

    def _receive(self) -> Reply:
        received = bytearray()
        while True:
            piece = self._socket.recv(_RECEIVE_SIZE)
            if not piece:
                raise BenchmarkError(f"the server hung up after {bytes(received[:200])!r}")
            received += piece
            if is_complete(received):
                head, _, body = bytes(received).partition(_HEAD_END)
                return Reply(int(head[9:12]), head, body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(port: int) -> socket.socket:
    """A blocking socket whose calls give up after some minutes.

    Python's own timeout would make the socket non-blocking, and `os.sendfile` would no longer send a body in one call.
    """
    connection = socket.create_connection((HOST, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    limit = struct.pack("ll", _TIMEOUT_SECONDS, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    return connection


def check(prepared: Request, status: int, detail: bytes) -> None:
    """Raise `BenchmarkError` unless the status is an expected one."""
    if status not in prepared.expected:
        line = prepared.head.partition(b"\r\n")[0].decode()
        raise BenchmarkError(f"{line} was answered with {status} {detail[:300]!r}")


def is_complete(received: bytes | bytearray) -> bool:
    """Whether these bytes are a whole answer; nothing follows one before the next request."""
    head_length = received.find(_HEAD_END)
    if head_length < 0:
        return False
    head = bytes(received[:head_length])
    length = _header(head, b"content-length")
    if length:
        return len(received) - head_length - len(_HEAD_END) >= int(length)
    if _header(head, b"transfer-encoding"):
        return received.endswith(b"0\r\n\r\n")
    return True


def _header(head: bytes, name: bytes) -> bytes:
    lower = head.lower()
    at = lower.find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    start = at + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


def send_one_by_one(port: int, requests: Sequence[Request]) -> float:
    """Send requests on one connection and answer with the seconds it took."""
    with Connection(port) as connection:
        begin = time.perf_counter()
        for each in requests:
            connection.send(each)
        return time.perf_counter() - begin


def send_small(port: int, requests: Sequence[Request], connections: int) -> float:
    """Send small requests over keep-alive connections, one in flight on each; answers with the seconds it took."""
    ready = [(each, each.wire) for each in requests]
    todo = iter(ready)
    poller = select.epoll()
    lines = [_Line(connect(port)) for _ in range(min(connections, len(ready)))]
    by_descriptor = {line.socket.fileno(): line for line in lines}
    begin = time.perf_counter()
    try:
        for line in lines:
            poller.register(line.socket, select.EPOLLIN)
            line.begin(*next(todo))
        busy = len(lines)
        while busy:
            for descriptor, _ in poller.poll(_TIMEOUT_SECONDS) or _give_up():
                line = by_descriptor[descriptor]
                if not line.take():
                    continue
                following = next(todo, None)
                if following:
                    line.begin(*following)
                else:
                    busy -= 1
        return time.perf_counter() - begin
    finally:
        poller.close()
        for line in lines:
            line.socket.close()


def _give_up() -> list[tuple[int, int]]:
    raise BenchmarkError(f"no answer for {_TIMEOUT_SECONDS} s")


@dataclass
class _Line:
    """One of the connections of `send_small`."""

    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    current: Request | None = None

    def begin(self, prepared: Request, wire: bytes) -> None:
        self.received.clear()
        self.current = prepared
        self.socket.sendall(wire)

    def take(self) -> bool:
        """Read what is there; true when the answer is complete."""
        piece = self.socket.recv(_RECEIVE_SIZE)
        if not piece:
            raise BenchmarkError("the server hung up")
        self.received += piece
        if not is_complete(self.received):
            return False
        assert self.current
        check(self.current, int(self.received[9:12]), bytes(self.received))
        return True


def send_in_parallel(port: int, requests: Sequence[Request], in_flight: int) -> float:
    """Send requests in their order with `in_flight` of them at once, each on a connection of a thread of its own."""
    todo = deque(requests)
    failures: list[Exception] = []

    def work() -> None:
        try:
            with Connection(port) as connection:
                while not failures:
                    connection.send(todo.popleft())
        except IndexError:
            pass  # nothing is left to do
        except (OSError, BenchmarkError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(in_flight)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise BenchmarkError(str(failures[0]))
    return time.perf_counter() - begin
