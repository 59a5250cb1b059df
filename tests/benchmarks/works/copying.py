"""The copy of a folder, against ``cp -r``."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from functools import partial

from tests.benchmarks.lab import Lab, settle
from tests.benchmarks.results import OURS, OURS_POWER, Bar, Results, Round, take_turns
from tests.benchmarks.servers.base import timed
from tests.benchmarks.servers.emulator import Emulator, warm_up
from tests.benchmarks.sizes import MIB, Sizes, shown

_COPY = "cp -r"
_SOURCE = "source"


def copy(lab: Lab, results: Results) -> None:
    """Many files of middling size. `cp` syncs nothing; what that costs the emulator is shown beside it."""
    sizes = lab.sizes
    title = f"copy of {shown(sizes.copied_files * sizes.copied_file)} in {sizes.copied_files:,} files"
    speed = results.measure("copy", title, "MiB/s", is_more_better=True)
    with lab.running((OURS, OURS_POWER), [speed]) as servers:
        contenders: dict[str, Round] = {}
        for name, server in servers.items():
            assert isinstance(server, Emulator)
            _fill(lab, server)
            with server.connect() as connection:
                warm_up(server, connection)
            contenders[name] = partial(_by_emulator, server, sizes)
            contenders.setdefault(_COPY, partial(_by_cp, server, sizes))
        take_turns(contenders, [speed], lab.rounds)
    results.bar(Bar(title, speed, 0.9, OURS, _COPY))


def _fill(lab: Lab, server: Emulator) -> None:
    folder = server.content / _SOURCE
    folder.mkdir(parents=True)
    (folder / "_.dir").touch()
    body = lab.payload.read(lab.sizes.copied_file)
    for number in range(lab.sizes.copied_files):
        (folder / f"file-{number:04}").write_bytes(body)


def _by_emulator(server: Emulator, sizes: Sizes, number: int) -> Sequence[float]:
    target = f"copy-{number}"
    settle()
    with server.connect() as connection:
        seconds = timed(connection, server.copy_request(_SOURCE, target))
        connection.send(server.delete_request(target))
    return [sizes.copied_files * sizes.copied_file / MIB / seconds]


def _by_cp(server: Emulator, sizes: Sizes, number: int) -> Sequence[float]:
    target = server.data / f"cp-{number}"
    settle()
    begin = time.perf_counter()
    subprocess.run(["cp", "-r", str(server.content / _SOURCE), str(target)], check=True)
    seconds = time.perf_counter() - begin
    shutil.rmtree(target)
    return [sizes.copied_files * sizes.copied_file / MIB / seconds]
