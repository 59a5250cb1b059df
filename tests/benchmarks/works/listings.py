"""Pages of large and small folders."""

import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks.client import BenchmarkError, Connection
from tests.benchmarks.lab import Lab
from tests.benchmarks.results import Bar, Results, take_turns
from tests.benchmarks.servers.base import timed
from tests.benchmarks.servers.emulator import Emulator, warm_up

_ESTIMATE_OF_FILE = 64  # how the service counts an entry: this and two bytes for each character of its path
_SETTLING_SECONDS = 0.1
_MOST_PAGES = 1000


def listing(lab: Lab, results: Results) -> None:
    """First pages of folders that differ in size only, and whole listings."""
    sizes = lab.sizes
    large, medium, small = sizes.listed_files, sizes.listed_files // 10, sizes.page_entries
    folders = {"L": large, "M": medium, "S": small}
    entry = _ESTIMATE_OF_FILE + 2 * len(f"L/{_name(0)}")
    page = f"{sizes.page_entries} entries"
    first = results.measure("first-page", f"first page ({page}), median of {sizes.pages_a_round}", "ms")
    changed = results.measure("first-page-changed", f"first page ({page}) after a change in the folder", "ms")
    whole = results.measure("whole-listing", f"whole listing in pages of {page}, for each file", "µs")
    with lab.emulator("emulator", "--page-size", str(entry * (sizes.page_entries + 1))) as server:
        for folder, count in folders.items():
            _fill(server.content / folder, count)
        with server.connect() as connection:
            warm_up(server, connection)
            for measure, act in ((first, _first), (changed, _after_change), (whole, _whole)):
                contenders = {
                    _label(count): partial(act, server, connection, folder, sizes.pages_a_round)
                    for folder, count in folders.items()
                }
                take_turns(contenders, [measure], lab.rounds)
    results.bar(Bar(f"first page of {large:,} files", first, 2, _label(large), _label(small)))
    results.bar(Bar(f"whole listing of {large:,} files, each", whole, 1.5, _label(large), _label(medium)))


def _label(count: int) -> str:
    return f"{count:,} files"


def _name(number: int) -> str:
    return f"file-{number:06}.bin"


def _fill(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / _name(number)).touch()


def _first(server: Emulator, connection: Connection, folder: str, count: int, _number: int) -> Sequence[float]:
    return [statistics.median(timed(connection, server.list_request(folder)) for _ in range(count)) * 1000]


def _after_change(server: Emulator, connection: Connection, folder: str, _count: int, _number: int) -> Sequence[float]:
    os.utime(server.content / folder)
    time.sleep(_SETTLING_SECONDS)  # a folder that changed within the last tick of the clock is read anew each time
    return [timed(connection, server.list_request(folder)) * 1000]


def _whole(server: Emulator, connection: Connection, folder: str, _count: int, _number: int) -> Sequence[float]:
    seconds, files = 0.0, 0
    for taken, entries in _pages(server, connection, folder):
        seconds += taken
        files += entries
    return [seconds / files * 1e6]


def _pages(server: Emulator, connection: Connection, folder: str) -> Iterator[tuple[float, int]]:
    """Seconds and number of files of each page."""
    token = ""
    for _ in range(_MOST_PAGES):
        begin = time.perf_counter()
        reply = connection.send(server.list_request(folder, token))
        seconds = time.perf_counter() - begin
        page = json.loads(reply.body)
        yield seconds, len(page["StoreFiles"])
        token = page["ContinuationToken"]  # the service escapes it already
        if not token:
            return
    raise BenchmarkError("a listing without an end")
