"""A file in chunks, several in flight, in a random order, with the commit."""

import random
import time
from collections.abc import Sequence
from functools import partial

from tests.benchmarks.lab import AZURITE, TUS, TUS_SYNCED, Lab, settle
from tests.benchmarks.payload import Slice
from tests.benchmarks.results import OURS, OURS_AGAIN, OURS_POWER, Bar, Results, Round, take_turns
from tests.benchmarks.servers.base import ChunkedServer, Server
from tests.benchmarks.sizes import GIB, MIB, shown

_CONTENDERS = (OURS, OURS_AGAIN, OURS_POWER, AZURITE, TUS, TUS_SYNCED)
_PLAIN = "emulator, plain upload"


def small_chunks(lab: Lab, results: Results) -> None:
    """Chunks of 4 MiB."""
    _measure(lab, results, "chunks-4", 4 * MIB)


def large_chunks(lab: Lab, results: Results) -> None:
    """Chunks of 25 MiB, which is what ``sfctl`` sends."""
    _measure(lab, results, "chunks-25", 25 * MIB)


def _measure(lab: Lab, results: Results, name: str, chunk_size: int) -> None:
    total, in_flight = lab.sizes.chunked_file, lab.sizes.in_flight
    title = f"{shown(total)} in chunks of {shown(chunk_size)}, {in_flight} in flight, shuffled, with commit"
    speed = results.measure(name, title, "MiB/s", is_more_better=True)
    cpu = results.measure(f"{name}-cpu", f"server CPU, {title}", "s/GiB")
    chunks = [lab.payload.slice(min(chunk_size, total - start), start) for start in range(0, total, chunk_size)]
    random.Random(1).shuffle(chunks)
    with lab.running(_CONTENDERS, [speed, cpu]) as servers:
        contenders: dict[str, Round] = {}
        for contender, server in servers.items():
            assert isinstance(server, ChunkedServer)
            server.upload_in_chunks("warm-up", [lab.payload.slice(MIB)], 1)
            server.forget("warm-up")
            contenders[contender] = partial(_chunked, server, chunks, in_flight)
        if OURS in servers:
            contenders[_PLAIN] = partial(_plain, servers[OURS], lab.payload.slice(total))
        take_turns(contenders, [speed, cpu], lab.rounds)
    work = f"chunks of {shown(chunk_size)}"
    results.bar(Bar(work, speed, 0.8, OURS, _PLAIN))
    results.bar(Bar(work, speed, 4, OURS_POWER, AZURITE))
    for peer in (TUS, TUS_SYNCED):
        results.bar(Bar(work, speed, 1, OURS_POWER, peer))
        results.bar(Bar(work, speed, 1.4, OURS_POWER, peer, is_moonshot=True))


def _chunked(server: ChunkedServer, chunks: Sequence[Slice], in_flight: int, number: int) -> Sequence[float]:
    name = f"chunked-{number}"
    settle()
    cpu = server.process.cpu_seconds()
    seconds = server.upload_in_chunks(name, chunks, in_flight)
    cpu = server.process.cpu_seconds() - cpu
    server.forget(name)
    total = sum(chunk.length for chunk in chunks)
    return total / MIB / seconds, cpu * GIB / total


def _plain(server: Server, body: Slice, number: int) -> Sequence[float]:
    name = f"plain-{number}"
    settle()
    cpu = server.process.cpu_seconds()
    with server.connect() as connection:
        begin = time.perf_counter()
        server.upload(connection, name, body)
        seconds = time.perf_counter() - begin
    cpu = server.process.cpu_seconds() - cpu
    server.forget(name)
    return body.length / MIB / seconds, cpu * GIB / body.length
