"""The body of a request, in pieces or whole."""

import hashlib
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.types import Receive

from emulator.direct_body import EXTENSION, DirectBody
from emulator.operations.body import ClientGoneError, Piece, in_thread
from emulator.operations.room import Allowance
from emulator.protocol.errors import FabricError
from emulator.protocol.limits import BODY_LIMIT

_PIECE: Final = 1024 * 1024


class HttpBody:
    """Reads a body off the socket where that is possible, else off ASGI messages.

    Messages are gathered to pieces, since each piece costs a hop to a thread.
    """

    def __init__(self, request: Request, hash_limit: int, allowance: Allowance | None) -> None:
        self.received = 0
        self._allowance = allowance
        self._receive = request.receive
        self._length = _content_length(request)
        self._direct: DirectBody | None = request.scope.get("extensions", {}).get(EXTENSION)
        self._begun: tuple[bytes, bool] = (b"", True)
        self._hash = hashlib.sha256() if self._length is not None and 0 < self._length <= hash_limit else None

    @property
    def digest(self) -> str:
        """SHA-256 of the whole body, "" where it was not taken or did not come."""
        return self._hash.hexdigest() if self._hash and self.received == self._length else ""

    def shape(self, receive: Receive) -> None:
        """Read the body through `receive` instead, message by message."""
        self._receive = receive
        self._direct = None

    async def read_small(self) -> bytes | None:
        """The whole body if it fits into one piece, or else ``None``; raises the service's error for too large a one.

        A length that is announced is enough for that: nothing is received then.
        """
        if self._allowance and self._length is not None:
            await self._allowance.take(self._length)
        if self._length is not None and self._length > _PIECE:
            self._begun = await self._read()  # tells a client that asked to go on, and sees what has come already
            return None
        self._begun = await self._read_piece()
        piece, has_more = self._begun
        if has_more:
            return None
        self._take_hash(piece)
        return piece

    async def pour(self, write: Callable[[Piece], None]) -> None:
        """Pass the body to `write`, piece by piece, on worker threads."""
        piece, has_more = self._begun
        if has_more and self._direct and self._length is not None:
            self.received = 0  # what has come already is passed on with the rest

            def take(piece: Piece) -> None:
                self.received += len(piece)
                self._take_hash(piece)
                write(piece)

            await self._direct.pour(piece, self._length, take)
            return
        while True:
            self._take_hash(piece)
            await in_thread(write, piece)
            if not has_more:
                return
            piece, has_more = await self._read_piece()

    async def read_whole(self) -> bytes:
        """A POST or DELETE body; raises ``FABRIC_E_MESSAGE_TOO_LARGE`` beyond 4 MiB (gateway 8)."""
        parts: list[bytes] = []
        size = 0
        has_more = True
        while has_more:
            part, has_more = await self._read()
            self._take_hash(part)
            parts.append(part)
            size += len(part)
            if size > BODY_LIMIT:
                raise FabricError("FABRIC_E_MESSAGE_TOO_LARGE", why=f"a body here may have {BODY_LIMIT} bytes")
        return b"".join(parts)

    async def drop(self) -> None:
        """Receive the body and keep nothing of it."""
        has_more = True
        while has_more:
            part, has_more = await self._read()
            self._take_hash(part)

    async def _read_piece(self) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        size = 0
        while size < _PIECE:
            part, has_more = await self._read()
            if self._allowance and self._length is None:
                await self._allowance.take(len(part))
            parts.append(part)
            size += len(part)
            if not has_more:
                return b"".join(parts), False
        return b"".join(parts), True

    async def _read(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body = message.get("body", b"")
        self.received += len(body)
        return body, message.get("more_body", False)

    def _take_hash(self, piece: Piece) -> None:
        if self._hash:
            self._hash.update(piece)


def _content_length(request: Request) -> int | None:
    length = None
    for name, value in request.scope["headers"]:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            return None
    return length
