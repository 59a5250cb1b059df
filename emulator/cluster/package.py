"""An application package as the image builder finds it: in the image store, or unpacked from an ``.sfpkg``."""

from dataclasses import dataclass
from typing import Final

from emulator.cluster.manifests import ApplicationManifest, invalid_package, read_application_manifest
from emulator.protocol.content_path import MARK_FILE, ContentPath, PathRules
from emulator.protocol.errors import FabricError
from emulator.storage.content_tree import ContentTree, Stored

_LARGEST_XML: Final = 16 * 1024 * 1024
_APPLICATION_MANIFEST: Final = "ApplicationManifest.xml"
_SERVICE_MANIFEST: Final = "ServiceManifest.xml"


@dataclass(frozen=True, slots=True)
class ApplicationPackage:
    """The folder `place` of `tree`, which messages call `name`."""

    tree: ContentTree
    rules: PathRules
    place: ContentPath
    name: str
    is_uploaded: bool

    @property
    def application_manifest_file(self) -> str:
        """What messages call its application manifest."""
        return self.rules.text((self.name, _APPLICATION_MANIFEST))

    def service_manifest_file(self, service: str) -> str:
        """What messages call a service manifest of it."""
        return self.rules.text((self.name, service, _SERVICE_MANIFEST))

    def file(self, *path: str) -> Stored | None:
        """A file in it."""
        found = self._find(path)
        return None if found is None or found.is_folder else found

    def folder(self, *path: str) -> Stored | None:
        """A folder in it that holds files."""
        found = self._find(path)
        return found if found and found.is_folder and self.tree.count_files(found.location) else None

    def is_complete(self, *path: str) -> bool:
        """Whether a folder counts as uploaded to the end: by its mark file (store 2.5)."""
        return not self.is_uploaded or self.file(*path, MARK_FILE) is not None

    def service_manifest(self, service: str) -> Stored | None:
        """The file with a service's manifest."""
        return self.file(service, _SERVICE_MANIFEST)

    def require_application_manifest(self) -> Stored:
        """Its application manifest's file; raises the errors of an image builder that finds none."""
        if not (self.file() or (self.folder() and self.is_complete())):
            raise FabricError(
                "FABRIC_E_DIRECTORY_NOT_FOUND",
                f"The application package '{self.name}' is not found in the store. Make sure that the package was "
                "previously copied to the store. If the package was previously provisioned successfully, the temporary "
                "package may have been removed based on the cleanup policies.",
                why=f"nothing is stored there, or a folder without {MARK_FILE}, which counts as half uploaded",
            )
        found = self.file(_APPLICATION_MANIFEST)
        if found is None:
            raise FabricError(
                "FABRIC_E_FILE_NOT_FOUND",
                f"The Application Manifest file '{self.application_manifest_file}' is not found in the store.",
                why="the folder that is registered has to hold the application manifest itself",
            )
        return found

    def read_application_manifest(self) -> ApplicationManifest:
        """Its application manifest; raises ``FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR`` where that is none."""
        file = self.require_application_manifest()
        return read_application_manifest(read_manifest(file), self.application_manifest_file)

    def _find(self, path: tuple[str, ...]) -> Stored | None:
        return self.tree.find(self.rules.of([*self.place.parts, *path]))


def read_manifest(file: Stored) -> bytes:
    """The content of an XML file; raises for one that is too large to be one, or gone."""
    if file.size > _LARGEST_XML:
        raise invalid_package(
            f"{file.parts[-1]} is not a valid XML file.", f"it has more than {_LARGEST_XML} bytes, too much to be read"
        )
    try:
        with open(file.location, "rb") as opened:
            return opened.read(_LARGEST_XML)
    except FileNotFoundError:
        raise FabricError(
            "FABRIC_E_FILE_NOT_FOUND", why="a file of the package was deleted while the package was read"
        ) from None
