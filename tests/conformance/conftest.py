"""An emulator of its own for every case: starting one takes milliseconds, so nothing is shared between cases."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.support.emulator import InProcessEmulator

Start: TypeAlias = Callable[..., InProcessEmulator]
Retire: TypeAlias = Callable[[InProcessEmulator], None]


@pytest.fixture(scope="session")
def retire() -> Iterator[Retire]:
    """Stops an emulator while the next case is running already; that each did stop is looked at in the end.

    A server looks five times a second whether it should go on, and hundreds of them would wait for that in turn.
    """
    stopping: list[Future[None]] = []
    with ThreadPoolExecutor(16) as pool:
        yield lambda emulator: stopping.append(pool.submit(emulator.stop))
        for stopped in stopping:
            stopped.result()


@pytest.fixture
def start(tmp_path: Path, retire: Retire) -> Iterator[Start]:
    """Starts an emulator with an empty store; its settings are the arguments."""
    running: list[InProcessEmulator] = []

    def start_one(**settings: Any) -> InProcessEmulator:
        running.append(InProcessEmulator(tmp_path / f"data{len(running)}", **settings).start())
        return running[-1]

    yield start_one
    for emulator in running:
        retire(emulator)
