"""What the OpenAPI page says of the service's parameters, which the gateway reads by rules FastAPI cannot express."""

from typing import Any, Final

_STRING: Final = {"type": "string"}


def _query(name: str, description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": _STRING | schema}


_API_VERSION: Final = _query(
    "api-version", "any version from 1.0 up to the runtime's own", required=True, example="6.0", pattern=r"^\d+\.\d+$"
)
_TIMEOUT: Final = _query("timeout", "seconds, 60 by default; unreadable text counts as absent", example="60")


def _part(name: str, description: str, example: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "example": example}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


_PARTS: Final = (
    _part("content_path", "path in the image store, of any depth", "MyApp/Code/app.exe"),
    _part("node_name", "name of a node", "_Node_0"),
    _part("application_type_name", "name of an application type", "MyAppType"),
    _part("service_type_name", "name of a service type", "MyServiceType"),
    _part("application_id", "name of an application without fabric:/", "MyApp"),
)
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "token": _query("ContinuationToken", "where to go on, exactly as the page before gave it"),
    "session": _query("session-id", "GUID of the upload session, chosen by the client", required=True, format="uuid"),
    "page": _query("MaxResults", "entries of a page at most", example="10"),
    "status": _query("NodeStatusFilter", "default, all, up, down, ...: every node is up", example="default"),
    "version": _query("ApplicationTypeVersion", "version of the application type", required=True, example="1.0.0"),
    "one version": _query("ApplicationTypeVersion", "this version only", example="1.0.0"),
    "service": _query("ServiceManifestName", "name of the service manifest", required=True, example="MyServicePkg"),
    "no parameters": _query("ExcludeApplicationParameters", "true leaves default parameters out", example="false"),
    "node health": _query("NodesHealthStateFilter", "sum of 2 (ok), 4, 8; 0 for all", example="0"),
    "application health": _query("ApplicationsHealthStateFilter", "the same for applications", example="0"),
    "statistics": _query("ExcludeHealthStatistics", "true leaves the statistics out", example="false"),
    "range": {
        "name": "Content-Range",
        "in": "header",
        "required": False,
        "description": "bytes {first}-{last}/{file size}",
        "schema": _STRING | {"example": "bytes 0-1023/2048"},
    },
}


def _body(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


_BOOLEAN: Final = {"type": "boolean"}
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "bytes": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    "copy": _body(
        ["RemoteSource", "RemoteDestination"],
        RemoteSource=_STRING,
        RemoteDestination=_STRING,
        SkipFiles={"type": "array", "items": _STRING},
        CheckMarkFile=_BOOLEAN,
    ),
    "provision": _body(
        ["Kind", "Async"],
        Kind={"type": "string", "enum": ["ImageStorePath", "ExternalStore"]},
        Async=_BOOLEAN,
        ApplicationTypeBuildPath=_STRING,
        ApplicationPackageCleanupPolicy={"type": "string", "enum": ["Default", "Automatic", "Manual"]},
        ApplicationPackageDownloadUri=_STRING,
        ApplicationTypeName=_STRING,
        ApplicationTypeVersion=_STRING,
    ),
    "unprovision": _body(["ApplicationTypeVersion"], ApplicationTypeVersion=_STRING, Async=_BOOLEAN),
    "policy": _body([]),
}
_ERROR: Final = {
    "description": "The service's error",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["Error"],
                "properties": {
                    "Error": {
                        "type": "object",
                        "required": ["Code", "Message"],
                        "properties": {"Code": _STRING, "Message": _STRING},
                    }
                },
            }
        }
    },
}


def describe(path: str, parameters: tuple[str, ...], description: str) -> dict[str, Any]:
    """The OpenAPI description of one operation."""
    described = [_API_VERSION, _TIMEOUT, *(_PARAMETERS[name] for name in parameters if name in _PARAMETERS)]
    described[:0] = [part for part in _PARTS if f"{{{part['name']}:" in path]
    document: dict[str, Any] = {
        "summary": description,
        "parameters": described,
        "responses": {"200": {"description": "Success"}, "default": _ERROR},
    }
    bodies = [_BODIES[name] for name in parameters if name in _BODIES]
    return document | ({"requestBody": bodies[0]} if bodies else {})
