"""``/snapshots``: put a store's state aside, and bring it back."""

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from emulator.api.control.common import AllStores, Selected, bad_request
from emulator.api.control.streams import with_progress
from emulator.control.progress import Progress
from emulator.control.snapshots import Snapshots

routes = APIRouter(prefix="/snapshots", tags=["snapshots"])


@routes.get("")
async def list_snapshots(stores: AllStores) -> list[str]:
    """The names of all snapshots; they belong to no store."""
    return Snapshots(stores).names()


@routes.put("/{name:path}")
async def save_snapshot(name: str, store: Selected, stores: AllStores, request: Request) -> Response:
    """Keep the store as it is now: content, open sessions with their bytes, and the time."""
    progress = Progress()

    async def work() -> dict[str, int]:
        return {"files": await Snapshots(stores).save(store, name, progress)}

    return await with_progress(work, progress, request)


@routes.post("/{name:path}/restore")
async def restore_snapshot(name: str, store: Selected, stores: AllStores, request: Request) -> Response:
    """Let the store be as the snapshot was, whichever store that was taken of. Its faults and journal stay."""
    progress = Progress()

    async def work() -> dict[str, int]:
        await Snapshots(stores).restore(name, store, progress)
        return {"files": progress.total}

    return await with_progress(work, progress, request)


@routes.delete("/{name:path}", status_code=204)
async def delete_snapshot(name: str, stores: AllStores) -> None:
    """Delete a snapshot."""
    try:
        if not await Snapshots(stores).delete(name):
            raise HTTPException(404, f"there is no snapshot {name!r}")
    except ValueError as error:
        raise bad_request(error) from None
