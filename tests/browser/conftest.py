"""A browser, and the Explorer of a fresh store in it."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Dialog, Error, Page, expect, sync_playwright

from emulator.testing import EmulatorThread, ImageStore

_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_MS: Final = 20_000
_ATTEMPTS: Final = 10
_TELL_VIOLATIONS: Final = """
document.addEventListener("securitypolicyviolation", (event) => console.error("CSP", event.violatedDirective));
"""
IN_ONE_WORKER: Final = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
"""Marks of each module here: one worker runs all of them, so that there is one browser at a time."""

OpenExplorer = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium or what is called like it. Of a module: while it is open, no other event loop can be run."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser is installed: none of {', '.join(_PROGRAMS)} is on the PATH")
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


def go_to(page: Page, address: str) -> None:
    """Open an address; chromium lets go of it when a network comes or goes, as with any container on the machine."""
    for _ in range(_ATTEMPTS):
        try:
            page.goto(address)
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in error.message:
                raise
        else:
            return
    pytest.fail(f"the network changed {_ATTEMPTS} times while {address} was opened")


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorThread]:
    """One server for all tests of a module: each works in a store of its own."""
    with EmulatorThread(journal_hash_limit=1 << 30) as running:
        yield running


@pytest.fixture
def store(server: EmulatorThread) -> Iterator[ImageStore]:
    """A fresh store."""
    with server.store.fresh() as fresh:
        yield fresh


@pytest.fixture
def open_explorer(browser: Browser, store: ImageStore) -> Iterator[OpenExplorer]:
    """Opens the Explorer of the store, or of an endpoint address; all of them work without a mistake of their own."""
    contexts = []
    mistakes: list[str] = []

    def meet(dialog: Dialog) -> None:
        if dialog.type != "beforeunload":
            mistakes.append(f"{dialog.type}: {dialog.message}")
        dialog.accept()

    def opened(endpoint: str = "", **options: Any) -> Page:
        values: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "accept_downloads": True} | options
        context = browser.new_context(**values)
        context.set_default_timeout(_PATIENCE_MS)
        contexts.append(context)
        context.add_init_script(_TELL_VIOLATIONS)
        page = context.new_page()
        page.on("pageerror", lambda error: mistakes.append(f"error: {error}"))
        page.on("dialog", meet)
        page.on("console", lambda message: mistakes.append(message.text) if message.text.startswith("CSP") else None)
        go_to(page, f"{endpoint or store.endpoint}/Explorer")
        expect(page.locator("[data-part=store]")).not_to_have_text("…")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert mistakes == []


@pytest.fixture
def page(open_explorer: OpenExplorer) -> Page:
    """The Explorer of the store, live."""
    opened = open_explorer()
    expect(opened.get_by_text("Live", exact=True)).to_be_visible()
    return opened
