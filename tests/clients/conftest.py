"""Fixtures that put the programs of real clients at a test's disposal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.environments import environment


@pytest.fixture(scope="session")
def programs() -> Callable[[str], Path]:
    """Answers a client's name with the folder of its programs; a client that can't be installed is an error."""
    return environment
