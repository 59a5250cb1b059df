"""The emulator's own API below its prefix, on the store that the request's address selects."""

from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from emulator.api.control import clock, content, faults, journal, sessions, snapshots, stores
from emulator.api.control.common import explain, outage_of
from emulator.api.gateway import OWN_PREFIX

_NOT_MEANT: Final = frozenset({b"", b"application/x-www-form-urlencoded", b"text/plain"})


async def _say(_request: Request, error: Exception) -> Response:
    """Every error of the emulator's own API is an object with one text."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)
    if isinstance(error, RequestValidationError):
        return JSONResponse({"error": explain(error.errors())}, 400)
    if isinstance(error, RecursionError):
        return JSONResponse({"error": "the body is nested too deep"}, 400)
    raise error


ERROR_HANDLERS: Final = {HTTPException: _say, RequestValidationError: _say, RecursionError: _say}


def outage_reply(error: Exception) -> Response:
    """The answer where the store that is asked for cannot be opened; raises the error again if nothing explains it."""
    return JSONResponse({"error": outage_of(error)}, 503)


def take_for_json(scope: Scope) -> None:
    """What is sent here is JSON, also where it goes by what ``curl -d`` or ``fetch`` call every text.

    No page of another site gets that far: `emulator.api.guard` goes by its ``Origin``.
    """
    headers = scope["headers"]
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    if kind.partition(b";")[0].strip().lower() in _NOT_MEANT:
        others = [header for header in headers if header[0] != b"content-type"]
        scope["headers"] = [*others, (b"content-type", b"application/json")]


def control_router(*, has_one_process: bool) -> APIRouter:
    """All of it. What it changes lives in one process, so a group of workers refuses it."""

    async def require_one_process() -> None:
        if not has_one_process:
            raise HTTPException(409, "clock, faults, journal and stores live in one process: start it with --workers 1")

    async def name_outages() -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            raise HTTPException(503, outage_of(error)) from error

    router = APIRouter(prefix=OWN_PREFIX, dependencies=[Depends(require_one_process), Depends(name_outages)])
    for part in (clock, content, faults, journal, sessions, snapshots, stores):
        router.include_router(part.routes)
    return router
