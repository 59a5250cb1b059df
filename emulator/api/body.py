"""The body of a request, in pieces or whole."""

from typing import Final

from starlette.types import Receive

from emulator.operations.body import ClientGoneError
from emulator.protocol.errors import FabricError
from emulator.protocol.limits import BODY_LIMIT

_PIECE: Final = 1024 * 1024


class HttpBody:
    """Reads a body off ASGI messages. Network reads are gathered, since each piece costs a hop to a thread."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def read_piece(self) -> tuple[bytes, bool]:
        """The next piece of about 1 MiB, and whether more may follow."""
        parts: list[bytes] = []
        size = 0
        while size < _PIECE:
            part, has_more = await self._read()
            parts.append(part)
            size += len(part)
            if not has_more:
                return b"".join(parts), False
        return b"".join(parts), True

    async def read_whole(self) -> bytes:
        """A POST or DELETE body; raises ``FABRIC_E_MESSAGE_TOO_LARGE`` beyond 4 MiB (gateway 8)."""
        parts: list[bytes] = []
        size = 0
        has_more = True
        while has_more:
            part, has_more = await self._read()
            parts.append(part)
            size += len(part)
            if size > BODY_LIMIT:
                raise FabricError("FABRIC_E_MESSAGE_TOO_LARGE")
        return b"".join(parts)

    async def _read(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        return message.get("body", b""), message.get("more_body", False)
