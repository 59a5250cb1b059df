"""The composition root: the only place that knows how an emulator is put together."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulator import __version__
from emulator.api.call import Services
from emulator.api.gateway import OWN_PREFIX, Gateway, is_own
from emulator.api.own import own_router
from emulator.api.replies import error_reply
from emulator.api.routes import service_router
from emulator.clock import Clock, SystemClock
from emulator.operations.content import Content
from emulator.operations.copying import Copying
from emulator.operations.expiry import sweep_forever
from emulator.operations.uploads import Uploads
from emulator.protocol.content_path import PathRules
from emulator.protocol.errors import invalid_argument
from emulator.settings import Settings
from emulator.storage.database import Database
from emulator.storage.durability import Sync
from emulator.storage.errors import DataDirectoryError
from emulator.storage.layout import DataDirectory
from emulator.storage.store import Store

_WORKER_THREADS = 32

_log = logging.getLogger(__name__)


def prepare_data(settings: Settings) -> None:
    """Make the data directory and its database ready for this version, and log what was upgraded.

    Raises `DataDirectoryError` or `NewerDataError` when the data cannot be used.
    """
    data = DataDirectory(settings.data)
    database = Database.at(data.database, settings.durability)
    try:
        upgrades = [data.open(), database.open()]
    except OperationalError as error:
        raise DataDirectoryError(settings.data, str(error.orig)) from error
    finally:
        database.close()
    for upgrade in filter(None, upgrades):
        _log.warning("upgraded: %s", upgrade)


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """An emulator on the data directory of `settings`, ready to be served; two in one process do not meet.

    Raises `DataDirectoryError` or `NewerDataError` when its data cannot be used.
    """
    clock = clock or SystemClock()
    prepare_data(settings)
    data = DataDirectory(settings.data)
    database = Database.at(data.database, settings.durability)
    rules = PathRules(settings.profile)
    store = Store(data.store(), database, rules, Sync(settings.durability))
    uploads = Uploads(store, clock, settings.session_timeout)
    services = Services(
        profile=settings.profile,
        rules=rules,
        cluster_id=settings.cluster_id,
        content=Content(store, clock, settings.page_size),
        copying=Copying(store, clock, settings.profile),
        uploads=uploads,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ThreadPoolExecutor(_WORKER_THREADS, thread_name_prefix="emulator") as workers:
            asyncio.get_running_loop().set_default_executor(workers)
            sweep = asyncio.create_task(sweep_forever(uploads, settings.sweep_interval))
            yield
            sweep.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweep
        store.close()
        database.close()

    app = FastAPI(
        title="Image Store emulator",
        description="A local emulator of the Azure Service Fabric Image Store REST API.",
        version=__version__,
        lifespan=lifespan,
        openapi_url=f"{OWN_PREFIX}/openapi.json",
        docs_url=f"{OWN_PREFIX}/docs",
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Gateway, profile=settings.profile)
    app.add_exception_handler(HTTPException, _no_route)
    app.include_router(own_router(store.find_fault))
    app.include_router(service_router(services))
    return app


async def _no_route(request: Request, error: Exception) -> Response:
    """The gateway knows no 404 and no 405: a request that matches no route has a bad argument (gateway 1.4)."""
    if is_own(request.url.path) and isinstance(error, HTTPException):
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
    return error_reply(invalid_argument())
