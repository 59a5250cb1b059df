"""Content from a folder, a zip or an ``.sfpkg``, as a client's upload would have left it."""

import lzma
import os
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
from emulator.storage.errors import NameTakenError

_PIECE: Final = 1024 * 1024
_TIMEOUT_SECONDS: Final = 60.0
_BROKEN: Final = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, lzma.LZMAError)

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
    paths = [_path(store, into, name) for name, _ in sources]
    everything = [*paths, *(_marks(store, into, paths) if marks else [])]
    _require_room(store, everything)
    folder = opened.staging.new_name()
    os.mkdir(folder)
    try:
        for number, (_, read) in enumerate(sources):
            _unpack(read, f"{folder}/{number}", opened.staging.sync_file)
            progress.step()
        for number in range(len(sources), len(everything)):
            with open(f"{folder}/{number}", "xb"):
                pass
        for number, path in enumerate(everything):
            with changing(opened.locks, path, timeout=_TIMEOUT_SECONDS):
                opened.content.publish(f"{folder}/{number}", path, store.clock.now_ns())
            progress.step()
    except NameTakenError as error:
        raise SeedError(str(error)) from error
    except FileNotFoundError as error:
        raise SeedError("the store was replaced meanwhile") from error
    finally:
        opened.staging.discard(folder)
    return len(everything)


def _unpack(read: Callable[[], IO[bytes]], target: str, sync: Callable[[int], None]) -> None:
    with read() as reader, open(target, "xb") as writer:
        while True:
            try:
                piece = reader.read(_PIECE)
            except OSError as error:  # some decompressors say so
                raise SeedError(f"it cannot be read: {error}") from error
            if not piece:
                break
            writer.write(piece)
        writer.flush()
        sync(writer.fileno())


def _require_room(store: IsolatedStore, paths: list[ContentPath]) -> None:
    """Raise `SeedError` where two paths are one, or a file is to be where a folder is or is to be."""
    keys = {path.key for path in paths}
    if len(keys) < len(paths):
        raise SeedError("two of its files have one path")
    for path in paths:
        above = next((path.key[:depth] for depth in range(1, len(path.key)) if path.key[:depth] in keys), None)
        if above:
            raise SeedError(f"{'/'.join(above)} is to be a file and a folder")
        _require_place(store, path)


def _require_place(store: IsolatedStore, path: ContentPath) -> None:
    content = store.opened.store.content
    for depth in range(1, len(path.parts) + 1):
        stored = content.find(store.rules.of(list(path.parts[:depth])))
        if stored is None:
            return
        if stored.is_folder == (depth == len(path.parts)) and not (stored.is_folder and not content.usage(stored)[1]):
            raise SeedError(f"{'/'.join(stored.parts)} is a {'folder' if stored.is_folder else 'file'} in the store")


def _path(store: IsolatedStore, into: str, name: str) -> ContentPath:
    path = _parsed(store, f"{into}/{name}", name)
    if path.is_root:
        raise SeedError(f"{name!r} is no path of the image store")
    return path


def _parsed(store: IsolatedStore, text: str, shown: str) -> ContentPath:
    try:
        return store.rules.parse(text)
    except FabricError as error:
        raise SeedError(f"{shown!r} is no path of the image store") from error


def _marks(store: IsolatedStore, into: str, files: Iterable[ContentPath]) -> list[ContentPath]:
    """The mark files that are missing among `files`: one for each folder, from `into` down."""
    top = _parsed(store, into, into)
    folders = {path.parts[:depth] for path in files for depth in range(max(len(top.parts), 1), len(path.parts))}
    wanted = [store.rules.of([*parts, MARK_FILE]) for parts in sorted(folders)]
    given = {path.key for path in files}
    return [path for path in wanted if path.key not in given]
