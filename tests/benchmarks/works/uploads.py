"""Whole files, one after the other on one connection."""

import os
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks.lab import (
    AZURITE,
    NGINX,
    NGINX_BUFFERED,
    RAW,
    TUS,
    TUS_SYNCED,
    Lab,
    settle,
)
from tests.benchmarks.payload import Slice
from tests.benchmarks.results import (
    OURS,
    OURS_AGAIN,
    OURS_POWER,
    Bar,
    Measure,
    Results,
    Round,
    take_turns,
)
from tests.benchmarks.servers.base import Server
from tests.benchmarks.sizes import GIB, MIB, shown

_CONTENDERS = (OURS, OURS_AGAIN, OURS_POWER, NGINX, NGINX_BUFFERED, AZURITE, TUS, TUS_SYNCED, RAW)
_COPY = "plain copy"
_WARM_UP = 4 * MIB


def upload_file(lab: Lab, results: Results) -> None:
    """Files of the usual size."""
    _measure(lab, results, "upload-64", lab.sizes.file, lab.sizes.files_in_a_row)


def upload_large_file(lab: Lab, results: Results) -> None:
    """One large file."""
    _measure(lab, results, "upload-1024", lab.sizes.large_file, 1)


def _measure(lab: Lab, results: Results, name: str, size: int, count: int) -> None:
    title = f"upload of {'a file' if count == 1 else f'{count} files'} of {shown(size)}"
    speed = results.measure(name, title, "MiB/s", is_more_better=True)
    cpu = results.measure(f"{name}-cpu", f"server CPU, {title}", "s/GiB")
    body = lab.payload.slice(size)
    with lab.running(_CONTENDERS, [speed, cpu]) as servers:
        contenders: dict[str, Round] = {}
        for contender, server in servers.items():
            _upload(server, ["warm-up"], lab.payload.slice(min(size, _WARM_UP)))
            contenders[contender] = partial(_round, server, body, count)
        contenders[_COPY] = partial(_copy, lab, size, count)
        take_turns(contenders, [speed, cpu], lab.rounds)
    for bar in _bars(f"upload of {shown(size)}", speed):
        results.bar(bar)


def _bars(work: str, speed: Measure) -> list[Bar]:
    return [
        Bar(work, speed, 0.85, OURS, NGINX),
        Bar(work, speed, 4, OURS_POWER, AZURITE),
        Bar(work, speed, 1, OURS, NGINX_BUFFERED, is_moonshot=True),
    ]


def _round(server: Server, body: Slice, count: int, number: int) -> Sequence[float]:
    settle()
    cpu = server.process.cpu_seconds()
    seconds = _upload(server, [f"file-{number}-{each}" for each in range(count)], body)
    amount = body.length * count
    return amount / MIB / seconds, (server.process.cpu_seconds() - cpu) * GIB / amount


def _upload(server: Server, names: Sequence[str], body: Slice) -> float:
    with server.connect() as connection:
        begin = time.perf_counter()
        for name in names:
            server.upload(connection, name, body)
        seconds = time.perf_counter() - begin
    for name in names:
        server.forget(name)
    return seconds


def _copy(lab: Lab, size: int, count: int, _number: int) -> Sequence[float]:
    """The same bytes from the page cache into files, without a socket."""
    source = lab.directory / "copy-source"
    with lab.payload.path.open("rb") as whole, source.open("wb") as part:
        os.sendfile(part.fileno(), whole.fileno(), 0, size)
    targets = [Path(f"{source}-{each}") for each in range(count)]
    settle()
    cpu = time.process_time()
    begin = time.perf_counter()
    for target in targets:
        shutil.copyfile(source, target)
    seconds = time.perf_counter() - begin
    cpu = time.process_time() - cpu
    for each in (source, *targets):
        each.unlink()
    return size * count / MIB / seconds, cpu * GIB / (size * count)
