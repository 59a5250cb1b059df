"""What clients ask of a cluster before and beside its image store: answered for one that is well and runs nothing."""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from urllib.parse import quote

from starlette.responses import Response

from emulator.api.call import Call
from emulator.api.cluster_shapes import (
    ANY,
    Shape,
    cluster_health,
    cluster_load,
    health_chunk,
    node,
    node_health,
    node_load,
    page,
    upgrade_progress,
)
from emulator.api.replies import empty_reply, json_reply
from emulator.api.shapes import CLUSTER_VERSION
from emulator.cluster.description import Node
from emulator.protocol.errors import FabricError
from emulator.protocol.numbers import parse_unsigned

Entry = TypeVar("Entry")

_OK_STATE: Final = 2
_NODE_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
_NODE_FILTERS: Final = frozenset({"default", "all", "up", "0", "1", "65535", str(0xFFFFFFFF)})


async def get_cluster_version(call: Call) -> Response:
    """The version of the emulated runtime."""
    return json_reply(CLUSTER_VERSION, {"Version": call.store.profile.build})


async def get_cluster_manifest(call: Call) -> Response:
    """The cluster manifest, with the image store connection string `fabric:ImageStore`."""
    return json_reply(ANY, {"Manifest": call.store.cluster.manifest})


async def get_cluster_health(call: Call) -> Response:
    """The cluster's health: all is well. A policy in the body changes nothing."""
    await call.body.read_whole()
    nodes = call.store.cluster.nodes if _asks_for_ok(call, "NodesHealthStateFilter") else ()
    return json_reply(
        ANY,
        cluster_health(
            call,
            list(nodes),
            has_system=_asks_for_ok(call, "ApplicationsHealthStateFilter"),
            has_statistics=(call.query("ExcludeHealthStatistics") or "").lower() != "true",
        ),
    )


async def get_cluster_health_chunk(call: Call) -> Response:
    """The cluster's health in short: all is well. Filters in the body select nothing."""
    await call.body.read_whole()
    return json_reply(ANY, health_chunk(call))


async def get_cluster_upgrade_progress(call: Call) -> Response:
    """The last upgrade of the cluster: long completed."""
    return json_reply(ANY, upgrade_progress(call))


async def get_cluster_load(call: Call) -> Response:
    """The cluster's load: none."""
    return json_reply(ANY, cluster_load(call))


async def get_aad_metadata(call: Call) -> Response:
    """How to sign in with Azure Active Directory: not at all."""
    _ = call
    return json_reply(ANY, {"type": "", "metadata": {}})


async def get_node_info_list(call: Call) -> Response:
    """The nodes, of which all are up."""
    wanted = (call.query("NodeStatusFilter") or "default").lower() in _NODE_FILTERS
    nodes = sorted(call.store.cluster.nodes if wanted else (), key=lambda each: each.id)
    if call.api_version.lists_entities_bare:
        return json_reply(ANY, [node(call, each) for each in nodes])
    token = call.entity_token
    if token and not _NODE_ID.fullmatch(token):
        raise bad_token(token)
    left = [each for each in nodes if each.id > token.lower()]
    return paged_reply(call, left, lambda each: each.id, lambda each: node(call, each))


async def get_node_info(call: Call) -> Response:
    """One node; 204 for a name that is none's."""
    found = call.store.cluster.node(call.part("node_name"))
    return json_reply(ANY, node(call, found)) if found else empty_reply(204)


async def get_node_health(call: Call) -> Response:
    """A node's health: all is well. A policy in the body changes nothing."""
    await call.body.read_whole()
    return json_reply(ANY, node_health(call, _node(call, "FABRIC_E_HEALTH_ENTITY_NOT_FOUND")))


async def get_node_load_info(call: Call) -> Response:
    """A node's load: none."""
    return json_reply(ANY, node_load(_node(call, "FABRIC_E_NODE_NOT_FOUND")))


async def get_no_applications(call: Call) -> Response:
    """An empty list, since no application runs here."""
    return json_reply(ANY, [] if call.api_version.lists_entities_bare else page([]))


async def get_no_application(call: Call) -> Response:
    """No application runs here: 204."""
    _ = call
    return empty_reply(204)


async def get_no_deployed_applications(call: Call) -> Response:
    """An empty list, since no application runs on any node."""
    return json_reply(ANY, [] if call.api_version.lists_deployed_bare else page([]))


def paged_reply(
    call: Call, left: Sequence[Entry], token_of: Callable[[Entry], str], shape: Callable[[Entry], Shape]
) -> Response:
    """The first ``MaxResults`` of what is left; the token is that of the last one, escaped (gateway 4.1)."""
    shown = left[: call.max_results]
    token = quote(token_of(shown[-1]), safe="") if len(shown) < len(left) else ""
    return json_reply(ANY, page([shape(each) for each in shown], token))


def bad_token(token: str) -> FabricError:
    """The error for a continuation token that names no entry."""
    return FabricError(
        "E_INVALIDARG",
        f"The continuation token '{token}' is not valid. Please pass in the continuation token returned by a previous "
        "query.",
        why="a ContinuationToken has to be sent back exactly as it came",
    )


def _node(call: Call, code: str) -> Node:
    name = call.part("node_name")
    found = call.store.cluster.node(name)
    if found is None:
        raise FabricError(code, why=f"the cluster has no node {name!r}: its nodes are set by --node-count")
    return found


def _asks_for_ok(call: Call, name: str) -> bool:
    """Whether a filter of health states lets pass what is well: 0, the default, does."""
    given = parse_unsigned(call.query(name) or "0", 32)
    return not given or bool(given & _OK_STATE)
