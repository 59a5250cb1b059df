"""The emulator's own routes, all under one prefix, and what it says at its root."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse

from emulator.api.gateway import OWN_PREFIX

_ROOT = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Image Store emulator</title></head>
<body><h1>Image Store emulator</h1>
<p>A local emulator of the Azure Service Fabric Image Store REST API.</p>
<ul><li><a href="{OWN_PREFIX}/docs">API</a></li><li><a href="{OWN_PREFIX}/health/ready">Health</a></li></ul>
</body></html>
"""


def own_router(find_fault: Callable[[], str | None]) -> APIRouter:
    """Health, and the page at ``/``; `find_fault` says what keeps the emulator from serving."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def root() -> HTMLResponse:
        return HTMLResponse(_ROOT)

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
