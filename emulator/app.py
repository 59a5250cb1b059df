"""The composition root: the only place that knows how an emulator is put together."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator import __version__
from emulator.api.call import Services
from emulator.api.gateway import OWN_PREFIX, is_own
from emulator.api.own import own_router
from emulator.api.routes import gateway_app, service_router
from emulator.clock import Clock, SystemClock
from emulator.operations.content import Content
from emulator.operations.copying import Copying
from emulator.operations.expiry import sweep_forever
from emulator.operations.uploads import Uploads
from emulator.protocol.content_path import PathRules
from emulator.settings import Settings
from emulator.storage.database import Database
from emulator.storage.durability import Sync
from emulator.storage.errors import DataDirectoryError
from emulator.storage.layout import DataDirectory
from emulator.storage.sqlite import SqliteDatabase
from emulator.storage.store import Store

_WORKER_THREADS = 32
_IDLE_POLL_SECONDS = 0.005
_CLEAN_UP_SECONDS = 2.0

_log = logging.getLogger(__name__)


def prepare_data(settings: Settings) -> None:
    """Make the data directory and its database ready for this version, and log what was upgraded.

    Raises the `UnusableError` that says why one of them cannot be used.
    """
    data = DataDirectory(settings.data)
    upgrades = [data.open()]
    with closing(_database(settings, data)) as database:
        upgrades.append(database.open())
    for upgrade in filter(None, upgrades):
        _log.warning("upgraded: %s", upgrade)


def _database(settings: Settings, data: DataDirectory) -> Database:
    url = settings.database_url.get_secret_value()
    if not url:
        return SqliteDatabase(data.database, settings.durability)
    from emulator.storage.postgresql import PostgresqlDatabase  # most emulators do without its driver

    return PostgresqlDatabase(url, f"{data.identity()} ", settings.durability)


class Emulator(FastAPI):
    """FastAPI for the emulator's own pages; the service's requests go to its gateway, past FastAPI's middleware."""

    gateway: ASGIApp
    running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or is_own(scope["path"]):
            await super().__call__(scope, receive, send)
            return
        self.running += 1
        try:
            await self.gateway(scope, receive, send)
        finally:
            self.running -= 1

    async def wait_until_idle(self) -> None:
        """Let requests that were cut short clean up after themselves."""
        while self.running:  # noqa: ASYNC110  # once, at the very end
            await asyncio.sleep(_IDLE_POLL_SECONDS)


def create_app(settings: Settings, clock: Clock | None = None) -> Emulator:
    """An emulator on the data directory of `settings`, ready to be served; two in one process do not meet.

    Raises the `UnusableError` that says why its data cannot be used.
    """
    clock = clock or SystemClock()
    prepare_data(settings)
    data = DataDirectory(settings.data)
    database = _database(settings, data)
    database.check()
    rules = PathRules(settings.profile)
    try:
        store = Store(data.store(), database, rules, Sync(settings.durability))
    except OSError as error:
        raise DataDirectoryError(settings.data, str(error)) from error
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
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(app.wait_until_idle(), _CLEAN_UP_SECONDS)
        store.close()
        database.close()

    app = Emulator(
        title="Image Store emulator",
        description="A local emulator of the Azure Service Fabric Image Store REST API.",
        version=__version__,
        lifespan=lifespan,
        openapi_url=f"{OWN_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    routes = service_router(services)
    app.gateway = gateway_app(services, routes)
    app.include_router(own_router(store.find_fault, app.openapi))
    app.include_router(routes)
    return app
