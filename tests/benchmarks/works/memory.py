"""Resident memory: idle, and while large bodies stream in."""

import time
from collections.abc import Sequence
from functools import partial

from tests.benchmarks.client import send_in_parallel
from tests.benchmarks.lab import AZURITE, NGINX, TUS, Lab, started
from tests.benchmarks.results import OURS, Bar, Results, Round, take_turns
from tests.benchmarks.servers.tus import Tuspyserver
from tests.benchmarks.sizes import MIB, shown

_CONTENDERS = (OURS, NGINX, AZURITE, TUS)
_IDLE_SECONDS = 0.5


def memory(lab: Lab, results: Results) -> None:
    """The most above idle, from the kernel's own record; a new process for each round."""
    sizes = lab.sizes
    title = f"while {shown(sizes.streams * sizes.stream)} stream in on {sizes.streams} connections"
    idle = results.measure("memory-idle", "resident memory, idle", "MiB")
    above = results.measure("memory-streaming", f"resident memory above idle {title}", "MiB")
    contenders: dict[str, Round] = {}
    for name in _CONTENDERS:
        reason = lab.fault(name)
        if reason:
            idle.skip(name, reason)
            above.skip(name, reason)
        else:
            contenders[name] = partial(_round, lab, name)
    take_turns(contenders, [idle, above], lab.rounds)
    results.bar(Bar("memory, idle", idle, 70))
    results.bar(Bar(f"memory above idle {title}", above, 32))


def _round(lab: Lab, name: str, _number: int) -> Sequence[float]:
    sizes = lab.sizes
    body = lab.payload.slice(sizes.stream)
    with started(lab.server(name)) as server:
        time.sleep(_IDLE_SECONDS)
        idle = server.process.memory()
        if isinstance(server, Tuspyserver):
            requests = server.create_all([f"stream-{each}" for each in range(sizes.streams)], body)
        else:
            requests = [server.upload_request(f"stream-{each}", body) for each in range(sizes.streams)]
        send_in_parallel(server.port, requests, sizes.streams)
        peak = server.process.peak_memory()
    return idle / MIB, (peak - idle) / MIB
