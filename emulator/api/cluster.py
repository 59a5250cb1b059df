"""First contact: what clients ask a cluster before they touch its image store."""

from starlette.responses import Response

from emulator.api.call import Call
from emulator.api.replies import json_reply
from emulator.api.shapes import CLUSTER_VERSION


async def get_cluster_version(call: Call) -> Response:
    """The version of the emulated runtime."""
    return json_reply(CLUSTER_VERSION, {"Version": call.store.profile.build})
