"""Microsoft's Python SDK, an old and the newest release, does everything it can do with an image store."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator import InProcessEmulator

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("sdk")]

DRIVER = Path(__file__).with_name("sdk_driver.py")
VIDEO = bytes(range(256)) * 400 + b"the end"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"


@dataclass(frozen=True)
class Sdk:
    """What one release of the SDK got from a store of its own, and what it left there."""

    outcomes: dict[str, Any]
    content: Path
    """Where the store keeps its files."""

    def returned(self, step: str) -> Any:
        """What a step returned; it must not have raised."""
        outcome = self.outcomes[step]
        assert "raised" not in outcome, f"{step}: {outcome}"
        return outcome["returned"]

    def raised(self, step: str) -> tuple[int, str | None, str | None]:
        """Status, code and message of the FabricErrorException that a step raised."""
        outcome = self.outcomes[step]
        assert outcome.get("raised") == "FabricErrorException", f"{step}: {outcome}"
        return outcome["status"], outcome["code"], outcome["message"]

    def stumbled(self, step: str) -> int:
        """The status of an answer without a body over which the SDK stumbled: it finds no error to put in its own.

        It does so on a real cluster, too; sfctl shows the same text.
        """
        outcome = self.outcomes[step]
        assert outcome.get("raised") == "TypeError", f"{step}: {outcome}"
        assert "FabricError" in outcome["text"], outcome
        status = outcome["status"]
        assert isinstance(status, int)
        return status

    def listing(self, step: str) -> tuple[dict[str, str], dict[str, str]]:
        """The files with their sizes, and the folders with their file counts, that a step returned."""
        content = self.returned(step)
        files = {file["store_relative_path"]: file["file_size"] for file in content["store_files"]}
        folders = {folder["store_relative_path"]: folder["file_count"] for folder in content["store_folders"]}
        assert len(files) == len(content["store_files"])
        assert len(folders) == len(content["store_folders"])
        return files, folders


@pytest.fixture(scope="module")
def stories(
    programs: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Sdk]]:
    """Answers a release's name with its story, played once against an emulator of its own."""
    told: dict[str, Sdk] = {}

    def story(release: str) -> Sdk:
        if release not in told:
            told[release] = _play(programs(f"sdk-{release}"), tmp_path_factory.mktemp(f"sdk-{release}"))
        return told[release]

    yield story


def _play(programs: Path, folder: Path) -> Sdk:
    with InProcessEmulator(folder / "data") as emulator:
        done = subprocess.run(
            [programs / "python", "-I", "-X", "utf8", DRIVER, f"http://{emulator.host}:{emulator.port}"],
            capture_output=True,
            encoding="utf-8",
            check=False,
            env={"HOME": str(folder), "NO_PROXY": "*"},
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    return Sdk(json.loads(done.stdout), emulator.data / "default" / "content")


@pytest.fixture(params=["newest", "old"])
def sdk(request: pytest.FixtureRequest, stories: Callable[[str], Sdk]) -> Sdk:
    """Each release in turn."""
    return stories(request.param)


def test_the_sdk_learns_the_version_of_the_cluster(sdk: Sdk) -> None:
    """The version is one of the runtime: four numbers."""
    version = sdk.returned("cluster version")["version"]
    assert [part.isdigit() for part in version.split(".")] == [True] * 4, version


def test_an_empty_store_and_a_missing_path_raise_the_errors_of_the_service(sdk: Sdk) -> None:
    """The root of an empty store has a code; a missing path has a status and no body."""
    assert sdk.raised("root of an empty store") == (404, "FABRIC_E_NAME_DOES_NOT_EXIST", "Name does not exist.")
    assert sdk.stumbled("content of a missing path") == 404


def test_uploaded_files_are_listed_level_by_level_with_sizes_and_counts(sdk: Sdk) -> None:
    """Paths run from the root with backslashes; a folder counts everything below it, markers included."""
    assert sdk.returned("upload file") is None
    assert sdk.listing("root content") == ({}, {"Calc": "6"})
    assert sdk.listing("folder content") == (
        {"Calc\\_.dir": "0", "Calc\\Größe & Maß.txt": "7"},
        {"Calc\\Service": "4"},
    )
    assert sdk.listing("nested folder content") == (
        {
            "Calc\\Service\\Code\\_.dir": "0",
            "Calc\\Service\\Code\\calc.exe": "9",
            "Calc\\Service\\Code\\empty.cfg": "0",
        },
        {},
    )


def test_a_path_is_found_in_any_case_and_keeps_the_case_it_was_uploaded_with(sdk: Sdk) -> None:
    """Content paths are compared without regard to case."""
    assert sdk.listing("content in other case") == ({"Calc\\Service\\Code\\calc.exe": "9"}, {})


def test_a_second_upload_replaces_the_file_with_a_higher_version(sdk: Sdk) -> None:
    """Only the version number grows; the epochs stay."""
    (first,) = sdk.returned("content after the first upload")["store_files"]
    (second,) = sdk.returned("content after the second upload")["store_files"]
    assert (first["file_size"], second["file_size"]) == ("8", "9")
    before, after = first["file_version"], second["file_version"]
    assert int(after.pop("version_number")) > int(before.pop("version_number"))
    assert sorted(before) == ["epoch_configuration_number", "epoch_data_loss_number"]
    assert after == before
    assert (sdk.content / "Calc" / "Service" / "Code" / "calc.exe").read_bytes() == b"MZ second"


def test_version_numbers_follow_the_order_of_all_writes(sdk: Sdk) -> None:
    """The store's counter is one for all files, so a file written later has a higher number at once."""
    files = {
        file["store_relative_path"].rpartition("\\")[2]: int(file["file_version"]["version_number"])
        for file in sdk.returned("nested folder content")["store_files"]
    }
    assert files["calc.exe"] < files["empty.cfg"] < files["_.dir"]


def test_folder_sizes_add_up_everything_below(sdk: Sdk) -> None:
    """Sizes are recursive; an empty store has size 0, a missing folder raises."""
    assert sdk.returned("size of an empty store")["folder_size"] == "0"
    assert sdk.returned("size of the store")["folder_size"] == "16"
    assert sdk.returned("size of a folder") == {"store_relative_path": "Calc\\Service", "folder_size": "9"}
    assert sdk.raised("size of a missing folder")[:2] == (404, "FABRIC_E_FILE_NOT_FOUND")


def test_chunks_in_any_order_leave_exactly_the_missing_ranges_expected(sdk: Sdk) -> None:
    """The session is the same by id and by path, and names the gaps in ascending order."""
    sent = sdk.returned("sent")
    missing = _gaps(sent["size"], sent["ranges"])
    for step in ("session by id", "session by path"):
        (session,) = sdk.returned(step)["upload_sessions"]
        assert session["store_relative_path"] == "Calc/media/video.bin"
        assert session["session_id"] == SESSION
        assert session["file_size"] == str(len(VIDEO))
        expected = [(int(gap["start_position"]), int(gap["end_position"])) for gap in session["expected_ranges"]]
        assert expected == missing
    (session,) = sdk.returned("session when complete")["upload_sessions"]
    assert session["expected_ranges"] == []


def _gaps(size: int, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What inclusive ranges leave of ``size`` bytes, byte by byte."""
    received = bytearray(size)
    for first, last in ranges:
        received[first : last + 1] = b"\x01" * (last + 1 - first)
    starts = [at for at in range(size) if not received[at] and (at == 0 or received[at - 1])]
    ends = [at for at in range(size) if not received[at] and (at == size - 1 or received[at + 1])]
    return list(zip(starts, ends, strict=True))


def test_a_committed_session_publishes_the_file_byte_for_byte(sdk: Sdk) -> None:
    """Nothing is there before the commit, all of it afterwards."""
    assert sdk.stumbled("not there before the commit") == 404
    assert sdk.listing("content after the commit") == ({"Calc\\media\\video.bin": str(len(VIDEO))}, {})
    assert (sdk.content / "Calc" / "media" / "video.bin").read_bytes() == VIDEO


def test_a_committed_session_stays_until_it_is_deleted_and_its_file_stays_after_that(sdk: Sdk) -> None:
    """A second commit succeeds, so a program may repeat one whose answer it lost."""
    (session,) = sdk.returned("session after the commit")["upload_sessions"]
    assert session["expected_ranges"] == []
    assert sdk.returned("commit again") is None
    assert sdk.returned("delete session") is None
    assert sdk.raised("delete session again") == (404, "NotFound", "Null")
    assert sdk.raised("commit after the delete") == (400, "E_INVALIDARG", "Invalid argument")
    assert sdk.listing("content after the delete of the session") == ({"Calc\\media\\video.bin": str(len(VIDEO))}, {})


def test_no_session_is_an_answer_without_content_that_the_sdk_cannot_read(sdk: Sdk) -> None:
    """Status 204 is no success to the SDK; session paths are compared as they were sent."""
    for step in ("session by unknown id", "session by path in other case", "session after the delete"):
        assert sdk.stumbled(step) == 204, step


def test_an_id_that_is_no_guid_raises(sdk: Sdk) -> None:
    """Its code names the session id."""
    assert sdk.raised("session by an id that is none") == (
        400,
        "FABRIC_E_INVALID_UPLOAD_SESSION_ID",
        "The upload session identity is invalid.",
    )


def test_a_wrong_chunk_raises_the_error_that_tells_why(sdk: Sdk) -> None:
    """A range error, an id conflict and an invalid argument can be told apart by their codes."""
    unsatisfiable = (400, "FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE", "Null")
    assert sdk.raised("chunk sent twice") == unsatisfiable
    assert sdk.raised("chunk without a total") == unsatisfiable
    assert sdk.raised("chunk for another path") == (409, "FABRIC_E_UPLOAD_SESSION_ID_CONFLICT", "Null")
    assert sdk.raised("chunk of another total") == (400, "E_INVALIDARG", "Invalid argument")


def test_an_unfinished_or_abandoned_session_cannot_be_committed(sdk: Sdk) -> None:
    """Either is an invalid argument, and nothing is published."""
    assert sdk.raised("commit too early") == (400, "E_INVALIDARG", "Invalid argument")
    assert sdk.returned("give up a session") is None
    assert sdk.raised("commit what was given up") == (400, "E_INVALIDARG", "Invalid argument")
    assert not (sdk.content / "Calc" / "media" / "second.bin").exists()


def test_a_folder_is_copied_whole(sdk: Sdk) -> None:
    """The copy has the same files with the same bytes."""
    assert sdk.returned("copy a folder") is None
    assert sdk.listing("content of the copy") == (
        {"Copies\\All\\_.dir": "0", "Copies\\All\\Größe & Maß.txt": "7"},
        {"Copies\\All\\media": "1", "Copies\\All\\Service": "4"},
    )
    source, copy = sdk.content / "Calc", sdk.content / "Copies" / "All"
    files = {file.relative_to(source): file.read_bytes() for file in source.rglob("*") if file.is_file()}
    assert {file.relative_to(copy): file.read_bytes() for file in copy.rglob("*") if file.is_file()} == files
    assert len(files) == 7


def test_files_to_skip_are_left_out_of_a_copy_by_name_in_any_case(sdk: Sdk) -> None:
    """Everything else of the folder is copied."""
    assert sdk.listing("content of the copy without the file") == (
        {"Copies\\Some\\Code\\_.dir": "0", "Copies\\Some\\Code\\empty.cfg": "0"},
        {},
    )


def test_a_single_file_is_copied(sdk: Sdk) -> None:
    """The destination is the new file's full path."""
    assert sdk.listing("content of the copied file") == ({"Copies\\calc.exe": "9"}, {})
    assert (sdk.content / "Copies" / "calc.exe").read_bytes() == b"MZ second"


def test_a_copy_that_cannot_find_its_source_raises(sdk: Sdk) -> None:
    """That is a missing source, a folder without its marker, and a nested source written with slashes."""
    for step in ("copy what is missing", "copy a folder without a marker", "copy from a source with slashes"):
        assert sdk.raised(step) == (404, "FABRIC_E_FILE_NOT_FOUND", "File not found"), step
    assert sdk.raised("copy to nowhere") == (400, "E_INVALIDARG", "Invalid argument")
    assert sorted(path.name for path in (sdk.content / "Copies").iterdir()) == ["All", "calc.exe"]


def test_deleted_content_is_gone_and_deleting_it_again_succeeds(sdk: Sdk) -> None:
    """A missing path is deleted without an error; a reserved folder isn't deleted at all."""
    assert sdk.returned("delete a folder") is None
    assert sdk.stumbled("content after the delete") == 404
    assert sdk.returned("delete what is missing") is None
    assert sdk.raised("delete a reserved folder") == (400, "FABRIC_E_IMAGEBUILDER_RESERVED_DIRECTORY_ERROR", "Null")


def test_the_newest_sdk_reads_disk_and_usage_figures(stories: Callable[[str], Sdk]) -> None:
    """Every figure is a number in a string; the disk has no more space available than it has capacity."""
    info = stories("newest").returned("info")
    disk = info.pop("disk_info")
    assert 0 < int(disk["available_space"]) <= int(disk["capacity"])
    assert list(info) == ["used_by_metadata", "used_by_staging", "used_by_copy", "used_by_register"]
    for usage in info.values():
        assert int(usage["used_space"]) >= 0
        assert int(usage["file_count"]) >= 0
    assert int(info["used_by_copy"]["file_count"]) == 15
    assert int(info["used_by_staging"]["used_space"]) == 0
    assert "info" not in stories("old").outcomes
