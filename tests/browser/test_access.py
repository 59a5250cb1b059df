"""The Explorer where not everything may be done: over HTTPS, by role, with several workers, behind a proxy."""

import http.client
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from emulator.testing import EmulatorThread
from tests.browser.conftest import IN_ONE_WORKER, OpenExplorer
from tests.browser.test_page import violations
from tests.control.service import Service
from tests.support.emulator import EmulatorProcess

pytestmark = IN_ONE_WORKER

NEW: Final = FilePayload(name="new.txt", mimeType="", buffer=b"x")
OVER_HTTPS: Final[dict[str, Any]] = {"ignore_https_errors": True}
"""Chromium has a list of authorities of its own, to which nobody adds one for a test."""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    """An emulator that serves only clients with a certificate, with something in it."""
    with EmulatorThread(tmp_path_factory.mktemp("secured"), tls="auto", client_certificates=True) as running:
        assert running.data
        trust = ssl.create_default_context(cafile=running.data / "tls/ca.pem")
        trust.load_cert_chain(running.data / "tls/admin.pem")
        connection = http.client.HTTPSConnection("localhost", running.port, context=trust)
        for path in ("MyApp/file", "readme.txt"):
            connection.request("PUT", f"/ImageStore/{path}?api-version=6.0", b"x")
            assert connection.getresponse().read() == b""
        connection.close()
        yield running


def explorer_of(server: EmulatorThread, role: str, open_explorer: OpenExplorer, **options: Any) -> Page:
    """The Explorer as whoever has the certificate of this role sees it; "" for a stranger."""
    endpoint = f"https://localhost:{server.port}"
    pem = f"{server.data}/tls/{role}.pem"
    certificates = [{"origin": endpoint, "certPath": pem, "keyPath": pem}] if role else []
    return open_explorer(endpoint, client_certificates=certificates, **OVER_HTTPS, **options)


def row(page: Page, name: str) -> Locator:
    """The row of an entry of the tree."""
    return page.get_by_role("treegrid").get_by_role("row").filter(has_text=name).first


def kit(page: Page) -> Locator:
    """What there is of the test kit."""
    return page.get_by_role("region", name="Test kit", exact=True)


def test_over_https_everything_works_as_over_http(open_explorer: OpenExplorer, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(9_000_000))
    with EmulatorThread(tls="auto") as server:
        page = open_explorer(f"https://localhost:{server.port}", **OVER_HTTPS)
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        page.locator("input[data-part=files]").set_input_files(large)
        expect(page.get_by_text("large.bin is stored.")).to_be_visible()
        row(page, "large.bin").click()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download").click()
        assert saved.value.path().read_bytes() == large.read_bytes()


def test_an_admin_may_do_everything(secured: EmulatorThread, open_explorer: OpenExplorer) -> None:
    page = explorer_of(secured, "admin", open_explorer)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.locator("input[data-part=files]").set_input_files([NEW])
    expect(page.get_by_text("new.txt is stored.")).to_be_visible()
    row(page, "new.txt").click()
    page.keyboard.press("Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("new.txt is deleted.")).to_be_visible()
    expect(kit(page).get_by_role("button", name="Freeze")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_user_sees_the_content_and_is_told_why_that_is_all(
    secured: EmulatorThread, open_explorer: OpenExplorer, scheme: str
) -> None:
    page = explorer_of(secured, "user", open_explorer, color_scheme=scheme, bypass_csp=True)
    row(page, "MyApp").dblclick()
    expect(row(page, "file")).to_contain_text("1 byte")
    expect(page.get_by_text("you can see what is stored, and change nothing")).to_be_visible()
    expect(kit(page)).to_contain_text("this is for clients whose certificate makes them admins")
    row(page, "readme.txt").click()
    for name in ("Download", "Copy…", "Delete…", "Clear"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    expect(page.get_by_text("upload", exact=False).locator("visible=true")).to_have_count(0)
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("alert")).to_be_empty()
    assert violations(page) == []


def test_a_stranger_is_told_that_there_is_nothing_for_strangers(
    secured: EmulatorThread, open_explorer: OpenExplorer
) -> None:
    page = explorer_of(secured, "", open_explorer)
    expect(page.get_by_role("treegrid")).to_contain_text("403")
    expect(kit(page)).to_contain_text("this is for clients whose certificate makes them admins")
    expect(page.get_by_text("No live updates")).to_be_visible()


def test_with_several_workers_content_is_all_there_is_and_the_page_says_so(
    open_explorer: OpenExplorer, tmp_path: Path
) -> None:
    with EmulatorProcess(tmp_path / "data", "--workers", "2") as group:
        endpoint = f"http://127.0.0.1:{group.port}"
        service = Service(endpoint)
        service.upload("MyApp/_.dir", b"")
        page = open_explorer(endpoint, bypass_csp=True)
        expect(kit(page)).to_contain_text("live in one process: start it with --workers 1")
        expect(page.get_by_text("No live updates")).to_be_visible()
        row(page, "MyApp").click()
        page.locator("input[data-part=files]").set_input_files([NEW])
        expect(page.get_by_text("new.txt is stored.")).to_be_visible()
        page.keyboard.press("ArrowRight")
        row(page, "new.txt").click()
        expect(page.get_by_role("button", name="Download")).to_be_disabled()
        expect(page.get_by_label("unpack .sfpkg packages")).to_be_disabled()
        assert violations(page) == []
        service.upload("theirs.txt", b"x")

        expect(row(page, "theirs.txt")).to_be_visible()


def test_an_answer_of_a_proxy_that_found_nobody_takes_nothing_away(page: Page) -> None:
    """It passes, as the restart does in which it came."""

    def refuse(route: Route) -> None:
        route.fulfill(status=502, body="<h1>Bad Gateway</h1>")

    page.route("**/_emulator/clock", refuse)
    with page.expect_response("**/_emulator/clock"):
        page.get_by_role("button", name="Refresh").click()
    page.unroute("**/_emulator/clock")
    page.get_by_role("button", name="Freeze").click()

    expect(kit(page)).to_contain_text("stands still")
