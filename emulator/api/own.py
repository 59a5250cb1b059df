"""The emulator's own routes, all under one prefix."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from emulator.api.gateway import OWN_PREFIX


def own_router(find_fault: Callable[[], str | None]) -> APIRouter:
    """Health; `find_fault` says what keeps the emulator from serving."""
    router = APIRouter()

    @router.get(f"{OWN_PREFIX}/health/live", tags=["emulator"])
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @router.get(f"{OWN_PREFIX}/health/ready", tags=["emulator"])
    def ready() -> JSONResponse:
        """Content and upload sessions can be reached; 503 with the reason while they cannot."""
        fault = find_fault()
        if fault:
            return JSONResponse({"status": "not ready", "reason": fault}, 503)
        return JSONResponse({"status": "ready"})

    return router
