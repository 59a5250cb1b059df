"""Files dropped or chosen, in chunks that get lost, stopped and gone on with; and the sessions of everybody."""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page, expect

from emulator.testing import EmulatorThread, ImageStore
from tests.browser.conftest import IN_ONE_WORKER, OpenExplorer
from tests.control.service import Service, new_session
from tests.support.waiting import eventually

pytestmark = IN_ONE_WORKER

CHUNK: Final = 4 << 20
BIG: Final = 3 * CHUNK + 1000
CHUNKS: Final = 4

_DROP: Final = """
async ([selector, files]) => {
  const data = new DataTransfer();
  for (const [name, text] of files) data.items.add(new File([text], name));
  const target = document.querySelector(selector);
  for (const type of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}
"""


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of four chunks, no two alike."""
    file = tmp_path / "big.bin"
    file.write_bytes(os.urandom(BIG))
    return file


@pytest.fixture
def held(store: ImageStore) -> Iterator[ImageStore]:
    """A store in which whoever waits for its clock waits until the test is over."""
    store.freeze()
    yield store
    store.advance("1h")


def card(page: Page, path: str) -> Locator:
    """The card of an upload or of a session."""
    return page.locator("#uploads .cards > li").filter(has_text=path)


def session_card(page: Page) -> Locator:
    """The card of the only session."""
    return page.locator("[data-part=sessions] > li")


def choose(page: Page, *files: Path) -> None:
    """Upload files as the picker does."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload files…").click()
    chooser.value.set_files(list(files))


def digest(body: bytes) -> str:
    """What tells that nothing is missing and nothing wrong."""
    return hashlib.sha256(body).hexdigest()


def is_stored(store: ImageStore, path: str, file: Path) -> bool:
    """Whether the store has the file as it is."""
    return digest(store.read(path)) == digest(file.read_bytes())


def chunks(store: ImageStore, **query: Any) -> list[str]:
    """The ranges that were sent and answered."""
    return [each["range"] for each in store.journal(operation="UploadFileChunk", **query)]


def test_files_that_are_dropped_on_a_folder_go_into_it(store: ImageStore, page: Page) -> None:
    Service(store.endpoint).upload("MyApp/file", b"x")
    page.get_by_role("row").filter(has_text="MyApp").wait_for()
    page.evaluate(_DROP, ['tr[data-key="/MyApp"]', [["one.txt", "1"], ["two #2 100%.txt", "22"]]])
    page.evaluate(_DROP, [".tree", [["three.txt", "333"]]])

    expect(page.get_by_text("three.txt is stored.")).to_be_visible()
    eventually(lambda: len(store.files()) == 4, "all are stored")
    assert [store.read(path) for path in ("MyApp/one.txt", "MyApp/two #2 100%.txt", "three.txt")] == [
        b"1",
        b"22",
        b"333",
    ]


def test_a_folder_is_stored_whole_and_marked(store: ImageStore, page: Page, tmp_path: Path, big: Path) -> None:
    package = tmp_path / "MyApp"
    (package / "Web Pkg" / "Code").mkdir(parents=True)
    (package / "ApplicationManifest.xml").write_text("<x/>")
    (package / "Web Pkg" / "Code" / "empty").touch()
    big.rename(package / "Web Pkg" / "Code" / "big.bin")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload folder…").click()
    chooser.value.set_files(package)

    expect(card(page, "MyApp").filter(has_text="stored").first).to_contain_text("3 of 3 files")
    assert set(store.files()) == {
        "MyApp/ApplicationManifest.xml",
        "MyApp/Web Pkg/Code/empty",
        "MyApp/Web Pkg/Code/big.bin",
        "MyApp/Web Pkg/Code/_.dir",
        "MyApp/Web Pkg/_.dir",
        "MyApp/_.dir",
    }
    assert is_stored(store, "MyApp/Web Pkg/Code/big.bin", package / "Web Pkg" / "Code" / "big.bin")
    assert len(chunks(store)) == CHUNKS
    marks = [each["path"] for each in store.journal(operation="UploadFile") if each["path"].endswith("_.dir")]
    assert marks[-1] == "MyApp/_.dir", "a folder is marked when all of it is there"


def test_chunks_in_flight_are_shown_and_an_upload_goes_on_after_a_reload(
    held: ImageStore, page: Page, big: Path
) -> None:
    first, second = f"0-{CHUNK - 1}/{BIG}", f"{CHUNK}-{2 * CHUNK - 1}/{BIG}"
    held.add_fault(operation="UploadFileChunk", range=f"{2 * CHUNK}-", delay="10m")
    choose(page, big)

    expect(session_card(page)).to_contain_text("2 chunks in flight")
    bar = session_card(page).get_by_role("img")
    expect(bar).to_have_attribute(
        "aria-label",
        f"Bytes received 0 to {2 * CHUNK - 1}; in flight {2 * CHUNK} to {3 * CHUNK - 1}, {3 * CHUNK} to {BIG - 1}; "
        f"missing {2 * CHUNK} to {BIG - 1}",
    )
    assert page.locator("[data-part=sessions] .bar .received").count() == 1
    held.clear_faults()
    page.reload()
    expect(session_card(page)).to_contain_text("drop the same file at the same place")
    sent = sorted(chunks(held, status=200))
    assert sent == sorted([first, second])

    choose(page, big)
    expect(card(page, "big.bin").first).to_contain_text("went on where it had stopped")
    expect(card(page, "big.bin").filter(has_text="stored").first).to_be_visible()
    assert len({each["session"] for each in held.journal(operation="UploadFileChunk")}) == 1
    assert len(chunks(held, status=200)) == CHUNKS, "what had arrived was not sent again"
    assert is_stored(held, "big.bin", big)


@pytest.mark.parametrize(
    "preset", ["lost-chunk", "cut-chunk", "lost-chunk-reply", "lost-commit-reply", "failover", "failover-at-commit"]
)
def test_a_file_arrives_whatever_goes_wrong(store: ImageStore, page: Page, big: Path, preset: str) -> None:
    store.add_fault(f"preset={preset}")
    choose(page, big)

    expect(card(page, "big.bin").filter(has_text="stored").first).to_be_visible()
    assert is_stored(store, "big.bin", big)
    assert store.faults()[0]["hits"] == 1


def test_what_cannot_be_stored_says_why_and_can_be_tried_again(store: ImageStore, page: Page, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    store.add_fault("operation=UploadFile error=E_ACCESSDENIED")
    choose(page, file)
    expect(card(page, "file")).to_contain_text("not complete")
    expect(card(page, "file")).to_contain_text("E_ACCESSDENIED, 403")
    store.clear_faults()
    card(page, "file").get_by_role("button", name="Try again").click()

    expect(card(page, "file")).to_contain_text("stored")
    assert store.read("file") == b"x"


def test_an_upload_is_paused_and_cancelled(held: ImageStore, page: Page, big: Path) -> None:
    held.add_fault(operation="UploadFileChunk", range=f"{CHUNK}-", delay="10m")
    choose(page, big)
    expect(session_card(page)).to_contain_text("3 chunks in flight")
    upload = page.locator("[data-part=uploads] > li")
    upload.get_by_role("button", name="Pause").click()
    expect(upload).to_contain_text("paused")
    upload.get_by_role("button", name="Go on").click()
    expect(upload).to_contain_text("3 chunks in flight")
    upload.get_by_role("button", name="Cancel").click()

    expect(upload).to_contain_text("cancelled")
    expect(page.get_by_text("No upload session is open.")).to_be_visible()
    assert held.sessions() == []


def test_a_session_of_another_client_counts_down_by_the_stores_clock(store: ImageStore, page: Page) -> None:
    store.freeze()
    Service(store.endpoint).chunk("MyApp/big.bin", new_session(), 0, bytes(600), 1000)
    expect(session_card(page)).to_contain_text("expires in 30:00")
    expect(session_card(page)).to_contain_text("60% of 1,000 bytes received, 400 bytes missing in 1 range")
    page.get_by_role("button", name="Advance by 10 minutes").click()
    expect(session_card(page)).to_contain_text("expires in 20:00")
    page.get_by_label("Advance by", exact=True).fill("16m")
    page.get_by_role("button", name="Advance", exact=True).click()
    expect(session_card(page)).to_contain_text("expires in 4:00")
    page.get_by_role("button", name="Advance by 10 minutes").click()

    expect(page.get_by_text("No upload session is open.")).to_be_visible()


def test_a_session_is_deleted_when_that_was_meant(store: ImageStore, page: Page) -> None:
    session = new_session()
    Service(store.endpoint).chunk("MyApp/big.bin", session, 0, bytes(600), 1000)
    session_card(page).get_by_role("button", name="Delete the session of MyApp/big.bin").click()
    page.keyboard.press("Escape")
    assert len(store.sessions()) == 1
    session_card(page).get_by_role("button", name="Delete the session of MyApp/big.bin").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page.get_by_text("No upload session is open.")).to_be_visible()
    assert store.sessions() == []


def test_a_session_of_another_client_is_gone_on_with(store: ImageStore, page: Page, big: Path) -> None:
    session, body = new_session(), big.read_bytes()
    Service(store.endpoint).chunk("MyApp/other.bin", session, 100, body[100:5000], BIG)
    expect(session_card(page)).to_contain_text("missing in 2 ranges")
    wrong = big.with_name("wrong.bin")
    wrong.write_bytes(b"x")
    for file in (wrong, big):
        with page.expect_file_chooser() as chooser:
            session_card(page).get_by_role("button", name="Go on with a file…").click()
        chooser.value.set_files(file)
        if file is wrong:
            expect(page.get_by_role("alert")).to_contain_text(f"and the session is for a file of {BIG}")

    expect(session_card(page)).to_contain_text("Committed")
    assert is_stored(store, "MyApp/other.bin", big)
    assert {each["session"] for each in store.journal(operation="UploadFileChunk")} == {session}


def test_a_packages_file_is_unpacked(store: ImageStore, page: Page, tmp_path: Path) -> None:
    package = tmp_path / "MyApp.sfpkg"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("ApplicationManifest.xml", "<x/>")
        archive.writestr("Pkg/Code/run.exe", "MZ")
    choose(page, package)
    expect(page.get_by_text("MyApp.sfpkg is stored.")).to_be_visible()
    assert {"MyApp/ApplicationManifest.xml", "MyApp/Pkg/Code/run.exe", "MyApp/Pkg/Code/_.dir"} <= set(store.files())
    page.get_by_label("unpack .sfpkg packages").uncheck()
    choose(page, package)

    eventually(lambda: "MyApp.sfpkg" in store.files(), "it is stored as it is")


def test_without_upload_sessions_large_files_are_sent_whole(open_explorer: OpenExplorer, big: Path) -> None:
    with EmulatorThread(platform="linux", runtime_version="6.0") as server:
        page = open_explorer(server.endpoint)
        expect(page.get_by_text("Service Fabric 6.0")).to_be_visible()
        choose(page, big)

        expect(card(page, "big.bin")).to_contain_text("stored")
        assert is_stored(server.store, "big.bin", big)
