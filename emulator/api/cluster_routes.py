"""The operations of the fake cluster, by the names of the published contract."""

from typing import Final

from emulator.api import application_types, cluster
from emulator.api.exchange import Operation

_NODE: Final = "/Nodes/{node_name:content}"
_TYPE: Final = "/ApplicationTypes/{application_type_name:content}"

CLUSTER_OPERATIONS: Final = (
    Operation("GetClusterVersion", "GET", "/$/GetClusterVersion", cluster.get_cluster_version),
    Operation("GetClusterManifest", "GET", "/$/GetClusterManifest", cluster.get_cluster_manifest),
    Operation(
        "GetClusterHealth",
        "GET",
        "/$/GetClusterHealth",
        cluster.get_cluster_health,
        parameters=(
            "node health",
            "application health",
            "statistics",
        ),
    ),
    Operation(
        "GetClusterHealthUsingPolicy",
        "POST",
        "/$/GetClusterHealth",
        cluster.get_cluster_health,
        parameters=("node health", "application health", "statistics", "policy"),
    ),
    Operation("GetClusterHealthChunk", "GET", "/$/GetClusterHealthChunk", cluster.get_cluster_health_chunk),
    Operation(
        "GetClusterHealthChunkUsingPolicyAndAdvancedFilters",
        "POST",
        "/$/GetClusterHealthChunk",
        cluster.get_cluster_health_chunk,
        parameters=("policy",),
    ),
    Operation("GetClusterUpgradeProgress", "GET", "/$/GetUpgradeProgress", cluster.get_cluster_upgrade_progress),
    Operation("GetClusterLoad", "GET", "/$/GetLoadInformation", cluster.get_cluster_load),
    Operation("GetAadMetadata", "GET", "/$/GetAadMetadata", cluster.get_aad_metadata),
    Operation("GetNodeInfoList", "GET", "/Nodes", cluster.get_node_info_list, parameters=("token", "page", "status")),
    Operation("GetNodeInfo", "GET", _NODE, cluster.get_node_info),
    Operation("GetNodeHealth", "GET", _NODE + "/$/GetHealth", cluster.get_node_health),
    Operation(
        "GetNodeHealthUsingPolicy",
        "POST",
        _NODE + "/$/GetHealth",
        cluster.get_node_health,
        parameters=("policy",),
    ),
    Operation("GetNodeLoadInfo", "GET", _NODE + "/$/GetLoadInformation", cluster.get_node_load_info),
    Operation(
        "GetApplicationTypeInfoList",
        "GET",
        "/ApplicationTypes",
        application_types.get_application_type_info_list,
        parameters=("token", "page", "no parameters"),
    ),
    Operation(
        "GetApplicationTypeInfoListByName",
        "GET",
        _TYPE,
        application_types.get_application_type_info_list_by_name,
        parameters=("token", "page", "no parameters", "one version"),
    ),
    Operation(
        "ProvisionApplicationType",
        "POST",
        "/ApplicationTypes/$/Provision",
        application_types.provision_application_type,
        parameters=("provision",),
    ),
    Operation(
        "UnprovisionApplicationType",
        "POST",
        _TYPE + "/$/Unprovision",
        application_types.unprovision_application_type,
        parameters=("unprovision",),
    ),
    Operation(
        "GetServiceTypeInfoList",
        "GET",
        _TYPE + "/$/GetServiceTypes",
        application_types.get_service_type_info_list,
        parameters=("version",),
    ),
    Operation(
        "GetServiceTypeInfoByName",
        "GET",
        _TYPE + "/$/GetServiceTypes/{service_type_name:content}",
        application_types.get_service_type_info_by_name,
        parameters=("version",),
    ),
    Operation(
        "GetServiceManifest",
        "GET",
        _TYPE + "/$/GetServiceManifest",
        application_types.get_service_manifest,
        parameters=("version", "service"),
    ),
    Operation(
        "GetApplicationManifest",
        "GET",
        _TYPE + "/$/GetApplicationManifest",
        application_types.get_application_manifest,
        parameters=("version",),
    ),
    Operation("GetApplicationInfoList", "GET", "/Applications", cluster.get_no_applications),
    Operation("GetApplicationInfo", "GET", "/Applications/{application_id:content}", cluster.get_no_application),
    Operation(
        "GetServiceInfoList",
        "GET",
        "/Applications/{application_id:content}/$/GetServices",
        cluster.get_no_applications,
    ),
    Operation(
        "GetDeployedApplicationInfoList",
        "GET",
        _NODE + "/$/GetApplications",
        cluster.get_no_deployed_applications,
    ),
    Operation("GetComposeDeploymentStatusList", "GET", "/ComposeDeployments", cluster.get_no_applications),
)
