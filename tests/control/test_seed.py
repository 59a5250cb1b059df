"""Content from a folder, a zip or an sfpkg, as a client's upload would have left it."""

import io
import warnings
import zipfile
from pathlib import Path

import pytest

from emulator.client import Control
from tests.control.service import Service


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An application package."""
    folder = tmp_path / "MyApp"
    (folder / "MySvcPkg/Code").mkdir(parents=True)
    (folder / "ApplicationManifest.xml").write_text("<ApplicationManifest/>")
    (folder / "MySvcPkg/ServiceManifest.xml").write_text("<ServiceManifest/>")
    (folder / "MySvcPkg/Code/app.exe").write_bytes(bytes(range(256)) * 8_000)
    return folder


MARKED = {"MyApp/_.dir", "MyApp/MySvcPkg/_.dir", "MyApp/MySvcPkg/Code/_.dir"}
FILES = {"MyApp/ApplicationManifest.xml", "MyApp/MySvcPkg/ServiceManifest.xml", "MyApp/MySvcPkg/Code/app.exe"}


def test_a_folder_is_there_as_a_client_would_have_uploaded_it(store: Control, service: Service, package: Path) -> None:
    assert store.seed(package) == 6

    assert set(store.files()) == FILES | MARKED
    assert store.read("MyApp/MySvcPkg/Code/app.exe") == (package / "MySvcPkg/Code/app.exe").read_bytes()
    copy = b'{"RemoteSource":"MyApp","RemoteDestination":"Copy","CheckMarkFile":true}'
    assert service.status("POST", "/ImageStore/$/Copy?api-version=6.0", copy) == 200


@pytest.mark.parametrize("suffix", ["zip", "sfpkg"])
def test_an_archive_is_the_same(store: Control, package: Path, suffix: str) -> None:
    archive = package.parent / f"MyApp.{suffix}"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in package.rglob("*"):
            packed.write(file, file.relative_to(package))

    assert store.seed(archive) == 6

    assert set(store.files()) == FILES | MARKED


def test_the_folder_to_put_it_into_can_be_named_and_marks_left_out(store: Control, package: Path) -> None:
    assert store.seed(package, into="a/b", marks=False) == 3

    assert set(store.files()) == {file.replace("MyApp", "a/b") for file in FILES}


def test_what_was_there_is_kept_or_replaced_file_by_file(store: Control, service: Service, package: Path) -> None:
    service.upload("MyApp/ApplicationManifest.xml", b"old")
    service.upload("MyApp/other", b"other")

    store.seed(package)

    assert store.read("MyApp/ApplicationManifest.xml") == b"<ApplicationManifest/>"
    assert store.read("MyApp/other") == b"other"


def archive_of(*names: str, link: bool = False) -> bytes:
    """A zip with a good file, and files of these names."""
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w") as archive:
        warnings.simplefilter("ignore")  # of a name that comes twice
        archive.writestr("good", b"good")
        for name in names:
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o120777 if link else 0o100644) << 16
            archive.writestr(member, b"/etc/passwd")
    return packed.getvalue()


BAD = {
    "no zip": b"hello",
    "nothing": b"",
    "cut off": archive_of("x")[:-30],
    "outside": archive_of("../../outside"),
    "no name": archive_of("a/<b>"),
    "a link": archive_of("link", link=True),
    "the same file twice": archive_of("twice", "twice"),
    "the same file in two cases": archive_of("file", "FILE"),
    "a file and a folder of one name": archive_of("a", "a/b"),
    "damaged": archive_of().replace(b"goodgood", b"goodevil"),
}


def test_an_archive_that_clashes_with_what_is_there_changes_nothing(store: Control, service: Service) -> None:
    service.upload("App/folder/file", b"1")

    for name in ("folder", "folder/file/below"):
        reply = service.send("POST", "/_emulator/seed?into=App", archive_of(name))
        assert reply.status == 400
        assert "is a fil" in reply.json()["error"] or "is a folder in the store" in reply.json()["error"]
    assert service.send("POST", "/_emulator/seed?into=..", archive_of("x")).status == 400
    assert store.files() == {"App/folder/file": 1}


@pytest.mark.parametrize("archive", BAD.values(), ids=BAD.keys())
def test_an_archive_that_is_not_all_right_changes_nothing(
    store: Control, service: Service, data: Path, archive: bytes
) -> None:
    name = store.endpoint.rpartition("/")[2]

    reply = service.send("POST", "/_emulator/seed?into=App", archive)

    assert reply.status == 400
    assert reply.json()["error"]
    assert store.files() == {}
    assert not list((data / name / "staging/workers").glob("*/*"))
