"""``/content``: the bytes of stored files, which the service itself never gives back."""

from datetime import datetime
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from emulator.api.control.common import Selected
from emulator.clock import to_datetime
from emulator.operations.body import in_thread
from emulator.protocol.errors import FabricError

routes = APIRouter(prefix="/content", tags=["content"])

_HARMLESS: Final = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
"""Uploaded bytes are anybody's: no browser shall run them."""


class FileView(BaseModel):
    """A stored file."""

    path: str
    size: int
    modified: datetime


@routes.get("")
async def list_files(store: Selected) -> list[FileView]:
    """Every file of the store, at any depth, with forward slashes."""
    files = await in_thread(lambda: list(store.content.all_files()))
    return [
        FileView(path="/".join(each.parts), size=each.size, modified=to_datetime(each.modified_ns)) for each in files
    ]


@routes.get("/{path:path}", response_class=StreamingResponse)
async def read_file(path: str, store: Selected) -> StreamingResponse:
    """The bytes of a file, to be saved."""
    try:
        size, pieces = await in_thread(lambda: store.content.read(store.rules.parse(path)))
    except FabricError as error:
        raise HTTPException(error.status, error.why or error.message) from None
    name = quote(path.rpartition("/")[2], safe="")
    headers = {"content-length": str(size), "content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return StreamingResponse(pieces, media_type="application/octet-stream", headers=headers | _HARMLESS)
