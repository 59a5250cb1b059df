"""From the start of the process to the first answer."""

import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial

from tests.benchmarks.lab import AZURITE, Lab, started
from tests.benchmarks.results import OURS, Bar, Results, Round, take_turns

_IMPORTS = "Python's imports alone"
_MODULES = "fastapi, uvicorn, sqlalchemy, aiofiles, pydantic"


def startup(lab: Lab, results: Results) -> None:
    """The emulator's health page, Azurite's first answer of any kind, and the time the libraries take to import."""
    taken = results.measure("startup", "process start to first answer", "ms")
    contenders: dict[str, Round] = {OURS: partial(_server, lab, OURS), _IMPORTS: _imports}
    reason = lab.fault(AZURITE)
    if reason:
        taken.skip(AZURITE, reason)
    else:
        contenders[AZURITE] = partial(_server, lab, AZURITE)
    for act in contenders.values():
        act(0)  # everything is in the page cache from here on
    take_turns(contenders, [taken], lab.rounds)
    results.bar(Bar("start", taken, 1.6, OURS, _IMPORTS))
    results.bar(Bar("start", taken, 1, OURS, AZURITE))


def _server(lab: Lab, name: str, _number: int) -> Sequence[float]:
    with started(lab.server(name)) as server:
        return [server.start_seconds * 1000]


def _imports(_number: int) -> Sequence[float]:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {_MODULES}"], check=True)
    return [(time.perf_counter() - begin) * 1000]
