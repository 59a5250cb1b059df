"""What the OpenAPI page says of the service's parameters, which the gateway reads by rules FastAPI cannot express."""

from typing import Any, Final

_STRING: Final = {"type": "string"}


def _query(name: str, description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": _STRING | schema}


_API_VERSION: Final = _query(
    "api-version", "any version from 1.0 up to the runtime's own", required=True, example="6.0", pattern=r"^\d+\.\d+$"
)
_TIMEOUT: Final = _query("timeout", "seconds, 60 by default; unreadable text counts as absent", example="60")
_PATH: Final = {
    "name": "content_path",
    "in": "path",
    "required": True,
    "description": "path in the image store, of any depth",
    "schema": {"type": "string", "minLength": 1, "example": "MyApp/Code/app.exe"},
}
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "token": _query("ContinuationToken", "where to go on, exactly as the page before gave it"),
    "session": _query("session-id", "GUID of the upload session, chosen by the client", required=True, format="uuid"),
    "range": {
        "name": "Content-Range",
        "in": "header",
        "required": False,
        "description": "bytes {first}-{last}/{file size}",
        "schema": _STRING | {"example": "bytes 0-1023/2048"},
    },
}
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "bytes": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    "copy": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["RemoteSource", "RemoteDestination"],
                    "properties": {
                        "RemoteSource": _STRING,
                        "RemoteDestination": _STRING,
                        "SkipFiles": {"type": "array", "items": _STRING},
                        "CheckMarkFile": {"type": "boolean"},
                    },
                }
            }
        },
    },
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
    if "{content_path" in path:
        described.insert(0, _PATH)
    document: dict[str, Any] = {
        "summary": description,
        "parameters": described,
        "responses": {"200": {"description": "Success"}, "default": _ERROR},
    }
    bodies = [_BODIES[name] for name in parameters if name in _BODIES]
    return document | ({"requestBody": bodies[0]} if bodies else {})
