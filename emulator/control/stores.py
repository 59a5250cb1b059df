"""Isolated stores in one process: each with content, sessions, clock, faults and journal of its own.

A store is a name and a folder of the data directory. It is opened when it is first asked for, and replaced, reset and
dropped by moving folders, in a time that does not depend on what is in them; requests that run in it are ended first,
so that none of them can reach what comes after.
"""

import asyncio
import re
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emulator.clock import Clock
from emulator.cluster.application_types import ApplicationTypes, Job
from emulator.cluster.description import Cluster
from emulator.control.faults import Faults
from emulator.control.journal import Journal
from emulator.control.metrics import Metrics
from emulator.operations.body import in_thread
from emulator.operations.content import Content
from emulator.operations.copying import Copying
from emulator.operations.expiry import SessionLife, log_expired
from emulator.operations.room import Allowance, Room
from emulator.operations.uploads import Uploads
from emulator.protocol.content_path import PathRules
from emulator.protocol.profile import Profile
from emulator.protocol.upload_session import UploadSession
from emulator.settings import Settings
from emulator.storage.database import Database
from emulator.storage.disk import exchange
from emulator.storage.durability import Sync
from emulator.storage.layout import DataDirectory, StoreLayout
from emulator.storage.snapshots import write_arrival
from emulator.storage.store import Store

DEFAULT: Final = "default"
_TAKEN: Final = frozenset({"format", "identity", "tls"})
"""What else there is in the data directory."""

_SESSION_PATHS: Final = 10_000
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")


class ConflictError(Exception):
    """What was asked for cannot be done to the store as things stand."""


class ReplacedError(ConflictError):
    """The store an operation worked on is no longer there, or no longer the same."""


class NoSuchStoreError(Exception):
    """A store is not there, or no longer."""


class SharedDataError(ConflictError):
    """Another server process uses the data directory, so this one may not replace what lies there."""


@dataclass(slots=True)
class Opened:
    """What works on the directories of a store, until they are replaced."""

    store: Store
    content: Content
    copying: Copying
    uploads: Uploads
    room: Room
    upload_limit: int
    application_types: ApplicationTypes

    def allowance(self) -> Allowance | None:
        """What the next PUT may bring, if that is limited."""
        return Allowance(self.upload_limit, self.room) if self.upload_limit or self.room.limit else None


@dataclass(slots=True)
class IsolatedStore:
    """One store of the emulator.

    `requests` are the tasks of requests that run in it, `since_ns` is when it was opened. Clock, faults and journal
    stay when its content is replaced.
    """

    name: str
    profile: Profile
    rules: PathRules
    cluster: Cluster
    clock: Clock
    since_ns: int
    life: SessionLife
    faults: Faults
    journal: Journal
    metrics: Metrics
    opened: Opened
    requests: set["asyncio.Task[None]"] = field(default_factory=set)
    _session_paths: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def note_session(self, session_id: str, path: str) -> None:
        """A chunk of this session names this path: later requests name the session only."""
        self._session_paths[session_id] = path
        if len(self._session_paths) > _SESSION_PATHS:
            self._session_paths.popitem(last=False)

    def path_of_session(self, session_id: str) -> str:
        """The path of a session that had a chunk not long ago, or ""."""
        return self._session_paths.get(session_id, "")

    def expire(self) -> list[UploadSession]:
        """Free what expired sessions hold, and answer with these."""
        expired = self.uploads.expire()
        log_expired(expired)
        self.metrics.expired(len(expired))
        return expired

    def run_later(self, job: Job) -> None:
        """Do what was accepted and will be answered by questions only; it is ended as requests are."""
        task = asyncio.create_task(job.run())
        self.requests.add(task)
        task.add_done_callback(self.requests.discard)
        task.add_done_callback(lambda _: job.close())

    def find_fault(self) -> str | None:
        """Why the store cannot be used right now, if so."""
        return self.opened.store.find_fault()

    @property
    def content(self) -> Content:
        """The operations on its content."""
        return self.opened.content

    @property
    def copying(self) -> Copying:
        """The copy operation."""
        return self.opened.copying

    @property
    def uploads(self) -> Uploads:
        """The operations on its upload sessions."""
        return self.opened.uploads

    @property
    def application_types(self) -> ApplicationTypes:
        """The operations on its application types."""
        return self.opened.application_types


class Stores:
    """All stores of one server process."""

    def __init__(
        self,
        settings: Settings,
        data: DataDirectory,
        database: Database,
        metrics: Metrics,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._data = data
        self._database = database
        self._rules = PathRules(settings.profile)
        self._open: dict[str, IsolatedStore] = {}
        self._change = asyncio.Lock()
        self.snapshots_lock = asyncio.Lock()
        self._leaving: str | None = None
        self.default = self._open[DEFAULT] = self._make(DEFAULT, clock or Clock())
        if self.default.opened.store.staging.is_alone():
            data.empty_trash()

    def at_hand(self, name: str) -> IsolatedStore | None:
        """The store, if it is open and stays so for the moment."""
        store = None if name == self._leaving else self._open.get(name)
        return store if store and store.opened.store.is_open else None

    async def get(self, name: str, *, may_make: bool = True) -> IsolatedStore:
        """The store, opened or made if need be; raises `ValueError` for a name that is none.

        Raises `NoSuchStoreError` for one that would have to be made and may not be, and what its disk or its database
        does where it cannot be opened.
        """
        name = store_name(name)
        async with self._change:
            if not may_make and not self._exists(name):
                raise NoSuchStoreError(f"there is no store {name!r}")
            return await self._opened(name)

    def opened(self) -> list[IsolatedStore]:
        """The stores in use."""
        return list(self._open.values())

    def names(self) -> list[str]:
        """Every store there is, in use or not."""
        return sorted({*self._open, *filter(_NAME.fullmatch, self._data.stores())})

    async def drop(self, name: str) -> bool:
        """Delete a store with all that is in it; false where there is none. The default one comes back empty."""
        if store_name(name) == DEFAULT:
            await self.reset(DEFAULT)
            return True
        async with self._change:
            if not self._exists(name):
                return False
            store = await self._opened(name)
            with self._ending(store):
                await in_thread(store.opened.store.sessions.check)
                await _end_requests(store)
                trash = await in_thread(self._drop, store)
                del self._open[name]
                store.journal.close()
        _delete_later(trash)
        return True

    async def reset(self, name: str) -> None:
        """Empty a store, and put its clock, faults and journal back to the start."""

        def nothing(layout: StoreLayout) -> None:
            layout.create()
            write_arrival(layout, [])

        store = await self.replace(name, nothing)
        store.clock.reset()
        store.faults.clear()
        store.journal.clear()

    async def replace(
        self,
        name: str,
        build: Callable[[StoreLayout], None],
        on_replaced: Callable[[IsolatedStore], None] = lambda _: None,
    ) -> IsolatedStore:
        """Put other content and sessions in the place of a store's: those that `build` makes in new directories.

        If `build` fails, or the database is away, nothing has changed. Raises `SharedDataError` where another process
        uses the data.
        """
        layout = self._data.spare_store()
        try:
            await in_thread(build, layout)
            async with self._change:
                store = await self._opened(store_name(name))
                with self._ending(store):
                    await in_thread(store.opened.store.sessions.check)
                    await _end_requests(store)
                    await in_thread(self._swap, store, layout)
                    on_replaced(store)  # before anybody is let in again
        finally:
            _delete_later(layout.root)
        return store

    def sweeps(self) -> list[Callable[[], list[UploadSession]]]:
        """What frees the disk of expired sessions, store by store."""
        return [store.expire for store in self._open.values()]

    def stop_watching(self) -> None:
        """Tell whoever follows or waits for requests that no more will come."""
        for store in self._open.values():
            store.journal.close()

    async def end_requests(self) -> None:
        """Cut short whatever still runs in any store."""
        for store in self._open.values():
            await _end_requests(store)

    def close(self) -> None:
        """Close every store."""
        for store in self._open.values():
            store.opened.store.close()

    @property
    def data(self) -> DataDirectory:
        """Where all of them are."""
        return self._data

    def _exists(self, name: str) -> bool:
        return name in self._open or self._data.store(name).content.is_dir()

    async def _opened(self, name: str) -> IsolatedStore:
        store = self._open.get(name)
        if store is None:
            store = self._open[name] = await in_thread(self._make, name, Clock())
        elif not store.opened.store.is_open:  # its database went away while it was replaced
            store.opened = await in_thread(self._open_directories, name, store.clock, store.life)
        return store

    def _make(self, name: str, clock: Clock) -> IsolatedStore:
        settings = self._settings
        life = SessionLife(clock, settings.session_timeout, settings.expiry)
        return IsolatedStore(
            name=name,
            profile=settings.profile,
            rules=self._rules,
            cluster=settings.cluster,
            clock=clock,
            since_ns=clock.now_ns(),
            life=life,
            faults=Faults(clock),
            journal=Journal(settings.journal, settings.journal_hash_limit),
            metrics=self._metrics,
            opened=self._open_directories(name, clock, life),
        )

    def _open_directories(self, name: str, clock: Clock, life: SessionLife) -> Opened:
        settings = self._settings
        store = Store(self._data.store(name), self._database, self._rules, Sync(settings.durability), name)
        content = Content(store, clock, settings.page_size)
        uploads = Uploads(store, life, settings.session_limit)
        room = Room(
            settings.store_limit, lambda: content.total_size() + uploads.unpublished_size(), store.staging.is_alone
        )
        return Opened(
            store,
            content,
            Copying(store, clock, settings.profile, room),
            uploads,
            room,
            settings.upload_limit,
            ApplicationTypes(store, content, clock, settings.profile, room),
        )

    def _swap(self, store: IsolatedStore, layout: StoreLayout) -> None:
        store.opened.store.close()
        try:
            exchange(str(layout.root), str(self._data.store(store.name).root))
        finally:
            store.opened = self._open_directories(store.name, store.clock, store.life)

    def _drop(self, store: IsolatedStore) -> Path:
        trash = self._data.spare_store().root
        store.opened.store.close()
        self._data.store(store.name).root.rename(trash)
        with store.opened.store.sessions.replacing([]):
            pass
        return trash

    @contextmanager
    def _ending(self, store: IsolatedStore) -> Iterator[None]:
        """Inside, nothing new begins in the store; whoever asks for it waits."""
        if not store.opened.store.staging.is_alone():
            raise SharedDataError("another server process uses this data directory, so no store can be replaced")
        self._leaving = store.name
        try:
            yield
        finally:
            self._leaving = None


def store_name(name: str) -> str:
    """The name, if it can be a store's; raises `ValueError`."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise ValueError(
            f"{name!r} names no store: lower-case letters, digits, - and _, at most 63, neither - nor _ at an end"
        )
    return name


async def _end_requests(store: IsolatedStore) -> None:
    """Cut short what runs in a store, and wait until it has let go of its files."""
    running = [task for task in store.requests if task is not asyncio.current_task()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)


def _delete_later(location: Path) -> None:
    """What was moved out of the way is nobody's any more, and may take as long to delete as it takes."""
    _ = asyncio.get_running_loop().run_in_executor(None, lambda: shutil.rmtree(location, ignore_errors=True))
