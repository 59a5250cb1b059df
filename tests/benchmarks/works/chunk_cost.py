"""What one small chunk costs late in a long session, and beside thousands of other sessions."""

import random
import statistics
import uuid
from collections.abc import Sequence
from functools import partial

from tests.benchmarks.client import send_small
from tests.benchmarks.lab import Lab
from tests.benchmarks.results import OURS, OURS_AGAIN, Bar, Results, take_turns
from tests.benchmarks.servers.base import timed
from tests.benchmarks.servers.emulator import Emulator, warm_up
from tests.benchmarks.sizes import KIB

_CHUNK = KIB
_WINDOW = 11


def chunk_cost(lab: Lab, results: Results) -> None:
    """All chunks of a session one by one: those around the 10th, the middle one, and the last."""
    count = lab.sizes.chunks_in_session
    early, middle, late = "around the 10th", f"around the {count // 2:,}th", f"up to the {count:,}th"
    body = lab.payload.read(_CHUNK)
    with lab.emulator() as server:
        with server.connect() as connection:
            warm_up(server, connection)
        for order in ("in order", "shuffled"):
            name = f"chunk-cost-{order.replace(' ', '-')}"
            cost = results.measure(name, f"one of {count:,} chunks of a session, {order}", "ms")
            for _ in range(lab.rounds):
                times = _session(server, body, count, is_shuffled=order == "shuffled")
                at = {early: 10, middle: count // 2 + _WINDOW // 2, late: count}
                for contender, end in at.items():
                    cost.record(contender, statistics.median(times[max(end - _WINDOW, 0) : end]))
            results.bar(Bar(f"chunk {count:,} of a session, {order}", cost, 1.5, late, early))


def _session(server: Emulator, body: bytes, count: int, *, is_shuffled: bool) -> list[float]:
    """Milliseconds of each chunk of a new session."""
    session = str(uuid.uuid4())
    order = list(range(count))
    if is_shuffled:
        random.Random(1).shuffle(order)
    total = count * len(body)
    with server.connect() as connection:
        times = [
            timed(connection, server.chunk_request("long", session, each * len(body), total, body)) * 1000
            for each in order
        ]
        connection.send(server.commit_request(session))
        connection.send(server.delete_session_request(session))
    return times


def open_sessions(lab: Lab, results: Results) -> None:
    """The same chunks on an emulator with thousands of open sessions and on one without."""
    count = lab.sizes.open_sessions
    beside, alone = f"beside {count:,} sessions", "alone"
    cost = results.measure("open-sessions", "one chunk of a session", "ms")
    body = lab.payload.read(_CHUNK)
    with lab.emulator(OURS) as full, lab.emulator(OURS_AGAIN) as empty:
        for server in (full, empty):
            with server.connect() as connection:
                warm_up(server, connection)
        sessions = [str(uuid.uuid4()) for _ in range(count)]
        send_small(
            full.port,
            [full.chunk_request(f"open/{each}", each, 0, 2 * _CHUNK, body) for each in sessions],
            lab.sizes.small_connections,
        )
        contenders = {
            name: partial(_chunks, server, body, lab.sizes.chunks_beside_sessions)
            for name, server in {beside: full, alone: empty}.items()
        }
        take_turns(contenders, [cost], lab.rounds)
    results.bar(Bar(f"one chunk beside {count:,} sessions", cost, 1.2, beside, alone))


def _chunks(server: Emulator, body: bytes, count: int, _number: int) -> Sequence[float]:
    return [statistics.median(_session(server, body, count, is_shuffled=False))]
