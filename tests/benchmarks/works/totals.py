"""Sizes and counts of a whole tree, against a walk that does nothing else."""

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks.client import BenchmarkError, Request
from tests.benchmarks.lab import Lab
from tests.benchmarks.results import OURS, Bar, Results, take_turns
from tests.benchmarks.servers.base import timed
from tests.benchmarks.servers.emulator import Emulator, warm_up

_FOLDERS = 100
_TREE = "tree"
_WALK = "bare os.scandir"

Read = Callable[[bytes], int]


def totals(lab: Lab, results: Results) -> None:
    """Folder size, and the number of files that the listing of the folder above shows: at first, and asked again.

    Whatever the emulator remembers in between has to be exact: files put in by hand are counted.
    """
    count = lab.sizes.listed_files
    title = f"{count:,} files in {_FOLDERS} folders"
    with lab.emulator() as server:
        _fill(server.content / _TREE, count)
        for name, what, prepared, read, is_size in (
            ("folder-size", "folder size", server.folder_size_request(_TREE), _size, True),
            ("file-count", "recursive count", server.list_request(""), _count, False),
        ):
            first = results.measure(f"{name}-first", f"{what} of {title}, first after a start", "ms")
            again = results.measure(f"{name}-again", f"{what} of {title}, asked again", "ms")
            walk = partial(_walk, server.content / _TREE, with_size=is_size)
            for measure, starts_anew in ((first, True), (again, False)):
                ask = partial(_ask, server, prepared, starts_anew=starts_anew)
                take_turns({OURS: ask, _WALK: walk}, [measure], lab.rounds)
                results.bar(
                    Bar(f"{what} of {count:,} files, {measure.name.rpartition('-')[2]}", measure, 2, OURS, _WALK)
                )
            _check_exact(server, prepared, read)


def _fill(tree: Path, count: int) -> None:
    """Files of one byte."""
    for folder in range(_FOLDERS):
        place = tree / f"folder-{folder}"
        place.mkdir(parents=True)
        for number in range(count // _FOLDERS):
            (place / f"file-{number}").write_bytes(b"x")


def _size(body: bytes) -> int:
    return int(json.loads(body)["FolderSize"])


def _count(body: bytes) -> int:
    return next(
        int(each["FileCount"]) for each in json.loads(body)["StoreFolders"] if each["StoreRelativePath"] == _TREE
    )


def _check_exact(server: Emulator, prepared: Request, read: Read) -> None:
    """A file of one byte more is one more, in size and in number."""
    extra = server.content / _TREE / "folder-7" / "extra"
    with server.connect() as connection:
        before = read(connection.send(prepared).body)
        extra.write_bytes(b"x")
        after = read(connection.send(prepared).body)
    extra.unlink()
    if after != before + 1:
        raise BenchmarkError(f"{after} where {before + 1} is right: what is remembered is not exact")


def _ask(server: Emulator, prepared: Request, _number: int, *, starts_anew: bool) -> Sequence[float]:
    if starts_anew:
        server.stop()
        server.start()
    with server.connect() as connection:
        warm_up(server, connection)
        return [timed(connection, prepared) * 1000]


def _walk(tree: Path, _number: int, *, with_size: bool) -> Sequence[float]:
    begin = time.perf_counter()
    total = 0
    waiting = [str(tree)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size if with_size else 1
    return [(time.perf_counter() - begin) * 1000]
