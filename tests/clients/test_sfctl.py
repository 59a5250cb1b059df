"""sfctl, the command line client, selects the emulator, uploads packages, looks at them and deletes them."""

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.clients.package import SERVICES, build_package, read_tree, with_markers
from tests.clients.sfctl import Printed, Sfctl
from tests.support.emulator import InProcessEmulator
from tests.support.wire import Wire

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("sfctl")]

COMPRESSED_APP = "Große App"


@dataclass
class Story:
    """A day with sfctl: what each command printed, and what the store held in between."""

    printed: dict[str, Printed] = field(default_factory=dict)
    package: dict[str, bytes] = field(default_factory=dict)
    changed_package: dict[str, bytes] = field(default_factory=dict)
    listed: dict[str, dict[str, str]] = field(default_factory=dict)
    """Sizes by path, as listed over the wire."""
    stored: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Contents by path, as they lie on disk."""


def _listed(wire: Wire, path: str) -> dict[str, str]:
    """Every file below a path with its size, gathered folder by folder over the wire."""
    reply = wire.get(f"/ImageStore/{quote(path)}?api-version=6.2")
    assert reply.status == 200, path
    content = reply.json()
    assert content["ContinuationToken"] == ""
    found = {file["StoreRelativePath"].replace("\\", "/"): file["FileSize"] for file in content["StoreFiles"]}
    for folder in content["StoreFolders"]:
        below = _listed(wire, folder["StoreRelativePath"].replace("\\", "/"))
        assert folder["FileCount"] == str(len(below))
        found |= below
    return found


@pytest.fixture(scope="module")
def story(programs: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The whole day, lived once."""
    folder = tmp_path_factory.mktemp("sfctl")
    home = folder / "home"
    home.mkdir()
    sfctl = Sfctl(programs("sfctl"), home)
    story = Story()

    def run(name: str, *arguments: str | Path) -> None:
        story.printed[name] = sfctl(*arguments)

    with InProcessEmulator(folder / "data") as emulator:
        content = emulator.data / "default" / "content"

        def look(name: str, app: str) -> None:
            story.listed[name] = _listed(emulator, app)
            story.stored[name] = read_tree(content / app)

        run("select", "cluster", "select", "--endpoint", f"http://{emulator.host}:{emulator.port}")
        run("root-info of an empty store", "store", "root-info")
        run("stat of a missing path", "store", "stat", "--content-path", "Nope/Nothing")

        package = build_package(folder / "plain" / "CalcApp", "CalcType")
        story.package = read_tree(package)
        run("upload", "application", "upload", "--path", package, "--show-progress")
        look("upload", "CalcApp")
        run("stat of the package", "store", "stat", "--content-path", "CalcApp")
        run("stat of a folder", "store", "stat", "--content-path", f"CalcApp/{SERVICES[1]}/Data")
        run("stat of a file", "store", "stat", "--content-path", "calcapp\\applicationmanifest.xml")

        (package / "ApplicationManifest.xml").write_text("<changed/>", encoding="utf-8")
        story.changed_package = read_tree(package)
        run("upload of a change", "application", "upload", "--path", package)
        look("upload of a change", "CalcApp")

        other = build_package(folder / "other" / COMPRESSED_APP, "OtherType")
        run("compressed upload", "application", "upload", "--path", other, "--compress", "--show-progress")
        look("compressed upload", COMPRESSED_APP)
        unlucky = folder / "UnluckyApp"
        unlucky.mkdir()
        (unlucky / "notes #1.txt").write_text("sfctl cuts this name at its number sign", encoding="utf-8")
        run("upload of a name with a number sign", "application", "upload", "--path", unlucky)
        run("root-info", "store", "root-info")
        run("delete", "store", "delete", "--content-path", COMPRESSED_APP)
        run("stat of what was deleted", "store", "stat", "--content-path", COMPRESSED_APP)
        run("delete of what is missing", "store", "delete", "--content-path", COMPRESSED_APP)
        run("delete of a reserved folder", "store", "delete", "--content-path", "Store")
        run("delete of a folder within", "store", "delete", "--content-path", f"CalcApp/{SERVICES[0]}/Code")
        look("delete of a folder within", "CalcApp")
    yield story


def test_a_cluster_is_selected_without_a_word(story: Story) -> None:
    """The emulator answers what sfctl asks when it connects."""
    assert (story.printed["select"].code, story.printed["select"].output) == (0, "")


def test_the_root_of_an_empty_store_is_an_error_that_names_its_code(story: Story) -> None:
    """As on a real cluster, an empty store has no root to show."""
    printed = story.printed["root-info of an empty store"]
    assert (printed.code, printed.output) == (1, "")
    assert "(FABRIC_E_NAME_DOES_NOT_EXIST) Name does not exist." in printed.errors


def test_a_missing_path_is_an_error(story: Story) -> None:
    """Its answer has no body, and sfctl 11.2 stumbles over that: it shows a traceback, as on a real cluster."""
    for step in ("stat of a missing path", "stat of what was deleted"):
        printed = story.printed[step]
        assert (printed.code, printed.output) == (1, ""), step
        assert "TypeError: FabricError.__init__() missing 1 required keyword-only argument: 'error'" in printed.errors


def test_every_file_of_a_package_arrives_byte_for_byte_with_a_marker_in_each_folder(story: Story) -> None:
    """Sizes are right over the wire, and the store's files are the package's."""
    assert story.printed["upload"].code == 0, story.printed["upload"].errors
    assert "Complete" in story.printed["upload"].errors
    expected = with_markers(story.package)
    assert story.stored["upload"] == expected
    assert story.listed["upload"] == {f"CalcApp/{path}": str(len(content)) for path, content in expected.items()}


def test_a_second_upload_replaces_what_changed_and_keeps_the_rest(story: Story) -> None:
    """Uploading over a package needs no delete before."""
    assert story.printed["upload of a change"].code == 0, story.printed["upload of a change"].errors
    expected = with_markers(story.changed_package)
    assert story.stored["upload of a change"] == expected
    assert story.listed["upload of a change"] == {f"CalcApp/{path}": str(len(expected[path])) for path in expected}


def test_a_compressed_upload_stores_a_zip_in_place_of_each_package_folder(story: Story) -> None:
    """The zips are those that sfctl made: each holds the files of its folder."""
    assert story.printed["compressed upload"].code == 0, story.printed["compressed upload"].errors
    stored = story.stored["compressed upload"]
    zips = {f"{service}/{part}.zip" for service in SERVICES for part in ("Code", "Config", "Data")}
    manifests = {"ApplicationManifest.xml", *(f"{service}/ServiceManifest.xml" for service in SERVICES)}
    markers = {"_.dir", *(f"{service}/_.dir" for service in SERVICES)}
    assert set(stored) == zips | manifests | markers
    for path in zips:
        folder = path.removesuffix(".zip")
        inside = {name.removeprefix(f"{folder}/"): story.package[name] for name in story.package if folder in name}
        with zipfile.ZipFile(io.BytesIO(stored[path])) as archive:
            unpacked = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
        assert unpacked == inside
    sizes = {f"{COMPRESSED_APP}/{path}": str(len(content)) for path, content in stored.items()}
    assert story.listed["compressed upload"] == sizes


def test_a_name_that_sfctl_cannot_send_fails_the_upload_and_stores_nothing(story: Story) -> None:
    """sfctl doesn't escape a number sign, so its request ends there, without an api-version, and is refused.

    Whatever went wrong, sfctl says that the upload has timed out.
    """
    printed = story.printed["upload of a name with a number sign"]
    assert printed.code == 1
    assert "Upload has timed out." in printed.errors
    folders = _folders(story.printed["root-info"].json())
    assert "UnluckyApp" not in folders


def test_stat_shows_the_files_and_folders_of_one_level(story: Story) -> None:
    """Folders come with the number of all files below them; paths run from the root."""
    content = story.printed["stat of the package"].json()
    assert {file["storeRelativePath"]: file["fileSize"] for file in content["storeFiles"]} == {
        "CalcApp\\_.dir": "0",
        "CalcApp\\ApplicationManifest.xml": str(len(story.package["ApplicationManifest.xml"])),
    }
    assert _folders(content) == {f"CalcApp\\{service}": "13" for service in SERVICES}


def _folders(content: Any) -> dict[str, str]:
    """The folders that a command printed, with their file counts."""
    return {folder["storeRelativePath"]: folder["fileCount"] for folder in content["storeFolders"]}


def test_names_with_spaces_signs_and_foreign_letters_are_shown_as_they_are_on_disk(story: Story) -> None:
    """What sfctl escapes on its way arrives unescaped."""
    content = story.printed["stat of a folder"].json()
    below = f"CalcApp\\{SERVICES[1]}\\Data\\"
    names = [file["storeRelativePath"].removeprefix(below) for file in content["storeFiles"]]
    assert names == ["_.dir", "a+b (1) [copy] ~.dat", "Länder & Städte 東京.csv"]
    assert content["storeFolders"] == []


def test_stat_of_a_file_shows_that_file_and_finds_it_in_any_case(story: Story) -> None:
    """Either separator will do, and the name keeps the case it was uploaded with."""
    content = story.printed["stat of a file"].json()
    (file,) = content["storeFiles"]
    assert content["storeFolders"] == []
    assert file["storeRelativePath"] == "CalcApp\\ApplicationManifest.xml"
    assert file["fileSize"] == str(len(story.package["ApplicationManifest.xml"]))
    assert int(file["fileVersion"]["versionNumber"]) >= 1


def test_root_info_shows_every_uploaded_package(story: Story) -> None:
    """Each with the number of its files, markers included."""
    content = story.printed["root-info"].json()
    assert content["storeFiles"] == []
    assert _folders(content) == {
        "CalcApp": str(len(story.stored["upload"])),
        COMPRESSED_APP: str(len(story.stored["compressed upload"])),
    }


def test_deleting_a_package_succeeds_whether_it_is_there_or_not(story: Story) -> None:
    """A second delete is no error."""
    for step in ("delete", "delete of what is missing"):
        printed = story.printed[step]
        assert (printed.code, printed.output) == (0, ""), step


def test_deleting_a_folder_leaves_the_rest_of_the_package(story: Story) -> None:
    """A nested path arrives as one escaped segment and means that folder alone."""
    assert story.printed["delete of a folder within"].code == 0
    gone = f"{SERVICES[0]}/Code/"
    expected = {path: c for path, c in with_markers(story.changed_package).items() if not path.startswith(gone)}
    assert story.stored["delete of a folder within"] == expected
    assert story.listed["delete of a folder within"].keys() == {f"CalcApp/{path}" for path in expected}


def test_a_reserved_folder_is_not_deleted_and_the_error_names_its_code(story: Story) -> None:
    """sfctl shows the code and the message of the service."""
    printed = story.printed["delete of a reserved folder"]
    assert (printed.code, printed.output) == (1, "")
    assert "(FABRIC_E_IMAGEBUILDER_RESERVED_DIRECTORY_ERROR) Null" in printed.errors
