r"""Where a registered application type lies in the image store (store 9.5).

::

    Store\<Type>\ApplicationManifest.<version>.xml
    Store\<Type>\<ServiceManifest>.Manifest.<version>.xml             with a checksum file beside it
    Store\<Type>\<ServiceManifest>.<Package>.<version>\...            the same; or the package's zip
"""

from typing import Final

STORE: Final = "Store"
CHECKSUM: Final = ".checksum"
ARCHIVE: Final = ".zip"

_FIRST: Final = "ApplicationManifest."
_LAST: Final = ".xml"


def application_manifest(version: str) -> str:
    """The name of an application manifest in the folder of its type."""
    return f"{_FIRST}{version}{_LAST}"


def is_application_manifest(name: str) -> bool:
    """Whether a file in the folder of a type is one, by its name."""
    name = name.lower()
    return name.startswith(_FIRST.lower()) and name.endswith(_LAST)


def service_manifest(name: str, version: str) -> str:
    """The name of a service manifest there."""
    return f"{name}.Manifest.{version}.xml"


def package(manifest: str, name: str, version: str) -> str:
    """The name of a package's folder there."""
    return f"{manifest}.{name}.{version}"
