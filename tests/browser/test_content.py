"""The content of a store as a tree: seen, fetched, copied, deleted, with a mouse and with keys alone."""

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from emulator.testing import EmulatorThread, ImageStore
from tests.browser.conftest import IN_ONE_WORKER, OpenExplorer
from tests.control.service import Service

pytestmark = IN_ONE_WORKER

MARKUP = "<img src=x onerror=alert(1)>&amp;"
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"


def row(page: Page, name: str) -> Locator:
    """The row of an entry of the tree."""
    return page.get_by_role("treegrid").get_by_role("row").filter(has=page.locator("bdi", has_text=name)).first


def upload(store: ImageStore, *paths: str, body: bytes = b"x") -> None:
    """Store files as some other client does."""
    service = Service(store.endpoint)
    for path in paths:
        assert service.upload(path, b"" if path.endswith("_.dir") else body) == 200


def test_a_folder_opens_to_its_files_with_sizes_versions_and_marks(store: ImageStore, page: Page) -> None:
    expect(page.get_by_text("Nothing is stored here yet.")).to_be_visible()
    upload(store, "MyApp/Code/web.dll", body=bytes(3 << 20))
    upload(store, "MyApp/Code/_.dir", "MyApp/readme.txt")

    expect(row(page, "MyApp")).to_contain_text("3 files")
    row(page, "MyApp").dblclick()
    expect(row(page, "MyApp")).to_contain_text("no mark file")
    expect(row(page, "readme.txt")).to_contain_text("1 byte")
    row(page, "Code").locator(".twisty").click()
    expect(row(page, "Code")).to_contain_text("complete")
    expect(row(page, "_.dir")).to_contain_text("mark file")
    expect(row(page, "web.dll")).to_contain_text("3.00 MiB")
    row(page, "web.dll").click()
    expect(page.get_by_text("3,145,728 bytes, modified")).to_contain_text("version 131538184900620219.")


def test_what_other_clients_do_is_seen_at_once(store: ImageStore, page: Page) -> None:
    upload(store, "a/one", "b/two")
    expect(row(page, "a")).to_be_visible()
    Service(store.endpoint).status("DELETE", "/ImageStore/a?api-version=6.0")

    expect(row(page, "b")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="1 file")).to_have_count(1)


def test_long_folders_come_a_page_at_a_time(open_explorer: OpenExplorer) -> None:
    with EmulatorThread(page_size=20_000) as server:
        upload(server.store, *(f"many/file{number:04}" for number in range(450)))
        page = open_explorer(server.endpoint)
        row(page, "many").dblclick()
        files = page.get_by_role("row").filter(has_text="file0")
        for shown in (200, 400, 450):
            expect(files).to_have_count(shown)
            if shown < 450:
                page.get_by_role("row").filter(has_text="more").click()
        assert any("ContinuationToken=" in each["target"] for each in server.store.journal()), "pages were followed"


def test_a_file_is_saved_as_it_is(store: ImageStore, page: Page, tmp_path: Path) -> None:
    body = bytes(range(256)) * 100
    upload(store, "MyApp/100%2525 of it #1.bin".replace(" ", "%20").replace("#", "%2523"), body=body)
    row(page, "MyApp").dblclick()
    row(page, "100% of it #1.bin").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()

    assert saved.value.suggested_filename == "100% of it #1.bin"
    saved.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == body


def test_a_folder_is_copied(store: ImageStore, page: Page) -> None:
    upload(store, "MyApp/file", "MyApp/_.dir", "Bare/file")
    row(page, "MyApp").click()
    page.get_by_role("button", name="Copy…").click()
    page.get_by_role("textbox", name="To", exact=True).fill("Copies/v2")
    page.get_by_role("button", name="Copy", exact=True).click()

    row(page, "Copies").dblclick()
    expect(row(page, "v2")).to_contain_text("2 files")
    row(page, "Bare").click()
    page.get_by_role("button", name="Copy…").click()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Bare was not copied: ")


def test_deleting_asks_first(store: ImageStore, page: Page) -> None:
    upload(store, "MyApp/one", "MyApp/two")
    expect(row(page, "MyApp")).to_contain_text("2 files")
    row(page, "MyApp").click()
    page.get_by_role("button", name="Delete…", exact=True).first.click()
    expect(page.get_by_role("dialog")).to_contain_text("MyApp and all that is in it, 2 files, will be gone")
    page.get_by_role("button", name="Cancel").click()
    assert len(store.files()) == 2

    page.get_by_role("button", name="Delete…", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing is stored here yet.")).to_be_visible()
    assert not store.files()


def test_keys_are_enough(store: ImageStore, page: Page) -> None:
    upload(store, "MyApp/Code/web.dll", "MyApp/old.txt", "Other/file")
    expect(row(page, "MyApp")).to_be_visible()
    focused = page.locator("tr:focus")
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused.count():
            break
    expect(focused).to_contain_text("MyApp")
    page.keyboard.press("ArrowRight")
    expect(row(page, "old.txt")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(focused).to_contain_text("Code")
    page.keyboard.press("Enter")
    expect(row(page, "web.dll")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(row(page, "web.dll")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    expect(focused).to_contain_text("old.txt")
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog")).to_contain_text("Delete this file?")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row").filter(has_text="old.txt")).to_have_count(0)
    expect(focused).to_have_count(1)
    page.keyboard.press("Home")
    page.keyboard.press("End")
    expect(focused).to_contain_text("Other")


def test_nothing_need_stay_selected(store: ImageStore, page: Page) -> None:
    """While a folder is, the buttons upload into it."""
    upload(store, "MyApp/file")
    path = page.locator("[data-part=selected-path]")
    row(page, "MyApp").click()
    expect(path).to_have_text("MyApp")
    page.keyboard.press("Escape")
    expect(path).to_have_text("Whole store")
    row(page, "MyApp").click()
    page.locator(".tree").click(position={"x": 100, "y": 100})
    expect(path).to_have_text("Whole store")
    page.locator("input[data-part=files]").set_input_files([FilePayload(name="new", mimeType="", buffer=b"x")])

    expect(page.get_by_text("new is stored.")).to_be_visible()
    assert store.read("new") == b"x"


@pytest.mark.parametrize("platform", ["windows", "linux"])
def test_names_are_text_whatever_they_say(open_explorer: OpenExplorer, platform: str) -> None:
    name = MARKUP if platform == "linux" else "&lt;b&gt; {alert(1)} javascript:alert(1).html".replace(":", "")
    with EmulatorThread(platform=platform) as server:
        page = open_explorer(server.endpoint)
        page.locator("[data-part=files]").set_input_files([FilePayload(name=name, mimeType="text/html", buffer=SCRIPT)])
        expect(page.get_by_text(f"{name} is stored.")).to_be_visible()
        expect(row(page, name)).to_be_visible()
        assert list(server.store.files()) == [name]
        row(page, name).click()
        expect(page.locator("[data-part=selected-path]")).to_have_text(name)
        page.keyboard.press("Delete")
        expect(page.get_by_role("dialog")).to_contain_text(name)
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Nothing is stored here yet.")).to_be_visible()
        assert page.locator("main img, main b").count() == 0


@pytest.mark.parametrize("name", ["page.html", "picture.svg"])
def test_uploaded_pages_and_pictures_are_saved_and_never_run(store: ImageStore, page: Page, name: str) -> None:
    upload(store, name, body=SCRIPT + b"<script>alert(3)</script>")
    row(page, name).click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename == name

    with page.expect_download():
        page.evaluate("name => { location.href = `../_emulator/content/${name}` }", name)
    expect(page).to_have_title(f"{store.store}: Image Store Explorer")


def test_a_listing_that_fails_says_why_and_can_be_tried_again(store: ImageStore, page: Page) -> None:
    upload(store, "MyApp/file")
    expect(row(page, "MyApp")).to_be_visible()
    page.route("**/ImageStore/MyApp?*", lambda route: route.abort())  # the page may look more than once
    row(page, "MyApp").dblclick()
    again = page.get_by_role("row").filter(has_text="the connection was cut")
    expect(again).to_contain_text("try again")
    page.unroute("**/ImageStore/MyApp?*")
    again.click()
    expect(row(page, "file")).to_be_visible()


def test_faults_that_are_set_are_for_others(store: ImageStore, page: Page) -> None:
    store.add_fault("error=E_FAIL times=1")
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_text("hit 0 of 0 requests")).to_be_visible()
    assert Service(store.endpoint).upload("file", b"x") == 500
    expect(page.get_by_text("hit 1 of 1 request, over")).to_be_visible()
