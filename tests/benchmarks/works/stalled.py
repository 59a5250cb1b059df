"""One upload while other clients began theirs and went silent."""

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from tests.benchmarks.lab import Lab, settle
from tests.benchmarks.results import Bar, Results, take_turns
from tests.benchmarks.servers.emulator import Emulator, warm_up
from tests.benchmarks.sizes import MIB, shown

_BEGUN = MIB + MIB // 2
_ARRIVAL_SECONDS = 0.3


def stalled(lab: Lab, results: Results) -> None:
    """Half of the silent clients upload files, half of them chunks."""
    count, size = lab.sizes.stalled, lab.sizes.file
    beside, alone = f"beside {count} stalled", "alone"
    taken = results.measure("stalled", f"one upload of {shown(size)}", "ms")
    with lab.emulator() as server:
        with server.connect() as connection:
            warm_up(server, connection)
        contenders = {
            alone: partial(_round, lab, server, 0),
            beside: partial(_round, lab, server, count),
        }
        take_turns(contenders, [taken], lab.rounds)
    results.bar(Bar(f"upload of {shown(size)} beside {count} stalled ones", taken, 2, beside, alone))


def _round(lab: Lab, server: Emulator, count: int, number: int) -> Sequence[float]:
    body = lab.payload.slice(lab.sizes.file)
    with ExitStack() as stack:
        for each in range(count):
            connection = stack.enter_context(server.connect())
            name = f"stalled-{number}-{each}"
            if each % 2:
                connection.start(server.upload_request(name, body), _BEGUN)
            else:
                session = str(uuid.uuid4())
                connection.start(server.chunk_request(name, session, 0, body.length, body), _BEGUN)
        time.sleep(_ARRIVAL_SECONDS)
        settle()
        name = f"upload-{number}"
        with server.connect() as connection:
            begin = time.perf_counter()
            server.upload(connection, name, body)
            seconds = time.perf_counter() - begin
    server.forget(name)
    return [seconds * 1000]
