"""What the routes of the control API share: the store they work on, and shapes."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from emulator.api.exchange import STORE
from emulator.clock import to_datetime
from emulator.control.stores import IsolatedStore, Stores
from emulator.operations.failures import as_fabric_error
from emulator.protocol.upload_session import UploadSession

_log = logging.getLogger(__name__)


async def _selected(request: Request) -> IsolatedStore:
    store: IsolatedStore = request.scope[STORE]
    return store


Selected = Annotated[IsolatedStore, Depends(_selected)]
"""The store that the request's address selects."""


async def _all_stores(request: Request) -> Stores:
    stores: Stores = request.app.stores
    return stores


AllStores = Annotated[Stores, Depends(_all_stores)]
"""Every store of the emulator."""


class Exactly(BaseModel):
    """What may be sent, and nothing else: a slip of the pen shall not pass for a wish."""

    model_config = ConfigDict(extra="forbid")


class ByteRange(BaseModel):
    """Bytes, both ends inclusive."""

    start: int
    end: int


class SessionView(BaseModel):
    """An upload session as a person wants to see it."""

    session: str
    path: str
    size: int
    received: list[ByteRange]
    expected: list[ByteRange]
    modified: datetime
    expires: datetime
    is_committed: bool


def view_session(session: UploadSession, store: IsolatedStore) -> SessionView:
    """What a session has and lacks, and when it ends by the store's clock."""
    modified = to_datetime(session.modified_ns)
    return SessionView(
        session=session.session_id,
        path=session.path,
        size=session.size,
        received=[ByteRange(start=start, end=end) for start, end in session.received],
        expected=[ByteRange(start=start, end=end) for start, end in session.expected_ranges],
        modified=modified,
        expires=modified + store.life.timeout,
        is_committed=bool(session.published),
    )


def bad_request(error: Exception) -> HTTPException:
    """A 400 that says what was wrong."""
    return HTTPException(400, str(error))


def outage_of(error: Exception) -> str:
    """Which of disk and database has failed, and how; any other error is raised again."""
    known = as_fabric_error(error)
    if known is None or known is error:
        raise error
    _log.warning("%s", error)
    return known.why or known.message


def explain(errors: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with what was sent, in one line."""
    wrong = [(".".join(map(str, each["loc"])), str(each["msg"]).removeprefix("Value error, ")) for each in errors]
    return "; ".join(f"{where}: {what}" if where else what for where, what in wrong)
