"""An emulator whose clock runs, and the control of its stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.client import Control
from emulator.testing import EmulatorThread
from tests.control.service import Service


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    """One server for all tests of a module: each works in a store of its own."""
    with EmulatorThread(tmp_path_factory.mktemp("control") / "data", journal_hash_limit=1 << 30) as running:
        yield running


@pytest.fixture
def store(server: EmulatorThread, request: pytest.FixtureRequest) -> Iterator[Control]:
    """The control of a fresh store."""
    name = f"s{abs(hash(request.node.nodeid))}"
    control = Control(server.endpoint).make_store(name)
    yield control
    control.drop()


@pytest.fixture
def service(store: Control) -> Service:
    """A client of that store."""
    return Service(store.endpoint)


@pytest.fixture
def data(server: EmulatorThread) -> Path:
    """The server's data directory."""
    assert server.data
    return server.data
