"""An image built once for all tests, and containers and volumes that are gone after each."""

from collections.abc import Callable, Iterator

import pytest

from tests.docker.engine import Container, docker, unique, why_no_engine


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine, or the test is skipped."""
    reason = why_no_engine()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def image(engine: None) -> Iterator[str]:
    """The image as ``docker build .`` makes it."""
    name = unique("image")
    docker("build", "--tag", name, ".")
    yield name
    docker("image", "rm", name)


@pytest.fixture
def volume(engine: None) -> Iterator[str]:
    """A new named volume."""
    name = unique("volume")
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", name)


@pytest.fixture
def start(image: str, volume: str) -> Iterator[Callable[..., Container]]:
    """Starts containers of the image. (They go before the volume does.)"""
    started: list[Container] = []

    def run(*options: str, command: tuple[str, ...] = ()) -> Container:
        started.append(Container(image, *options, command=command))
        return started[-1]

    yield run
    for each in started:
        each.remove()
