"""Answers as the gateway sends them: which headers go with which body (reference: gateway 6.1, 7.1, 7.2)."""

import re
from typing import Any, Final

from pydantic import TypeAdapter
from starlette.responses import Response

from emulator.api.shapes import ErrorBody
from emulator.protocol.errors import FabricError

SERVER: Final = "Microsoft-HTTPAPI/2.0"
WHY_HEADER: Final = "x-emulator-why"
_JSON_HEADERS: Final = {"content-type": "application/json; charset=utf-8", "x-content-type-options": "nosniff"}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_ERROR: Final = TypeAdapter(ErrorBody)
_LENGTH_REQUIRED: Final = (
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
    b"<HTML><HEAD><TITLE>Length Required</TITLE>\r\n"
    b'<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r\n'
    b"<BODY><h2>Length Required</h2>\r\n<hr><p>HTTP Error 411. "
    b"The request must be chunked or have a content length.</p>"
    b"\r\n</BODY></HTML>\r\n"
)


def json_reply(shape: TypeAdapter[Any], value: object, status: int = 200) -> Response:
    """A JSON body in the service's dialect: compact, UTF-8, ``/`` escaped."""
    return Response(shape.dump_json(value).replace(b"/", rb"\/"), status, _JSON_HEADERS)


_EMPTY: Final = {status: Response(b"", status, _JSON_HEADERS) for status in (200, 202, 204, 404)}


def empty_reply(status: int = 200) -> Response:
    """No body, and yet its content type: success of whatever returns nothing."""
    return _EMPTY[status]


def bare_reply(status: int) -> Response:
    """A status without body or content headers."""
    return Response(b"", status)


def error_reply(error: FabricError, *, hints: bool) -> Response:
    """The service's error; with `hints`, a header says to a person why."""
    body: ErrorBody = {"Error": {"Code": error.code, "Message": error.message}}
    reply = json_reply(_ERROR, body, error.status)
    if hints and error.why:
        reply.headers[WHY_HEADER] = _CONTROL.sub(" ", error.why).encode("ascii", "backslashreplace").decode()
    return reply


def length_required_reply() -> Response:
    """What http.sys itself says to a PUT or POST of unknown length."""
    return Response(_LENGTH_REQUIRED, 411, {"content-type": "text/html; charset=us-ascii"})
