"""The composition root: the only place that knows how an emulator is put together."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator import __version__
from emulator.api.addressing import may_make_store, take_base_path, take_store
from emulator.api.control import ERROR_HANDLERS, control_router, outage_reply, take_for_json
from emulator.api.exchange import STORE, Exchange
from emulator.api.explorer import explorer_router
from emulator.api.gateway import OWN_PREFIX, is_explorer, is_own
from emulator.api.guard import Guard, refuse
from emulator.api.own import own_router
from emulator.api.request_log import RequestLog
from emulator.api.routes import gateway_app, service_router
from emulator.clock import Clock
from emulator.control.faults import read_faults
from emulator.control.metrics import Metrics
from emulator.control.progress import Progress
from emulator.control.seeding import seed_from_path
from emulator.control.stores import DEFAULT, IsolatedStore, NoSuchStoreError, Stores
from emulator.operations.expiry import sweep_forever
from emulator.settings import SettingError, Settings
from emulator.storage.database import Database
from emulator.storage.errors import DataDirectoryError
from emulator.storage.layout import DataDirectory
from emulator.storage.sqlite import SqliteDatabase
from emulator.tls import Tls, load_tls

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
    guard: Guard
    exchange: Exchange
    stores: Stores
    base_path: str
    tls: Tls | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if self.base_path:
            take_base_path(scope, self.base_path)
        is_addressed = is_own(scope["path"])  # a store by its path, or the control API
        name = take_store(scope)
        is_control = is_own(scope["path"])
        refusal = (
            self.guard.refusal(scope) if is_control else self.guard.origin_refusal(scope) if is_addressed else None
        )
        if refusal:  # before a store is made for it
            await self.exchange.log.watch(refusal, name, scope, receive, send)
            return
        if self.guard.is_stranger(scope):
            name = DEFAULT  # whoever may do nothing makes no store either
        try:
            store = self.stores.at_hand(name) or await self.stores.get(name, may_make=may_make_store(scope))
        except (ValueError, NoSuchStoreError) as error:
            status = 404 if isinstance(error, NoSuchStoreError) else 400
            await self.exchange.log.watch(refuse(status, str(error)), name, scope, receive, send)
            return
        except Exception as error:  # noqa: BLE001  # whatever keeps a store from being opened has an answer
            reply = outage_reply(error) if is_control else self.exchange.failure(error)
            await self.exchange.log.watch(reply, name, scope, receive, send)
            return
        scope[STORE] = store
        if is_explorer(scope["path"]):
            await self.exchange.log.watch(super().__call__, name, scope, receive, send)
            return
        if is_control:
            take_for_json(scope)
            app = self.guard.answering(super().__call__, scope)
            await self.exchange.log.watch(app, name, scope, receive, send)
            return
        await self._serve(store, scope, receive, send)

    async def _serve(self, store: IsolatedStore, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task
        store.requests.add(task)
        self.exchange.begin(scope)
        try:
            await self.gateway(scope, receive, self.exchange.log.echoing(scope, send))
        finally:
            self.exchange.end(scope)
            store.requests.discard(task)

    async def wait_until_idle(self) -> None:
        """Let requests that were cut short clean up after themselves."""
        while any(store.requests for store in self.stores.opened()):  # noqa: ASYNC110  # once, at the very end
            await asyncio.sleep(_IDLE_POLL_SECONDS)


def create_app(settings: Settings, clock: Clock | None = None) -> Emulator:
    """An emulator on the data directory of `settings`, ready to be served; two in one process do not meet.

    `clock` becomes that of the default store. Raises the `UnusableError` that says why its data cannot be used, and
    `SettingError` when the files named for faults or content cannot.
    """
    prepare_data(settings)
    data = DataDirectory(settings.data)
    database = _database(settings, data)
    database.check()
    metrics = Metrics()
    try:
        stores = Stores(settings, data, database, metrics, clock)
    except OSError as error:
        raise DataDirectoryError(settings.data, str(error)) from error
    prepare_default(stores.default, settings)
    log = RequestLog(settings.access_log, settings.echo_request_id)
    tls, access = load_tls(settings)
    exchange = Exchange(settings.cluster_id, settings.hints, access, log, metrics)

    def expose() -> bytes:
        return metrics.exposition([store.uploads for store in stores.opened()])

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ThreadPoolExecutor(_WORKER_THREADS, thread_name_prefix="emulator") as workers:
            asyncio.get_running_loop().set_default_executor(workers)
            sweep = asyncio.create_task(sweep_forever(stores.sweeps, settings.sweep_interval))
            yield
            sweep.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweep
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(app.wait_until_idle(), _CLEAN_UP_SECONDS)
            await stores.end_requests()
        stores.close()
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
    app.exception_handlers.update(ERROR_HANDLERS)
    routes = service_router(settings.profile, exchange)
    app.tls = tls
    app.stores = stores
    app.exchange = exchange
    app.base_path = settings.base_path
    app.guard = Guard(settings.control_token, settings.allowed_origins, access)
    app.gateway = gateway_app(settings.profile, exchange, routes)
    app.include_router(own_router(stores.default.find_fault, expose, app.openapi, tls.authority if tls else None))
    app.include_router(explorer_router())
    app.include_router(control_router(has_one_process=settings.workers == 1))
    app.include_router(routes)
    return app


def prepare_for_workers(settings: Settings) -> None:
    """Make the data ready for several processes that will share it; raises what `create_app` does."""
    prepare_data(settings)
    load_tls(settings)
    if settings.seed:
        create_app(settings).stores.close()


def prepare_default(store: IsolatedStore, settings: Settings) -> None:
    """Set the faults and put in the content that the settings name; raises `SettingError`."""
    try:
        if settings.faults:
            for fault in read_faults(json.loads(settings.faults.read_text())):
                store.faults.add(fault)
    except (OSError, ValueError) as error:
        raise SettingError("faults", f"{settings.faults}: {error}") from error
    try:
        if settings.seed:
            seed_from_path(settings.seed, store, "", Progress())
    except (OSError, ValueError) as error:
        raise SettingError("seed", f"{settings.seed}: {error}") from error
