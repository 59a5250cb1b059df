"""What clients ask of a cluster first, and what they are told about everything that is not emulated."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from emulator.api.contract import names_of_not_emulated
from emulator.api.routes import OPERATIONS
from emulator.client import Control
from tests.support.application import FABRIC, V
from tests.support.emulator import InProcessEmulator


@pytest.fixture
def seven_nodes(tmp_path: Path) -> Any:
    """A cluster called Cluster with the nodes N0 to N6."""
    with InProcessEmulator(tmp_path / "data", cluster_name="Cluster", node_count=7, node_prefix="N") as running:
        yield running


def test_the_cluster_manifest_says_where_the_image_store_is(seven_nodes: InProcessEmulator) -> None:
    """As the .NET client looks for it, from any api-version on."""
    for version in ("1.0", "6.0", "11.8"):
        answer = seven_nodes.get(f"/$/GetClusterManifest?api-version={version}").json()
        assert list(answer) == ["Manifest"]
        manifest = ET.fromstring(answer["Manifest"])
        namespace = {"f": FABRIC}
        section = "f:FabricSettings/f:Section[@Name='Management']/f:Parameter[@Name='ImageStoreConnectionString']"
        (parameter,) = manifest.findall(section, namespace)
        assert parameter.attrib["Value"] == "fabric:ImageStore"
        assert manifest.attrib["Name"] == "Cluster"
        assert "emulator" in manifest.attrib["Description"]
        nodes = manifest.findall("f:Infrastructure/*/f:NodeList/f:Node", namespace)
        assert [node.attrib["NodeName"] for node in nodes] == [f"N{number}" for number in range(7)]


def test_a_node_is_up_and_well(seven_nodes: InProcessEmulator) -> None:
    (node,) = [each for each in seven_nodes.get(f"/Nodes?{V}").json()["Items"] if each["Name"] == "N6"]
    assert node["NodeStatus"] == "Up"
    assert node["HealthState"] == "Ok"
    assert (node["UpgradeDomain"], node["FaultDomain"], node["IsSeedNode"]) == ("UD1", "fd:/1", False)
    assert node["NodeUpTimeInSeconds"] == "0"
    assert node["NodeUpAt"] == "2024-05-01T10:20:30.123Z"
    assert len(bytes.fromhex(node["Id"]["Id"])) == 16
    assert seven_nodes.get(f"/Nodes/N6?{V}").json() == node
    assert seven_nodes.get(f"/Nodes/N7?{V}").status == 204

    Control(f"http://{seven_nodes.host}:{seven_nodes.port}").advance("1h")
    assert seven_nodes.get(f"/Nodes/N6?{V}").json()["NodeUpTimeInSeconds"] == "3600"


def test_before_3_0_enumerations_are_numbers_and_before_2_0_nodes_come_bare(emulator: InProcessEmulator) -> None:
    (old,) = emulator.get("/Nodes?api-version=1.0").json()
    assert (old["NodeStatus"], old["HealthState"], old["NodeDownAt"]) == (1, 1, "0")
    assert emulator.get("/Nodes?api-version=2.0").json() == {"ContinuationToken": "", "Items": [old]}
    assert emulator.get("/Nodes?api-version=3.0").json()["Items"][0]["NodeStatus"] == "Up"


def test_nodes_come_in_pages_and_by_status(seven_nodes: InProcessEmulator) -> None:
    def page(query: str) -> Any:
        return seven_nodes.get(f"/Nodes?api-version=6.3&{query}").json()

    whole = [node["Name"] for node in page("")["Items"]]
    assert sorted(whole) == [f"N{number}" for number in range(7)]
    first = page("MaxResults=4")
    rest = page(f"MaxResults=4&ContinuationToken={first['ContinuationToken']}")
    assert [node["Name"] for node in (*first["Items"], *rest["Items"])] == whole
    assert rest["ContinuationToken"] == ""
    assert len(page("NodeStatusFilter=up")["Items"]) == len(page("NodeStatusFilter=all")["Items"]) == 7
    assert page("NodeStatusFilter=down")["Items"] == []
    assert seven_nodes.get("/Nodes?api-version=6.3&ContinuationToken=x").error[:2] == (400, "E_INVALIDARG")


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_the_cluster_is_well(seven_nodes: InProcessEmulator, verb: str) -> None:
    health = seven_nodes.send(verb, f"/$/GetClusterHealth?{V}", body=b"{}").json()
    assert health["AggregatedHealthState"] == "Ok"
    assert len(health["NodeHealthStates"]) == 7
    assert health["ApplicationHealthStates"] == [{"Name": "fabric:/System", "AggregatedHealthState": "Ok"}]
    (nodes, _) = health["HealthStatistics"]["HealthStateCountList"]
    assert nodes == {"EntityKind": "Node", "HealthStateCount": {"OkCount": "7", "ErrorCount": "0", "WarningCount": "0"}}

    query = f"/$/GetClusterHealth?{V}&NodesHealthStateFilter=1&ApplicationsHealthStateFilter=12"
    filtered = seven_nodes.send(verb, query + "&ExcludeHealthStatistics=true", body=b"{}").json()
    assert (filtered["NodeHealthStates"], filtered["ApplicationHealthStates"]) == ([], [])
    assert "HealthStatistics" not in filtered
    chunk = seven_nodes.send(verb, f"/$/GetClusterHealthChunk?{V}", body=b"{}").json()
    assert (chunk["HealthState"], chunk["NodeHealthStateChunks"]["TotalCount"]) == ("Ok", "7")


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_node_has_health_and_no_load(emulator: InProcessEmulator, verb: str) -> None:
    health = emulator.send(verb, f"/Nodes/_Node_0/$/GetHealth?{V}", body=b"").json()
    assert (health["Name"], health["AggregatedHealthState"], health["HealthEvents"]) == ("_Node_0", "Ok", [])
    assert emulator.send(verb, f"/Nodes/other/$/GetHealth?{V}", body=b"").error[:2] == (
        404,
        "FABRIC_E_HEALTH_ENTITY_NOT_FOUND",
    )
    load = emulator.get(f"/Nodes/_Node_0/$/GetLoadInformation?{V}").json()
    assert load == {"NodeName": "_Node_0", "NodeLoadMetricInformation": []}
    assert emulator.get(f"/Nodes/other/$/GetLoadInformation?{V}").error[:2] == (404, "FABRIC_E_NODE_NOT_FOUND")


def test_the_last_upgrade_is_completed_at_the_emulated_version(seven_nodes: InProcessEmulator) -> None:
    progress = seven_nodes.get(f"/$/GetUpgradeProgress?{V}").json()
    version = seven_nodes.get(f"/$/GetClusterVersion?{V}").json()["Version"]
    assert (progress["CodeVersion"], progress["UpgradeState"]) == (version, "RollingForwardCompleted")
    assert {domain["State"] for domain in progress["UpgradeDomains"]} == {"Completed"}
    assert [domain["Name"] for domain in progress["UpgradeDomains"]] == ["UD0", "UD1", "UD2", "UD3", "UD4"]
    assert seven_nodes.get("/$/GetUpgradeProgress?api-version=2.0").json()["UpgradeState"] == 5


@pytest.mark.parametrize(
    "path",
    ["/Applications", "/Applications/System/$/GetServices", "/Nodes/_Node_0/$/GetApplications", "/ComposeDeployments"],
)
def test_nothing_runs_here(emulator: InProcessEmulator, path: str) -> None:
    assert emulator.get(f"{path}?{V}").json() == {"ContinuationToken": "", "Items": []}
    assert emulator.get(f"{path}?api-version=1.0").json() == []
    assert emulator.get(f"/Applications/Calc?{V}").status == 204


def test_what_explorer_asks_when_it_starts_is_answered(emulator: InProcessEmulator) -> None:
    """With its api-versions and its token against caches (read in its source)."""
    for path, version in (
        ("$/GetAadMetadata/", "6.0"),
        (
            "$/GetClusterHealth?NodesHealthStateFilter=0&ApplicationsHealthStateFilter=1&EventsHealthStateFilter=1",
            "3.0",
        ),
        ("$/GetClusterManifest", "3.0"),
        ("$/GetUpgradeProgress", "8.2"),
        ("$/GetLoadInformation", "3.0"),
        ("$/GetClusterVersion", "6.4"),
        ("Nodes/", "3.0"),
        ("Nodes/_Node_0/", "3.0"),
        ("Nodes/_Node_0/$/GetHealth?EventsHealthStateFilter=0", "3.0"),
        ("Nodes/_Node_0/$/GetLoadInformation", "3.0"),
        ("Nodes/_Node_0/$/GetApplications", "3.0"),
        ("ApplicationTypes/", "3.0"),
        ("Applications/", "3.0"),
        ("Applications/System/$/GetServices", "3.0"),
    ):
        mark = "&" if "?" in path else "?"
        reply = emulator.get(f"/{path}{mark}api-version={version}&_cacheToken=1764000000000")
        assert reply.status == 200, path
        assert reply.json() is not None
    chunk = emulator.post(
        "/$/GetClusterHealthChunk?api-version=3.0", b'{"ApplicationFilters":[{"HealthStateFilter":65535}]}'
    )
    assert chunk.json()["HealthState"] == "Ok"


# --- everything else --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "path", "name"),
    [
        ("GET", "/$/GetClusterConfiguration", "GetClusterConfiguration"),
        ("POST", "/$/Provision", "ProvisionCluster"),
        ("POST", "/Nodes/_Node_0/$/Restart", "RestartNode"),
        ("POST", "/Applications/$/Create", "CreateApplication"),
        ("POST", "/Applications/My/App/$/Delete", "DeleteApplication"),
        ("GET", "/Applications/App/$/GetServices/App%2FService", "GetServiceInfo"),
        ("POST", "/Applications/App/$/GetServices/$/Create", "CreateService"),
        ("GET", "/Partitions/1daae3f5-7fd6-42e9-b1ba-8c05f873994d/$/GetReplicas", "GetReplicaInfoList"),
        ("PUT", "/ComposeDeployments/$/Create", "CreateComposeDeployment"),
        ("DELETE", "/Names/a~b", "DeleteName"),
        ("GET", "/Faults/", "GetFaultOperationList"),
        ("GET", "/Resources/Secrets/s/values", "MeshSecretValue_List"),
        ("GET", "/BackupRestore/BackupPolicies", "GetBackupPolicyList"),
        ("GET", "/EventsStore/Cluster/Events", "GetClusterEventList"),
        ("GET", "/$/GetRepairTaskList", "GetRepairTaskList"),
    ],
)
def test_an_operation_that_is_not_emulated_is_501_by_its_name(
    emulator: InProcessEmulator, verb: str, path: str, name: str
) -> None:
    reply = emulator.send(verb, f"{path}?{V}", body=b'{"x":1}')
    message = f"The method or operation is not implemented: {name}."
    assert reply.error == (501, "E_NOTIMPL", message)
    assert "no cluster that could do that" in reply.headers["x-emulator-why"]
    (entry,) = Control(f"http://{emulator.host}:{emulator.port}").journal(operation=name)
    assert (entry["status"], entry["code"]) == (501, "E_NOTIMPL")


def test_every_operation_of_the_contract_is_emulated_or_named(emulator: InProcessEmulator) -> None:
    """The contract has 247, those of the Image Store among them; none is in both lists."""
    emulated = {operation.name for operation in OPERATIONS}
    named = names_of_not_emulated()
    assert len(named) == len(set(named))
    assert emulated.isdisjoint(named)
    assert len(emulated) + len(named) == 247


def test_its_api_version_and_what_is_in_no_contract_are_bad_arguments_as_before(emulator: InProcessEmulator) -> None:
    for verb, path in (
        ("GET", "/$/GetClusterConfiguration"),
        ("GET", "/$/GetClusterConfiguration?api-version=99"),
        ("DELETE", f"/$/GetClusterConfiguration?{V}"),
        ("GET", f"/$/getclusterconfiguration?{V}"),
        ("POST", f"/Applications/$/Create/more?{V}"),
        ("GET", f"/Anything?{V}"),
    ):
        assert emulator.send(verb, path, body=b"").error == (400, "E_INVALIDARG", "Invalid argument"), path


def test_faults_are_injected_into_what_is_not_emulated_too(emulator: InProcessEmulator) -> None:
    Control(f"http://{emulator.host}:{emulator.port}").add_fault("operation=CreateApplication error=FABRIC_E_TIMEOUT")
    assert emulator.post(f"/Applications/$/Create?{V}", b"{}").error[:2] == (504, "FABRIC_E_TIMEOUT")
