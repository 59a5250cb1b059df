"""sfctl finds a cluster, registers the package it uploaded, looks at the type, and unregisters it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clients.package import SERVICES, build_package, read_tree
from tests.clients.sfctl import Printed, Sfctl
from tests.support.emulator import InProcessEmulator

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("sfctl cluster")]

TYPE = ("--application-type-name", "CalcType")
VERSION = (*TYPE, "--application-type-version", "1.0.0")


@dataclass
class Story:
    """What each command printed, and what lay in the store in between."""

    printed: dict[str, Printed] = field(default_factory=dict)
    stored: dict[str, dict[str, bytes]] = field(default_factory=dict)
    package: dict[str, bytes] = field(default_factory=dict)

    def json(self, step: str) -> Any:
        """What a command printed as JSON."""
        return self.printed[step].json()


@pytest.fixture(scope="module")
def story(programs: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The whole journey, made once."""
    folder = tmp_path_factory.mktemp("sfctl-cluster")
    (folder / "home").mkdir()
    sfctl = Sfctl(programs("sfctl"), folder / "home")
    story = Story()

    with InProcessEmulator(folder / "data", node_count=3, cluster_name="Fake") as emulator:

        def run(step: str, *arguments: str | Path) -> None:
            story.printed[step] = sfctl(*arguments)
            story.stored[step] = read_tree(emulator.data / "default" / "content")

        run("select", "cluster", "select", "--endpoint", f"http://{emulator.host}:{emulator.port}")
        run("health", "cluster", "health")
        run("manifest", "cluster", "manifest")
        run("upgrade", "cluster", "upgrade-status")
        run("nodes", "node", "list")
        run("node", "node", "info", "--node-name", "_Node_1")
        run("node health", "node", "health", "--node-name", "_Node_1")
        run("node load", "node", "load", "--node-name", "_Node_1")
        package = build_package(folder / "CalcApp", "CalcType")
        story.package = read_tree(package)
        run("upload", "application", "upload", "--path", package)
        run("provision of nothing", "application", "provision", "--application-type-build-path", "Nothing")
        run("provision", "application", "provision", "--application-type-build-path", "CalcApp")
        run("provision again", "application", "provision", "--application-type-build-path", "CalcApp")
        run("types", "application", "type-list")
        run("type", "application", "type", *TYPE)
        run("service types", "service", "type-list", *VERSION)
        run("service manifest", "service", "manifest", *VERSION, "--service-manifest-name", SERVICES[1])
        run("stat", "store", "stat", "--content-path", "Store/CalcType")
        run("delete", "store", "delete", "--content-path", "CalcApp")
        run("applications", "application", "list")
        create = ("--app-name", "fabric:/Calc", "--app-type", "CalcType", "--app-version", "1.0.0")
        run("create", "application", "create", *create)
        run("unprovision", "application", "unprovision", *VERSION)
        run("types at the end", "application", "type-list")
        run("unprovision again", "application", "unprovision", *VERSION)
        run("compressed upload", "application", "upload", "--path", package, "--compress")
        run("compressed provision", "application", "provision", "--application-type-build-path", "CalcApp")
    yield story


def test_a_cluster_of_three_nodes_is_well(story: Story) -> None:
    assert (story.printed["select"].code, story.printed["select"].output) == (0, "")
    health = story.json("health")
    assert health["aggregatedHealthState"] == "Ok"
    names = ["_Node_0", "_Node_1", "_Node_2"]
    assert sorted(node["name"] for node in health["nodeHealthStates"]) == names
    assert sorted(node["name"] for node in story.json("nodes")["items"]) == names
    assert {node["nodeStatus"] for node in story.json("nodes")["items"]} == {"Up"}
    assert story.json("node")["name"] == story.json("node health")["name"] == story.json("node load")["nodeName"]
    assert 'Value="fabric:ImageStore"' in story.json("manifest")["manifest"]
    assert story.json("upgrade")["upgradeState"] == "RollingForwardCompleted"


def test_an_uploaded_package_becomes_a_type_and_is_cleaned_up(story: Story) -> None:
    assert story.printed["provision"].code == 0, story.printed["provision"].errors
    (listed,) = story.json("types")["items"]
    assert (listed["name"], listed["version"], listed["status"]) == ("CalcType", "1.0.0", "Available")
    assert story.json("type") == story.json("types")
    stored = story.stored["provision"]
    assert {path.split("/")[0] for path in stored} == {"Store"}
    for service in SERVICES:
        for part in ("Code", "Config", "Data"):
            below = f"{service}/{part}/"
            for path, content in story.package.items():
                if path.startswith(below):
                    assert stored[f"Store/CalcType/{service}.{part}.1.0.0/{path.removeprefix(below)}"] == content


def test_its_service_types_and_manifests_are_shown(story: Story) -> None:
    types = [each["serviceTypeDescription"]["serviceTypeName"] for each in story.json("service types")]
    assert sorted(types) == ["BackendPkgType", "WebFrontendPkgType"]
    manifest = story.package[f"{SERVICES[1]}/ServiceManifest.xml"].decode()
    assert story.json("service manifest")["manifest"] == manifest


def test_the_registered_parts_are_content_of_the_store(story: Story) -> None:
    content = story.json("stat")
    assert "Store\\CalcType\\ApplicationManifest.1.0.0.xml" in [
        file["storeRelativePath"] for file in content["storeFiles"]
    ]
    assert len(content["storeFolders"]) == 6
    assert story.printed["delete"].code == 0


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("provision of nothing", "(FABRIC_E_DIRECTORY_NOT_FOUND) The application package 'Nothing' is not found"),
        ("provision again", "(FABRIC_E_DIRECTORY_NOT_FOUND) The application package 'CalcApp' is not found"),
        ("unprovision again", "(FABRIC_E_APPLICATION_TYPE_NOT_FOUND) Application type and version not found"),
        ("create", "(E_NOTIMPL) The method or operation is not implemented: CreateApplication."),
    ],
)
def test_what_cannot_be_done_is_said_in_the_services_words(story: Story, step: str, words: str) -> None:
    assert story.printed[step].code == 1
    assert words in story.printed[step].errors


def test_unregistered_it_leaves_nothing(story: Story) -> None:
    assert story.json("applications")["items"] == []
    assert story.printed["unprovision"].code == 0
    assert story.json("types at the end")["items"] == []
    assert story.stored["unprovision"] == {}


def test_a_compressed_upload_is_registered_as_zips(story: Story) -> None:
    assert story.printed["compressed provision"].code == 0, story.printed["compressed provision"].errors
    zips = {path for path in story.stored["compressed provision"] if path.endswith(".zip")}
    parts = ("Code", "Config", "Data")
    assert zips == {f"Store/CalcType/{service}.{part}.1.0.0.zip" for service in SERVICES for part in parts}
