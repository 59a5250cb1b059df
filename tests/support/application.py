"""Application packages to register, as small as valid ones can be, and the requests that register them."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.support.wire import Reply, Wire

FABRIC = "http://schemas.microsoft.com/2011/01/fabric"
V = "api-version=6.2"

Files = dict[str, bytes]


def application_manifest(name: str, version: str, imports: Mapping[str, str], rest: str = "") -> bytes:
    """An ``ApplicationManifest.xml`` that imports service manifests, each in its version."""
    references = "".join(
        f'<ServiceManifestImport><ServiceManifestRef ServiceManifestName="{service}" '
        f'ServiceManifestVersion="{number}"/></ServiceManifestImport>'
        for service, number in imports.items()
    )
    return (
        f'<ApplicationManifest xmlns="{FABRIC}" ApplicationTypeName="{name}" ApplicationTypeVersion="{version}">'
        f'<Parameters><Parameter Name="Count" DefaultValue="-1"/></Parameters>{references}{rest}</ApplicationManifest>'
    ).encode()


def service_manifest(name: str, version: str, code: str = "1.0", rest: str = "") -> bytes:
    """A ``ServiceManifest.xml`` with a code package in version `code` and a config package in version 1.0."""
    return (
        f'<ServiceManifest xmlns="{FABRIC}" Name="{name}" Version="{version}">'
        f'<ServiceTypes><StatelessServiceType ServiceTypeName="{name}Type"/></ServiceTypes>'
        f'<CodePackage Name="Code" Version="{code}"><EntryPoint><ExeHost><Program>run.exe</Program></ExeHost>'
        f'</EntryPoint></CodePackage><ConfigPackage Name="Config" Version="1.0"/>{rest}</ServiceManifest>'
    ).encode()


def package(name: str = "Calc", version: str = "1.0", *, code: bytes = b"MZ", code_version: str = "1.0") -> Files:
    """A whole package with one service; the service's version is that of its code."""
    return {
        "ApplicationManifest.xml": application_manifest(name, version, {"Web": code_version}),
        "_.dir": b"",
        "Web/ServiceManifest.xml": service_manifest("Web", code_version, code_version),
        "Web/_.dir": b"",
        "Web/Code/run.exe": code,
        "Web/Code/_.dir": b"",
        "Web/Config/Settings.xml": f'<Settings xmlns="{FABRIC}"/>'.encode(),
        "Web/Config/_.dir": b"",
    }


def upload(wire: Wire, folder: str, files: Files, prefix: str = "") -> None:
    """Upload a package to a folder of the image store."""
    for path, content in files.items():
        assert wire.put(f"{prefix}/ImageStore/{quote(f'{folder}/{path}')}?{V}", content).status == 200


def provision(wire: Wire, path: str = "Pkg", *, query: str = V, prefix: str = "", **fields: Any) -> Reply:
    """Ask to register the package at a path of the image store."""
    body = {"Kind": "ImageStorePath", "Async": False, "ApplicationTypeBuildPath": path} | fields
    return wire.post(f"{prefix}/ApplicationTypes/$/Provision?{query}", json.dumps(body).encode())


def unprovision(wire: Wire, name: str = "Calc", version: str = "1.0", *, query: str = V, **fields: Any) -> Reply:
    """Ask to unregister a version."""
    body = {"ApplicationTypeVersion": version} | fields
    return wire.post(f"/ApplicationTypes/{quote(name)}/$/Unprovision?{query}", json.dumps(body).encode())


def register(wire: Wire, files: Files, path: str = "Pkg") -> None:
    """Upload a package and register it."""
    upload(wire, path, files)
    reply = provision(wire, path)
    assert reply.status == 200, reply.body


def types(wire: Wire, prefix: str = "") -> list[tuple[str, str, str]]:
    """Name, version and status of every application type."""
    listed = wire.get(f"{prefix}/ApplicationTypes?{V}").json()
    assert listed["ContinuationToken"] == ""
    return [(each["Name"], each["Version"], each["Status"]) for each in listed["Items"]]
