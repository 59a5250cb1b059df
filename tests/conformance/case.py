"""What a case is made of, and the short words the tables are written in."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol, TypeAlias

from tests.support.wire import Reply

Mark: TypeAlias = Literal["certain", "inferred", "docs", "decision"]
CERTAIN: Final = "certain"
INFERRED: Final = "inferred"
DOCS: Final = "docs"
DECISION: Final = "decision"

V: Final = "api-version=6.0"
V65: Final = "api-version=6.5"
G: Final = "11111111-aaaa-4bbb-8ccc-0123456789ab"
G2: Final = "22222222-aaaa-4bbb-8ccc-0123456789ab"
Z: Final = "00000000-0000-0000-0000-000000000000"

OLD: Final = "6.4"
NEW: Final = "11.8"
MINUTE: Final = timedelta(minutes=1)
HALF_AN_HOUR: Final = timedelta(minutes=30)
MIB: Final = 1024 * 1024


# --------------------------------------------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class Step:
    """One request; `target` goes out as written."""

    method: str
    target: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_length: bool = True

    def __str__(self) -> str:
        sized = "" if self.body is None else f" ({len(self.body)} bytes)"
        named = "".join(f" {name}: {value}" for name, value in self.headers.items())
        return f"{self.method} {self.target[:200]}{named}{sized}"


@dataclass(frozen=True, slots=True)
class Advance:
    """Time passes."""

    by: timedelta


def get(target: str, **headers: str) -> Step:
    """GET."""
    return Step("GET", target, headers=_named(headers))


def put(target: str, body: bytes = b"", **headers: str) -> Step:
    """PUT of some bytes."""
    return Step("PUT", target, body, _named(headers))


def post(target: str, body: bytes | str = b"", **headers: str) -> Step:
    """POST."""
    return Step("POST", target, body.encode() if isinstance(body, str) else body, _named(headers))


def delete(target: str, body: bytes | None = None) -> Step:
    """DELETE."""
    return Step("DELETE", target, body)


def listed(path: str = "", version: str = "6.0") -> Step:
    """List a folder (or a file), the root without a path."""
    return get(f"/ImageStore{'/' if path else ''}{path}?api-version={version}")


def upload(path: str, body: bytes = b"abc", content_range: str | None = None) -> Step:
    """Store a file."""
    headers = {} if content_range is None else {"Content-Range": content_range}
    return Step("PUT", f"/ImageStore/{path}?{V}", body, headers)


def chunk(path: str, session: str, content_range: str | None, body: bytes = b"") -> Step:
    """Send a chunk; `content_range` without the word ``bytes`` gets it, and so does the body its length."""
    headers = {} if content_range is None else {"Content-Range": content_range}
    if content_range is not None and (plain := re.fullmatch(r"([0-9]+)-([0-9]+)/([0-9]+)", content_range)):
        headers = {"Content-Range": f"bytes {content_range}"}
        first, last = int(plain[1]), int(plain[2])
        body = body or bytes(48 + position % 10 for position in range(first, last + 1))
    return Step("PUT", f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={session}", body, headers)


def session(identity: str) -> Step:
    """Ask for a session by its id."""
    return get(f"/ImageStore/$/GetUploadSession?{V}&session-id={identity}")


def sessions_of(path: str) -> Step:
    """Ask for the sessions of a path."""
    return get(f"/ImageStore/{path}/$/GetUploadSession?{V}")


def commit(identity: str) -> Step:
    """Commit a session."""
    return post(f"/ImageStore/$/CommitUploadSession?{V}&session-id={identity}")


def drop(identity: str) -> Step:
    """Delete a session."""
    return delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={identity}")


def copy(body: str) -> Step:
    """Copy, with the body as JSON text; a backslash in it has to be doubled, as in any JSON."""
    return post(f"/ImageStore/$/Copy?{V}", body)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


# ---------------------------------------------------------------------------------------------------- answers


class Body(Protocol):
    """Something a body can be held against."""

    def check(self, reply: Reply) -> None:
        """Raise `AssertionError` where the body is another."""


@dataclass(frozen=True, slots=True)
class Exactly:
    """These bytes and no others."""

    content: bytes

    def check(self, reply: Reply) -> None:
        """Compare."""
        assert reply.body == self.content


@dataclass(frozen=True, slots=True)
class Holding:
    """Any body that matches the expression."""

    expression: bytes

    def check(self, reply: Reply) -> None:
        """Search."""
        assert re.search(self.expression, reply.body), reply.body


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing with exactly these files (path and size) and folders (path and count), in this order.

    ``token`` is the continuation token, or None for the unpaged shape that has none.
    """

    files: tuple[tuple[str, str], ...]
    folders: tuple[tuple[str, str], ...]
    token: str | None

    def check(self, reply: Reply) -> None:
        """Compare names, sizes, counts and the shape."""
        answer = reply.json()
        found = Listing(
            tuple((entry["StoreRelativePath"], entry["FileSize"]) for entry in answer["StoreFiles"]),
            tuple((entry["StoreRelativePath"], entry["FileCount"]) for entry in answer["StoreFolders"]),
            answer.get("ContinuationToken"),
        )
        assert found == self


@dataclass(frozen=True, slots=True)
class Sessions:
    """Exactly these sessions: path, id, size, expected ranges."""

    sessions: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...]

    def check(self, reply: Reply) -> None:
        """Compare everything but the date."""
        found = tuple(
            (
                entry["StoreRelativePath"],
                entry["SessionId"],
                entry["FileSize"],
                tuple((gap["StartPosition"], gap["EndPosition"]) for gap in entry["ExpectedRanges"]),
            )
            for entry in reply.json()["UploadSessions"]
        )
        assert found == self.sessions


@dataclass(frozen=True, slots=True)
class Size:
    """A folder size."""

    path: str
    size: int

    def check(self, reply: Reply) -> None:
        """Compare both properties."""
        assert reply.json() == {"StoreRelativePath": self.path, "FolderSize": str(self.size)}


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever the schema allows."""

    def check(self, reply: Reply) -> None:
        """There has to be a body."""
        assert reply.body


@dataclass(frozen=True, slots=True)
class Expect:
    """Status, body, and which content headers come along: those of JSON, of an HTML page, of text, or none."""

    status: int
    body: Body
    content: Literal["json", "html", "text", "none"] = "json"


def error(status: int, code: str, message: str = "Null") -> Expect:
    """An error of the service, to the byte."""
    escaped = message.replace("\\", "\\\\").replace("/", "\\/")
    return Expect(status, Exactly(f'{{"Error":{{"Code":"{code}","Message":"{escaped}"}}}}'.encode()))


def files(*entries: str | tuple[str, int], folders: Mapping[str, int] | None = None, token: str | None = "") -> Expect:
    """A 200 listing; a file without a size has the three bytes that `given` and `upload` store."""
    sized = tuple((entry, "3") if isinstance(entry, str) else (entry[0], str(entry[1])) for entry in entries)
    counted = tuple((path, str(count)) for path, count in (folders or {}).items())
    return Expect(200, Listing(sized, counted, token))


def sessions(*entries: tuple[str, str, int, list[tuple[int, int]]]) -> Expect:
    """A 200 answer with these sessions: path, id, size, expected ranges."""
    return Expect(
        200,
        Sessions(
            tuple(
                (path, identity, str(size), tuple((str(start), str(end)) for start, end in gaps))
                for path, identity, size, gaps in entries
            )
        ),
    )


def size(path: str, amount: int) -> Expect:
    """A 200 answer with the size of a folder."""
    return Expect(200, Size(path, amount))


EMPTY: Final = Exactly(b"")
OK0: Final = Expect(200, EMPTY)
ANY: Final = Expect(200, Anything())
NONE: Final = Expect(204, EMPTY)
"""No session, or nothing on this page (below 6.2)."""
MISSING: Final = Expect(404, EMPTY)
"""A listing of something that isn't there, below 6.2."""
BARE_MISSING: Final = Expect(404, EMPTY, "none")
"""The same from 6.2 on."""
E400: Final = error(400, "E_INVALIDARG", "Invalid argument")
ESID: Final = error(400, "FABRIC_E_INVALID_UPLOAD_SESSION_ID", "The upload session identity is invalid.")
ERNG: Final = error(400, "FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE")
RESERVED: Final = error(400, "FABRIC_E_IMAGEBUILDER_RESERVED_DIRECTORY_ERROR")
DENIED: Final = error(403, "E_ACCESSDENIED", "Access denied.")
NO_FILE: Final = error(404, "FABRIC_E_FILE_NOT_FOUND", "File not found")
EMPTY_STORE: Final = error(404, "FABRIC_E_NAME_DOES_NOT_EXIST", "Name does not exist.")
NO_SESSION: Final = error(404, "NotFound")
ID_CONFLICT: Final = error(409, "FABRIC_E_UPLOAD_SESSION_ID_CONFLICT")
BODY_TOO_LARGE: Final = error(413, "FABRIC_E_MESSAGE_TOO_LARGE", "Fabric Message is too large")
TOKEN_TOO_LONG: Final = error(413, "FABRIC_E_VALUE_TOO_LARGE", "Invalid argument")
TIMED_OUT: Final = error(504, "FABRIC_E_TIMEOUT", "Operation timed out.")
NO_METHOD: Final = Expect(400, Holding(b""), "text")
LENGTH_REQUIRED: Final = Expect(
    411, Holding(rb"HTTP Error 411\. The request must be chunked or have a content"), "html"
)


def refused_directory(*named: str) -> Expect:
    """A file where a folder is, or the other way round: the message names the path."""
    path = rb"[\\/]+".join(re.escape(part.encode()) for part in named)
    return Expect(
        400, Holding(rb'^\{"Error":\{"Code":"FABRIC_E_INVALID_DIRECTORY","Message":"[^"]*' + path + rb'[^"]*"\}\}$')
    )


# ------------------------------------------------------------------------------------------------------ cases

Exchange: TypeAlias = tuple[Step, Expect]
Check: TypeAlias = Callable[[Sequence[Reply]], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what is there before, what is sent, what comes back.

    ``row`` names the row of the reference, ``variant`` tells two cases of one row apart. ``given`` has to succeed.
    ``check`` sees the answers to ``steps`` and compares them with each other. ``runtimes`` are the runtime versions
    the row holds for; ``settings`` go to the emulator.
    """

    row: str
    mark: Mark
    rule: str
    steps: tuple[Exchange | Advance, ...]
    given: tuple[Step, ...] = ()
    check: Check | None = None
    variant: str = ""
    runtimes: tuple[str, ...] = (NEW,)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The row and, where there are several of it, the variant."""
        return f"{self.row} {self.variant}".strip()


def given(*paths: str) -> tuple[Step, ...]:
    """Files of three bytes each, and mark files of none."""
    return tuple(upload(path, b"" if path.endswith("_.dir") else b"abc") for path in paths)


def all_of(expected: Expect, *steps: Step) -> tuple[Exchange, ...]:
    """The same answer to every one of these."""
    return tuple((step, expected) for step in steps)


# --------------------------------------------------------------------------- comparing answers with each other


def entry(reply: Reply, position: int = 0) -> dict[str, Any]:
    """One file of a listing."""
    found: dict[str, Any] = reply.json()["StoreFiles"][position]
    return found


def number(reply: Reply, position: int = 0) -> int:
    """Its version number."""
    return int(entry(reply, position)["FileVersion"]["VersionNumber"])


def epochs(reply: Reply) -> tuple[str, str]:
    """Its two epoch numbers, which stay the same as long as the primary does."""
    version = entry(reply)["FileVersion"]
    return version["EpochDataLossNumber"], version["EpochConfigurationNumber"]


def date(reply: Reply, position: int = 0) -> datetime:
    """Its modified date."""
    return datetime.fromisoformat(entry(reply, position)["ModifiedDate"])
