"""Every operation of the service in one list, and the steps the gateway takes before an operation (gateway 0, 1.2).

The gateway has no 404 or 405: whatever matches no route, its api-version included, is a bad argument.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator.api import operations
from emulator.api.cluster_routes import CLUSTER_OPERATIONS
from emulator.api.contract import operation_not_emulated
from emulator.api.exchange import Exchange, Operation
from emulator.api.gateway import OWN_PREFIX, Gateway
from emulator.api.openapi import describe
from emulator.protocol.api_version import SIZES_SINCE
from emulator.protocol.errors import invalid_argument
from emulator.protocol.profile import Profile

_ROOT_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Image Store emulator</title></head>
<body><h1>Image Store emulator</h1>
<p>A local emulator of the Azure Service Fabric Image Store REST API.</p>
<ul><li><a href="{front}/Explorer/">Explorer</a></li>
<li><a href="{own}/docs">API</a></li><li><a href="{own}/health/ready">Health</a></li></ul>
</body></html>
"""

Endpoint = Callable[[Request], Awaitable[Response]]


class ContentPathConvertor(Convertor[str]):
    """``{RelativePath}`` of the gateway: one or more segments, none of which is exactly ``$`` (gateway 1.3)."""

    regex = r"(?!\$(?:/|\Z))[^/]+(?:/(?!\$(?:/|\Z))[^/]+)*"

    def convert(self, value: str) -> str:
        """The path as matched."""
        return value

    def to_string(self, value: str) -> str:
        """The path as given."""
        return value


register_url_convertor("content", ContentPathConvertor())


_CONTENT: Final = "/ImageStore/{content_path:content}"

_IMAGE_STORE: Final = (
    Operation("GetImageStoreRootContent", "GET", "/ImageStore", operations.get_content, parameters=("token",)),
    Operation("GetImageStoreContent", "GET", _CONTENT, operations.get_content, parameters=("token",)),
    Operation("UploadFile", "PUT", _CONTENT, operations.upload_file, parameters=("bytes",)),
    Operation("DeleteImageStoreContent", "DELETE", _CONTENT, operations.delete_content),
    Operation("CopyImageStoreContent", "POST", "/ImageStore/$/Copy", operations.copy_content, parameters=("copy",)),
    Operation(
        "UploadFileChunk",
        "PUT",
        _CONTENT + "/$/UploadChunk",
        operations.upload_file_chunk,
        parameters=("session", "range", "bytes"),
        needs_upload_sessions=True,
    ),
    Operation(
        "GetImageStoreUploadSessionById",
        "GET",
        "/ImageStore/$/GetUploadSession",
        operations.get_upload_session_by_id,
        parameters=("session",),
        needs_upload_sessions=True,
    ),
    Operation(
        "GetImageStoreUploadSessionByPath",
        "GET",
        _CONTENT + "/$/GetUploadSession",
        operations.get_upload_session_by_path,
        needs_upload_sessions=True,
    ),
    Operation(
        "DeleteImageStoreUploadSession",
        "DELETE",
        "/ImageStore/$/DeleteUploadSession",
        operations.delete_upload_session,
        parameters=("session",),
        needs_upload_sessions=True,
    ),
    Operation(
        "CommitImageStoreUploadSession",
        "POST",
        "/ImageStore/$/CommitUploadSession",
        operations.commit_upload_session,
        parameters=("session",),
        needs_upload_sessions=True,
    ),
    Operation(
        "GetImageStoreRootFolderSize", "GET", "/ImageStore/$/FolderSize", operations.get_folder_size, since=SIZES_SINCE
    ),
    Operation(
        "GetImageStoreFolderSize", "GET", _CONTENT + "/$/FolderSize", operations.get_folder_size, since=SIZES_SINCE
    ),
    Operation("GetImageStoreInfo", "GET", "/ImageStore/$/Info", operations.get_store_info, since=SIZES_SINCE),
)

OPERATIONS: Final = (*_IMAGE_STORE, *CLUSTER_OPERATIONS)


class GatewayRoute(APIRoute):
    """A FastAPI route whose endpoint reads the request itself, by the gateway's rules instead of FastAPI's.

    A verb is part of what has to match, and nothing stands between the match and the endpoint.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.app = self._answer

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match verb and path."""
        match = self.path_regex.match(scope["path"]) if scope["method"] in (self.methods or ()) else None
        if match is None:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": match.groupdict()}

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)


def service_router(profile: Profile, exchange: Exchange) -> APIRouter:
    """The routes that this runtime has."""
    router = APIRouter(route_class=GatewayRoute, redirect_slashes=False)
    for operation in OPERATIONS:
        if exists_on(operation, profile):
            router.add_api_route(
                operation.path,
                _endpoint(operation, exchange),
                methods=[operation.verb],
                name=operation.name,
                operation_id=operation.name,
                response_model=None,
                openapi_extra=describe(operation.path, operation.parameters, operation.handle.__doc__ or ""),
            )

    async def root(request: Request) -> Response:
        """What a client sees that only asks whether anything answers."""
        front = request.scope.get("root_path", "")
        page = _ROOT_PAGE.format(front=front, own=front + OWN_PREFIX)
        return exchange.note(request.scope, HTMLResponse(page))

    router.add_api_route("/", root, methods=["GET"], include_in_schema=False, response_model=None)
    return router


def gateway_app(profile: Profile, exchange: Exchange, router: APIRouter) -> ASGIApp:
    """The service: requests as its gateway sees them, then the first of its routes that matches."""
    routes = [route for route in router.routes if isinstance(route, GatewayRoute)]

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        for route in routes:
            match, matched = route.matches(scope)
            if match is Match.FULL:
                scope.update(matched)
                await route.app(scope, receive, send)
                return
        unavailable = operation_not_emulated(scope["method"], scope["path"])
        if unavailable:
            scope["path_params"] = {}
            response = await exchange.answer(Request(scope, receive), unavailable)
            await response(scope, receive, send)
            return
        why = f"no operation of this runtime is a {scope['method']} of such a path"
        await exchange.refuse(scope, invalid_argument(why))(scope, receive, send)

    return Gateway(dispatch, profile, exchange.refuse, exchange.note)


def exists_on(operation: Operation, profile: Profile) -> bool:
    """Whether a runtime has the operation at all."""
    if operation.needs_upload_sessions and not profile.has_upload_sessions:
        return False
    return operation.since <= profile.newest_api_version


def _endpoint(operation: Operation, exchange: Exchange) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await exchange.answer(request, operation)

    return endpoint
