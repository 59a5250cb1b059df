"""One line in the log for each request: what was asked, what came of it, and how long that took."""

import logging
import time
import uuid
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.api.gateway import OWN_PREFIX
from emulator.control.journal import Entry

REQUEST_ID_HEADER: Final = "x-servicefabricrequestid"
"""A client's name for its request, which the gateway uses for its traces and does not send back (gateway 6.1)."""

_RAW_REQUEST_ID: Final = REQUEST_ID_HEADER.encode()
_REQUEST_ID: Final = "imagestore.request_id"
_LONGEST_ID: Final = 200
_ROUTINE: Final = (f"{OWN_PREFIX}/health/", f"{OWN_PREFIX}/metrics")
"""What machines ask every few seconds."""

_MAPPED: Final = "::ffff:"

_log = logging.getLogger("emulator.requests")


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Writes the lines, if they are wanted."""

    is_on: bool
    echoes_id: bool = False

    def write(self, scope: Scope, entry: Entry, store: str) -> None:
        """A request is over; health checks and scrapes leave a line only if they fail."""
        if not self.is_on or not _log.isEnabledFor(logging.INFO):
            return
        if entry.status == 200 and entry.target.startswith(_ROUTINE):
            return
        found = entry.range
        facts = {
            "operation": entry.operation,
            "path": entry.path,
            "session": entry.session,
            "range": f"{found.start}-{found.end}/{found.total}" if found else "",
            "code": entry.code,
            "why": entry.why,
            "fault": entry.fault,
            "duration_ms": round(entry.duration_ns / 1e6, 3),
            "received": entry.received,
            "sent": entry.sent,
            "store": store,
            "client": entry.client,
            "request_id": _request_id(scope),
        }
        request = {"verb": entry.verb, "target": entry.target, "status": entry.status}
        given = {name: value for name, value in facts.items() if value != ""}
        _log.info("%(verb)s %(target)s %(status)d", request, extra={"request": request, "facts": given})

    async def watch(self, app: ASGIApp, store: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `app` answer a request that is not the service's and so has no entry in a journal."""
        entry = entry_of(scope, 0)

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            entry.sent += len(message.get("body", b""))
            await send(message)

        try:
            await app(scope, receive, note)
        finally:
            entry.duration_ns += time.perf_counter_ns()
            entry.status = entry.status or 0
            self.write(scope, entry, store)

    def echoing(self, scope: Scope, send: Send) -> Send:
        """Where it is wanted, the answer tells the id that is in the log."""
        if not self.echoes_id:
            return send
        field = (_RAW_REQUEST_ID, _request_id(scope).encode("latin-1"))

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), field]}
            await send(message)

        return tell


def entry_of(scope: Scope, moment_ns: int) -> Entry:
    """What there is to say of a request that has just come."""
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    client = scope.get("client")
    return Entry(
        client=client[0].removeprefix(_MAPPED) if client else "",
        moment_ns=moment_ns,
        verb=scope["method"],
        target=target.decode("latin-1"),
        duration_ns=-time.perf_counter_ns(),
    )


def _request_id(scope: Scope) -> str:
    """The client's, or one made for the request."""
    known: str | None = scope.get(_REQUEST_ID)
    if known is None:
        given = next((value for name, value in scope["headers"] if name == _RAW_REQUEST_ID), b"")
        known = scope[_REQUEST_ID] = given.decode("latin-1").strip()[:_LONGEST_ID] or str(uuid.uuid4())
    return known
