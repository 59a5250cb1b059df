"""``/sessions``: the upload sessions of a store, all at a glance."""

from fastapi import APIRouter

from emulator.api.control.common import Selected, SessionView, view_session
from emulator.operations.body import in_thread

routes = APIRouter(prefix="/sessions", tags=["sessions"])


@routes.get("")
async def list_sessions(store: Selected) -> list[SessionView]:
    """Every living session, with what it has and lacks, and when it ends."""
    return [view_session(each, store) for each in await in_thread(store.uploads.all)]


@routes.delete("")
async def forget_sessions(store: Selected) -> list[SessionView]:
    """Lose them all, as a failover does; answers with what was lost."""
    return [view_session(each, store) for each in await in_thread(store.uploads.forget_all)]
