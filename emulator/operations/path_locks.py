"""Which paths an operation holds while it changes content.

The service fails a write whose path, or a folder above it, another write is working on, and its gateway tries again
until the request's time is up, so clients see writes one after the other (store 2.4). Here they wait for each other in
the first place: a write holds its own paths alone and shares every folder above with its neighbours.
"""

from contextlib import AbstractContextManager

from emulator.protocol.content_path import ContentPath
from emulator.storage.locks import NamedLocks


def changing(
    locks: NamedLocks, *paths: ContentPath, reading: ContentPath | None = None, timeout: float
) -> AbstractContextManager[None]:
    """Hold `paths` exclusively, and `reading` against changes, for a short piece of work on disk."""
    above = {_name(path.key[:depth]) for path in paths for depth in range(1, len(path.key))}
    if reading:
        above |= {_name(reading.key[:depth]) for depth in range(1, len(reading.key) + 1)}
    return locks.hold(exclusive={_name(path.key) for path in paths}, shared=above, timeout=timeout)


def _name(key: tuple[str, ...]) -> str:
    return "path " + "/".join(key)
