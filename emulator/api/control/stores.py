"""``/stores``, ``/reset`` and ``/seed``: what there is, and what is in it."""

import tempfile
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from emulator.api.addressing import address_of
from emulator.api.control.common import AllStores, Selected, bad_request
from emulator.api.control.streams import with_progress
from emulator.control.progress import Progress
from emulator.control.seeding import seed_from_zip
from emulator.control.stores import SharedDataError
from emulator.operations.body import in_thread

_IN_MEMORY: Final = 1024 * 1024
_BINARY: Final = {"type": "string", "format": "binary"}


class StoreView(BaseModel):
    """A store, and the endpoint address that selects it."""

    name: str
    endpoint: str


routes = APIRouter(tags=["stores"])


@routes.get("/stores")
async def list_stores(stores: AllStores, request: Request) -> list[StoreView]:
    """All stores there are."""
    return [_view(name, request) for name in await in_thread(stores.names)]


@routes.put("/stores/{name}")
async def make_store(name: str, stores: AllStores, request: Request) -> StoreView:
    """Make a store, if it isn't there; the first request to one does the same."""
    try:
        return _view((await stores.get(name)).name, request)
    except ValueError as error:
        raise bad_request(error) from None


@routes.delete("/stores/{name}", status_code=204)
async def drop_store(name: str, stores: AllStores) -> None:
    """Delete a store with all that is in it, at once; the default one is emptied."""
    try:
        if not await stores.drop(name):
            raise HTTPException(404, f"there is no store {name!r}")
    except ValueError as error:
        raise bad_request(error) from None
    except SharedDataError as error:
        raise HTTPException(409, str(error)) from None


@routes.post("/reset", status_code=204)
async def reset(store: Selected, stores: AllStores) -> None:
    """Back to the start: no content, no sessions, no faults, an empty journal, the machine's time."""
    try:
        await stores.reset(store.name)
    except SharedDataError as error:
        raise HTTPException(409, str(error)) from None


@routes.post(
    "/seed",
    openapi_extra={"requestBody": {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def seed(
    store: Selected,
    request: Request,
    into: Annotated[str, Query(description="folder to put it into")] = "",
    marks: Annotated[bool, Query(description="give each folder its mark file, as clients do")] = True,  # noqa: FBT002
) -> Response:
    """Put the files of a zip or ``.sfpkg``, the body, into the store; a bad one changes nothing."""
    archive = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # closed when the work is done
    try:
        async for piece in request.stream():
            await in_thread(archive.write, piece)
    except ClientDisconnect:
        archive.close()
        raise
    progress = Progress()

    async def work() -> dict[str, int]:
        with archive:
            return {"files": await in_thread(lambda: seed_from_zip(archive, store, into, progress, marks=marks))}

    return await with_progress(work, progress, request)


def _view(name: str, request: Request) -> StoreView:
    return StoreView(name=name, endpoint=address_of(name, request))
