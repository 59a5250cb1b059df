"""Fixtures every test can ask for; what they start is real: sockets, disk, database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import databases, postgresql
from tests.support.emulator import InProcessEmulator


def pytest_configure() -> None:
    """A run on PostgreSQL without one would test nothing."""
    if databases.WHOLE_RUN not in ("sqlite", "postgresql"):
        raise pytest.UsageError("IMAGESTORE_TEST_DATABASE is sqlite or postgresql")
    if databases.WHOLE_RUN == "postgresql" and (reason := postgresql.missing()):
        raise pytest.UsageError(reason)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests that need PostgreSQL are skipped by name where there is none."""
    if item.get_closest_marker("postgresql") and (reason := postgresql.missing()):
        pytest.skip(reason)


def pytest_sessionfinish() -> None:
    """Nothing outlives the tests; later than now, xdist would not wait for it."""
    postgresql.stop_server()


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[InProcessEmulator]:
    """An empty emulator of the default profile on a free port, with a clock that stands still until moved."""
    with InProcessEmulator(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="session", params=databases.EACH)
def keeping(request: pytest.FixtureRequest) -> databases.Keeping:
    """For tests that run on each database: settles where a data directory's sessions go, and answers with it."""

    def keep(data: Path) -> Path:
        if request.param == "postgresql":
            databases.keep_in_postgresql(data)
        return data

    return keep
