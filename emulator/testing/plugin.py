"""Fixtures and a marker for pytest, found by itself once the package is installed.

``image_store``
    a fresh store for each test: its ``endpoint`` for the client under test, and everything of
    `emulator.client.Control` for the test
``image_store_server``
    the address of the server that all of them live in: one in this process, or, with ``IMAGESTORE_ENDPOINT`` in the
    environment, one that runs already
``@pytest.mark.image_store(snapshot=..., seed=..., clock=..., rate=..., expiry=..., faults=..., lint=...)``
    what a test's store starts with; ``clock="frozen"`` or a moment stands still, ``seed`` is relative to the test's
    file, and ``lint=True`` fails the test for mistakes of its client
"""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from emulator.testing.store import ImageStore

_MARKER: Final = "image_store"
_EFFECTS: "Final[dict[str, Callable[[ImageStore, Any, Path], object]]]" = {
    "snapshot": lambda store, name, _: store.restore(name),
    "seed": lambda store, source, folder: store.seed(folder / source),
    "clock": lambda store, moment, _: store.freeze(None if moment == "frozen" else moment),
    "rate": lambda store, rate, _: store.set_clock(rate=rate),
    "expiry": lambda store, mode, _: store.set_expiry(mode),
    "faults": lambda store, faults, _: store.add_fault(faults),
}
"""The marker's options in the order in which they are put into effect."""

OPTIONS: Final = (*_EFFECTS, "lint")
_STORE: Final = pytest.StashKey["ImageStore"]()
_HAS_FAILED: Final = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", f"{_MARKER}({', '.join(OPTIONS)}): what the test's image store starts with; all by name"
    )


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Refuse markers that say what cannot be, before any test runs."""
    report = yield
    problems = [problem for each in report.result if isinstance(each, pytest.Item) for problem in _problems(each)]
    if problems:
        report.outcome, report.longrepr, report.result = "failed", "\n".join(problems), []
    return report


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
    from emulator.client import UnreachableError
    from emulator.testing.store import ImageStore

    server = ImageStore(
        image_store_server,
        os.environ.get("IMAGESTORE_CONTROL_TOKEN", ""),
        ca=os.environ.get("IMAGESTORE_CA", ""),
        certificate=os.environ.get("IMAGESTORE_CERTIFICATE", ""),
    )
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(_MARKER))):
        options |= marker.kwargs
    try:
        with server.fresh() as store:
            request.node.stash[_STORE] = store
            _prepare(store, options, request.node.path.parent)
            yield store
            if options.get("lint") and not request.node.stash.get(_HAS_FAILED, False):
                _require_no_findings(store)
    except UnreachableError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add journal and sessions of the store to the report of a test that failed."""
    report = yield
    item.stash[_HAS_FAILED] = report.failed
    if report.failed and report.when != "teardown" and _STORE in item.stash:
        try:
            found = item.stash[_STORE].report()
        except Exception as error:  # noqa: BLE001  # whatever it is, the test's own failure matters more
            found = {"journal": f"cannot be asked any more: {error}"}
        report.sections += [(f"image store: {title}", text) for title, text in found.items()]
    return report


def _problems(test: pytest.Item) -> Iterator[str]:
    for marker in test.iter_markers(_MARKER):
        for wrong in [*map(repr, marker.args), *(name for name in marker.kwargs if name not in OPTIONS)]:
            yield f"{test.name}: @pytest.mark.{_MARKER} takes {', '.join(OPTIONS)}, by name; not {wrong}"


def _prepare(store: "ImageStore", options: dict[str, Any], folder: Path) -> None:
    from emulator.client import ControlError

    for name, put_into_effect in _EFFECTS.items():
        if name in options:
            try:
                put_into_effect(store, options[name], folder)
            except (ControlError, OSError, TypeError, ValueError) as error:
                pytest.fail(f"@pytest.mark.{_MARKER}({name}={options[name]!r}): {error}", pytrace=False)


def _require_no_findings(store: "ImageStore") -> None:
    findings = "\n".join(f"{each['rule']}: {each['message']}" for each in store.lint())
    if findings:
        pytest.fail(f"{findings}\n\n{store.report()['journal']}", pytrace=False)
