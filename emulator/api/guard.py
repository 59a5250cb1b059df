"""Who may use what is below the emulator's own prefix: no page of another site, and nobody without the token."""

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.api.gateway import OWN_PREFIX
from emulator.api.own import CA_PAGE
from emulator.direct_body import peer_of
from emulator.protocol.access import Access, Role

_METHODS: Final = "GET, PUT, POST, DELETE"
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
        refusal = self.origin_refusal(scope)
        if refusal or scope["path"].startswith(_OPEN):
            return refusal
        request = Request(scope)
        role = self._access.role_of(peer_of(scope))
        if role is not Role.ADMIN:
            return refuse(403, "this is for clients whose certificate makes them admins", {"role": role})
        if self._token and not self._is_preflight(request):
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            is_right = hmac.compare_digest(given.encode("latin-1", "replace"), self._token)
            if scheme.lower() != "bearer" or not is_right:
                reply = refuse(401, "this needs the header 'Authorization: Bearer ' and the emulator's control token")
                reply.headers["www-authenticate"] = "Bearer"
                return reply
        return None

    def is_stranger(self, scope: Scope) -> bool:
        """Whether a request comes from a client without a role, where clients need one."""
        return self._access.role_of(peer_of(scope)) is None

    def origin_refusal(self, scope: Scope) -> Response | None:
        """The answer to what a page of another site asks.

        A page that had its own name lead here is of the same origin and sends none with what it only reads; but
        browsers tell what they are, and nobody else does.
        """
        headers = Request(scope).headers
        origin, host = headers.get("origin"), headers.get("host", "").lower()
        if origin is None:
            if not _is_from_browser(headers) or self._is_known(host):
                return None
            return refuse(403, f"pages of {host} may not use this: name it with --allowed-origins if they shall")
        if origin.lower() in self._allowed or (_host_of(origin.lower()) == host and _is_local_name(_name_of(host))):
            return None
        return refuse(403, f"pages of {origin} may not use this: name it with --allowed-origins if they shall")

    def answering(self, app: ASGIApp, scope: Scope) -> ASGIApp:
        """The app, whose answers tell a browser that a page of an allowed origin may read them."""
        request = Request(scope)
        origin = request.headers.get("origin", "")
        if origin.lower() not in self._allowed:
            return app
        if self._is_preflight(request):
            asked = request.headers.get("access-control-request-headers", "")
            return Response(
                status_code=204,
                headers=_cors(origin)
                | {"access-control-allow-methods": _METHODS, "access-control-allow-headers": asked},
            )

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_on(message: Message) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message).update(_cors(origin))
                await send(message)

            await app(scope, receive, send_on)

        return answer

    def _is_preflight(self, request: Request) -> bool:
        return (
            request.method == "OPTIONS"
            and "access-control-request-method" in request.headers
            and request.headers.get("origin", "").lower() in self._allowed
        )

    def _is_known(self, host: str) -> bool:
        return _is_local_name(_name_of(host)) or any(_host_of(each) == host for each in self._allowed)


def _is_from_browser(headers: Headers) -> bool:
    """They say ``Sec-Fetch-Site`` to addresses that they trust, and to all others at least that they are Mozilla."""
    return "sec-fetch-site" in headers or headers.get("user-agent", "").startswith("Mozilla/")


def _cors(origin: str) -> dict[str, str]:
    return {"access-control-allow-origin": origin, "vary": "Origin"}


def _host_of(origin: str) -> str:
    """Name and port in an origin; "" for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """The name in a Host header, without a port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_local_name(host: str) -> bool:
    """An address, localhost, or a name without a dot, as containers have: none that somebody could register."""
    if not host:
        return False
    if "." not in host or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def refuse(status: int, reason: str, more: Mapping[str, str | None] = MappingProxyType({})) -> Response:
    """The answer to what is not let in, or not there: a reason, and what else a page may go by."""
    return JSONResponse({"error": reason, **more}, status)
