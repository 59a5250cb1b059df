"""Large bodies straight off the socket: worker threads receive and write, the event loop only waits.

Through the event loop every 64 KiB of a body is read, parsed, appended, and copied again before it reaches a thread.
Here the loop stops reading once a request's headers are in, lends the socket to whoever wants the body, and goes on
with the next request when all of it has been taken.

No thread waits for a client: one is used while bytes keep coming and given back when a few milliseconds bring none; the
loop then watches the socket. So any number of clients may stall without holding up others.

Only for plain HTTP/1.1 over TCP with a Content-Length, served by uvicorn's httptools protocol. Everything else (TLS,
chunked coding, another server) has no such body in its scope and is read as ASGI messages.
"""

import asyncio
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from emulator.operations.body import ClientGoneError, Piece, in_thread
from emulator.protocol.access import Peer

EXTENSION: Final = "imagestore.direct_body"
"""Key of a `DirectBody` among the extensions of an ASGI scope."""

CONNECTION: Final = "imagestore.connection"
"""Key of the `Connection` among the extensions of an ASGI scope."""

_BUFFER_SIZE: Final = 1024 * 1024
_LOW_WATER: Final = 1024 * 1024
_LONGEST_HEAD: Final = 128 * 1024
_PATIENCE_SECONDS: Final = 0.004
_TURN_SECONDS: Final = 0.1
_IS_POSIX: Final = os.name == "posix"

_of_thread = threading.local()


class Connection(Protocol):
    """The connection a request came on: by whom, and to be ended without an answer or in the middle of one."""

    peer: Peer | None

    def cut(self) -> None:
        """Break it off: what was not sent yet is never sent."""
        ...

    def finish(self) -> None:
        """Send what was written, and end it."""
        ...


class DirectProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose requests carry the offer to take their body off the socket.

    It also declines every offer to upgrade to another protocol, which clients may make with a body behind it: the
    parser would take that body for the other protocol's, so the request is parsed again without the offer.
    """

    peer: Peer | None = None
    _head_size = 0
    _is_in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take note of who connects."""
        super().connection_made(transport)
        self.peer = _certified(transport)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        else:
            self._limit_head(len(data))

    def on_message_begin(self) -> None:
        """Take note that a request has begun."""
        super().on_message_begin()
        self._head_size = 0
        self._is_in_head = True

    def _limit_head(self, size: int) -> None:
        """Hang up on a request whose line and headers never end: they are kept in memory until they do."""
        if not self._is_in_head:
            return
        self._head_size += size
        if self._head_size > _LONGEST_HEAD:
            self.send_400_response("Request header too long.")

    def _decline_upgrade(self, rest: bytes) -> None:
        if not any(name == b"upgrade" for name, _ in self.headers):  # CONNECT, which offers nothing to decline
            self.send_400_response("Invalid HTTP request received.")
            return
        start = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        fields = b"".join(b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade")
        self._renew_parser()
        self.data_received(start + fields + b"\r\n" + rest)

    def on_message_complete(self) -> None:
        """Take note that the body is complete."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Put the offer into the scope before the request is handled."""
        self._is_in_head = False
        if self.parser.should_upgrade():
            return
        if _IS_POSIX and self.scheme == "http":
            self.scope["extensions"] = {EXTENSION: DirectBody(self), CONNECTION: self}  # type: ignore[dict-item]  # no dicts
        else:
            self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]
        super().on_headers_complete()

    def cut(self) -> None:
        """Break the connection off."""
        self._forget_client()
        self.transport.abort()

    def finish(self) -> None:
        """Send what was written, and end the connection."""
        self._forget_client()
        self.transport.close()

    def _forget_client(self) -> None:
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def stop_reading(self) -> bytes:
        """Read no more from the socket, and hand over what was read already."""
        self.flow.pause_reading()
        body = bytes(self.cycle.body)
        self.cycle.body.clear()
        self.cycle.message_event.clear()
        return body

    def body_was_taken(self) -> None:
        """The rest of the body never passed the parser: the next bytes are a new request for a new parser."""
        self._renew_parser()
        self.cycle.more_body = False

    def _renew_parser(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)


def _certified(transport: asyncio.Transport) -> Peer | None:
    """The client's certificate, if it sent one: the TLS layer let in only one that it trusts."""
    tls = transport.get_extra_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if tls else None
    if not certificate:
        return None
    fields = {name: value for part in tls.getpeercert()["subject"] for name, value in part}
    return Peer(hashlib.sha1(certificate).hexdigest(), fields.get("commonName", ""))  # noqa: S324  # a name, no proof


def connection_of(scope: Any) -> Connection | None:
    """The connection of a request, if the server is ours."""
    connection: Connection | None = scope.get("extensions", {}).get(CONNECTION)
    return connection


def peer_of(scope: Any) -> Peer | None:
    """The client of a request by its certificate, if it has one."""
    connection = connection_of(scope)
    return connection.peer if connection else None


class DirectBody:
    """The offer of one request's body."""

    def __init__(self, protocol: DirectProtocol) -> None:
        self._protocol = protocol

    async def pour(self, early: bytes, length: int, write: Callable[[Piece], None]) -> None:
        """Pass a body of `length` bytes, of which `early` has come already, to `write` on worker threads.

        What `write` raises is raised when the body has been read to its end, so that the connection stays usable.
        Raises `ClientGoneError` when the connection breaks first.
        """
        protocol = self._protocol
        sink = _Sink(write)
        early += protocol.stop_reading()
        left = length - len(early)
        if left:
            await self._take_rest(early, left, sink)
        else:
            await in_thread(sink.take, early)
        if sink.failure:
            raise sink.failure

    async def _take_rest(self, early: bytes, left: int, sink: "_Sink") -> None:
        protocol = self._protocol
        if protocol.transport.is_closing():
            raise ClientGoneError
        descriptor = protocol.transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(descriptor)) as lent:
            lent.settimeout(_PATIENCE_SECONDS)
            lent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(_LOW_WATER, left))
            try:
                left, is_idle = await in_thread(_receive_after, early, lent, left, sink)
                while left:
                    if left < _LOW_WATER:
                        lent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, left)
                    if is_idle:
                        await _readable(lent)
                    left, is_idle = await in_thread(_receive, lent, left, sink)
                lent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            except (OSError, EOFError):
                protocol.transport.abort()
                raise ClientGoneError from None
            except asyncio.CancelledError:
                # What is left of the body would be taken for the next request.
                protocol.cycle.keep_alive = False
                raise
        protocol.body_was_taken()


class _Sink:
    """Takes pieces until writing one fails, and from then on only drops them."""

    def __init__(self, write: Callable[[Piece], None]) -> None:
        self._write = write
        self.failure: Exception | None = None

    def take(self, piece: Piece) -> None:
        """Write a piece."""
        if self.failure:
            return
        try:
            self._write(piece)
        except Exception as failure:  # noqa: BLE001  # whatever it is, it is raised when the body has been read
            self.failure = failure


def _receive_after(early: bytes, lent: socket.socket, left: int, sink: _Sink) -> tuple[int, bool]:
    sink.take(early)
    return _receive(lent, left, sink)


def _receive(lent: socket.socket, left: int, sink: _Sink) -> tuple[int, bool]:
    """Receive and write while bytes keep coming; answers with what is left, and whether none came in the end."""
    buffer = _buffer()
    until = time.monotonic() + _TURN_SECONDS
    while left and time.monotonic() < until:
        filled, is_idle = _fill(lent, buffer[: min(left, _BUFFER_SIZE)])
        sink.take(buffer[:filled])
        left -= filled
        if is_idle:
            return left, True
    return left, False


def _fill(lent: socket.socket, buffer: memoryview) -> tuple[int, bool]:
    filled = 0
    while filled < len(buffer):
        try:
            count = lent.recv_into(buffer[filled:])
        except TimeoutError:
            return filled, True
        if not count:
            raise EOFError
        filled += count
    return filled, False


def _buffer() -> memoryview:
    """This thread's buffer: used within one turn only, so it can serve every connection."""
    buffer: Any = getattr(_of_thread, "buffer", None)
    if buffer is None:
        buffer = _of_thread.buffer = memoryview(bytearray(_BUFFER_SIZE))
    view: memoryview = buffer
    return view


async def _readable(lent: socket.socket) -> None:
    """Wait on the event loop until the socket has bytes or is closed."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(lent.fileno(), lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(lent.fileno())
