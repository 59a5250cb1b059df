"""Fixtures and a marker for pytest, found by itself once the package is installed.

``image_store``
    a fresh store for each test: its ``endpoint`` for the client under test, and everything of
    `emulator.client.Control` for the test
``image_store_server``
    the address of the server that all of them live in: one in this process, or, with ``IMAGESTORE_ENDPOINT`` in the
    environment, one that runs already
``@pytest.mark.image_store(faults=..., clock=..., rate=..., expiry=..., seed=..., snapshot=..., lint=...)``
    what a test's store starts with; ``clock="frozen"`` or a moment stands still, and ``lint=True`` fails the test for
    mistakes of its client
"""

import os
import uuid
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from emulator.testing.store import ImageStore

_MARKER: Final = "image_store"
_FIXTURE: Final = "image_store"
_OPTIONS: Final = frozenset({"faults", "clock", "rate", "expiry", "seed", "snapshot", "lint"})


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(faults, clock, rate, expiry, seed, snapshot, lint): what the test's image store starts with",
    )


@pytest.fixture(scope="session")
def image_store_server() -> Iterator[str]:
    """The endpoint address of the emulator that all stores of this test run live in."""
    running = os.environ.get("IMAGESTORE_ENDPOINT")
    if running:
        yield running
        return
    from emulator.testing.server import EmulatorThread

    with EmulatorThread(journal_hash_limit=1 << 62) as server:
        yield server.endpoint


@pytest.fixture
def image_store(request: pytest.FixtureRequest, image_store_server: str) -> Iterator["ImageStore"]:
    """A store of the test's own, gone when it is over."""
    from emulator.testing.store import ImageStore

    server = ImageStore(image_store_server, os.environ.get("IMAGESTORE_CONTROL_TOKEN", ""))
    store = server.on(f"test-{uuid.uuid4().hex}")
    options = _options(request.node)
    try:
        _prepare(store, options)
        yield store
        if options.get("lint"):
            _require_no_findings(store)
    finally:
        store.drop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add journal and sessions of the store to the report of a test that failed."""
    report = yield
    store = getattr(item, "funcargs", {}).get(_FIXTURE)
    if report.when == "call" and report.failed and store is not None:
        try:
            report.sections += [(f"image store: {title}", text) for title, text in store.report().items()]
        except Exception as error:  # noqa: BLE001  # whatever it is, the test's own failure matters more
            report.sections.append(("image store", f"cannot be asked any more: {error}"))
    return report


def _options(node: pytest.Item) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers(_MARKER))):
        if marker.args or set(marker.kwargs) - _OPTIONS:
            raise pytest.UsageError(f"@pytest.mark.{_MARKER} takes {', '.join(sorted(_OPTIONS))}, by name")
        options |= marker.kwargs
    return options


def _prepare(store: "ImageStore", options: dict[str, Any]) -> None:
    if "snapshot" in options:
        store.restore(options["snapshot"])
    if "seed" in options:
        store.seed(options["seed"])
    if "clock" in options:
        store.freeze(None if options["clock"] == "frozen" else options["clock"])
    if "rate" in options:
        store.set_clock(rate=options["rate"])
    if "expiry" in options:
        store.set_expiry(options["expiry"])
    if "faults" in options:
        store.add_fault(options["faults"])


def _require_no_findings(store: "ImageStore") -> None:
    findings = store.lint()
    if findings:
        pytest.fail("\n".join(f"{each['rule']}: {each['message']}" for each in findings), pytrace=False)
