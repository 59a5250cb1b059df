r"""The URL as the service's web server and gateway see it, before any route is tried (reference: gateway 1.5, 1.6).

On Windows http.sys decodes the path, turns ``\`` into ``/`` and resolves ``.`` and ``..``; the gateway then cuts it at
``?`` and ``#``, refuses bad escapes, drops empty segments, matches, and decodes what it took for a content path once
more. Linux matches the path as it was sent. The result is put into the ASGI scope, so that FastAPI's routes match on
what the service would match on.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator.api.replies import length_required_reply
from emulator.protocol.errors import FabricError, invalid_argument
from emulator.protocol.profile import Profile

OWN_PREFIX: Final = "/_emulator"
"""Everything that is the emulator's own and not the service's, but for the Explorer."""

EXPLORER_PREFIX: Final = "/Explorer"
"""The page for people, where a cluster has its own; no request of the service either."""

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RAW_PATH: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/% ]*")
_BAD_QUERY: Final = re.compile(r'[\[\]|"<>\\^`\x00-\x1f\x7f-\xff]')
_TIDY_PATH: Final = re.compile(r"(?:/[A-Za-z0-9\-_~][A-Za-z0-9\-._~!$&'()*+,;=:@]*)+")
"""A path that all the steps below leave as it is: nothing escaped, no dot first in a segment, no segment empty."""
_TIDY_QUERY: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the path to match, without empty segments, and the query text."""

    path: str
    query: str


def read_target(raw_path: bytes, query: bytes, profile: Profile) -> Target:
    """Tidy a request's target; raises ``E_INVALIDARG`` for a malformed one."""
    path, query_text = raw_path.decode("latin-1"), query.decode("latin-1")
    if _TIDY_PATH.fullmatch(path) and _TIDY_QUERY.fullmatch(query_text):
        return Target(path, query_text)
    if _BAD_ESCAPE.search(path):
        raise invalid_argument("the URL has a % without two hexadecimal digits behind it")
    if profile.is_windows:
        path = _cook(path)
        path, mark, rest = path.partition("?")
        query_text = f"{rest}?{query_text}" if mark and query_text else rest or query_text
    elif not _RAW_PATH.fullmatch(path):
        raise invalid_argument("the path has a character that this platform does not take")
    path = path.partition("#")[0]
    segments = [segment for segment in path.split("/") if segment]
    if _BAD_ESCAPE.search(path) or _BAD_ESCAPE.search(query_text) or _BAD_QUERY.search(query_text):
        raise invalid_argument("the URL has a bad escape, or its query a character that has to be escaped")
    if "." in segments or ".." in segments:
        raise invalid_argument("the path has a . or .. in it")
    return Target("/" + "/".join(segments), query_text)


def unescape(text: str) -> str:
    """Decode a content path or a token once; raises ``FABRIC_E_INVALID_NAME_URI`` where that fails."""
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise FabricError("FABRIC_E_INVALID_NAME_URI", why="the path, decoded, is not UTF-8") from None


def parse_query(query: str) -> dict[str, str]:
    """Names and values as sent, never decoded. A pair that isn't exactly two tokens is as good as absent."""
    values: dict[str, str] = {}
    for pair in query.split("&"):
        tokens = [token for token in pair.split("=") if token]
        if len(tokens) == 2:
            values.setdefault(tokens[0], tokens[1])
    return values


def _cook(path: str) -> str:
    """What http.sys makes of a path: decoded as UTF-8, one kind of separator, no dots."""
    try:
        cooked = unquote_to_bytes(path.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise invalid_argument("the path is not UTF-8") from None
    if _CONTROL.search(cooked):
        raise invalid_argument("the path has a control character")
    cooked = cooked.replace("\\", "/")
    if "/." not in cooked:
        return cooked
    resolved: list[str] = []
    for segment in cooked.split("/"):
        if segment == "..":
            if len(resolved) <= 1:
                raise invalid_argument("the path leads above the root")  # above the root
            resolved.pop()
        elif segment != ".":
            resolved.append(segment)
    return "/".join(resolved)


class Gateway:
    """ASGI middleware: tidies the target of a request."""

    def __init__(
        self,
        app: ASGIApp,
        profile: Profile,
        refuse: Callable[[Scope, FabricError], Response],
        note: Callable[[Scope, Response], Response],
    ) -> None:
        self._app = app
        self._profile = profile
        self._refuse = refuse
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a tidied request on, or answer a malformed one."""
        try:
            target = read_target(scope["raw_path"], scope["query_string"], self._profile)
        except FabricError as error:
            await self._refuse(scope, error)(scope, receive, send)
            return
        if self._profile.is_windows and _lacks_length(scope):
            await self._note(scope, length_required_reply())(scope, receive, send)
            return
        scope["path"], scope["gateway_query"] = target.path, target.query
        await self._app(scope, receive, send)


def is_own(path: str) -> bool:
    """Whether a path belongs to the emulator rather than to the service."""
    return _is_below(path, OWN_PREFIX)


def is_explorer(path: str) -> bool:
    """Whether a path is one of the Explorer's files, which everybody may read."""
    return _is_below(path, EXPLORER_PREFIX)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def _lacks_length(scope: Scope) -> bool:
    """A PUT or POST that http.sys refuses to read (gateway 5.4)."""
    if scope["method"] not in ("PUT", "POST"):
        return False
    return not any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
