"""One call of the gateway: what every operation reads from a request before its own work begins."""

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

    @property
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

    def part(self, name: str) -> str:
        """A part of the path that names something, decoded."""
        return unescape(self._request.path_params[name])

    def has_part(self, name: str) -> bool:
        """Whether the path has such a part."""
        return name in self._request.path_params

    def query(self, name: str) -> str | None:
        """A query parameter as sent; ``None`` where it is absent, or has no value."""
        return self._query.get(name)

    def required(self, name: str) -> str:
        """A query parameter, decoded; raises ``E_INVALIDARG`` where it is absent."""
        value = self.query(name)
        if value is None:
            raise FabricError(
                "E_INVALIDARG",
                f"A required parameter is missing: {name}.",
                why=f"{name} is absent from the query, or empty",
            )
        return unescape(value)

    @property
    def max_results(self) -> int | None:
        """How many entries a page may have at most; ``None`` for any number (``UriArgumentParser.cpp``)."""
        text = self.query("MaxResults")
        number = 0 if text is None else parse_unsigned(text, 63)
        if number is None:
            raise FabricError(
                "E_INVALIDARG",
                f"Invalid max results '{text}' passed in. The value must be a positive integer. Max value is the max "
                "of int64.",
                why="MaxResults is no number of entries",
            )
        return number or None

    @property
    def token(self) -> str:
        """The continuation token to start from, folded like a path; ``""`` for the start (gateway 4.1)."""
        rules = self.store.rules
        return rules.fold(self.entity_token.replace("/", rules.separator).strip(" ").lstrip(rules.separator))

    @property
    def entity_token(self) -> str:
        """The continuation token as it is."""
        text = self._query.get("ContinuationToken", "")
        if len(text) > TOKEN_LIMIT:
            raise FabricError("FABRIC_E_VALUE_TOO_LARGE", why=f"a ContinuationToken may have {TOKEN_LIMIT} characters")
        return unescape(text)

    @property
    def content_range(self) -> ContentRange:
        """``Content-Range``, which every PUT has to get right if it sends it (gateway 5.1)."""
        return parse_content_range(self._request.headers.get("content-range", ""))

    @property
    def timeout(self) -> float:
        """Seconds the store may take; raises ``FABRIC_E_TIMEOUT`` when it gets none (gateway 3)."""
        seconds = parse_unsigned(self._query.get("timeout", ""), 32)
        if seconds == 0:
            raise FabricError("FABRIC_E_TIMEOUT", why="timeout=0 leaves no time for anything")
        return float(DEFAULT_TIMEOUT_SECONDS if seconds is None else seconds)
