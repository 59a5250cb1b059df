"""Who may use what is below the emulator's own prefix: no page of another site, and nobody without the token."""

import hmac
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from emulator.api.gateway import OWN_PREFIX
from emulator.api.own import CA_PAGE
from emulator.direct_body import connection_of
from emulator.protocol.access import Access, Role

_OPEN: Final = (f"{OWN_PREFIX}/health/", CA_PAGE)


class Guard:
    """Decides by the headers of a request.

    A browser sends an ``Origin`` with whatever a page of another site asks of it, and a site may call itself whatever
    its owner likes; so an origin is let in if it is on the list, or if it is the emulator's own and named by an
    address, or as localhost.
    """

    def __init__(self, token: str, allowed_origins: str, access: Access) -> None:
        self._access = access
        self._token = token.encode()
        self._allowed = {each.strip().rstrip("/").lower() for each in allowed_origins.split(",") if each.strip()}

    def refusal(self, scope: Scope) -> Response | None:
        """Why a request is not let in, as an answer; ``None`` for one that is."""
        request = Request(scope)
        origin = request.headers.get("origin")
        if origin is not None and not self._lets_in(origin.lower(), request.headers.get("host", "").lower()):
            return _refuse(403, f"pages of {origin} may not use this: name it with --allowed-origins if they shall")
        if scope["path"].startswith(_OPEN):
            return None
        if self._access.is_required:
            connection = connection_of(scope)
            if self._access.role_of(connection.peer if connection else None) is not Role.ADMIN:
                return _refuse(403, "this is for clients whose certificate makes them admins")
        if self._token:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode("latin-1", "replace"), b"Bearer " + self._token):
                reply = _refuse(401, "this needs the header 'Authorization: Bearer ' and the emulator's control token")
                reply.headers["www-authenticate"] = "Bearer"
                return reply
        return None

    def _lets_in(self, origin: str, host: str) -> bool:
        if origin in self._allowed:
            return True
        parts = urlsplit(origin)
        return bool(parts.netloc) and parts.netloc == host and _is_local_name(parts.hostname or "")


def _is_local_name(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def refuse_store(reason: str) -> Response:
    """The answer to a request for a store that cannot be."""
    return _refuse(400, reason)


def _refuse(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)
