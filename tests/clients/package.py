"""Builds an application package as a developer has it on disk: two services, odd names, all sizes."""

import random
from pathlib import Path

SERVICES = ("BackendPkg", "Web Frontend Pkg")
FABRIC = "http://schemas.microsoft.com/2011/01/fabric"


def build_package(root: Path, type_name: str) -> Path:
    """Write the package into ``root`` and answer with its folder.

    It has nested folders, an empty file, a name with spaces and letters outside ASCII, and a binary above 1 MiB.
    """
    root.mkdir(parents=True)
    imports = "".join(
        f'  <ServiceManifestImport><ServiceManifestRef ServiceManifestName="{service}" ServiceManifestVersion="1.0.0"/>'
        "</ServiceManifestImport>\n"
        for service in SERVICES
    )
    _write(
        root / "ApplicationManifest.xml",
        f'<ApplicationManifest xmlns="{FABRIC}" ApplicationTypeName="{type_name}" ApplicationTypeVersion="1.0.0">\n'
        f"{imports}</ApplicationManifest>\n",
    )
    for seed, service in enumerate(SERVICES):
        _build_service(root / service, service, random.Random(seed))
    return root


def _build_service(folder: Path, name: str, random_: random.Random) -> None:
    _write(
        folder / "ServiceManifest.xml",
        f'<ServiceManifest xmlns="{FABRIC}" Name="{name}" Version="1.0.0">\n'
        f'  <ServiceTypes><StatelessServiceType ServiceTypeName="{name.replace(" ", "")}Type"/></ServiceTypes>\n'
        '  <CodePackage Name="Code" Version="1.0.0">\n'
        "    <EntryPoint><ExeHost><Program>service.bin</Program></ExeHost></EntryPoint>\n"
        "  </CodePackage>\n"
        '  <ConfigPackage Name="Config" Version="1.0.0"/>\n'
        '  <DataPackage Name="Data" Version="1.0.0"/>\n'
        "</ServiceManifest>\n",
    )
    _write(folder / "Code" / "service.bin", random_.randbytes(1024 * 1024 + 12_345))
    _write(folder / "Code" / "lib" / "native" / "helper.so", random_.randbytes(70_000))
    _write(folder / "Code" / "lib" / "empty.marker", b"")
    _write(folder / "Config" / "Settings.xml", f'<Settings xmlns="{FABRIC}"/>\n')
    _write(folder / "Data" / "Länder & Städte 東京.csv", "Zürich;Łódź;東京\n")
    _write(folder / "Data" / "a+b (1) [copy] ~.dat", random_.randbytes(3))


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def read_tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder: its path, with slashes, and its bytes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def with_markers(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of a package and the empty ``_.dir`` that a client adds to each folder, the topmost included."""
    folders = {parent.as_posix() for path in files for parent in Path(path).parents}
    return files | {"_.dir" if folder == "." else f"{folder}/_.dir": b"" for folder in folders}
