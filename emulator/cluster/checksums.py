"""Checksums of packages, by which the image builder knows what it has already (``ImageStore/ChecksumUtility.cs``).

SHA-256 in capitals: of a file's bytes; of a folder, of the names in lower case and the checksums of what is in it,
first the folders, then the files, each in order of their names.
"""

import hashlib

from emulator.protocol.content_path import MARK_FILE
from emulator.storage.content_tree import ContentTree, Stored


def checksum_of(tree: ContentTree, stored: Stored) -> str:
    """The checksum of a file or folder."""
    return _digest(tree, stored).hex().upper()


def _digest(tree: ContentTree, stored: Stored) -> bytes:
    if not stored.is_folder:
        with open(stored.location, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    digest = hashlib.sha256()
    children = [(not each.is_folder, each.parts[-1].lower(), each) for each in tree.children(stored)]
    for _, name, each in sorted(children, key=lambda child: child[:2]):
        if name != MARK_FILE:
            digest.update(name.encode("utf-8", "surrogatepass"))
            digest.update(_digest(tree, each))
    return digest.digest()
