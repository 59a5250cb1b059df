"""Microsoft's Python SDK registers an application type and asks about the cluster around it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.package import build_package, read_tree, with_markers
from tests.support.application import upload
from tests.support.emulator import InProcessEmulator

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("sdk")]

DRIVER = Path(__file__).with_name("sdk_cluster_driver.py")


@pytest.fixture(scope="module")
def outcomes(programs: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each step returned, or the code and message it raised."""
    folder = tmp_path_factory.mktemp("sdk-cluster")
    with InProcessEmulator(folder / "data", node_count=3) as emulator:
        upload(emulator, "CalcApp", with_markers(read_tree(build_package(folder / "CalcApp", "CalcType"))))
        done = subprocess.run(
            [
                programs("sdk-newest") / "python",
                *("-I", "-X", "utf8", DRIVER, f"http://{emulator.host}:{emulator.port}", "CalcApp"),
            ],
            capture_output=True,
            encoding="utf-8",
            check=False,
            env={"HOME": str(folder), "NO_PROXY": "*"},
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_cluster_is_what_the_settings_say(outcomes: dict[str, Any]) -> None:
    assert "fabric:ImageStore" in outcomes["manifest"]["returned"]["manifest"]
    assert outcomes["health"]["returned"]["aggregated_health_state"] == "Ok"
    assert outcomes["chunk"]["returned"]["health_state"] == "Ok"
    first, rest = outcomes["nodes"]["returned"], outcomes["more nodes"]["returned"]
    assert sorted(node["name"] for node in (*first["items"], *rest["items"])) == ["_Node_0", "_Node_1", "_Node_2"]
    assert (len(first["items"]), rest["continuation_token"]) == (2, "")
    assert outcomes["node"]["returned"]["node_status"] == "Up"
    assert outcomes["node health"]["returned"]["name"] == outcomes["node load"]["returned"]["node_name"] == "_Node_0"
    assert outcomes["upgrade"]["returned"]["code_version"] == outcomes["version"]["returned"]["version"]
    assert outcomes["load"]["returned"]["load_metric_information"] == []
    for step in ("applications", "system services", "deployed"):
        assert outcomes[step]["returned"]["items"] == [], step


def test_a_type_is_registered_and_shown(outcomes: dict[str, Any]) -> None:
    assert outcomes["provision"] == {"returned": None}
    (listed,) = outcomes["types"]["returned"]["items"]
    assert (listed["name"], listed["version"], listed["status"]) == ("CalcType", "1.0.0", "Available")
    assert outcomes["type"] == outcomes["types"]
    service_type = outcomes["service type"]["returned"]
    assert service_type in outcomes["service types"]["returned"]
    assert service_type["service_type_description"]["kind"] == "Stateless"
    assert "CalcType" in outcomes["application manifest"]["returned"]["manifest"]
    assert "BackendPkg" in outcomes["service manifest"]["returned"]["manifest"]


def test_figures_follow(outcomes: dict[str, Any]) -> None:
    """The package was to be kept, so it counts twice while its type is registered."""
    info, end = outcomes["info"]["returned"], outcomes["info at the end"]["returned"]
    assert info["used_by_copy"] == end["used_by_copy"]
    assert int(info["used_by_copy"]["file_count"]) == 28
    assert int(info["used_by_register"]["used_space"]) > int(info["used_by_copy"]["used_space"])
    assert end["used_by_register"] == {"used_space": "0", "file_count": "0"}


def test_errors_come_with_the_codes_of_the_service(outcomes: dict[str, Any]) -> None:
    assert outcomes["provision again"]["code"] == "FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS"
    assert outcomes["unprovision again"]["code"] == "FABRIC_E_APPLICATION_TYPE_NOT_FOUND"
    assert outcomes["provision from far away"]["code"] == "E_NOTIMPL"
    assert "https://packages.example/calc.sfpkg" in outcomes["provision from far away"]["message"]
    assert outcomes["chaos"]["message"] == "The method or operation is not implemented: GetChaos."


def test_async_is_accepted(outcomes: dict[str, Any]) -> None:
    """The SDK takes the 202; the driver waits for what comes of it."""
    assert outcomes["unprovision"] == outcomes["provision later"] == outcomes["unprovision later"] == {"returned": None}
