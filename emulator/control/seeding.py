"""Content from a folder, a zip or an ``.sfpkg``, as a client's upload would have left it."""

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Final

from emulator.control.progress import Progress
from emulator.control.stores import IsolatedStore
from emulator.operations.path_locks import changing
from emulator.protocol.content_path import MARK_FILE, ContentPath
from emulator.protocol.errors import FabricError

_PIECE: Final = 1024 * 1024
_TIMEOUT_SECONDS: Final = 60.0
_BROKEN: Final = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)

_Source = tuple[str, Callable[[], IO[bytes]]]
"""A file's path below the folder that is seeded, and how to read it."""


class SeedError(ValueError):
    """What was given cannot be put into a store."""


def seed_from_zip(
    archive: IO[bytes], store: IsolatedStore, into: str, progress: Progress, *, marks: bool = True
) -> int:
    """Put every file of a zip into the folder `into` of a store; answers with their number.

    All of it is unpacked and checked first, so a bad archive changes nothing. With `marks` each folder gets its mark
    file, as clients send it. Raises `SeedError`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [each for each in opened.infolist() if not each.is_dir()]
            for each in members:
                if stat.S_ISLNK(each.external_attr >> 16):
                    raise SeedError(f"{each.filename} is a symbolic link")
            sources = [(each.filename, _member(opened, each)) for each in members]
            return _seed(sources, store, into, progress, marks=marks)
    except _BROKEN as error:
        raise SeedError(f"no zip that can be read: {error}") from error


def seed_from_path(source: Path, store: IsolatedStore, into: str, progress: Progress, *, marks: bool = True) -> int:
    """The same from a folder or an archive on this machine; without `into` it goes by its own name."""
    into = into or source.resolve().name.removesuffix(".sfpkg").removesuffix(".zip")
    if source.is_file():
        with source.open("rb") as archive:
            return seed_from_zip(archive, store, into, progress, marks=marks)
    if not source.is_dir():
        raise SeedError(f"{source} is neither a folder nor an archive")
    files = [each for each in sorted(source.rglob("*")) if each.is_file() and not each.is_symlink()]
    sources = [(each.relative_to(source).as_posix(), _file(each)) for each in files]
    return _seed(sources, store, into, progress, marks=marks)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(member)


def _file(location: Path) -> Callable[[], IO[bytes]]:
    return lambda: location.open("rb")


def _seed(sources: list[_Source], store: IsolatedStore, into: str, progress: Progress, *, marks: bool) -> int:
    opened = store.opened.store
    progress.total = 2 * len(sources)
    folder = opened.staging.new_name()
    os.mkdir(folder)
    try:
        staged: dict[ContentPath, str] = {}
        for name, read in sources:
            path = _path(store, into, name)
            staged[path] = f"{folder}/{len(staged)}"
            with read() as reader, open(staged[path], "wb") as writer:
                shutil.copyfileobj(reader, writer, _PIECE)
                writer.flush()
                opened.staging.sync_file(writer.fileno())
            progress.step()
        for path in _marks(store, into, staged) if marks else ():
            staged[path] = f"{folder}/{len(staged)}"
            with open(staged[path], "xb"):
                pass
        for path, location in staged.items():
            with changing(opened.locks, path, timeout=_TIMEOUT_SECONDS):
                opened.content.publish(location, path, store.clock.now_ns())
            progress.step()
    finally:
        opened.staging.discard(folder)
    return len(staged)


def _path(store: IsolatedStore, into: str, name: str) -> ContentPath:
    try:
        path = store.rules.parse(f"{into}/{name}")
    except FabricError as error:
        raise SeedError(f"{name!r} is no path of the image store") from error
    if path.is_root:
        raise SeedError(f"{name!r} is no path of the image store")
    return path


def _marks(store: IsolatedStore, into: str, files: Iterable[ContentPath]) -> list[ContentPath]:
    """The mark files that are missing among `files`: one for each folder, from `into` down."""
    top = store.rules.parse(into)
    folders = {path.parts[:depth] for path in files for depth in range(max(len(top.parts), 1), len(path.parts))}
    wanted = [store.rules.of([*parts, MARK_FILE]) for parts in sorted(folders)]
    given = {path.key for path in files}
    return [path for path in wanted if path.key not in given]
