"""The bodies with which an application type is registered and unregistered.

Sources: ``httpgateway/ApplicationTypesHandler.cpp`` and ``ServiceModel/management/clustermanager`` in ``src/prod/src``
of microsoft/service-fabric, for the members and the messages; the published REST contract for their names.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from emulator.protocol.errors import FabricError
from emulator.protocol.json_body import boolean, enumeration, members, text

_KINDS: Final = {"Invalid": 0, "ImageStorePath": 1, "ExternalStore": 2}
_POLICIES: Final = {"Invalid": 0, "Default": 1, "Automatic": 2, "Manual": 3}
_LONGEST: Final = 256
_SFPKG: Final = ".sfpkg"


@dataclass(slots=True)
class ProvisionDescription:
    """Which package to register: one in the image store, or an ``.sfpkg`` to download, with what is to be in it."""

    build_path: str = ""
    download_uri: str = ""
    type_name: str = ""
    type_version: str = ""
    is_async: bool = False
    cleanup_policy: int = _POLICIES["Invalid"]

    def cleans_up(self, *, by_default: bool) -> bool:
        """Whether the uploaded package is to be deleted once it is registered."""
        if self.cleanup_policy in (_POLICIES["Invalid"], _POLICIES["Default"]):
            return by_default
        return self.cleanup_policy == _POLICIES["Automatic"]


@dataclass(slots=True)
class UnprovisionDescription:
    """Which version to unregister."""

    type_version: str = ""
    is_async: bool = False


def parse_provision_description(body: bytes, *, has_kinds: bool) -> ProvisionDescription:
    """Read and check the body; raises ``E_INVALIDARG`` with the service's message.

    Up to api-version 6.0 the members alone say what is meant. Later ones have a ``Kind``; the service wants it first,
    its own clients send it anywhere, and so it may be here.
    """
    description = ProvisionDescription()
    kind = _KINDS["Invalid"]
    for name, value in members(body):
        match name:
            case "Kind" if has_kinds:
                kind = enumeration(name, value, _KINDS)
            case "Async":
                description.is_async = boolean(name, value)
            case "ApplicationTypeBuildPath":
                description.build_path = text(name, value)
            case "ApplicationPackageCleanupPolicy":
                description.cleanup_policy = enumeration(name, value, _POLICIES)
            case "ApplicationPackageDownloadUri":
                description.download_uri = text(name, value)
            case "ApplicationTypeName":
                description.type_name = text(name, value)
            case "ApplicationTypeVersion":
                description.type_version = text(name, value)
            case _:
                pass
    if has_kinds:
        _keep_members_of(kind, description)
    _check(description)
    return description


def parse_unprovision_description(body: bytes) -> UnprovisionDescription:
    """Read the body; raises ``E_INVALIDARG``."""
    description = UnprovisionDescription()
    for name, value in members(body):
        match name:
            case "ApplicationTypeVersion":
                description.type_version = text(name, value)
            case "Async":
                description.is_async = boolean(name, value)
            case _:
                pass
    return description


def check_type_name_and_version(name: str, version: str) -> None:
    """Raise ``FABRIC_E_VALUE_TOO_LARGE`` where one is longer than a cluster takes (``ManagementConfig.h``)."""
    for what, value in (("name", name), ("version", version)):
        if len(value) > _LONGEST:
            raise FabricError(
                "FABRIC_E_VALUE_TOO_LARGE",
                f"Application type {what} must not exceed length limit. Requested {what} and length limit: "
                f"({value}, {_LONGEST})",
            )


def _keep_members_of(kind: int, description: ProvisionDescription) -> None:
    if kind == _KINDS["ImageStorePath"]:
        description.download_uri = ""
    elif kind == _KINDS["ExternalStore"]:
        description.build_path = ""
    else:
        raise FabricError(
            "E_INVALIDARG",
            f"The specified provision application type kind '{kind}' is invalid. Make sure the provision application "
            "type object follows the correct format, and 'Kind' field is serialized first.",
            why="from api-version 6.1 on, Kind has to be ImageStorePath or ExternalStore",
        )


def _check(description: ProvisionDescription) -> None:
    uri = description.download_uri
    if not uri and not description.build_path:
        raise FabricError(
            "E_INVALIDARG",
            "Missing required parameter: please specify either the build path or the download path for the "
            "application package.",
        )
    if not uri:
        return
    if description.build_path:
        raise FabricError(
            "E_INVALIDARG",
            f"Both the application package build path in image store '{description.build_path}' and the download path "
            f"ApplicationPackageDownloadUri '{uri}' are specified. Only one should be specified.",
        )
    if not _is_package_address(uri):
        raise FabricError(
            "E_INVALIDARG",
            f"The specified download path '{uri}' is invalid. Please specify a valid URI with scheme HTTP/HTTPS that "
            "points to an '.sfpkg' file representing the application package.",
        )
    if not description.type_name or not description.type_version:
        raise FabricError(
            "E_INVALIDARG",
            "To provision from external store, please specify the application type name and version.",
        )


def _is_package_address(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return False
    is_web = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    return is_web and parts.path.lower().endswith(_SFPKG)
