"""``/journal`` and ``/lint``: what was asked and answered, checked, waited for and followed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from fastapi import APIRouter, Request
from fastapi import Query as QueryParameters
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel, Field, model_validator
from starlette.requests import ClientDisconnect

from emulator.api.addressing import address_of
from emulator.api.control.common import Exactly, Selected
from emulator.clock import to_datetime
from emulator.control.journal import Entry, Expectation, Query
from emulator.control.lint import lint
from emulator.control.stores import IsolatedStore
from emulator.operations.body import in_thread
from emulator.units import Duration


class EntryView(BaseModel):
    """One request and its outcome; `status` is 0 where no answer was sent, and null while it runs."""

    number: int
    moment: datetime
    operation: str
    verb: str
    target: str
    path: str
    session: str
    range: str
    client: str
    status: int | None
    code: str
    why: str
    fault: str
    duration_ms: float
    received: int
    sent: int
    sha256: str
    store: str
    curl: str


class Verification(Exactly):
    """What the journal has to show."""

    expect: list[Expectation] = Field([], description="how often requests came")
    order: list[Query] = Field([], description="requests that came in this order, others between them or not")
    nothing_else: bool = Field(False, description="and no request that nothing here speaks of")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.expect or self.order or self.nothing_else):
            raise ValueError("what is to be verified? give expect, order, or nothing_else")
        return self


class Verdict(BaseModel):
    """Whether it does, and what not."""

    ok: bool
    problems: list[str]


class FindingView(BaseModel):
    """A mistake of a client that works here and hurts on a cluster."""

    rule: str
    message: str
    entries: list[int]


Asked = Annotated[Query, QueryParameters()]
"""A question to the journal, in the URL's query."""


class WaitQuery(Query):
    """What to wait for, and how long."""

    count: int = Field(1, ge=1)
    timeout: Duration = timedelta(seconds=10)


routes = APIRouter(tags=["journal"])


@routes.get("/journal")
async def read_journal(query: Asked, store: Selected, request: Request) -> list[EntryView]:
    """The requests the store remembers, oldest first, or those that fit."""
    return _views(store.journal.select(query), store, request)


@routes.get("/journal/curl", response_class=PlainTextResponse)
async def read_as_curl(query: Asked, store: Selected, request: Request) -> str:
    """The same as commands, one a line."""
    endpoint = address_of(store.name, request)
    return "".join(f"{entry.curl(endpoint)}\n" for entry in store.journal.select(query))


@routes.get("/journal/running")
async def read_running(store: Selected, request: Request) -> list[EntryView]:
    """Requests that are not answered yet."""
    return _views(store.journal.running(), store, request)


@routes.get("/journal/wait", responses={408: {"description": "it did not come in time"}})
async def wait_for(query: Annotated[WaitQuery, QueryParameters()], store: Selected, request: Request) -> Any:
    """Wait until requests that fit have been answered; 408 with those there are, if they don't come in time."""
    waiting = asyncio.ensure_future(store.journal.wait(query, query.count, query.timeout))
    gone = asyncio.ensure_future(_disconnected(request))
    await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not waiting.done():
        waiting.cancel()
        raise ClientDisconnect
    found = waiting.result()
    views = [view.model_dump(mode="json") for view in _views(found, store, request)]
    return JSONResponse(views, 200 if len(found) >= query.count else 408)


@routes.get("/journal/follow", response_class=StreamingResponse)
async def follow(query: Asked, store: Selected, request: Request) -> StreamingResponse:
    """What is remembered, and then each request as it ends, as server-sent events."""

    async def events() -> AsyncIterator[str]:
        async for entry in store.journal.follow(query):
            yield f"data: {_view(entry, store, address_of(store.name, request)).model_dump_json()}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers={"cache-control": "no-store"})


@routes.post("/journal/verify", responses={409: {"model": Verdict, "description": "it does not"}})
async def verify(verification: Verification, store: Selected) -> JSONResponse:
    """Hold the journal against what was expected: 200 if it is so, 409 with what is not."""
    problems = store.journal.verify(verification.expect, verification.order, nothing_else=verification.nothing_else)
    return JSONResponse({"ok": not problems, "problems": problems}, 409 if problems else 200)


@routes.delete("/journal", status_code=204)
async def clear(store: Selected) -> None:
    """Forget all requests."""
    store.journal.clear()


@routes.get("/lint")
async def find_mistakes(store: Selected) -> list[FindingView]:
    """Mistakes of clients that work here and hurt on a cluster, by what the journal remembers."""
    findings = await in_thread(lint, store)
    return [FindingView(rule=each.rule, message=each.message, entries=list(each.entries)) for each in findings]


def _views(entries: list[Entry], store: IsolatedStore, request: Request) -> list[EntryView]:
    endpoint = address_of(store.name, request)
    return [_view(entry, store, endpoint) for entry in entries]


def _view(entry: Entry, store: IsolatedStore, endpoint: str) -> EntryView:
    found = entry.range
    return EntryView(
        number=entry.number,
        moment=to_datetime(entry.moment_ns),
        operation=entry.operation,
        verb=entry.verb,
        target=entry.target,
        path=entry.path,
        session=entry.session,
        range=f"{found.start}-{found.end}/{found.total}" if found else "",
        client=entry.client,
        status=entry.status,
        code=entry.code,
        why=entry.why,
        fault=entry.fault,
        duration_ms=round(max(entry.duration_ns, 0) / 1e6, 3),
        received=entry.received,
        sent=entry.sent,
        sha256=entry.digest,
        store=store.name,
        curl=entry.curl(endpoint),
    )


async def _disconnected(request: Request) -> None:
    """Return when nobody waits for the answer any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
