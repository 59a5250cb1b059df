# mypy: ignore-errors
"""Runs inside the environment of azure-servicefabric: registers the package at PATH of a store, looks, unregisters it.

``python sdk_cluster_driver.py ENDPOINT PATH`` prints one JSON object as ``sdk_driver.py`` does.
"""

import json
import sys
import time

from azure.servicefabric import ServiceFabricClientAPIs
from azure.servicefabric.models import (
    ExternalStoreProvisionApplicationTypeDescription,
    FabricErrorException,
    ProvisionApplicationTypeDescription,
)
from msrest.pipeline import SansIOHTTPPolicy

PATIENCE = 60


class Story:
    """The client, and the outcome of each step in order."""

    def __init__(self, endpoint: str) -> None:
        self.client = ServiceFabricClientAPIs(SansIOHTTPPolicy(), base_url=endpoint)  # a policy that does nothing
        self.outcomes = {}

    def step(self, name: str, operation: str, *arguments: object, **options: object) -> None:
        """Call one operation of the SDK and note what came of it."""
        try:
            result = getattr(self.client, operation)(*arguments, **options)
            as_dict = [each.as_dict() for each in result] if isinstance(result, list) else result and result.as_dict()
            self.outcomes[name] = {"returned": as_dict}
        except FabricErrorException as error:
            self.outcomes[name] = {"code": error.error.error.code, "message": error.error.error.message}

    def statuses(self) -> list[str]:
        """The status of every application type."""
        return [each.status for each in self.client.get_application_type_info_list().items]


def main(endpoint: str, path: str) -> None:
    """The journey."""
    story = Story(endpoint)
    step = story.step
    step("manifest", "get_cluster_manifest")
    step("version", "get_cluster_version")
    step("health", "get_cluster_health")
    step("chunk", "get_cluster_health_chunk")
    step("upgrade", "get_cluster_upgrade_progress")
    step("load", "get_cluster_load")
    step("nodes", "get_node_info_list", max_results=2)
    step("more nodes", "get_node_info_list", story.outcomes["nodes"]["returned"]["continuation_token"])
    step("node", "get_node_info", "_Node_0")
    step("node health", "get_node_health", "_Node_0")
    step("node load", "get_node_load_info", "_Node_0")
    step("applications", "get_application_info_list")
    step("system services", "get_service_info_list", "System")
    step("deployed", "get_deployed_application_info_list", "_Node_0")

    manual = {"application_package_cleanup_policy": "Manual"}
    here = ProvisionApplicationTypeDescription(async_property=False, application_type_build_path=path, **manual)
    step("provision", "provision_application_type", here)
    step("provision again", "provision_application_type", here)
    step("types", "get_application_type_info_list")
    step("type", "get_application_type_info_list_by_name", "CalcType", exclude_application_parameters=True)
    step("service types", "get_service_type_info_list", "CalcType", "1.0.0")
    step("service type", "get_service_type_info_by_name", "CalcType", "1.0.0", "BackendPkgType")
    step("application manifest", "get_application_manifest", "CalcType", "1.0.0")
    step("service manifest", "get_service_manifest", "CalcType", "1.0.0", "BackendPkg")
    step("info", "get_image_store_info")
    step("unprovision", "unprovision_application_type", "CalcType", "1.0.0")
    step("unprovision again", "unprovision_application_type", "CalcType", "1.0.0")
    step("info at the end", "get_image_store_info")

    here.async_property = True
    step("provision later", "provision_application_type", here)
    deadline = time.monotonic() + PATIENCE
    while story.statuses() != ["Available"]:
        assert time.monotonic() < deadline, story.statuses()
    step("unprovision later", "unprovision_application_type", "CalcType", "1.0.0", async_parameter=True)
    while story.statuses():
        assert time.monotonic() < deadline, story.statuses()
    far = ExternalStoreProvisionApplicationTypeDescription(
        async_property=False,
        application_package_download_uri="https://packages.example/calc.sfpkg",
        application_type_name="CalcType",
        application_type_version="1.0.0",
    )
    step("provision from far away", "provision_application_type", far)
    step("chaos", "get_chaos")
    print(json.dumps(story.outcomes))


main(*sys.argv[1:])
