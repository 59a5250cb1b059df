"""One call of the gateway: what every operation reads from a request before its own work begins."""

from functools import cached_property

from starlette.requests import Request

from emulator.api.body import HttpBody
from emulator.api.gateway import unescape
from emulator.control.stores import IsolatedStore
from emulator.protocol.api_version import ApiVersion
from emulator.protocol.content_path import ContentPath
from emulator.protocol.content_range import ContentRange, parse_content_range
from emulator.protocol.errors import FabricError
from emulator.protocol.limits import DEFAULT_TIMEOUT_SECONDS, TOKEN_LIMIT
from emulator.protocol.numbers import parse_unsigned


class Call:
    """A matched request of an accepted api-version."""

    def __init__(
        self, request: Request, store: IsolatedStore, query: dict[str, str], api_version: ApiVersion, body: HttpBody
    ) -> None:
        self._request = request
        self._query = query
        self.store = store
        self.api_version = api_version
        self.body = body

    @cached_property
    def path_text(self) -> str:
        """The content path as upload sessions keep it: decoded, not normalised."""
        return unescape(self._request.path_params.get("content_path", ""))

    @property
    def path(self) -> ContentPath:
        """The content path; the root where the route has none."""
        return self.store.rules.parse(self.path_text)

    @property
    def relative_path(self) -> str | None:
        """The path of the existence probe; a query parameter of that name serves where the route has none."""
        return self._request.path_params.get("content_path") or self._query.get("RelativePath")

    @property
    def session_id_text(self) -> str | None:
        """``session-id`` as sent; never decoded."""
        return self._query.get("session-id")

    @property
    def token(self) -> str:
        """The continuation token to start from, folded like a path; ``""`` for the start (gateway 4.1)."""
        text = self._query.get("ContinuationToken", "")
        if len(text) > TOKEN_LIMIT:
            raise FabricError("FABRIC_E_VALUE_TOO_LARGE", why=f"a ContinuationToken may have {TOKEN_LIMIT} characters")
        rules = self.store.rules
        return rules.fold(unescape(text).replace("/", rules.separator).strip(" ").lstrip(rules.separator))

    @property
    def content_range(self) -> ContentRange:
        """``Content-Range``, which every PUT has to get right if it sends it (gateway 5.1)."""
        return parse_content_range(self._request.headers.get("content-range", ""))

    @cached_property
    def timeout(self) -> float:
        """Seconds the store may take; raises ``FABRIC_E_TIMEOUT`` when it gets none (gateway 3)."""
        seconds = parse_unsigned(self._query.get("timeout", ""), 32)
        if seconds == 0:
            raise FabricError("FABRIC_E_TIMEOUT", why="timeout=0 leaves no time for anything")
        return float(DEFAULT_TIMEOUT_SECONDS if seconds is None else seconds)
