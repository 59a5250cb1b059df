"""What a fault does to the bytes on the wire: a body that comes slowly or not wholly, an answer lost or broken."""

from datetime import timedelta
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from emulator.clock import Clock
from emulator.control.faults import Fault
from emulator.direct_body import Connection, connection_of
from emulator.operations.body import ClientGoneError

_CLAIMED: Final = 64
"""Bytes that a broken answer without a body claims to have."""


class BodyShape:
    """Receives a body as a fault wants it: throttled, stalling, cut; a stall or cut beyond its end comes at its end."""

    def __init__(self, fault: Fault, clock: Clock, receive: Receive) -> None:
        self._fault = fault
        self._clock = clock
        self._receive = receive
        self._received = 0
        self._began_ns = clock.now_ns()
        self._has_stalled = False

    async def receive(self) -> Message:
        """The next message, when its time has come; raises `BodyCutError` where the fault cuts the connection."""
        fault = self._fault
        message = await self._receive()
        if message["type"] == "http.disconnect":
            return message
        self._received += len(message.get("body", b""))
        is_end = not message.get("more_body", False)
        if fault.throttle:
            due_ns = self._began_ns + self._received * 10**9 // fault.throttle
            await self._clock.sleep(timedelta(microseconds=(due_ns - self._clock.now_ns()) / 1000))
        if fault.stall and not self._has_stalled and (is_end or self._received >= fault.stall_at):
            self._has_stalled = True
            self._began_ns += fault.stall // timedelta(microseconds=1) * 1000
            await self._clock.sleep(fault.stall)
        if isinstance(fault.cut, int) and (is_end or self._received >= fault.cut):
            raise BodyCutError(min(self._received, fault.cut))
        return message


class BodyCutError(ClientGoneError):
    """The emulator itself is to cut the connection, after so many bytes."""

    def __init__(self, received: int) -> None:
        super().__init__()
        self.received = received


class CutReply(Response):
    """No answer: the connection ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """End it."""
        _connection(scope).cut()


class BrokenReply(Response):
    """The beginning of an answer, and the end of the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send half of what the header promises."""
        connection = _connection(scope)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        connection.finish()


def break_reply(response: Response, how: str) -> Response:
    """The same answer without its body, or with half of it."""
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    if how == "empty":
        return Response(b"", response.status_code, headers)
    whole = bytes(response.body)
    broken = BrokenReply(whole[: len(whole) // 2], response.status_code, headers)
    broken.headers["content-length"] = str(len(whole) or _CLAIMED)
    return broken


def _connection(scope: Scope) -> Connection:
    connection = connection_of(scope)
    if connection is None:
        raise ConnectionAbortedError("this server cannot cut a connection")
    return connection
