"""``/Explorer``: the page on which people see and do what clients do, at the address where a cluster has its own.

It is files and nothing else; all it knows it asks of the service and of the control API.
"""

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, HTTPException
from fastapi.responses import RedirectResponse, Response

from emulator.api.gateway import EXPLORER_PREFIX

_FILES: Final = files("emulator") / "explorer"
_MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
"""Names of uploaded files are anybody's: the page may run its own files only, and turn no text into markup."""


def explorer_router() -> APIRouter:
    """The page and its parts."""
    router = APIRouter(prefix=EXPLORER_PREFIX, include_in_schema=False)

    @router.get("")
    async def without_slash() -> Response:
        """A relative address, so that it leads to the same store, and through whatever proxy there is."""
        return RedirectResponse("Explorer/", 307, _HEADERS)

    @router.get("/")
    def page() -> Response:
        return _file("index.html")

    @router.get("/{name}")
    def part(name: str) -> Response:
        return _file(name)

    return router


def _file(name: str) -> Response:
    kind = _MEDIA_TYPES.get(name.rpartition(".")[2])
    found = _FILES / name
    if kind is None or "/" in name or "\\" in name or not found.is_file():
        raise HTTPException(404, f"the Explorer has no file {name!r}")
    return Response(found.read_bytes(), media_type=kind, headers=_HEADERS)
