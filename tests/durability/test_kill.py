"""``kill -9`` at random moments of a mixed load: nothing that was acknowledged is lost, nothing is half there.

``KILL_ROUNDS`` sets how often each test kills (its default keeps the suite short), ``KILL_SEED`` repeats a run's load.
"""

import os
import random
import signal
from pathlib import Path

import pytest

from tests.durability.load import Client, Load
from tests.durability.servers import DurableServer, content_of, require_clean_staging
from tests.support.databases import Keeping
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
CLIENTS = 4


def rounds(default: int) -> int:
    """How often to kill."""
    return int(os.environ.get("KILL_ROUNDS", default))


def clients(moments: random.Random, *, retries: bool = False) -> list[Client]:
    """Clients whose work follows from the seed."""
    return [Client(f"client{number}", moments.getrandbits(32), retries=retries) for number in range(CLIENTS)]


def wait_for_moment(load: Load, moments: random.Random, most: int = 60) -> None:
    """Until the load has made a random number of changes, so that something else is under way whenever it ends."""
    enough = load.since_start + moments.randrange(1, most)
    eventually(lambda: load.since_start >= enough or load.failed, "the load gets on")


def kill_and_restart(data: Path, count: int, workers: int, *options: str) -> None:
    """Load, kill, restart, look; on one data directory all along."""
    moments = random.Random(SEED)
    all_clients = clients(moments)
    options = ("--workers", str(workers), *options)
    server = DurableServer(data, *options)
    try:
        for number in range(count):
            load = Load(all_clients, server)
            wait_for_moment(load, moments)
            server.kill()
            load.stop()
            assert "Traceback" not in server.log()
            server = DurableServer(data, *options)
            eventually(server.is_ready, "it is ready again")
            on_disk = content_of(data)
            for client in all_clients:
                try:
                    client.settle(server, on_disk)
                    client.finish_session(server)
                except AssertionError as failure:
                    failure.add_note(f"in round {number} of seed {SEED}")
                    raise
            require_clean_staging(data, workers)
        assert not server.log().count("Traceback")
    finally:
        server.__exit__(None, None, None)


def test_a_killed_server_has_lost_nothing_it_acknowledged_and_kept_nothing_half(
    tmp_path: Path, keeping: Keeping
) -> None:
    """What is on disk is what was acknowledged, or that with the change that was under way, whole.

    That goes for each file byte by byte, for folders that were copied or deleted, and for sessions, which expect what
    was not acknowledged, go on, and commit to the exact bytes. Nothing in staging is without an owner.
    """
    kill_and_restart(keeping(tmp_path / "data"), rounds(6), 1)


def test_neither_has_one_that_syncs_to_the_disk(tmp_path: Path) -> None:
    """The same with ``--durability power``. What a power failure leaves cannot be seen here, what a kill leaves can."""
    kill_and_restart(tmp_path / "data", rounds(2), 1, "--durability", "power")


def test_neither_has_a_group_of_workers_killed_together(tmp_path: Path, keeping: Keeping) -> None:
    """The same with two workers that die at once, in the middle of what they do to each other's sessions."""
    kill_and_restart(keeping(tmp_path / "data"), rounds(2), 2)


def test_clients_finish_although_workers_are_killed_under_them(tmp_path: Path, keeping: Keeping) -> None:
    """Whoever repeats a request that broke off has in the end exactly what was meant.

    The parent replaces the dead worker, and staging is as tidy as if nothing had happened.
    """
    data = keeping(tmp_path / "data")
    moments = random.Random(SEED)
    all_clients = clients(moments, retries=True)
    with DurableServer(data, "--workers", "2") as server:
        eventually(lambda: len(server.workers()) == 2, "two workers serve")
        load = Load(all_clients, server)
        for _ in range(rounds(2)):
            wait_for_moment(load, moments)
            before = server.workers()
            victim = moments.choice(sorted(before))
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: victim not in server.workers(), "it is dead")  # noqa: B023
            eventually(lambda: len(server.workers()) == 2, "it is replaced")
        wait_for_moment(load, moments)
        load.stop()
        on_disk = content_of(data)
        for client in all_clients:
            client.settle(server, on_disk)
            client.finish_session(server)
        require_clean_staging(data, 2)
        assert "Traceback" not in server.log()
        assert server.terminate() == 0
