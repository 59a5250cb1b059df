"""How long a listing waits while uploads run at full speed."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tests.benchmarks.client import BenchmarkError
from tests.benchmarks.lab import Lab
from tests.benchmarks.results import OURS, Bar, Results, take_turns
from tests.benchmarks.servers.base import timed
from tests.benchmarks.servers.emulator import Emulator, warm_up
from tests.benchmarks.sizes import shown

_UPLOADS = 4
_FILES = 20
_PAUSE_SECONDS = 0.01
_IDLE = "emulator, idle"


def latency(lab: Lab, results: Results) -> None:
    """The 99th percentile and the median of many listings."""
    title = f"listing of {_FILES} files while {_UPLOADS} uploads of {shown(lab.sizes.file)} run"
    worst = results.measure("latency-p99", f"{title}, 99th percentile of {lab.sizes.listings}", "ms")
    usual = results.measure("latency-median", f"{title}, median", "ms")
    with lab.emulator() as server:
        with server.connect() as connection:
            warm_up(server, connection)
            for number in range(_FILES):
                connection.send(server.upload_request(f"listed/file-{number}", b"x"))
        contenders = {
            OURS: partial(_round, lab, server, _UPLOADS),
            _IDLE: partial(_round, lab, server, 0),
        }
        take_turns(contenders, [worst, usual], lab.rounds)
    results.bar(Bar(f"listing beside {_UPLOADS} uploads, p99", worst, 50))


def _round(lab: Lab, server: Emulator, uploads: int, _number: int) -> Sequence[float]:
    times = []
    with _uploading(lab, server, uploads), server.connect() as connection:
        for _ in range(lab.sizes.listings):
            times.append(timed(connection, server.list_request("listed")) * 1000)
            time.sleep(_PAUSE_SECONDS)
    return statistics.quantiles(times, n=100)[98], statistics.median(times)


@contextmanager
def _uploading(lab: Lab, server: Emulator, count: int) -> Iterator[None]:
    """That many connections, each uploading the same file again and again."""
    body = lab.payload.slice(lab.sizes.file)
    ended = threading.Event()
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            with server.connect() as connection:
                while not ended.is_set():
                    server.upload(connection, f"busy/file-{number}", body)
        except (OSError, BenchmarkError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    if failures:
        raise BenchmarkError(str(failures[0]))
