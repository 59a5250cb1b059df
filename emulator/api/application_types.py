"""The operations on application types: from a call to its answer (``httpgateway/ApplicationTypesHandler.cpp``)."""

import json
from collections.abc import Callable

from starlette.responses import Response

from emulator.api.call import Call
from emulator.api.cluster import bad_token, paged_reply
from emulator.api.cluster_shapes import ANY, Shape, service_type, type_version
from emulator.api.replies import empty_reply, json_reply
from emulator.cluster.application_types import Job, TypeVersion
from emulator.operations.body import in_thread
from emulator.protocol.errors import FabricError
from emulator.protocol.provision_description import parse_provision_description, parse_unprovision_description


async def provision_application_type(call: Call) -> Response:
    """Register an application type from a package in the image store, or from an `.sfpkg` on this machine."""
    body = await call.body.read_whole()
    description = parse_provision_description(body, has_kinds=call.api_version.provisions_by_kind)
    job = await call.store.application_types.begin_provision(description, call.timeout)
    return await _do(call, job, is_async=description.is_async)


async def unprovision_application_type(call: Call) -> Response:
    """Unregister a version, and free what no other version shares."""
    description = parse_unprovision_description(await call.body.read_whole())
    name = call.part("application_type_name")
    job = await call.store.application_types.begin_unprovision(name, description, call.timeout)
    return await _do(call, job, is_async=description.is_async)


async def get_application_type_info_list(call: Call) -> Response:
    """The registered application types, and those that are about to be."""
    return await _types_reply(call, lambda _: True)


async def get_application_type_info_list_by_name(call: Call) -> Response:
    """All versions of one application type; the name is compared as it is."""
    name, version = call.part("application_type_name"), call.query("ApplicationTypeVersion")
    return await _types_reply(call, lambda each: each.name == name and version in (None, each.version))


async def get_service_type_info_list(call: Call) -> Response:
    """The service types of a version."""
    return json_reply(ANY, await _service_types(call))


async def get_service_type_info_by_name(call: Call) -> Response:
    """One service type of a version; 204 for a name that is none's."""
    name = call.part("service_type_name")
    for each in await _service_types(call):
        if each["ServiceTypeDescription"]["ServiceTypeName"] == name:
            return json_reply(ANY, each)
    return empty_reply(204)


async def get_application_manifest(call: Call) -> Response:
    """The application manifest of a version."""
    name, version = call.part("application_type_name"), call.required("ApplicationTypeVersion")
    text = await in_thread(call.store.application_types.application_manifest, name, version)
    return json_reply(ANY, {"Manifest": text})


async def get_service_manifest(call: Call) -> Response:
    """A service manifest of a version."""
    name, version = call.part("application_type_name"), call.required("ApplicationTypeVersion")
    service = call.required("ServiceManifestName")
    text = await in_thread(call.store.application_types.service_manifest, name, version, service)
    return json_reply(ANY, {"Manifest": text})


async def _do(call: Call, job: Job, *, is_async: bool) -> Response:
    if is_async:
        call.store.run_later(job)
        return empty_reply(202)
    await job.run()
    return empty_reply()


async def _types_reply(call: Call, is_wanted: Callable[[TypeVersion], bool]) -> Response:
    has_parameters = (call.query("ExcludeApplicationParameters") or "").lower() != "true"

    def shape(each: TypeVersion) -> Shape:
        return type_version(call, each, has_parameters=has_parameters)

    if call.query("ApplicationTypeVersion") and not call.has_part("application_type_name"):
        raise FabricError(
            "E_INVALIDARG",
            "Query GetApplicationTypesPaged cannot have a version filter without a name filter. Version provided is "
            f"{call.query('ApplicationTypeVersion')}.",
            why="ask for the versions of one type at /ApplicationTypes/{name}",
        )
    found = [each for each in await in_thread(call.store.application_types.all) if is_wanted(each)]
    if call.api_version.lists_types_bare:
        return json_reply(ANY, [shape(each) for each in found])
    if call.api_version.says_no_types_with_204 and not found:
        return empty_reply(204)
    since = _read_token(call.entity_token)
    return paged_reply(call, [each for each in found if (each.name, each.version) > since], _token, shape)


def _token(each: TypeVersion) -> str:
    return json.dumps({"Name": each.name, "Version": each.version}, ensure_ascii=False, separators=(",", ":"))


def _read_token(token: str) -> tuple[str, str]:
    """The name and version of the last entry of the page before."""
    if not token:
        return "", ""
    try:
        given = json.loads(token)
        return str(given["Name"]), str(given["Version"])
    except (ValueError, TypeError, LookupError, RecursionError):
        raise bad_token(token) from None


async def _service_types(call: Call) -> list[Shape]:
    name, version = call.part("application_type_name"), call.required("ApplicationTypeVersion")
    manifests = await in_thread(call.store.application_types.service_manifests, name, version)
    return [service_type(manifest, each) for manifest in manifests for each in manifest.service_types]
