"""Application types: registered, listed and unregistered (``Management/ClusterManager`` in the runtime's source).

One type at a time: who wants to register or unregister a version waits while another of the same type is under way, as
the cluster manager makes requests wait. Everything is staged first and moved into the store at the end, the application
manifest last, since with it a version is registered; unregistering begins with it.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from emulator.clock import Clock
from emulator.cluster.download import Line, download_package, unpack_package
from emulator.cluster.image_builder import SETTINGS, Part, build
from emulator.cluster.manifests import FABRIC_NAMESPACE, ApplicationManifest, ServiceManifest, invalid_package
from emulator.cluster.package import ApplicationPackage, read_manifest
from emulator.cluster.registered import Registered, RegisteredTypes
from emulator.cluster.store_layout import ARCHIVE, CHECKSUM, STORE
from emulator.cluster.xml import text_of
from emulator.operations.body import Turns, in_thread
from emulator.operations.content import Content, require_deletable
from emulator.operations.copying import clone_folder
from emulator.operations.failures import as_fabric_error
from emulator.operations.path_locks import changing
from emulator.operations.room import Room
from emulator.protocol.content_path import MARK_FILE, ContentPath
from emulator.protocol.errors import FabricError, file_not_found, invalid_argument
from emulator.protocol.profile import Profile
from emulator.protocol.provision_description import (
    ProvisionDescription,
    UnprovisionDescription,
    check_type_name_and_version,
)
from emulator.storage.content_tree import Stored
from emulator.storage.disk import write_file
from emulator.storage.store import Store

_RUNNING: Final = "Running Image Builder process ..."
_DOWNLOADING: Final = "Running Image Builder process to download the application package from {}."
_PLACE_TIMEOUT: Final = 60.0
_WORK_TIMEOUT: Final = 3600.0
_NO_SETTINGS: Final = f'<?xml version="1.0" encoding="utf-8"?>\n<Settings xmlns="{FABRIC_NAMESPACE}" />\n'

_log = logging.getLogger(__name__)


class Status(IntEnum):
    """``ApplicationTypeStatus``."""

    PROVISIONING = 1
    AVAILABLE = 2
    UNPROVISIONING = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class TypeVersion:
    """One version of an application type as queries show it."""

    name: str
    version: str
    status: Status = Status.AVAILABLE
    details: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


_Key = tuple[str, str]


class Job:
    """Work that was accepted and holds its type; `run` it, and in any case `close` it.

    Whoever cancels it waits for it, so `cut_short` makes it stop waiting for others.
    """

    def __init__(
        self, work: Callable[[], None], turns: Turns, held: ExitStack, cut_short: Callable[[], None] | None = None
    ) -> None:
        self._work = work
        self._cut_short = cut_short
        self._turns = turns
        self._held = held

    async def run(self) -> None:
        """Do it."""
        try:
            async with self._turns.take(_WORK_TIMEOUT):
                await in_thread(self._work, on_cancel=self._cut_short)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the type."""
        self._held.close()


class ApplicationTypes:
    """The application types of one store."""

    def __init__(self, store: Store, content: Content, clock: Clock, profile: Profile, room: Room) -> None:
        self._store = store
        self._content = content
        self._room = room
        self._rules = store.rules
        self._clock = clock
        self._profile = profile
        self._types = RegisteredTypes(store.content, store.rules)
        self._under_way: dict[_Key, TypeVersion] = {}
        self._failed: dict[_Key, TypeVersion] = {}
        self._accepting = Turns()
        self._working = Turns()

    # --- questions ----------------------------------------------------------------------------------------------------

    def all(self) -> list[TypeVersion]:
        """Every version by name and version: registered, under way, or failed."""
        found = {
            (each.manifest.type_name, each.manifest.type_version): TypeVersion(
                each.manifest.type_name, each.manifest.type_version, parameters=each.manifest.parameters
            )
            for each in self._types.all()
        }
        return [each for _, each in sorted({**self._failed, **found, **self._under_way}.items())]

    def application_manifest(self, name: str, version: str) -> str:
        """The text of an application manifest; raises ``FABRIC_E_APPLICATION_TYPE_NOT_FOUND``."""
        return _text(self._require(name, version).file)

    def service_manifest(self, name: str, version: str, service: str) -> str:
        """The text of a service manifest; raises ``FABRIC_E_SERVICE_MANIFEST_NOT_FOUND`` as well."""
        for manifest, file in self._types.service_manifests(self._require(name, version)):
            if manifest.name == service:
                return _text(file)
        raise FabricError("FABRIC_E_SERVICE_MANIFEST_NOT_FOUND", why=f"{name} {version} imports no {service}")

    def service_manifests(self, name: str, version: str) -> list[ServiceManifest]:
        """The service manifests of a version; raises ``FABRIC_E_APPLICATION_TYPE_NOT_FOUND``."""
        return [manifest for manifest, _ in self._types.service_manifests(self._require(name, version))]

    def _require(self, name: str, version: str) -> Registered:
        found = self._types.find(name, version)
        if found is None:
            raise _unknown(name, version)
        return found

    # --- registering --------------------------------------------------------------------------------------------------

    async def begin_provision(self, description: ProvisionDescription, timeout: float) -> Job:
        """Accept a request to register a version, or raise why not; what is left to do is the job's.

        Waits while another version of the type is under way, raises ``FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS`` for
        one that is registered, in whatever case.
        """
        async with self._accepting.take(timeout):
            return await in_thread(self._begin_provision, description, timeout)

    def _begin_provision(self, description: ProvisionDescription, timeout: float) -> Job:
        details = _DOWNLOADING.format(description.download_uri) if description.download_uri else _RUNNING
        if not description.download_uri:
            manifest = self._uploaded(description.build_path).read_application_manifest()
            description.type_name, description.type_version = manifest.type_name, manifest.type_version
        name, version = description.type_name, description.type_version
        check_type_name_and_version(name, version)
        with ExitStack() as stack:
            stack.enter_context(self._alone(name, timeout))
            for other in self._types.named(name):
                if other.manifest.type_version.lower() == version.lower():
                    raise _already_registered(name, version, other.manifest)
            stack.enter_context(self._marked(TypeVersion(name, version, Status.PROVISIONING, details)))

            line = Line()

            def work() -> None:
                self._failed.pop((name, version), None)
                self._provision(description, line)

            def noting_failure() -> None:
                try:
                    work()
                except Exception as failure:  # noqa: BLE001  # nobody is left to hear of it but by asking for the type
                    error = as_fabric_error(failure) or _unexpected(failure)
                    details = f"{error.code}: {error.message}"
                    self._failed[name, version] = TypeVersion(name, version, Status.FAILED, details)

            return Job(noting_failure if description.is_async else work, self._working, stack.pop_all(), line.cut)

    def _provision(self, description: ProvisionDescription, line: Line) -> None:
        folder = self._store.staging.new_name()
        try:
            if description.download_uri:
                self._download(description, folder, line)
            else:
                self._copy(self._uploaded(description.build_path), folder)
            package = ApplicationPackage(
                self._store.unpacked(folder),
                self._rules,
                self._rules.of([]),
                description.download_uri or description.build_path,
                is_uploaded=not description.download_uri,
            )
            _check_promise(package.read_application_manifest(), description)
            self._register(package, folder)
        finally:
            self._store.staging.discard(folder)
        if description.build_path and description.cleans_up(by_default=self._profile.cleans_up_packages):
            place = self._rules.parse(description.build_path)
            require_deletable(place)
            self._content.remove(place, _PLACE_TIMEOUT)

    def _download(self, description: ProvisionDescription, folder: str, line: Line) -> None:
        archive = self._store.staging.new_name()
        try:
            download_package(description.download_uri, archive, self._largest_package(), _PLACE_TIMEOUT, line)
            unpack_package(archive, folder, self._largest_package(), self._rules)  # beside the archive by now
        finally:
            self._store.staging.discard(archive)

    def _largest_package(self) -> int:
        """Bytes that disk and store could hold at this moment."""
        free = self._store.disk_space()[1]
        return min(free, self._room.limit or free)

    def _copy(self, package: ApplicationPackage, folder: str) -> None:
        """Take a copy of an uploaded package: what is checked is what is registered, whoever changes it meanwhile.

        Its parts are copied as by ``$/Copy``, whose sources are compared with stored paths as sent (store 4.2).
        """
        if self._profile.is_windows and self._rules.fold(package.name) != self._rules.text(package.place.key):
            raise file_not_found(
                f"the build path {package.name!r} is compared with stored paths as it is: it has to be written with "
                f"{self._rules.separator} and without one in front"
            )
        with changing(self._store.locks, reading=package.place, timeout=_PLACE_TIMEOUT):
            package.require_application_manifest()
            source = self._store.content.find(package.place)
            assert source
            clone_folder(self._store.content, source, folder, self._date_of_copy)

    def _uploaded(self, build_path: str) -> ApplicationPackage:
        """The package at a build path, a relative one (``ValidateRelativePath`` in ``ImageBuilderUtility.cs``)."""
        names = build_path.replace("/", "\\").split("\\")
        if ".." in names:
            raise invalid_package(
                f"The path '{build_path}' is not allowed since it has '..'.", "the build path is one in the image store"
            )
        if self._profile.is_windows and build_path.lstrip("\\")[1:2] == ":":
            raise invalid_package(
                f"The path '{build_path}' is not allowed since it is an absolute path. Only relative path is allowed.",
                "the build path is one in the image store",
            )
        place = self._rules.parse(build_path)
        if place.is_root:
            raise invalid_argument("the build path names the store itself")
        shown = build_path.rstrip(self._rules.separator)
        return ApplicationPackage(self._store.content, self._rules, place, shown, is_uploaded=True)

    def _register(self, package: ApplicationPackage, folder: str) -> None:
        """Move what the store lacks of a package that was copied to `folder` into the folder of its type."""
        manifest, parts = build(package, self._types)
        for part in parts:
            if part.source.is_folder:
                _complete(part, has_marks=package.is_uploaded)
            if part.checksum:
                with open(part.source.location + CHECKSUM, "wb") as file:
                    file.write(part.checksum.encode())
        self._store.staging.sync_tree(folder)
        place = self._rules.of([STORE, manifest.type_name])

        def size() -> int:
            return sum(package.tree.usage(part.source)[0] + len(part.checksum) for part in parts)

        with self._room.taking(size), changing(self._store.locks, place, timeout=_PLACE_TIMEOUT):
            for part in parts:
                self._place(part, place)

    def _place(self, part: Part, folder: ContentPath) -> None:
        path = self._rules.of([*folder.parts, part.name])
        if part.source.is_folder:
            self._store.content.publish_folder(part.source.location, path)
        else:
            self._store.content.publish_copy(part.source.location, path)
        if part.checksum:
            beside = self._rules.of([*folder.parts, part.name.removesuffix(ARCHIVE) + CHECKSUM])
            self._store.content.publish(part.source.location + CHECKSUM, beside, self._clock.now_ns())

    def _date_of_copy(self, source: Stored) -> int:
        return source.modified_ns if self._profile.is_windows else self._clock.now_ns()

    # --- unregistering ------------------------------------------------------------------------------------------------

    async def begin_unprovision(self, name: str, description: UnprovisionDescription, timeout: float) -> Job:
        """Accept a request to unregister a version, or raise ``FABRIC_E_APPLICATION_TYPE_NOT_FOUND``."""
        async with self._accepting.take(timeout):
            return await in_thread(self._begin_unprovision, name, description, timeout)

    def _begin_unprovision(self, name: str, description: UnprovisionDescription, timeout: float) -> Job:
        version = description.type_version
        with ExitStack() as stack:
            stack.enter_context(self._alone(name, timeout))
            if (name, version) not in self._failed and self._types.find(name, version) is None:
                raise _unknown(name, version)
            stack.enter_context(self._marked(TypeVersion(name, version, Status.UNPROVISIONING)))

            def work() -> None:
                self._failed.pop((name, version), None)
                registered = self._types.find(name, version)
                if registered:
                    self._unregister(registered)

            return Job(work, self._working, stack.pop_all())

    def _unregister(self, registered: Registered) -> None:
        """Take out what no other version shares; with the last version, the folder of the type."""
        manifest = registered.manifest
        others = [each for each in self._types.named(manifest.type_name) if each.file.parts != registered.file.parts]
        shared = {name for other in others for name in self._types.parts(other)}
        own = self._types.parts(registered) - shared
        self._remove(*registered.file.parts)
        if not any(other.folder.parts == registered.folder.parts for other in others):
            self._remove(*registered.folder.parts)
            return
        for name in sorted(own):
            self._remove(*registered.folder.parts, name)

    def _remove(self, *parts: str) -> None:
        self._content.remove(self._rules.of([*parts]), _PLACE_TIMEOUT)

    # --- both ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self, name: str, timeout: float) -> Iterator[None]:
        """Inside, no other request changes anything about the type, in this process or another."""
        with self._store.locks.hold(exclusive=[f"application type {name.lower()}"], timeout=timeout):
            yield

    @contextmanager
    def _marked(self, state: TypeVersion) -> Iterator[None]:
        """Inside, queries show this state of a version."""
        key = (state.name, state.version)
        self._under_way[key] = state
        try:
            yield
        finally:
            del self._under_way[key]


def _complete(part: Part, *, has_marks: bool) -> None:
    """Add what a cluster adds to a package's folder: settings to a config package, mark files to what was unpacked."""
    if part.needs_settings:
        write_file(f"{part.source.location}/{SETTINGS}", _NO_SETTINGS.encode())
    for folder, _, names in os.walk(part.source.location) if not has_marks else ():
        if MARK_FILE not in map(str.lower, names):
            write_file(f"{folder}/{MARK_FILE}", b"")


def _text(file: Stored) -> str:
    return text_of(read_manifest(file))


def _check_promise(manifest: ApplicationManifest, description: ProvisionDescription) -> None:
    """The package has to be what the request says it is, or still be what it was when the request was accepted."""
    for what, found, wanted in (
        ("name", manifest.type_name, description.type_name),
        ("version", manifest.type_version, description.type_version),
    ):
        if found != wanted:
            raise invalid_package(
                f"The package downloaded from '{description.download_uri or description.build_path}' has application "
                f"type {what} '{found}', which doesn't match expected value '{wanted}'.",
                "name and version in the request have to be those in the package's application manifest",
            )


def _already_registered(name: str, version: str, other: ApplicationManifest) -> FabricError:
    if (name, version) == (other.type_name, other.type_version):
        return FabricError("FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS", why="unprovision it first, or raise its version")
    return FabricError(
        "FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS",
        f"Application type '{name}:{version}' already provisioned with different casing "
        f"'{other.type_name}:{other.type_version}'.",
        why="names and versions that differ in case only are one",
    )


def _unknown(name: str, version: str) -> FabricError:
    return FabricError(
        "FABRIC_E_APPLICATION_TYPE_NOT_FOUND",
        why=f"no version {version!r} of a type {name!r} is registered, in this case",
    )


def _unexpected(failure: Exception) -> FabricError:
    _log.error("unexpected error", exc_info=failure)
    return FabricError("E_FAIL", why="a mistake in the emulator: see its log")
