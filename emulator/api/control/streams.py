"""Answers to what may take a while: the result alone, or lines that tell how far it is."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from emulator.api.control.common import outage_of
from emulator.control.progress import Progress
from emulator.control.stores import ConflictError

LINES: Final = "application/x-ndjson"
_EVERY_SECONDS: Final = 0.2

Work = Callable[[], Awaitable[dict[str, Any]]]


async def with_progress(work: Work, progress: Progress, request: Request) -> Response:
    """Do the work. A client that accepts `LINES` gets ``{"done": n, "total": m}`` meanwhile, and the result last.

    What goes wrong after the first line is the last line's ``error``.
    """
    working = asyncio.ensure_future(_outcome(work))
    if LINES not in request.headers.get("accept", ""):
        status, result = await working
        return JSONResponse(result, status)

    async def lines() -> AsyncIterator[str]:
        while not working.done():
            yield json.dumps({"done": progress.done, "total": progress.total}) + "\n"
            await asyncio.wait([working], timeout=_EVERY_SECONDS)
        yield json.dumps(working.result()[1]) + "\n"

    return StreamingResponse(lines(), media_type=LINES)


async def _outcome(work: Work) -> tuple[int, dict[str, Any]]:
    try:
        return 200, await work()
    except FileNotFoundError as error:
        return 404, {"error": str(error)}
    except ConflictError as error:
        return 409, {"error": str(error)}
    except ValueError as error:
        return 400, {"error": str(error)}
    except OSError as error:
        return 507, {"error": error.strerror or str(error)}
    except Exception as error:  # noqa: BLE001  # what is no outage is raised again
        return 503, {"error": outage_of(error)}
