"""The JSON of the fake cluster: properties in wire order (``ServiceModel/*.h`` in the runtime's source)."""

from typing import Any, Final

from pydantic import TypeAdapter

from emulator.api.call import Call
from emulator.api.shapes import iso_date, tick_date
from emulator.cluster.application_types import TypeVersion
from emulator.cluster.description import CONFIG_VERSION, NODE_TYPE, Node
from emulator.cluster.manifests import ServiceManifest, ServiceType

ANY: Final = TypeAdapter[Any](Any)
"""Writes whatever these functions make."""

SYSTEM: Final = "fabric:/System"
_NEVER: Final = "0001-01-01T00:00:00.000Z"
_NS: Final = 1_000_000_000

Shape = dict[str, Any]


# Values of enumerations (``idl/public/FabricTypes.idl``).
_OK: Final = ("Ok", 1)
_UP: Final = ("Up", 1)
_APPLICATION_PACKAGE: Final = ("ServiceFabricApplicationPackage", 1)
_UPGRADE_COMPLETED: Final = ("RollingForwardCompleted", 5)
_UNMONITORED_AUTO: Final = ("UnmonitoredAuto", 1)
_COMPLETED: Final = ("Completed", 3)
_NONE: Final = ("None", 0)
_INVALID: Final = ("Invalid", 0)


def _shown(call: Call, value: tuple[str, int]) -> str | int:
    """An enumeration's value: its name from api-version 3.0 on, its number before."""
    name, number = value
    return name if call.api_version.names_enumerations else number


def page(items: list[Shape], token: str = "") -> Shape:
    """A page of a list of entities."""
    return {"ContinuationToken": token, "Items": items}


# --- nodes ------------------------------------------------------------------------------------------------------------


def node(call: Call, shown: Node) -> Shape:
    """A node that has been up since the emulator started."""
    writes_dates = call.api_version.writes_iso_dates
    since = call.store.since_ns
    return {
        "Name": shown.name,
        "IpAddressOrFQDN": "localhost",
        "Type": NODE_TYPE,
        "CodeVersion": call.store.profile.build,
        "ConfigVersion": CONFIG_VERSION,
        "NodeStatus": _shown(call, _UP),
        "NodeUpTimeInSeconds": str(max(call.store.clock.now_ns() - since, 0) // _NS),
        "HealthState": _shown(call, _OK),
        "IsSeedNode": shown.is_seed,
        "UpgradeDomain": shown.upgrade_domain,
        "FaultDomain": shown.fault_domain,
        "Id": {"Id": shown.id},
        "InstanceId": str(since // 100),
        "NodeDeactivationInfo": {
            "NodeDeactivationIntent": _shown(call, _INVALID),
            "NodeDeactivationStatus": _shown(call, _NONE),
            "NodeDeactivationTask": [],
            "PendingSafetyChecks": [],
        },
        "IsStopped": False,
        "NodeDownTimeInSeconds": "0",
        "NodeUpAt": iso_date(since) if writes_dates else tick_date(since),
        "NodeDownAt": _NEVER if writes_dates else "0",
    }


def node_load(shown: Node) -> Shape:
    """A node that carries nothing."""
    return {"NodeName": shown.name, "NodeLoadMetricInformation": []}


# --- health -----------------------------------------------------------------------------------------------------------


def cluster_health(call: Call, nodes: list[Node], *, has_system: bool, has_statistics: bool) -> Shape:
    """A cluster in which all is well."""
    health = _health(call) | ({"HealthStatistics": _statistics(call)} if has_statistics else {})
    state = _shown(call, _OK)
    return health | {
        "NodeHealthStates": [
            {"Name": each.name, "Id": {"Id": each.id}, "AggregatedHealthState": state} for each in nodes
        ],
        "ApplicationHealthStates": [{"Name": SYSTEM, "AggregatedHealthState": state}] if has_system else [],
    }


def node_health(call: Call, shown: Node) -> Shape:
    """A node on which all is well."""
    return _health(call) | {"Name": shown.name}


def health_chunk(call: Call) -> Shape:
    """The same without details: all of a cluster is counted, and shown only where it is asked for."""
    return {
        "HealthState": _shown(call, _OK),
        "NodeHealthStateChunks": {"TotalCount": str(call.store.cluster.node_count), "Items": []},
        "ApplicationHealthStateChunks": {"TotalCount": "1", "Items": []},
    }


def _health(call: Call) -> Shape:
    return {"HealthEvents": [], "AggregatedHealthState": _shown(call, _OK), "UnhealthyEvaluations": []}


def _statistics(call: Call) -> Shape:
    counts = {"Node": call.store.cluster.node_count, "Application": 0}
    return {
        "HealthStateCountList": [
            {"EntityKind": kind, "HealthStateCount": {"OkCount": str(count), "ErrorCount": "0", "WarningCount": "0"}}
            for kind, count in counts.items()
        ]
    }


# --- the rest of a cluster --------------------------------------------------------------------------------------------


def upgrade_progress(call: Call) -> Shape:
    """A cluster that has always had this version."""
    has_names = call.api_version.names_enumerations
    nothing = "PT0H0M0S" if has_names else "0"
    never = _NEVER if has_names else "0"
    return {
        "CodeVersion": call.store.profile.build,
        "ConfigVersion": CONFIG_VERSION,
        "UpgradeDomains": [
            {"Name": name, "State": _shown(call, _COMPLETED)} for name in call.store.cluster.upgrade_domains
        ],
        "UpgradeState": _shown(call, _UPGRADE_COMPLETED),
        "NextUpgradeDomain": "",
        "RollingUpgradeMode": _shown(call, _UNMONITORED_AUTO),
        "UpgradeDurationInMilliseconds": nothing,
        "UpgradeDomainDurationInMilliseconds": nothing,
        "UnhealthyEvaluations": [],
        "CurrentUpgradeDomainProgress": {"DomainName": "", "NodeUpgradeProgressList": []},
        "StartTimestampUtc": never,
        "FailureTimestampUtc": never,
        "FailureReason": _shown(call, _NONE),
        "UpgradeDomainProgressAtFailure": {"DomainName": "", "NodeUpgradeProgressList": []},
    }


def cluster_load(call: Call) -> Shape:
    """A cluster that carries nothing."""
    never = _NEVER if call.api_version.writes_iso_dates else "0"
    return {"LastBalancingStartTimeUtc": never, "LastBalancingEndTimeUtc": never, "LoadMetricInformation": []}


# --- application types ------------------------------------------------------------------------------------------------


def type_version(call: Call, shown: TypeVersion, *, has_parameters: bool) -> Shape:
    """One version of an application type."""
    parameters = shown.parameters if has_parameters else ()
    return {
        "Name": shown.name,
        "Version": shown.version,
        "DefaultParameterList": [{"Key": key, "Value": value} for key, value in sorted(parameters)],
        "Status": _shown(call, (shown.status.name.capitalize(), shown.status.value)),
        **({"StatusDetails": shown.details} if shown.details else {}),
        "ApplicationTypeDefinitionKind": _shown(call, _APPLICATION_PACKAGE),
    }


def service_type(manifest: ServiceManifest, shown: ServiceType) -> Shape:
    """One service type and where it is declared."""
    specific = (
        {"HasPersistedState": shown.has_persisted_state}
        if shown.is_stateful
        else {"UseImplicitHost": shown.uses_implicit_host}
    )
    return {
        "ServiceTypeDescription": {
            "Kind": "Stateful" if shown.is_stateful else "Stateless",
            "IsStateful": shown.is_stateful,
            "ServiceTypeName": shown.name,
            "PlacementConstraints": shown.placement_constraints,
            **specific,
            "Extensions": [{"Key": key, "Value": value} for key, value in shown.extensions],
            "LoadMetrics": [],
            "ServicePlacementPolicies": [],
        },
        "ServiceManifestVersion": manifest.version,
        "ServiceManifestName": manifest.name,
        "IsServiceGroup": shown.is_group,
    }
