"""Which store a request is for: by the start of its path, by a header, or by the name of the host.

``/_emulator/on/NAME`` before any path is an endpoint address that every client can be given; ``X-Emulator-Store: NAME``
and ``NAME.localhost`` do the same. The service's paths and the emulator's own ones all exist behind it.

A store is made by the first request to it, unless that says ``X-Emulator-Make-Store: no``.
"""

from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from emulator.api.gateway import OWN_PREFIX
from emulator.control.stores import DEFAULT

ON_PREFIX: Final = f"{OWN_PREFIX}/on/"
STORE_HEADER: Final = "x-emulator-store"

_RAW_PREFIX: Final = ON_PREFIX.encode()
_RAW_HEADER: Final = STORE_HEADER.encode()
_MAKING: Final = b"x-emulator-make-store"
_LOCAL: Final = ".localhost"


def take_base_path(scope: Scope, base: str) -> None:
    """Take a proxy's prefix out of a request's path, if it is there; addresses that are told begin with it anyway."""
    scope["root_path"] = base
    raw = base.encode()
    if scope["raw_path"].startswith(raw) and scope["raw_path"][len(raw) : len(raw) + 1] in (b"", b"/"):
        scope["raw_path"] = scope["raw_path"][len(raw) :] or b"/"
        scope["path"] = scope["path"][len(base) :] or "/"


def take_store(scope: Scope) -> str:
    """The name of the store, which is also taken out of the request's path; `DEFAULT` where none is given."""
    if scope["raw_path"].startswith(_RAW_PREFIX):
        name, slash, rest = scope["raw_path"][len(_RAW_PREFIX) :].partition(b"/")
        scope["raw_path"] = slash + rest or b"/"
        scope["path"] = "/" + scope["path"].removeprefix(ON_PREFIX).partition("/")[2]
        return str(name.decode("latin-1").lower())
    by_host = DEFAULT
    for field, value in scope["headers"]:
        if field == _RAW_HEADER:
            return str(value.decode("latin-1").strip().lower())
        if field == b"host":
            by_host = _store_of_host(value.decode("latin-1")) or DEFAULT
    return by_host


def may_make_store(scope: Scope) -> bool:
    """Whether the store is to be made if it isn't there."""
    return not any(field == _MAKING and value.strip().lower() == b"no" for field, value in scope["headers"])


def address_of(store: str, request: Request) -> str:
    """The endpoint address of a store, at the address by which this request came."""
    host = request.headers.get("host", "localhost")
    own = _store_of_host(host)
    base = f"{request.url.scheme}://{host[len(own) + 1 :] if own else host}{request.scope.get('root_path', '')}"
    return base if store == DEFAULT else f"{base}{ON_PREFIX}{store}"


def _store_of_host(host: str) -> str:
    """The store that a host names, with or without a port; "" for a host that names none."""
    name, _, _ = host.lower().partition(":")
    return name.removesuffix(_LOCAL) if name.endswith(_LOCAL) else ""
