"""Fixtures every test can ask for; what they start is real: sockets, disk, database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.emulator import InProcessEmulator


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[InProcessEmulator]:
    """An empty emulator of the default profile on a free port, with a clock that stands still until moved."""
    with InProcessEmulator(tmp_path / "data") as running:
        yield running
