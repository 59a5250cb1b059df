"""Application and service manifests as values, and what makes one invalid by itself.

Sources: ``ServiceModel/xsd/ServiceFabricServiceModel.xsd`` for the elements, and ``ImageBuilder`` in
``managed/Api/src/System/Fabric/Management`` for the checks and their messages; ``src/prod/src`` of
microsoft/service-fabric.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from emulator.cluster.xml import Element, XmlError, parse_xml
from emulator.protocol.content_path import PathRules
from emulator.protocol.errors import FabricError

FABRIC_NAMESPACE: Final = "http://schemas.microsoft.com/2011/01/fabric"

_COMPOSE: Final = "Compose_"
_SERVICES: Final = ("StatefulService", "StatelessService")
_PACKAGES: Final = ("CodePackage", "ConfigPackage", "DataPackage")
_SERVICE_TYPES: Final = {
    "StatefulServiceType": ("ServiceTypeName", True, False),
    "StatelessServiceType": ("ServiceTypeName", False, False),
    "StatefulServiceGroupType": ("ServiceGroupTypeName", True, True),
    "StatelessServiceGroupType": ("ServiceGroupTypeName", False, True),
}
"""The attribute with its name, whether it has state, whether it is a group."""


@dataclass(frozen=True, slots=True)
class Package:
    """A code, config or data package: `programs` have to be in it, and a container needs no folder at all."""

    kind: str
    name: str
    version: str
    programs: tuple[str, ...] = ()
    may_be_absent: bool = False


@dataclass(frozen=True, slots=True)
class ServiceType:
    """A service type as queries show it."""

    name: str
    is_stateful: bool
    is_group: bool
    has_persisted_state: bool
    uses_implicit_host: bool
    placement_constraints: str
    extensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ServiceManifest:
    """One ``ServiceManifest.xml``."""

    name: str
    version: str
    packages: tuple[Package, ...]
    service_types: tuple[ServiceType, ...]


@dataclass(frozen=True, slots=True)
class ApplicationManifest:
    """One ``ApplicationManifest.xml``: `imports` are names and versions of service manifests."""

    type_name: str
    type_version: str
    parameters: tuple[tuple[str, str], ...]
    imports: tuple[tuple[str, str], ...]
    default_types: tuple[str, ...]


def invalid_package(message: str, why: str, file: str = "") -> FabricError:
    """The image builder's error: what it found, in which file."""
    text = f"{message}\r\nFileName: {file}" if file else message
    return FabricError("FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR", text, why=why)


def read_xml(content: bytes, file: str, root: str) -> Element:
    """The root of a file of the service model; raises ``FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR``."""
    try:
        element = parse_xml(content)
    except XmlError as error:
        raise _unreadable(file, str(error)) from None
    if (element.name, element.namespace) != (root, FABRIC_NAMESPACE):
        raise _unreadable(file, f"its root element is not {root} of {FABRIC_NAMESPACE}")
    return element


def read_application_manifest(content: bytes, file: str) -> ApplicationManifest:
    """Read one; raises ``FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR``."""
    root = read_xml(content, file, "ApplicationManifest")
    references = [_required(root, file, *_IMPORT), *root.all(*_IMPORT)[1:]]
    services = [
        each
        for holder in (*root.all("DefaultServices", "Service"), *root.all("ServiceTemplates"))
        for each in holder.children
        if each.name in _SERVICES
    ]
    return ApplicationManifest(
        _attribute(root, "ApplicationTypeName", file),
        _attribute(root, "ApplicationTypeVersion", file),
        tuple(
            (_attribute(each, "Name", file), _attribute(each, "DefaultValue", file))
            for each in root.all("Parameters", "Parameter")
        ),
        tuple(
            (_attribute(each, "ServiceManifestName", file), _attribute(each, "ServiceManifestVersion", file))
            for each in references
        ),
        tuple(_attribute(each, "ServiceTypeName", file) for each in services),
    )


def read_service_manifest(content: bytes, file: str) -> ServiceManifest:
    """Read one; raises ``FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR``."""
    root = read_xml(content, file, "ServiceManifest")
    types = _required(root, file, "ServiceTypes")
    _required(root, file, "CodePackage")
    return ServiceManifest(
        _attribute(root, "Name", file),
        _attribute(root, "Version", file),
        tuple(_package(each, file) for kind in _PACKAGES for each in root.all(kind)),
        tuple(_service_type(each, file) for each in types.children if each.name in _SERVICE_TYPES),
    )


def check_application(manifest: ApplicationManifest, rules: PathRules, file: str) -> None:
    """What has to hold of an application manifest before its service manifests are looked at."""
    _check_name("ApplicationTypeName", manifest.type_name, rules, file)
    _check_version("ApplicationTypeVersion", manifest.type_version, rules, file)
    _check_unique("ServiceManifestRef", "ServiceManifestName", (name for name, _ in manifest.imports), file)
    for name, _ in manifest.imports:
        _check_name("ServiceManifestRef", name, rules, file)


def check_service(manifest: ServiceManifest, rules: PathRules, file: str) -> None:
    """What has to hold of a service manifest by itself."""
    _check_name("ServiceManifest", manifest.name, rules, file)
    _check_version("ServiceManifestVersion", manifest.version, rules, file)
    for package in manifest.packages:
        _check_name(package.kind, package.name, rules, file)
        _check_version(f"{package.kind}Version", package.version, rules, file)
    for kind in _PACKAGES:
        _check_unique(kind, "Name", (each.name for each in manifest.packages if each.kind == kind), file)


def check_service_types(application: ApplicationManifest, services: Iterable[ServiceManifest], file: str) -> None:
    """Every service type once, and those of default services and templates among them."""
    names = [each.name for service in services for each in service.service_types]
    _check_unique("ServiceType", "ServiceTypeName", names, "")
    for name in application.default_types:
        if name not in names:
            raise invalid_package(
                f"The ServiceTypeName '{name}' is not supported by any of the ImportedServiceManifests.",
                "a default service or a template names a service type that no service manifest of the package has",
                file,
            )


_IMPORT: Final = ("ServiceManifestImport", "ServiceManifestRef")


def _package(element: Element, file: str) -> Package:
    name, version = _attribute(element, "Name", file), _attribute(element, "Version", file)
    if element.name != "CodePackage":
        return Package(element.name, name, version)
    entry = _required(element, file, "EntryPoint")
    container = entry.first("ContainerHost")
    hosts = [*element.all("SetupEntryPoint", "ExeHost"), *entry.all("ExeHost")]
    return Package(
        element.name,
        name,
        version,
        tuple(_program(host, file) for host in hosts if host.attributes.get("IsExternalExecutable") != "true"),
        may_be_absent=bool(container)
        and not element.first("SetupEntryPoint")
        and not (container and container.first("FromSource")),
    )


def _program(host: Element, file: str) -> str:
    program = _required(host, file, "Program").text.strip()
    if not program:
        raise invalid_package("EntryPoint cannot be null or empty.", "an ExeHost names no program", file)
    return program


def _service_type(element: Element, file: str) -> ServiceType:
    attribute, is_stateful, is_group = _SERVICE_TYPES[element.name]
    constraints = element.first("PlacementConstraints")
    return ServiceType(
        _attribute(element, attribute, file),
        is_stateful,
        is_group,
        element.attributes.get("HasPersistedState") == "true",
        element.attributes.get("UseImplicitHost") == "true",
        constraints.text.strip() if constraints else "",
        tuple(_extensions(element)),
    )


def _extensions(element: Element) -> Iterator[tuple[str, str]]:
    for each in element.all("Extensions", "Extension"):
        yield each.attributes.get("Name", ""), each.text.strip()


def _attribute(element: Element, name: str, file: str) -> str:
    try:
        return element.attributes[name]
    except KeyError:
        raise _unreadable(file, f"an element {element.name} has no attribute {name}") from None


def _required(element: Element, file: str, *path: str) -> Element:
    found = element.first(*path)
    if found is None:
        raise _unreadable(file, f"the element {element.name} has no {'/'.join(path)}")
    return found


def _unreadable(file: str, why: str) -> FabricError:
    return invalid_package(
        f"Exception while parsing XML file: {file}. Check if XML content is well formed by comparing against the "
        "service model schema (ServiceFabricServiceModel.xsd) which is shipped with the SDK. By default, the schema "
        "file is installed to 'C:\\Program Files\\Microsoft SDKs\\Service "
        "Fabric\\schemas\\ServiceFabricServiceModel.xsd'.",
        f"{file}: {why}",
        file,
    )


def _is_name(text: str, rules: PathRules) -> bool:
    return not text.startswith(_COMPOSE) and ".." not in text and not set(text) & set("/\\") and rules.is_name(text)


def _check_name(what: str, name: str, rules: PathRules, file: str) -> None:
    if not _is_name(name, rules):
        raise invalid_package(
            f"{what} with name '{name}' is invalid. The name cannot contain '{rules.separator}' or '..' or invalid "
            "path characters.",
            f"{what} becomes a part of file names, and {name!r} cannot be one",
            file,
        )


def _check_version(what: str, version: str, rules: PathRules, file: str) -> None:
    if not _is_name(version, rules) or version != version.strip():
        raise invalid_package(
            f"{what} '{version}' is invalid. The version cannot contain '{rules.separator}' or '..' or invalid path "
            "characters or start/end with white-space.",
            f"{what} becomes a part of file names, and {version!r} cannot be one",
            file,
        )


def _check_unique(what: str, attribute: str, values: Iterable[str], file: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value.lower() in seen:
            raise invalid_package(
                f"{what} with {attribute} '{value}' is found more than once. Multiple {what} with the same "
                f"{attribute} is not allowed.",
                "names are compared without regard to case",
                file,
            )
        seen.add(value.lower())
