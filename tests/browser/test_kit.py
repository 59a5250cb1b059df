"""The journal as it happens, and the test kit's knobs: clock, faults, snapshots, stores, reset, the token."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from emulator.client import Control
from emulator.testing import EmulatorThread, ImageStore
from tests.browser.conftest import IN_ONE_WORKER, OpenExplorer
from tests.control.service import Service, V, new_session
from tests.support.application import package
from tests.support.waiting import eventually

pytestmark = IN_ONE_WORKER


@pytest.fixture
def service(store: ImageStore) -> Service:
    """Another client of the store."""
    return Service(store.endpoint)


@pytest.fixture
def named(server: EmulatorThread) -> Iterator[Control]:
    """A store with a name that people give."""
    control = server.store.make_store("mine")
    yield control
    if "mine" in names(server):
        control.drop()


def names(server: EmulatorThread) -> list[str]:
    """The stores there are."""
    return [each["name"] for each in server.store.stores()]


def entries(page: Page) -> Locator:
    """The rows of the journal."""
    return page.locator("#journal .entries > li")


def part(page: Page, name: str) -> Locator:
    """A part of the test kit."""
    return page.get_by_role("region", name=name, exact=True)


def confirm(page: Page, action: str) -> None:
    """Say yes to what the page asks."""
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


def test_requests_are_listed_as_they_happen_with_the_reason_and_the_fault(
    store: ImageStore, service: Service, page: Page
) -> None:
    expect(page.get_by_text("No request yet.")).to_be_visible()
    service.upload("MyApp/a%20file", b"hello")
    service.commit(new_session())
    store.add_fault("operation=UploadFile cut=after")
    service.upload("lost", b"x")

    expect(entries(page)).to_have_count(3)
    lost, refused, fine = (entries(page).nth(number) for number in range(3))
    expect(lost).to_contain_text("no answer")
    expect(lost).to_contain_text("fault: operation=UploadFile cut=after")
    expect(refused).to_contain_text("E_INVALIDARG")
    expect(refused).to_contain_text("there is no session")
    expect(fine).to_contain_text("/ImageStore/MyApp/a file")
    page.get_by_label("Filter the journal").fill("myapp put")
    expect(entries(page)).to_have_count(1)
    page.get_by_label("Filter the journal").fill("")
    page.get_by_label("only what went wrong").check()
    expect(entries(page)).to_have_count(2)
    page.get_by_label("only what went wrong").uncheck()
    page.get_by_label("looks, too").check()
    expect(entries(page).filter(has_text="GetImageStoreRootContent").first).to_be_visible()
    part(page, "Journal").get_by_role("button", name="Clear").click()
    expect(page.get_by_text("No request yet.")).to_be_visible()
    eventually(lambda: not store.journal(operation="UploadFile"), "the journal is empty")


def test_a_request_is_copied_as_curl(store: ImageStore, service: Service, open_explorer: OpenExplorer) -> None:
    service.upload("MyApp/file", b"hello")
    page = open_explorer(permissions=["clipboard-read", "clipboard-write"])
    entries(page).first.get_by_role("button", name="as curl").click()
    expect(page.get_by_text("Copied as curl.")).to_be_visible()

    assert page.evaluate("navigator.clipboard.readText()") == store.curl(operation="UploadFile").strip()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    entries(page).first.get_by_role("button", name="as curl").click()
    expect(page.get_by_role("textbox", name="Command")).to_have_value(store.curl(operation="UploadFile").strip())


def test_the_clock_stands_still_moves_and_goes_back(store: ImageStore, page: Page) -> None:
    clock = part(page, "Clock")
    expect(clock).to_contain_text("as the machine")
    clock.get_by_role("button", name="Freeze").click()
    expect(clock).to_contain_text("stands still")
    expect(page.locator("header")).to_contain_text("frozen")
    before = store.now()
    clock.get_by_role("button", name="Advance by 1 minute").click()
    expect(clock.locator("time")).to_have_text(f"{store.now():%Y-%m-%d %H:%M:%S} UTC")
    assert (store.now() - before).total_seconds() == 60
    clock.get_by_label("Advance by", exact=True).fill("a while")
    clock.get_by_role("button", name="Advance", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("a duration is written 30m")
    clock.get_by_label("Sessions end").select_option("swept")
    eventually(lambda: store.clock()["expiry"] == "swept", "sessions end with the sweep")
    clock.get_by_role("button", name="Let it run").click()
    expect(clock).to_contain_text("ahead of the machine")
    clock.get_by_role("button", name="Reset").click()
    expect(clock).to_contain_text("as the machine")
    assert store.clock()["mode"] == "real"


def test_faults_are_set_hit_and_taken_back(store: ImageStore, service: Service, page: Page) -> None:
    faults = part(page, "Faults")
    faults.get_by_label("Preset").select_option("lost-commit-reply")
    expect(faults).to_contain_text("A commit is done, and its answer is lost, once.")
    faults.get_by_role("button", name="Set").first.click()
    expect(faults).to_contain_text("hit 0 of 0 requests")
    faults.get_by_label("Fault", exact=True).fill("operation=UploadFile error=E_FAIL times=1")
    page.keyboard.press("Enter")
    expect(faults.get_by_role("listitem")).to_have_count(2)
    assert service.upload("file", b"x") == 500
    expect(faults).to_contain_text("hit 1 of 1 request, over")
    faults.get_by_role("button", name="Remove fault operation=UploadFile").click()
    expect(faults.get_by_role("listitem")).to_have_count(1)
    faults.get_by_label("Fault", exact=True).fill("error=NOPE")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no error of the service")
    expect(faults.get_by_label("Fault", exact=True)).to_have_value("error=NOPE")
    faults.get_by_role("button", name="Remove fault").click()
    expect(faults.get_by_text("Nothing is set to go wrong.")).to_be_visible()
    assert store.faults() == []


def test_a_snapshot_is_saved_restored_and_deleted(store: ImageStore, service: Service, page: Page) -> None:
    service.upload("MyApp/before", b"x")
    service.chunk("MyApp/big.bin", new_session(), 0, bytes(10), 1000)
    snapshots = part(page, "Snapshots")
    snapshots.get_by_label("Name").fill("half-an-upload")
    snapshots.get_by_role("button", name="Save").click()
    expect(snapshots.get_by_role("listitem")).to_contain_text("half-an-upload")
    service.upload("after", b"x")
    store.forget_sessions()
    tree = page.get_by_role("treegrid")
    expect(tree).to_contain_text("after")
    snapshots.get_by_role("button", name="Restore half-an-upload").click()
    confirm(page, "Restore")

    expect(tree).not_to_contain_text("after")
    expect(page.locator("[data-part=sessions] > li")).to_contain_text("MyApp/big.bin")
    assert list(store.files()) == ["MyApp/before"]
    snapshots.get_by_role("button", name="Delete half-an-upload").click()
    confirm(page, "Delete")
    expect(snapshots.get_by_text("No snapshot yet")).to_be_visible()
    assert store.snapshots() == []


def test_stores_are_made_chosen_and_dropped(server: EmulatorThread, page: Page) -> None:
    stores = part(page, "Stores")
    stores.get_by_label("Name").fill("No Good")
    stores.get_by_role("button", name="Make").click()
    expect(page.get_by_role("alert")).to_contain_text("'No Good' names no store")
    stores.get_by_label("Name").fill("nightly")
    stores.get_by_role("button", name="Make").click()
    stores.get_by_role("link", name="nightly").click()
    expect(page.locator("header")).to_contain_text("Store nightly")
    assert page.url == f"{server.endpoint}/_emulator/on/nightly/Explorer/"
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    stores.get_by_role("button", name="Drop nightly").click()
    confirm(page, "Drop")

    expect(page.locator("header")).to_contain_text("Store default")
    expect(stores.get_by_role("link", name="default")).to_have_attribute("aria-current", "page")
    assert "nightly" not in names(server)


def test_a_store_that_somebody_dropped_does_not_come_back_by_being_looked_at(
    server: EmulatorThread, named: Control, open_explorer: OpenExplorer
) -> None:
    page = open_explorer(named.endpoint)
    expect(page.get_by_text("Nothing is stored here yet.")).to_be_visible()
    expect(part(page, "Stores").get_by_role("link", name="mine")).to_be_visible()
    expect(part(page, "Faults").get_by_label("Preset")).to_have_value("lost-chunk")
    named.drop()

    expect(page.get_by_role("alert")).to_contain_text("Store mine was dropped")
    assert "mine" not in names(server)


def test_a_store_that_is_dropped_in_the_middle_of_a_look_does_not_come_back(
    server: EmulatorThread, named: Control, open_explorer: OpenExplorer
) -> None:
    """Tests end like that: with an upload, which the page goes to look at, and the drop."""
    page = open_explorer(named.endpoint)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("Nothing is stored here yet.")).to_be_visible()

    def drop(route: Route) -> None:
        if "mine" in names(server):
            named.drop()
        route.continue_()

    page.route("**/ImageStore?*", drop)
    Service(named.endpoint).upload("file", b"x")

    expect(page.get_by_role("alert")).to_contain_text("Store mine was dropped")
    expect(page.get_by_role("button", name="Upload files…")).to_be_disabled()
    assert "mine" not in names(server)


def test_application_types_are_shown_as_they_come_and_go(store: ImageStore, service: Service, page: Page) -> None:
    types = part(page, "Application types")
    expect(types.get_by_text("No application type is registered.")).to_be_visible()
    for path, content in package("Calc", "1.0").items():
        assert service.upload(f"Pkg/{path}", content) == 200
    asked = {"Kind": "ImageStorePath", "Async": True, "ApplicationTypeBuildPath": "Pkg"}
    assert service.status("POST", f"/ApplicationTypes/$/Provision?{V}", json.dumps(asked).encode()) == 202

    expect(types.get_by_role("listitem")).to_contain_text("Calc 1.0")
    expect(types.get_by_role("listitem")).to_contain_text("Count=-1")
    expect(types.get_by_role("listitem")).to_contain_text("Available")
    gone = json.dumps({"ApplicationTypeVersion": "1.0"}).encode()
    assert service.status("POST", f"/ApplicationTypes/Calc/$/Unprovision?{V}", gone) == 200
    expect(types.get_by_text("No application type is registered.")).to_be_visible()


def test_where_there_are_no_application_types_there_is_no_such_part(open_explorer: OpenExplorer) -> None:
    page = open_explorer()
    page.route("**/ApplicationTypes?*", lambda route: route.fulfill(status=400))
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("Nothing is stored here yet.")).to_be_visible()
    expect(page.get_by_role("heading", name="Application types")).to_have_count(0)


def test_a_store_is_reset_when_that_was_meant(store: ImageStore, service: Service, page: Page) -> None:
    service.upload("MyApp/file", b"x")
    store.freeze()
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("treegrid")).to_contain_text("MyApp")
    expect(part(page, "Clock")).to_contain_text("stands still")
    page.get_by_role("button", name="Reset store…").click()
    confirm(page, "Cancel")
    assert store.files()
    page.get_by_role("button", name="Reset store…").click()
    confirm(page, "Reset")

    expect(page.get_by_text("Nothing is stored here yet.")).to_be_visible()
    expect(part(page, "Clock")).to_contain_text("as the machine")
    assert not store.files()


def test_the_control_token_is_asked_for_once(open_explorer: OpenExplorer) -> None:
    with EmulatorThread(control_token="open sesame") as server:
        Service(server.endpoint).upload("file", b"hello")
        page = open_explorer(server.endpoint)
        token = page.get_by_role("dialog").get_by_label("Token")
        token.fill("open")
        page.keyboard.press("Enter")
        expect(page.get_by_text("That token was refused.")).to_be_visible()
        token.fill("open sesame")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("row").filter(has_text="file").click()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download").click()
        assert saved.value.path().read_bytes() == b"hello"
        page.reload()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        assert page.evaluate("Object.values(localStorage).concat(document.cookie).join()").count("sesame") == 0


def test_without_the_token_the_content_is_shown_all_the_same(open_explorer: OpenExplorer) -> None:
    with EmulatorThread(control_token="open sesame") as server:
        Service(server.endpoint).upload("file", b"hello")
        page = open_explorer(server.endpoint)
        page.get_by_role("button", name="Not now").click()

        expect(page.get_by_role("row").filter(has_text="file")).to_contain_text("5 bytes")
        expect(page.get_by_text("No live updates")).to_be_visible()
        expect(part(page, "Test kit")).to_contain_text("Authorization: Bearer")


def test_the_page_goes_on_when_the_emulator_comes_back(open_explorer: OpenExplorer) -> None:
    server = EmulatorThread()
    with server:
        page = open_explorer(server.endpoint)
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("Connection lost, trying again")).to_be_visible()
