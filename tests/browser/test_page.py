"""The page itself: where it is, what it may do, who can use it, and how it looks."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from emulator.testing import EmulatorThread, ImageStore
from tests.browser.conftest import IN_ONE_WORKER, OpenExplorer
from tests.control.service import Service, new_session
from tests.support.wire import Wire

pytestmark = IN_ONE_WORKER

SIZES: Final = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1440, "height": 900}}
NEW: Final = FilePayload(name="new.txt", mimeType="", buffer=b"x")
AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text()


@pytest.fixture
def used(store: ImageStore) -> ImageStore:
    """A store with something in every part of the page."""
    service = Service(store.endpoint)
    for path in ("MyApp/_.dir", "MyApp/Code/a-very-long-name-of-a-file-" + "x" * 100, "readme.txt"):
        service.upload(path, b"" if path.endswith("_.dir") else b"x" * 5000)
    service.chunk("MyApp/Code/big.bin", new_session(), 0, bytes(1000), 10_000)
    service.commit(new_session())
    store.add_fault("preset=lost-chunk")
    store.add_fault("operation=UploadFile error=E_FAIL times=1")
    service.upload("lost", b"x")
    store.snapshot("before")
    return store


def violations(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((results) => results.violations)")
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(used: ImageStore, open_explorer: OpenExplorer, size: str, scheme: str) -> None:
    page = open_explorer(viewport=SIZES[size], color_scheme=scheme, bypass_csp=True)
    page.get_by_role("row").filter(has_text="MyApp").dblclick()
    page.get_by_role("row").filter(has_text="Code").dblclick()
    expect(page.get_by_role("row").filter(has_text="a-very-long-name")).to_be_visible()
    expect(page.locator("[data-part=snapshots] > li")).to_have_count(1)
    page.locator("[data-part=files]").set_input_files([NEW])
    expect(page.locator("[data-part=uploads]")).to_contain_text("stored")
    page.get_by_label("Fault", exact=True).fill("nonsense")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("nonsense")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], "nothing sticks out"

    page.get_by_role("row").filter(has_text="readme.txt").click()
    expect(page.locator("[data-part=selected-facts]")).to_contain_text("version")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], "nothing sticks out"
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []


def test_an_empty_store_can_be_used_by_everybody_too(open_explorer: OpenExplorer) -> None:
    page = open_explorer(bypass_csp=True)
    expect(page.get_by_text("Nothing is stored here yet.")).to_be_visible()
    assert violations(page) == []


def test_it_asks_nobody_but_its_own_server(
    used: ImageStore, server: EmulatorThread, open_explorer: OpenExplorer
) -> None:
    page = open_explorer()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="MyApp")).to_be_visible()
    assert asked
    assert [url for url in asked if not url.startswith(used.endpoint.partition("/_emulator")[0])] == []


def test_text_never_becomes_markup_in_it(page: Page) -> None:
    """The browser itself sees to that: the page may not even try."""
    page.evaluate("addEventListener('securitypolicyviolation', (event) => event.stopImmediatePropagation(), true)")
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return 'done' } catch (error) { return error.name } }"
    )
    assert refused == "TypeError"


def test_it_works_behind_the_prefix_of_a_proxy(open_explorer: OpenExplorer) -> None:
    front = "http://127.0.0.1:9"
    with EmulatorThread(allowed_origins=front) as server:
        Service(server.endpoint).upload("MyApp/file", b"x")
        page = open_explorer(server.endpoint)

        def forward(route: Route) -> None:
            target = route.request.url.removeprefix(f"{front}/tools/store")
            if target == "/_emulator/journal/follow":
                route.abort()  # it has no end, and this proxy waits for one
            else:
                route.fulfill(response=route.fetch(url=server.endpoint + target))

        page.context.route(f"{front}/tools/store/**", forward)
        page.goto(f"{front}/tools/store/Explorer/")
        expect(page.get_by_role("row").filter(has_text="MyApp")).to_be_visible()
        page.locator("[data-part=files]").set_input_files([NEW])
        expect(page.get_by_text("new.txt is stored.")).to_be_visible()
        page.context.unroute_all(behavior="ignoreErrors")
        assert server.store.read("new.txt") == b"x"


def test_it_works_below_a_base_path(open_explorer: OpenExplorer) -> None:
    with EmulatorThread(base_path="/tools") as server:
        store = server.store.make_store("mine")
        Service(store.endpoint).upload("MyApp/file", b"x")
        for endpoint in (f"{server.endpoint}/tools", f"{server.endpoint}/tools/_emulator/on/mine"):
            page = open_explorer(endpoint)
            expect(page.get_by_text("Live", exact=True)).to_be_visible()
            expect(page.get_by_role("link", name="mine")).to_have_attribute(
                "href", "/tools/_emulator/on/mine/Explorer/"
            )
        expect(page.get_by_role("row").filter(has_text="MyApp")).to_be_visible()


# --- without a browser -----------------------------------------------------------------------------------------------


@pytest.fixture
def wire(server: EmulatorThread) -> Iterator[Wire]:
    """Requests written by hand."""
    yield Wire("127.0.0.1", server.port)


@pytest.mark.parametrize("front", ["", "/_emulator/on/mine"])
def test_its_files_say_what_a_browser_may_do_with_them(wire: Wire, front: str) -> None:
    moved = wire.get(f"{front}/Explorer")
    assert (moved.status, moved.headers["location"]) == (307, "Explorer/"), "relative: proxies and stores have prefixes"
    for name, kind in {
        "": "text/html",
        "index.html": "text/html",
        "app.js": "text/javascript",
        "style.css": "text/css",
    }.items():
        reply = wire.get(f"{front}/Explorer/{name}")
        assert reply.status == 200
        assert reply.headers["content-type"].startswith(kind)
        assert reply.headers["x-content-type-options"] == "nosniff"
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; ")
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    "name", ["none", "none.js", "../app.py", "..%2fapp.py", "..%5capp.py", "__init__.py", "a/b.js"]
)
def test_it_has_no_other_files(wire: Wire, name: str) -> None:
    assert wire.get(f"/Explorer/{name}").status == 404


def test_it_is_only_read(wire: Wire) -> None:
    for verb in ("PUT", "POST", "DELETE"):
        assert wire.send(verb, "/Explorer/").status == 405


def test_it_is_no_request_of_the_service(server: EmulatorThread, wire: Wire) -> None:
    server.store.clear_journal()
    server.store.add_fault("error=E_FAIL")
    assert wire.get("/Explorer/").status == 200
    assert server.store.journal() == []
    assert server.store.faults()[0]["matched"] == 0
    server.store.clear_faults()
    assert wire.get("/ExplorerX").status == 400
    assert wire.get("/explorer/").status == 400


def test_a_control_token_does_not_keep_the_page_itself_back() -> None:
    with EmulatorThread(control_token="open sesame") as server:
        assert Wire("127.0.0.1", server.port).get("/Explorer/").status == 200
