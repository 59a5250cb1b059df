r"""The application types that are registered: those whose manifests lie below ``Store`` (store 9.5).

The runtime keeps the types in a database beside the image store; here an ``ApplicationManifest.<version>.xml`` in the
folder of its type is all that makes a version registered.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from emulator.cluster.manifests import (
    ApplicationManifest,
    ServiceManifest,
    read_application_manifest,
    read_service_manifest,
)
from emulator.cluster.package import read_manifest
from emulator.cluster.store_layout import (
    ARCHIVE,
    CHECKSUM,
    STORE,
    application_manifest,
    is_application_manifest,
    package,
    service_manifest,
)
from emulator.protocol.content_path import PathRules
from emulator.protocol.errors import FabricError
from emulator.storage.content_tree import ContentTree, Stored


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a type, and the folder it shares with the others."""

    manifest: ApplicationManifest
    file: Stored
    folder: Stored


class RegisteredTypes:
    """What is registered in one image store, read anew each time."""

    def __init__(self, tree: ContentTree, rules: PathRules) -> None:
        self._tree = tree
        self._rules = rules

    def all(self) -> list[Registered]:
        """Every version, by name and version."""
        store = self._tree.find(self._rules.of([STORE]))
        if store is None or not store.is_folder:
            return []
        found = [each for folder in self._tree.children(store) if folder.is_folder for each in self._in(folder)]
        return sorted(found, key=lambda each: (each.manifest.type_name, each.manifest.type_version))

    def named(self, name: str) -> list[Registered]:
        """Every version of the type of this name, in any case."""
        return [each for each in self.all() if each.manifest.type_name.lower() == name.lower()]

    def find(self, name: str, version: str) -> Registered | None:
        """The one version, in exactly this case."""
        wanted = (name, version)
        found = (each for each in self.all() if (each.manifest.type_name, each.manifest.type_version) == wanted)
        return next(found, None)

    def service_manifests(self, registered: Registered) -> Iterator[tuple[ServiceManifest, Stored]]:
        """Its service manifests that are there, with their files."""
        for name, version in registered.manifest.imports:
            file = self.part(registered.folder, service_manifest(name, version))
            if file and not file.is_folder:
                try:
                    yield read_service_manifest(read_manifest(file), file.parts[-1]), file
                except FabricError:
                    continue  # somebody put something else in its place

    def part(self, folder: Stored, name: str) -> Stored | None:
        """What has this name in the folder of a type."""
        return self._tree.find(self._rules.of([*folder.parts, name]))

    def parts(self, registered: Registered) -> set[str]:
        """The names of all that belongs to a version, folded, whether it is there or not."""
        names = [application_manifest(registered.manifest.type_version)]
        for name, version in registered.manifest.imports:
            names += [service_manifest(name, version), service_manifest(name, version) + CHECKSUM]
        for manifest, _ in self.service_manifests(registered):
            for each in manifest.packages:
                base = package(manifest.name, each.name, each.version)
                names += [base, base + ARCHIVE, base + CHECKSUM]
        return set(map(self._rules.fold, names))

    def _in(self, folder: Stored) -> Iterator[Registered]:
        for file in self._tree.children(folder):
            if file.is_folder or not is_application_manifest(file.parts[-1]):
                continue
            try:
                manifest = read_application_manifest(read_manifest(file), file.parts[-1])
            except FabricError:
                continue
            fold = self._rules.fold
            is_in_place = fold(manifest.type_name) == fold(folder.parts[-1])
            if is_in_place and fold(application_manifest(manifest.type_version)) == fold(file.parts[-1]):
                yield Registered(manifest, file, folder)
