"""Application types come and go as on a cluster, and lie in the image store where they lie there."""

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from emulator.client import Control
from tests.clients.package import read_tree
from tests.support.application import (
    FABRIC,
    V,
    application_manifest,
    package,
    provision,
    register,
    service_manifest,
    types,
    unprovision,
    upload,
)
from tests.support.emulator import InProcessEmulator

AVAILABLE = [("Calc", "1.0", "Available")]


def content(emulator: InProcessEmulator) -> dict[str, bytes]:
    """Every file of the image store, with slashes."""
    return read_tree(emulator.data / "default" / "content")


def used(emulator: InProcessEmulator) -> dict[str, tuple[int, int]]:
    """Bytes and files of each part of the store."""
    info = emulator.get("/ImageStore/$/Info?api-version=6.5").json()
    return {
        part.removeprefix("UsedBy"): (int(info[part]["UsedSpace"]), int(info[part]["FileCount"]))
        for part in info
        if part.startswith("UsedBy")
    }


def test_a_registered_package_lies_in_store_by_the_names_of_the_layout(emulator: InProcessEmulator) -> None:
    files = package()
    register(emulator, files)

    stored = content(emulator)
    checksums = {path: stored.pop(path) for path in list(stored) if path.endswith(".checksum")}
    assert stored == {
        "Store/Calc/ApplicationManifest.1.0.xml": files["ApplicationManifest.xml"],
        "Store/Calc/Web.Manifest.1.0.xml": files["Web/ServiceManifest.xml"],
        "Store/Calc/Web.Code.1.0/run.exe": b"MZ",
        "Store/Calc/Web.Code.1.0/_.dir": b"",
        "Store/Calc/Web.Config.1.0/Settings.xml": files["Web/Config/Settings.xml"],
        "Store/Calc/Web.Config.1.0/_.dir": b"",
    }
    assert sorted(checksums) == [
        "Store/Calc/Web.Code.1.0.checksum",
        "Store/Calc/Web.Config.1.0.checksum",
        "Store/Calc/Web.Manifest.1.0.xml.checksum",
    ]
    assert all(len(bytes.fromhex(each.decode())) == 32 for each in checksums.values())


def test_a_compressed_package_keeps_its_zips(emulator: InProcessEmulator) -> None:
    files = package()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("run.exe", files.pop("Web/Code/run.exe"))
    del files["Web/Code/_.dir"]
    files["Web/Code.zip"] = archive.getvalue()

    register(emulator, files)

    stored = content(emulator)
    assert stored["Store/Calc/Web.Code.1.0.zip"] == archive.getvalue()
    assert "Store/Calc/Web.Code.1.0.checksum" in stored
    assert unprovision(emulator).status == 200
    assert content(emulator) == {}


def test_a_config_package_without_settings_gets_empty_ones(emulator: InProcessEmulator) -> None:
    files = package()
    files["Web/Config/other.json"] = files.pop("Web/Config/Settings.xml")
    register(emulator, files)

    assert FABRIC.encode() in content(emulator)["Store/Calc/Web.Config.1.0/Settings.xml"]


def test_a_type_is_listed_with_its_parameters_status_and_kind(emulator: InProcessEmulator) -> None:
    register(emulator, package())

    (listed,) = emulator.get(f"/ApplicationTypes?{V}").json()["Items"]
    assert list(listed.items()) == [
        ("Name", "Calc"),
        ("Version", "1.0"),
        ("DefaultParameterList", [{"Key": "Count", "Value": "-1"}]),
        ("Status", "Available"),
        ("ApplicationTypeDefinitionKind", "ServiceFabricApplicationPackage"),
    ]
    (short,) = emulator.get(f"/ApplicationTypes/Calc?{V}&ExcludeApplicationParameters=true").json()["Items"]
    assert short["DefaultParameterList"] == []


@pytest.mark.parametrize(
    ("version", "body"),
    [("2.0", [{"Status": 2}]), ("3.0", [{"Status": "Available"}]), ("4.0", None), ("6.0", None), ("11.8", None)],
)
def test_the_api_version_decides_on_pages_and_enumerations(
    emulator: InProcessEmulator, version: str, body: list[dict[str, Any]] | None
) -> None:
    assert emulator.get(f"/ApplicationTypes?api-version={version}").status == (204 if version == "4.0" else 200)
    register(emulator, package())

    listed = emulator.get(f"/ApplicationTypes?api-version={version}").json()
    if body is None:
        assert list(listed) == ["ContinuationToken", "Items"]
    else:
        assert [{"Status": each["Status"]} for each in listed] == body


def test_pages_follow_one_another_to_the_end(emulator: InProcessEmulator) -> None:
    """Also where one name is the beginning of another, and with names that have to be escaped."""
    expected = [("Calc", "1.0"), ("Calc", "2.0"), ("Calc App", "1.0"), ("Größe", "1.0")]
    for name, version in expected:
        upload(emulator, "Pkg", package(name, version))
        assert provision(emulator, "Pkg").status == 200

    for size in (1, 3):
        found: list[tuple[str, str]] = []
        token = ""
        while True:
            page = emulator.get(f"/ApplicationTypes?{V}&MaxResults={size}&ContinuationToken={token}").json()
            found += [(each["Name"], each["Version"]) for each in page["Items"]]
            token = page["ContinuationToken"]
            if not token:
                break
            assert len(page["Items"]) == size
        assert found == expected
    by_name = emulator.get(f"/ApplicationTypes/Calc?{V}").json()["Items"]
    assert [each["Version"] for each in by_name] == ["1.0", "2.0"]
    (one,) = emulator.get(f"/ApplicationTypes/Calc?{V}&ApplicationTypeVersion=2.0").json()["Items"]
    assert one["Version"] == "2.0"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("MaxResults=-1", "Invalid max results '-1'"),
        ("MaxResults=many", "Invalid max results 'many'"),
        ("ContinuationToken=%7B", "The continuation token '{' is not valid"),
        ("ApplicationTypeVersion=1.0", "cannot have a version filter without a name filter"),
    ],
)
def test_a_bad_question_is_a_bad_argument_that_says_which(emulator: InProcessEmulator, query: str, words: str) -> None:
    status, code, message = emulator.get(f"/ApplicationTypes?{V}&{query}").error
    assert (status, code) == (400, "E_INVALIDARG")
    assert words in message


def test_manifests_and_service_types_can_be_asked_for(emulator: InProcessEmulator) -> None:
    files = package()
    register(emulator, files)
    version = f"{V}&ApplicationTypeVersion=1.0"

    manifest = emulator.get(f"/ApplicationTypes/Calc/$/GetApplicationManifest?{version}").json()
    assert manifest == {"Manifest": files["ApplicationManifest.xml"].decode()}
    manifest = emulator.get(f"/ApplicationTypes/Calc/$/GetServiceManifest?{version}&ServiceManifestName=Web").json()
    assert manifest == {"Manifest": files["Web/ServiceManifest.xml"].decode()}
    (service_type,) = emulator.get(f"/ApplicationTypes/Calc/$/GetServiceTypes?{version}").json()
    assert service_type["ServiceTypeDescription"]["ServiceTypeName"] == "WebType"
    assert (service_type["ServiceManifestName"], service_type["ServiceManifestVersion"]) == ("Web", "1.0")
    assert emulator.get(f"/ApplicationTypes/Calc/$/GetServiceTypes/WebType?{version}").json() == service_type
    assert emulator.get(f"/ApplicationTypes/Calc/$/GetServiceTypes/Other?{version}").status == 204


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ("Calc/$/GetApplicationManifest?ApplicationTypeVersion=2.0", (404, "FABRIC_E_APPLICATION_TYPE_NOT_FOUND")),
        ("calc/$/GetApplicationManifest?ApplicationTypeVersion=1.0", (404, "FABRIC_E_APPLICATION_TYPE_NOT_FOUND")),
        ("Calc/$/GetServiceTypes?ApplicationTypeVersion=2.0", (404, "FABRIC_E_APPLICATION_TYPE_NOT_FOUND")),
        (
            "Calc/$/GetServiceManifest?ApplicationTypeVersion=1.0&ServiceManifestName=No",
            (404, "FABRIC_E_SERVICE_MANIFEST_NOT_FOUND"),
        ),
        ("Calc/$/GetServiceManifest?ApplicationTypeVersion=1.0", (400, "E_INVALIDARG")),
        ("Calc/$/GetApplicationManifest?", (400, "E_INVALIDARG")),
    ],
)
def test_what_is_not_registered_is_not_found(
    emulator: InProcessEmulator, question: str, error: tuple[int, str]
) -> None:
    register(emulator, package())
    assert emulator.get(f"/ApplicationTypes/{question}&{V}").error[:2] == error


def test_a_version_is_registered_once_in_whatever_case(emulator: InProcessEmulator) -> None:
    register(emulator, package())

    upload(emulator, "Pkg", package())
    assert provision(emulator).error == (
        409,
        "FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS",
        "Application type and version already exists",
    )
    upload(emulator, "Pkg", package("CALC"))
    assert provision(emulator).error == (
        409,
        "FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS",
        "Application type 'CALC:1.0' already provisioned with different casing 'Calc:1.0'.",
    )
    assert types(emulator) == AVAILABLE


# --- the uploaded package ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runtime", "policy", "is_kept"),
    [
        ("11.8", None, False),
        ("7.2", "Default", False),
        ("7.2", "Manual", True),
        ("7.1", None, True),
        ("7.1", "Default", True),
        ("7.1", "Automatic", False),
    ],
)
def test_the_uploaded_package_is_cleaned_up_by_policy_and_by_default_from_7_2_on(
    tmp_path: Path, runtime: str, policy: str | None, *, is_kept: bool
) -> None:
    with InProcessEmulator(tmp_path / "data", runtime_version=runtime) as emulator:
        files = package()
        upload(emulator, "Pkg", files)
        fields = {"ApplicationPackageCleanupPolicy": policy} if policy else {}
        assert provision(emulator, **fields).status == 200

        left = {path for path in content(emulator) if path.startswith("Pkg/")}
        assert left == ({f"Pkg/{path}" for path in files} if is_kept else set())


def test_a_package_that_is_refused_stays_and_leaves_nothing_in_store(emulator: InProcessEmulator) -> None:
    files = package()
    del files["Web/Config/Settings.xml"], files["Web/Config/_.dir"]
    upload(emulator, "Pkg", files)

    assert provision(emulator).status == 400

    assert content(emulator) == {f"Pkg/{path}": each for path, each in files.items()}
    assert types(emulator) == []


def test_a_package_that_no_longer_fits_is_not_registered_in_part(tmp_path: Path) -> None:
    """Registering copies, and a copy needs room of its own, as the one of ``$/Copy`` does."""
    with InProcessEmulator(tmp_path / "data", store_limit=25_000) as emulator:
        upload(emulator, "Pkg", package(code=b"M" * 10_000))
        upload(emulator, "Other", package("Other", code=b"N" * 8_000))
        before = content(emulator)
        refused = provision(emulator)
        assert refused.error[1] == "FABRIC_E_IMAGESTORE_IOERROR"
        assert "the store is full: it may hold 25000 bytes" in refused.headers["x-emulator-why"]
        assert content(emulator) == before
        assert types(emulator) == []

        assert emulator.delete(f"/ImageStore/Other?{V}").status == 200
        assert provision(emulator).status == 200


def test_store_info_follows_a_package_from_copy_to_register_to_nothing(emulator: InProcessEmulator) -> None:
    files = package()
    size = sum(map(len, files.values()))
    upload(emulator, "Pkg", files)
    before = used(emulator)
    assert (before["Copy"], before["Register"], before["Staging"]) == ((size, 8), (0, 0), (0, 0))

    assert provision(emulator).status == 200
    checksums = 3 * 64
    registered = used(emulator)
    assert registered["Copy"] == (0, 0)
    assert registered["Register"] == (size + checksums, 6 + 3)

    assert unprovision(emulator).status == 200
    after = used(emulator)
    assert (after["Copy"], after["Register"], after["Staging"]) == ((0, 0), (0, 0), (0, 0))
    assert before["Metadata"] == registered["Metadata"] == after["Metadata"]


# --- versions ---------------------------------------------------------------------------------------------------------


def test_a_second_version_adds_what_is_new_and_unprovisioning_frees_what_is_not_shared(
    emulator: InProcessEmulator,
) -> None:
    register(emulator, package())
    first = content(emulator)
    register(emulator, package(version="2.0", code=b"MZ 2", code_version="2.0"))
    both = content(emulator)
    new = {path for path in both if path not in first}
    assert {path.split("/")[2] for path in new} == {
        "ApplicationManifest.2.0.xml",
        "Web.Manifest.2.0.xml",
        "Web.Manifest.2.0.xml.checksum",
        "Web.Code.2.0",
        "Web.Code.2.0.checksum",
    }, "the config package is the first version's"

    assert unprovision(emulator, version="2.0").status == 200
    assert content(emulator) == first
    assert types(emulator) == AVAILABLE

    register(emulator, package(version="2.0", code=b"MZ 2", code_version="2.0"))
    assert unprovision(emulator, version="1.0").status == 200
    left = content(emulator)
    assert left == {path: each for path, each in both.items() if path not in first or ".Config." in path}
    assert types(emulator) == [("Calc", "2.0", "Available")]


def test_a_package_may_leave_out_what_another_version_has_registered(emulator: InProcessEmulator) -> None:
    register(emulator, package())
    difference = {"ApplicationManifest.xml": package(version="1.1")["ApplicationManifest.xml"], "_.dir": b""}

    register(emulator, difference)

    assert types(emulator) == [*AVAILABLE, ("Calc", "1.1", "Available")]
    assert unprovision(emulator, version="1.0").status == 200
    question = f"/ApplicationTypes/Calc/$/GetServiceTypes?{V}&ApplicationTypeVersion=1.1"
    assert [each["ServiceManifestName"] for each in emulator.get(question).json()] == ["Web"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ("Web/Code/run.exe", "The content in CodePackage Name:Code and Version:1.0 in Service Manifest 'Web'"),
        ("Web/ServiceManifest.xml", "Service Manifest with Name:Web and Version:1.0 has changed"),
    ],
)
def test_what_is_registered_may_not_change_without_its_version(
    emulator: InProcessEmulator, changed: str, words: str
) -> None:
    register(emulator, package())
    files = package(version="1.1")
    files[changed] += b"\n"
    upload(emulator, "Pkg", files)

    status, code, message = provision(emulator).error
    assert (status, code) == (400, "FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR")
    assert words in message
    assert types(emulator) == AVAILABLE


def test_once_the_last_version_is_gone_its_content_may_change(emulator: InProcessEmulator) -> None:
    register(emulator, package())
    assert unprovision(emulator).status == 200
    register(emulator, package(code=b"other"))
    assert content(emulator)["Store/Calc/Web.Code.1.0/run.exe"] == b"other"


def test_what_a_dead_emulator_left_half_registered_is_overwritten(emulator: InProcessEmulator) -> None:
    """Without its application manifest nothing in ``Store`` counts."""
    register(emulator, package())
    (emulator.data / "default/content/Store/Calc/ApplicationManifest.1.0.xml").unlink()
    assert types(emulator) == []

    register(emulator, package(code=b"other"))

    assert types(emulator) == AVAILABLE
    assert content(emulator)["Store/Calc/Web.Code.1.0/run.exe"] == b"other"


@pytest.mark.parametrize(("name", "version"), [("Calc", "2.0"), ("calc", "1.0"), ("Other", "1.0")])
def test_only_what_is_registered_in_this_case_can_be_unregistered(
    emulator: InProcessEmulator, name: str, version: str
) -> None:
    register(emulator, package())
    assert unprovision(emulator, name, version).error == (
        404,
        "FABRIC_E_APPLICATION_TYPE_NOT_FOUND",
        "Application type and version not found",
    )
    assert types(emulator) == AVAILABLE


# --- the disk is the only truth ---------------------------------------------------------------------------------------


def test_types_survive_a_restart(emulator: InProcessEmulator) -> None:
    register(emulator, package())
    emulator.restart()
    assert types(emulator) == AVAILABLE


def test_what_is_put_into_store_by_hand_is_registered_and_what_is_taken_out_is_not(
    emulator: InProcessEmulator, tmp_path: Path
) -> None:
    register(emulator, package())
    store = emulator.data / "default/content/Store"
    shutil.move(store, tmp_path / "away")
    assert types(emulator) == []
    shutil.move(tmp_path / "away", store)
    assert types(emulator) == AVAILABLE


@pytest.mark.parametrize(
    ("path", "content_"),
    [
        ("Other/ApplicationManifest.1.0.xml", application_manifest("Calc", "1.0", {"Web": "1"})),
        ("Calc/ApplicationManifest.2.0.xml", application_manifest("Calc", "3.0", {"Web": "1"})),
        ("Calc/ApplicationManifest.2.0.xml", b"<no"),
        ("Calc/ApplicationManifest.2.0.xml/file", b""),
        ("ApplicationManifest.1.0.xml", application_manifest("Calc", "1.0", {"Web": "1"})),
    ],
)
def test_a_manifest_in_the_wrong_place_registers_nothing(
    emulator: InProcessEmulator, path: str, content_: bytes
) -> None:
    register(emulator, package())
    assert emulator.put(f"/ImageStore/Store/{path}?{V}", content_).status == 200
    assert types(emulator) == AVAILABLE


def test_types_belong_to_their_store_and_come_and_go_with_it(emulator: InProcessEmulator) -> None:
    default = Control(f"http://{emulator.host}:{emulator.port}")
    default.make_store("other")
    register(emulator, package())
    default.snapshot("registered")
    assert types(emulator, "/_emulator/on/other") == []

    default.reset()
    assert types(emulator) == []
    default.restore("registered")
    assert types(emulator) == AVAILABLE

    other = "/_emulator/on/other"
    upload(emulator, "Pkg", package("Theirs"), other)
    assert provision(emulator, prefix=other).status == 200
    assert types(emulator, other) == [("Theirs", "1.0", "Available")]
    assert types(emulator) == AVAILABLE
    default.drop_store("other")
    assert types(emulator, other) == []


def test_a_fault_and_the_journal_know_the_operation_by_its_name(emulator: InProcessEmulator) -> None:
    control = Control(f"http://{emulator.host}:{emulator.port}")
    control.add_fault(
        "operation=ProvisionApplicationType error=FABRIC_E_APPLICATION_TYPE_PROVISION_IN_PROGRESS times=1"
    )
    upload(emulator, "Pkg", package())

    assert provision(emulator).error == (
        409,
        "FABRIC_E_APPLICATION_TYPE_PROVISION_IN_PROGRESS",
        "Cannot provision multiple versions of the same application type simultaneously.",
    )
    assert provision(emulator).status == 200
    (failed, done) = control.journal(operation="ProvisionApplicationType")
    assert (failed["status"], done["status"]) == (409, 200)


def test_the_lint_of_clients_knows_the_contract_of_these_operations(emulator: InProcessEmulator) -> None:
    """What ``sfctl`` sends is not too new, a later version is, and what is not emulated cannot be."""
    control = Control(f"http://{emulator.host}:{emulator.port}")
    upload(emulator, "Pkg", package())
    control.clear_journal()
    assert provision(emulator).status == 200
    emulator.get("/$/GetClusterVersion?api-version=6.4")
    emulator.post("/$/ValidateUpgrade?api-version=8.2")
    assert [each for each in control.lint() if each["rule"] == "newer-api-version"] == []
    emulator.get("/Nodes?api-version=8.0")
    (finding,) = [each for each in control.lint() if each["rule"] == "newer-api-version"]
    assert "GetNodeInfoList was called with api-version 8.0" in finding["message"]


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"Kind": "ImageStorePath"}, "please specify either the build path or the download path"),
        ({"ApplicationTypeBuildPath": "Pkg"}, "The specified provision application type kind '0' is invalid"),
        ({"Kind": "Elsewhere", "ApplicationTypeBuildPath": "Pkg"}, "Invalid argument"),
        ({"Kind": "ImageStorePath", "Async": "no", "ApplicationTypeBuildPath": "Pkg"}, "Invalid argument"),
        ({"Kind": "ImageStorePath", "ApplicationTypeBuildPath": "\\"}, "Invalid argument"),
        ([], "Invalid argument"),
    ],
)
def test_a_bad_request_to_register_says_what_is_missing(emulator: InProcessEmulator, body: Any, words: str) -> None:
    reply = emulator.post(f"/ApplicationTypes/$/Provision?{V}", json.dumps(body).encode())
    assert reply.error[:2] == (400, "E_INVALIDARG")
    assert words in reply.error[2]


def test_up_to_6_0_a_request_needs_no_kind_and_its_kind_may_come_anywhere(emulator: InProcessEmulator) -> None:
    upload(emulator, "Old", package())
    old = json.dumps({"ApplicationTypeBuildPath": "Old"}).encode()
    assert emulator.post("/ApplicationTypes/$/Provision?api-version=6.0", old).status == 200
    upload(emulator, "New", package("New"))
    new = json.dumps({"ApplicationTypeBuildPath": "New", "Async": False, "Kind": "ImageStorePath"}).encode()
    assert emulator.post(f"/ApplicationTypes/$/Provision?{V}", new).status == 200
    assert [name for name, _, _ in types(emulator)] == ["Calc", "New"]


@pytest.mark.parametrize("path", ["Some/Pkg", "\\Some\\Pkg"])
def test_a_build_path_is_written_as_paths_are_stored(emulator: InProcessEmulator, path: str) -> None:
    """Its parts are copied as by ``$/Copy``, which compares the text."""
    upload(emulator, "Some/Pkg", package())
    assert provision(emulator, path).error[:2] == (404, "FABRIC_E_FILE_NOT_FOUND")
    assert provision(emulator, "some\\PKG\\").status == 200


def test_on_linux_paths_have_slashes_and_names_mind_the_case(tmp_path: Path) -> None:
    with InProcessEmulator(tmp_path / "data", platform="linux") as emulator:
        upload(emulator, "Some/Pkg", package())
        assert provision(emulator, "some/pkg").error[:2] == (404, "FABRIC_E_DIRECTORY_NOT_FOUND")
        assert provision(emulator, "Some/Pkg").status == 200
        assert types(emulator) == AVAILABLE


def test_types_with_odd_but_valid_names_go_the_whole_way(emulator: InProcessEmulator) -> None:
    name, version = "Ärger & Söhne (1) 東京", "1.0-beta+7 x"
    files = package() | {
        "ApplicationManifest.xml": application_manifest("Ärger &amp; Söhne (1) 東京", version, {"Web": "1.0"}),
        "Web/ServiceManifest.xml": service_manifest("Web", "1.0"),
    }
    register(emulator, files, "Odd Päckage")

    assert types(emulator) == [(name, version, "Available")]
    asked = f"/ApplicationTypes/{quote(name)}/$/GetServiceTypes?{V}&ApplicationTypeVersion={quote(version)}"
    assert emulator.get(asked).status == 200
    assert unprovision(emulator, name, version).status == 200
    assert content(emulator) == {}
