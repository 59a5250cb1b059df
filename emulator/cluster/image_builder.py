"""The image builder: checks an application package and says which of its parts go into the store.

What it checks, in its words, is that of ``ApplicationProvisionOperation.cs`` and the validators beside it
(``managed/Api/src/System/Fabric/Management/ImageBuilder`` in ``src/prod/src`` of microsoft/service-fabric).
"""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from emulator.cluster.checksums import checksum_of
from emulator.cluster.manifests import (
    ApplicationManifest,
    Package,
    ServiceManifest,
    check_application,
    check_service,
    check_service_types,
    invalid_package,
    read_service_manifest,
    read_xml,
)
from emulator.cluster.package import ApplicationPackage, read_manifest
from emulator.cluster.registered import Registered, RegisteredTypes
from emulator.cluster.store_layout import ARCHIVE, CHECKSUM, application_manifest, package, service_manifest
from emulator.protocol.content_path import MARK_FILE
from emulator.protocol.errors import file_not_found
from emulator.storage.content_tree import Stored

SETTINGS: Final = "Settings.xml"
_CHECKSUM_LIMIT: Final = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A file or folder of a package: the name it gets in the folder of its type, and its checksum, if that is kept."""

    name: str
    source: Stored
    checksum: str = ""
    needs_settings: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """What other versions of the type have registered: manifests by their name in the store, checksums the same."""

    manifests: dict[str, ServiceManifest]
    checksums: dict[str, str]


def build(built: ApplicationPackage, types: RegisteredTypes) -> tuple[ApplicationManifest, list[Part]]:
    """Check the package; its application manifest, and what the store lacks of it, that manifest last.

    Raises ``FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR`` and what a missing package raises.
    """
    file = built.require_application_manifest()
    application = built.read_application_manifest()
    check_application(application, built.rules, built.application_manifest_file)
    known = _known(types, types.named(application.type_name))
    parts: list[Part] = []
    services: list[ServiceManifest] = []
    for name, version in application.imports:
        service, found = _service(built, name, version, known)
        services.append(service)
        for each in service.packages:
            found += _package(built, service, each, known)
        parts += found
    check_service_types(application, services, built.application_manifest_file)
    return application, [*parts, Part(application_manifest(application.type_version), file)]


def _known(types: RegisteredTypes, others: Iterable[Registered]) -> _Known:
    known = _Known({}, {})
    for other in others:
        for manifest, _ in types.service_manifests(other):
            name = service_manifest(manifest.name, manifest.version)
            known.manifests[name] = manifest
            for each in (name, *(package(manifest.name, each.name, each.version) for each in manifest.packages)):
                file = types.part(other.folder, each + CHECKSUM)
                if file and not file.is_folder:
                    known.checksums[each] = _read_checksum(file)
    return known


def _service(built: ApplicationPackage, name: str, version: str, known: _Known) -> tuple[ServiceManifest, list[Part]]:
    """A service manifest of the package, or else the one that is registered; and what of it is to be stored."""
    stored_name = service_manifest(name, version)
    file = built.service_manifest(name)
    if file is None:
        if stored_name in known.manifests:
            return known.manifests[stored_name], []
        raise _missing(built, "ServiceManifest.xml", name)
    shown = built.service_manifest_file(name)
    manifest = read_service_manifest(read_manifest(file), shown)
    for what, wanted, found in (("Name", name, manifest.name), ("Version", version, manifest.version)):
        if wanted != found:
            raise invalid_package(
                f"ServiceManifestRef has {what}={wanted}. This does not match the {what}={found} in Service Manifest.",
                f"the application manifest imports {name} in version {version}",
                built.application_manifest_file,
            )
    check_service(manifest, built.rules, shown)
    checksum = _checksum(built, file, name, f"ServiceManifest.xml{CHECKSUM}")
    before = known.checksums.get(stored_name)
    if before is not None and before != checksum:
        raise invalid_package(
            f"Service Manifest with Name:{name} and Version:{version} has changed, but the version number is the same.",
            "another version of the type has registered it already, with other content",
        )
    return manifest, [] if before == checksum else [Part(stored_name, file, checksum)]


def _package(built: ApplicationPackage, service: ServiceManifest, each: Package, known: _Known) -> list[Part]:
    """A code, config or data package, if it is to be stored."""
    base = package(service.name, each.name, each.version)
    before = known.checksums.get(base)
    source = built.file(service.name, each.name + ARCHIVE) or built.folder(service.name, each.name)
    if source is None:
        if before is None and not each.may_be_absent:
            raise _missing(built, each.name, service.name)
        return []
    if source.is_folder and not built.is_complete(service.name, each.name):
        raise file_not_found(
            f"the folder {each.name} of {service.name} has no {MARK_FILE}, so it counts as half uploaded and cannot be "
            "copied into the store"
        )
    _check_programs(built, service, each, source)
    needs_settings = each.kind == "ConfigPackage" and source.is_folder and not _has_settings(built, service, each)
    checksum = _checksum(built, source, service.name, each.name + CHECKSUM)
    if before is not None and before != checksum:
        raise invalid_package(
            f"The content in {each.kind} Name:{each.name} and Version:{each.version} in Service Manifest "
            f"'{service.name}' has changed, but the version number is the same.",
            "another version of the type has registered this package already, with other content",
        )
    if before == checksum:
        return []
    return [Part(base if source.is_folder else base + ARCHIVE, source, checksum, needs_settings)]


def _check_programs(built: ApplicationPackage, service: ServiceManifest, each: Package, source: Stored) -> None:
    shown = built.service_manifest_file(service.name)
    content = _Archive(source, shown) if not source.is_folder and each.programs else None
    for program in each.programs:
        path = program.replace("\\", "/")
        if path.startswith("/") or path[1:2] == ":":
            raise invalid_package(
                f"EntryPoint is set to '{program}'. Rooted paths are not supported.",
                "a program is named by its path in the code package",
                shown,
            )
        names = path.split("/")
        spellings = [names] if "." in names[-1] else [names, [*names[:-1], names[-1] + ".exe"]]
        if not all(map(built.rules.is_name, names)) or not any(
            content.has(spelling) if content else built.file(service.name, each.name, *spelling)
            for spelling in spellings
        ):
            raise invalid_package(
                f"The EntryPoint {program} is not found.", f"the code package {each.name} has no such file", shown
            )


class _Archive:
    """A package that was uploaded as a zip."""

    def __init__(self, archive: Stored, shown: str) -> None:
        try:
            with zipfile.ZipFile(archive.location) as opened:
                self._names = {name.replace("\\", "/").lower() for name in opened.namelist()}
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            name = archive.parts[-1]
            raise invalid_package(
                f"{name} is not a valid archive.", f"no zip that can be read: {error}", shown
            ) from None

    def has(self, path: list[str]) -> bool:
        """Whether there is a file of this path, in any case."""
        return "/".join(path).lower() in self._names


def _has_settings(built: ApplicationPackage, service: ServiceManifest, each: Package) -> bool:
    settings = built.file(service.name, each.name, SETTINGS)
    if settings:
        read_xml(read_manifest(settings), built.rules.text((built.name, service.name, each.name, SETTINGS)), "Settings")
    return settings is not None


def _checksum(built: ApplicationPackage, source: Stored, *checksum_file: str) -> str:
    given = built.file(*checksum_file)
    return _read_checksum(given) if given else checksum_of(built.tree, source)


def _read_checksum(file: Stored) -> str:
    with open(file.location, encoding="utf-8", errors="replace") as opened:
        return opened.read(_CHECKSUM_LIMIT).strip()


def _missing(built: ApplicationPackage, what: str, service: str) -> Exception:
    return invalid_package(
        f"The BuildLayout of the application in {built.name} is invalid. {what} is missing for service {service}.",
        f"the package has no {built.rules.text((service, what))}, and no version that is registered has it either",
    )
