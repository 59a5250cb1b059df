"""Application types: registered, listed and unregistered (``Management/ClusterManager`` in the runtime's source).

One type at a time: who wants to register or unregister a version waits while another of the same type is under way, as
the cluster manager makes requests wait. Everything is staged first and moved into the store at the end, the application
manifest last, since with it a version is registered; unregistering begins with it.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from emulator.clock import Clock
from emulator.cluster.download import download_package, unpack_package
from emulator.cluster.image_builder import SETTINGS, Part, build
from emulator.cluster.manifests import FABRIC_NAMESPACE, ApplicationManifest, ServiceManifest, invalid_package
from emulator.cluster.package import ApplicationPackage, read_manifest
from emulator.cluster.registered import Registered, RegisteredTypes
from emulator.cluster.store_layout import CHECKSUM, STORE
from emulator.operations.body import Turns, in_thread
from emulator.operations.content import is_reserved
from emulator.operations.copying import clone_folder
from emulator.operations.failures import as_fabric_error
from emulator.operations.path_locks import changing
from emulator.protocol.content_path import MARK_FILE, ContentPath
from emulator.protocol.errors import FabricError, file_not_found, invalid_argument
from emulator.protocol.profile import Profile
from emulator.protocol.provision_description import (
    ProvisionDescription,
    UnprovisionDescription,
    check_type_name_and_version,
)
from emulator.storage.content_tree import Stored, clone_file
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
    """Work that was accepted and holds its type; `run` it, and in any case `close` it."""

    def __init__(self, work: Callable[[], None], turns: Turns, held: ExitStack) -> None:
        self._work = work
        self._turns = turns
        self._held = held

    async def run(self) -> None:
        """Do it."""
        try:
            async with self._turns.take(_WORK_TIMEOUT):
                await in_thread(self._work)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the type."""
        self._held.close()


class ApplicationTypes:
    """The application types of one store."""

    def __init__(self, store: Store, clock: Clock, profile: Profile) -> None:
        self._store = store
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

            def work() -> None:
                self._failed.pop((name, version), None)
                try:
                    self._provision(description)
                except FileNotFoundError:
                    raise file_not_found("the package was deleted while it was registered") from None

            def noting_failure() -> None:
                try:
                    work()
                except Exception as failure:  # noqa: BLE001  # nobody is left to hear of it but by asking for the type
                    error = as_fabric_error(failure) or _unexpected(failure)
                    details = f"{error.code}: {error.message}"
                    self._failed[name, version] = TypeVersion(name, version, Status.FAILED, details)

            return Job(noting_failure if description.is_async else work, self._working, stack.pop_all())

    def _provision(self, description: ProvisionDescription) -> None:
        if description.download_uri:
            self._provision_external(description)
            return
        package = self._uploaded(description.build_path)
        self._require_copyable(package)
        self._register(package)
        if description.cleans_up(by_default=self._profile.cleans_up_packages):
            self._clean_up(package.place)

    def _provision_external(self, description: ProvisionDescription) -> None:
        staged = self._store.staging.new_name()
        folder = self._store.staging.new_name()
        try:
            download_package(description.download_uri, staged, _PLACE_TIMEOUT)
            unpack_package(staged, folder, self._store.disk_space()[1], self._rules)
            tree = self._store.unpacked(folder)
            package = ApplicationPackage(
                tree, self._rules, self._rules.of([]), description.download_uri, is_uploaded=False
            )
            _check_promise(package.read_application_manifest(), description)
            self._register(package)
        finally:
            self._store.staging.discard(staged)
            self._store.staging.discard(folder)

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

    def _require_copyable(self, package: ApplicationPackage) -> None:
        """Its parts are copied as by ``$/Copy``, whose sources are compared with stored paths as sent (store 4.2)."""
        if self._profile.is_windows and self._rules.fold(package.name) != self._rules.text(package.place.key):
            raise file_not_found(
                f"the build path {package.name!r} is compared with stored paths as it is: it has to be written with "
                f"{self._rules.separator} and without one in front"
            )

    def _register(self, package: ApplicationPackage) -> None:
        staged = self._store.staging.new_name()
        os.mkdir(staged)
        try:
            with self._unchanged(package):
                manifest, parts = build(package, self._types)
                for number, part in enumerate(parts):
                    self._stage(package, part, f"{staged}/{number}")
            self._store.staging.sync_tree(staged)
            folder = self._rules.of([STORE, manifest.type_name])
            with changing(self._store.locks, folder, timeout=_PLACE_TIMEOUT):
                for number, part in enumerate(parts):
                    self._place(part, f"{staged}/{number}", folder)
        finally:
            self._store.staging.discard(staged)

    def _stage(self, package: ApplicationPackage, part: Part, staged: str) -> None:
        """Copy a part, and write what a cluster would add to it."""
        if not part.source.is_folder:
            clone_file(part.source, staged, self._date_of_copy(part.source))
        else:
            clone_folder(package.tree, part.source, staged, self._date_of_copy)
            if part.needs_settings:
                write_file(f"{staged}/{SETTINGS}", _NO_SETTINGS.encode())
            if not package.is_uploaded:
                for folder, _, _ in os.walk(staged):
                    if not os.path.exists(f"{folder}/{MARK_FILE}"):
                        write_file(f"{folder}/{MARK_FILE}", b"")
        if part.checksum:
            write_file(staged + CHECKSUM, part.checksum.encode())

    def _place(self, part: Part, staged: str, folder: ContentPath) -> None:
        path = self._rules.of([*folder.parts, part.name])
        if part.source.is_folder:
            self._store.content.publish_folder(staged, path)
        else:
            self._store.content.publish_copy(staged, path)
        if part.checksum:
            beside = self._rules.of([*folder.parts, part.name.removesuffix(".zip") + CHECKSUM])
            self._store.content.publish(staged + CHECKSUM, beside, self._clock.now_ns())

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
        self._take_out(self._rules.of([*registered.file.parts]))
        if not any(other.folder.parts == registered.folder.parts for other in others):
            self._take_out(self._rules.of([*registered.folder.parts]))
            return
        for name in sorted(own):
            self._take_out(self._rules.of([*registered.folder.parts, name]))

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

    def _unchanged(self, package: ApplicationPackage) -> AbstractContextManager[None]:
        """Inside, nobody takes the package away."""
        if not package.is_uploaded:
            return nullcontext()
        return changing(self._store.locks, reading=package.place, timeout=_PLACE_TIMEOUT)

    def _clean_up(self, place: ContentPath) -> None:
        if is_reserved(place):
            raise FabricError(
                "FABRIC_E_IMAGEBUILDER_RESERVED_DIRECTORY_ERROR", why=f"the cluster keeps {place.name} for itself"
            )
        self._take_out(place)

    def _take_out(self, path: ContentPath) -> None:
        trash = self._store.staging.new_name()
        with changing(self._store.locks, path, timeout=_PLACE_TIMEOUT):
            stored = self._store.content.find(path)
            if stored is None:
                return
            self._store.content.take_out(stored, trash)
        self._store.staging.discard(trash)


def _text(file: Stored) -> str:
    return read_manifest(file).decode("utf-8-sig", "replace")


def _check_promise(manifest: ApplicationManifest, description: ProvisionDescription) -> None:
    """The package has to be what the request says it is."""
    for what, found, wanted in (
        ("name", manifest.type_name, description.type_name),
        ("version", manifest.type_version, description.type_version),
    ):
        if found != wanted:
            raise invalid_package(
                f"The package downloaded from '{description.download_uri}' has application type {what} '{found}', "
                f"which doesn't match expected value '{wanted}'.",
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
