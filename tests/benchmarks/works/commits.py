"""Commits of a huge and of a small session."""

import os
import sqlite3
import statistics
import uuid
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from emulator.protocol.received_ranges import ReceivedRanges
from tests.benchmarks.lab import Lab
from tests.benchmarks.results import Bar, Results, Round, take_turns
from tests.benchmarks.servers.base import timed
from tests.benchmarks.servers.emulator import Emulator, warm_up
from tests.benchmarks.sizes import MIB, shown

_SMALL = MIB
_FIRST_CHUNK = b"begin"


def commit(lab: Lab, results: Results) -> None:
    """Seconds of one commit, whatever the size of the session's file."""
    sizes = lab.sizes
    time_taken = results.measure("commit", f"commit, median of {sizes.commits}", "ms")
    by_size = {shown(size): size for size in (sizes.committed_file, _SMALL)}
    with lab.emulator() as server:
        sessions = {name: _open_sessions(server, size, lab.rounds * sizes.commits) for name, size in by_size.items()}
        server.stop()
        for name, size in by_size.items():
            _fill(server, sessions[name], size)
        server.start()
        with server.connect() as connection:
            warm_up(server, connection)
        contenders: dict[str, Round] = {
            name: partial(_round, server, waiting, sizes.commits) for name, waiting in sessions.items()
        }
        take_turns(contenders, [time_taken], lab.rounds)
    large, small = by_size
    results.bar(Bar(f"commit of {large}", time_taken, 1.5, large, small))


def _round(server: Emulator, sessions: list[str], count: int, _number: int) -> Sequence[float]:
    with server.connect() as connection:
        return [
            statistics.median(timed(connection, server.commit_request(sessions.pop())) for _ in range(count)) * 1000
        ]


def _open_sessions(server: Emulator, size: int, count: int) -> list[str]:
    """Sessions with their first few bytes, made as a client makes them."""
    sessions = [str(uuid.uuid4()) for _ in range(count)]
    with server.connect() as connection:
        for session in sessions:
            connection.send(server.chunk_request(f"commit/{session}", session, 0, size, _FIRST_CHUNK))
    return sessions


def _fill(server: Emulator, sessions: Sequence[str], size: int) -> None:
    """The shortcut: nobody sends 10 GiB for each commit.

    While the server is stopped, the sessions' rows are told that everything has arrived and their files are made as
    long as they would be, with a hole where the bytes would be. A commit looks at nothing else.
    """
    everything = ReceivedRanges()
    everything.add(0, size - 1)
    with closing(sqlite3.connect(server.data / "emulator.db")) as database, database:
        for session in sessions:
            database.execute(
                "UPDATE upload_session SET received = ?, byte_count = ? WHERE session_id = ?",
                (everything.to_bytes(), size, session),
            )
            (token,) = database.execute(
                "SELECT staging FROM upload_session WHERE session_id = ?", (session,)
            ).fetchone()
            os.truncate(server.data / "default" / "staging" / "sessions" / token, size)
