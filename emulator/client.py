"""The emulator's control API from Python, with nothing but the standard library.

::

    control = Control("http://127.0.0.1:19080")
    control.add_fault("preset=lost-commit-reply")
    control.advance("31m")
    control.verify(operation="UploadFileChunk", at_least=3)
"""

import http.client
import json
import os
import ssl
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:19080"
_ON: Final = "/_emulator/on/"
_LOCAL: Final = ".localhost"
_LINES: Final = "application/x-ndjson"

OnProgress = Callable[[int, int], None]
"""Told how much of something is done, and of how much."""


class ControlError(Exception):
    """The emulator refused: its HTTP status, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(Exception):
    """Nobody answers at the endpoint."""


class Control:
    """The control of one store.

    `endpoint` is the address that clients of the store are given. For HTTPS, `ca` is a PEM file with the authority to
    trust, and `certificate` one with the client's certificate and key. Every method raises `ControlError` for what the
    emulator refuses, and `UnreachableError` where there is none.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        token: str = "",
        timeout: float = 300.0,
        *,
        ca: str | Path = "",
        certificate: str | Path = "",
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._ca = ca
        self._certificate = certificate

    def on(self, store: str) -> Self:
        """The control of another store of the same emulator, which is made when it is first used."""
        base = self.endpoint.partition(_ON)[0]
        is_default = store == "default" and not _store_of_host(base)
        address = base if is_default else f"{base}{_ON}{store}"
        return type(self)(address, self._token, self._timeout, ca=self._ca, certificate=self._certificate)

    @property
    def store(self) -> str:
        """The name of the store that the endpoint's path or host selects."""
        return self.endpoint.partition(_ON)[2] or _store_of_host(self.endpoint) or "default"

    @contextmanager
    def fresh(self) -> Iterator[Self]:
        """A new store of the same emulator that nobody else knows, deleted afterwards if it is still there."""
        store = self.make_store(f"fresh-{uuid.uuid4().hex}")
        try:
            yield store
        finally:
            try:
                store.drop()
            except ControlError as error:
                if error.status != http.client.NOT_FOUND:
                    raise

    # Time

    def clock(self) -> dict[str, Any]:
        """The store's time, and how it runs."""
        return self._object("GET", "/clock")

    def now(self) -> datetime:
        """The store's time."""
        return datetime.fromisoformat(self.clock()["now"])

    def advance(self, by: str | float) -> list[dict[str, Any]]:
        """Let ``31m`` pass at once; answers with the upload sessions that this ends."""
        return list(self._object("POST", "/clock/advance", {"by": by})["expired"])

    def freeze(self, at: datetime | str | None = None) -> dict[str, Any]:
        """Let time stand still, now or at a moment."""
        return self._object("PUT", "/clock", {"freeze": True} | ({"now": _iso(at)} if at else {}))

    def set_clock(self, now: datetime | str | None = None, rate: float | None = None) -> dict[str, Any]:
        """Move to a moment, or let time run `rate` times as fast as the machine's."""
        change = {"now": _iso(now) if now else None, "rate": rate}
        return self._object("PUT", "/clock", {name: value for name, value in change.items() if value is not None})

    def set_expiry(self, mode: str) -> dict[str, Any]:
        """``exact`` or ``swept``."""
        return self._object("PUT", "/clock", {"expiry": mode})

    def reset_clock(self) -> dict[str, Any]:
        """Let time run like the machine's again."""
        return self._object("DELETE", "/clock")

    # Faults

    def add_fault(self, fault: Any = None, **fields: Any) -> list[dict[str, Any]]:
        """Set a fault, as text (``preset=lost-chunk``), as an object, or as keywords; answers with what was set."""
        if fault is not None and fields:
            raise TypeError("a fault is one value, or keywords")
        return self._list("POST", "/faults", fault if fault is not None else fields)

    def faults(self) -> list[dict[str, Any]]:
        """What is set, and what it did so far."""
        return self._list("GET", "/faults")

    def presets(self) -> list[dict[str, Any]]:
        """The faults that have a name, and their sources."""
        return self._list("GET", "/presets")

    def remove_fault(self, number: int) -> None:
        """Take one back."""
        self._ask("DELETE", f"/faults/{number}")

    def clear_faults(self) -> None:
        """Take all back."""
        self._ask("DELETE", "/faults")

    # Journal

    def journal(self, **query: Any) -> list[dict[str, Any]]:
        """The requests the store remembers, or those that fit: ``operation="UploadFile*", status=200``."""
        return self._list("GET", "/journal" + _query(query))

    def running(self) -> list[dict[str, Any]]:
        """The requests that are not answered yet."""
        return self._list("GET", "/journal/running")

    def curl(self, **query: Any) -> str:
        """The same as commands, one a line."""
        commands: bytes = self._ask("GET", "/journal/curl" + _query(query))
        return commands.decode()

    def wait(self, count: int = 1, timeout: str | float = "10s", **query: Any) -> list[dict[str, Any]]:
        """Wait until `count` requests that fit were answered; raises `TimeoutError`."""
        try:
            found: list[dict[str, Any]] = self._ask(
                "GET", "/journal/wait" + _query(query | {"count": count, "timeout": timeout}), has_end=False
            )
        except ControlError as error:
            if error.status != http.client.REQUEST_TIMEOUT:
                raise
            raise TimeoutError(f"{count} of {query or 'any request'} did not come within {timeout}") from None
        return found

    def verify(
        self, *expect: dict[str, Any], order: Sequence[dict[str, Any]] = (), nothing_else: bool = False, **fields: Any
    ) -> None:
        """Hold the journal against what was expected; raises `AssertionError` with all that is not so.

        One expectation can be given as keywords: ``operation="UploadFileChunk", at_least=3``. Without `count`,
        `at_least` and `at_most`, once is enough. `order` are requests that came one after the other.
        """
        __tracebackhide__ = True  # a test's report ends at the line of the test
        wanted = {"expect": [*expect, *([fields] if fields else [])], "order": list(order)}
        try:
            self._ask("POST", "/journal/verify", wanted | {"nothing_else": nothing_else})
        except ControlError as error:
            if error.status != http.client.CONFLICT:
                raise
            raise AssertionError(str(error)) from None

    def follow(self, **query: Any) -> Iterator[dict[str, Any]]:
        """What is remembered, and then each request as it ends, until the store is dropped or the emulator stops."""
        with self._answer("GET", "/journal/follow" + _query(query), has_end=False) as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line[len(b"data: ") :])

    def clear_journal(self) -> None:
        """Forget all requests."""
        self._ask("DELETE", "/journal")

    def lint(self) -> list[dict[str, Any]]:
        """Mistakes of clients that work here and hurt on a cluster."""
        return self._list("GET", "/lint")

    # State

    def sessions(self) -> list[dict[str, Any]]:
        """All living upload sessions: what they have, what they lack, when they end."""
        return self._list("GET", "/sessions")

    def forget_sessions(self) -> list[dict[str, Any]]:
        """Lose all upload sessions, as a failover does; answers with them."""
        return self._list("DELETE", "/sessions")

    def files(self) -> dict[str, int]:
        """The path of every stored file, with forward slashes, and its bytes."""
        return {each["path"]: each["size"] for each in self._list("GET", "/content")}

    def read(self, path: str) -> bytes:
        """The bytes of a stored file, which the service itself never gives back."""
        content: bytes = self._ask("GET", f"/content/{quote(path)}", is_json=False)
        return content

    def reset(self) -> None:
        """Back to the start: no content, sessions, faults or journal, the machine's time."""
        self._ask("POST", "/reset")

    def seed(
        self, source: str | Path, into: str = "", *, marks: bool = True, on_progress: OnProgress | None = None
    ) -> int:
        """Put a folder, zip or ``.sfpkg`` into the store's folder `into`; answers with the number of files."""
        place = Path(source)
        into = into or place.resolve().name.removesuffix(".sfpkg").removesuffix(".zip")
        target = "/seed" + _query({"into": into, "marks": marks})
        if place.is_dir():
            with tempfile.TemporaryFile() as archive:
                _pack(place, archive)
                return self._seed(target, archive, on_progress)
        with place.open("rb") as archive:
            return self._seed(target, archive, on_progress)

    def snapshot(self, name: str, on_progress: OnProgress | None = None) -> int:
        """Keep the store as it is now, its open sessions and its time included."""
        return self._take_while("PUT", f"/snapshots/{quote(name)}", None, on_progress)

    def restore(self, name: str, on_progress: OnProgress | None = None) -> int:
        """Let the store be as it was in a snapshot, of whichever store that was."""
        return self._take_while("POST", f"/snapshots/{quote(name)}/restore", None, on_progress)

    def snapshots(self) -> list[str]:
        """The names of all snapshots."""
        found: list[str] = self._ask("GET", "/snapshots")
        return found

    def delete_snapshot(self, name: str) -> None:
        """Delete one."""
        self._ask("DELETE", f"/snapshots/{quote(name)}")

    def stores(self) -> list[dict[str, str]]:
        """All stores, with their endpoint addresses."""
        return self._list("GET", "/stores")

    def drop(self) -> None:
        """Delete this store with all that is in it."""
        self.on("default").drop_store(self.store)

    def make_store(self, name: str) -> Self:
        """Make a store, and answer with its control."""
        self._ask("PUT", f"/stores/{quote(name, safe='')}")
        return self.on(name)

    def drop_store(self, name: str) -> None:
        """Delete a store with all that is in it."""
        self._ask("DELETE", f"/stores/{quote(name, safe='')}")

    # The wire

    def _seed(self, target: str, archive: IO[bytes], on_progress: OnProgress | None) -> int:
        size = archive.seek(0, os.SEEK_END)
        archive.seek(0)
        headers = {"content-type": "application/zip", "content-length": str(size)}
        return self._take_while("POST", target, archive, on_progress, headers)

    def _take_while(
        self, method: str, target: str, body: Any, on_progress: OnProgress | None, headers: dict[str, str] | None = None
    ) -> int:
        """Something that tells meanwhile how far it is."""
        last: dict[str, Any] = {}
        with self._answer(method, target, body, {"accept": _LINES, **(headers or {})}) as answer:
            for line in answer:
                last = json.loads(line)
                if on_progress and "done" in last:
                    on_progress(last["done"], last["total"])
        if "files" not in last:
            raise ControlError(last.get("status", http.client.BAD_REQUEST), last.get("error", "it broke off"))
        return int(last["files"])

    def _connection(self, timeout: float | None) -> http.client.HTTPConnection:
        try:
            parts = urlsplit(self.endpoint)
            # Not every system's resolver knows the names below localhost.
            host = "localhost" if _store_of_host(self.endpoint) else parts.hostname or ""
            if parts.scheme == "https":
                return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=self._tls())
            if parts.scheme == "http":
                return http.client.HTTPConnection(host, parts.port, timeout=timeout)
        except (OSError, ValueError) as error:
            raise UnreachableError(f"no emulator can be asked at {self.endpoint}: {error}") from error
        raise UnreachableError(f"{self.endpoint} does not begin with http:// or https://")

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca or None)
        if self._certificate:
            context.load_cert_chain(self._certificate)
        return context

    def _object(self, method: str, target: str, value: Any = None) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask(method, target, value)
        return answer

    def _list(self, method: str, target: str, value: Any = None) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._ask(method, target, value)
        return answer

    def _ask(self, method: str, target: str, value: Any = None, *, is_json: bool = True, has_end: bool = True) -> Any:
        body = None if value is None else json.dumps(value).encode()
        headers = {"content-type": "application/json"} if body else {}
        with self._answer(method, target, body, headers, has_end=has_end) as answer:
            text = answer.read()
            kind = answer.headers.get_content_type()
            return json.loads(text) if text and is_json and kind == "application/json" else text

    @contextmanager
    def _answer(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        has_end: bool = True,
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, and give up after a while, if the answer `has_end`."""
        connection = self._connection(self._timeout if has_end else None)
        parts = urlsplit(self.endpoint)
        fields: dict[str, str | bytes] = {"host": parts.netloc, **(headers or {})}
        if self._token:
            fields["authorization"] = f"Bearer {self._token}".encode()
        try:
            connection.request(method, f"{parts.path}/_emulator{target}", body, fields)
            answer = connection.getresponse()
            if answer.status >= http.client.BAD_REQUEST:
                raise ControlError(answer.status, _reason(answer.read()))
            yield answer
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise UnreachableError(f"no emulator answers at {self.endpoint}: {error}") from error
        finally:
            connection.close()


def _store_of_host(endpoint: str) -> str:
    """The store that the host of an address names, or ""."""
    host = urlsplit(endpoint).hostname or ""
    return host.removesuffix(_LOCAL) if host.endswith(_LOCAL) else ""


def _reason(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")[:300]
    if isinstance(answer, dict):
        return str(answer.get("error") or "\n".join(answer.get("problems", [])) or answer)
    return str(answer)


def _query(fields: dict[str, Any]) -> str:
    given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in fields.items()}
    return "?" + urlencode(given) if given else ""


def _iso(moment: datetime | str) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else moment


def _pack(folder: Path, archive: IO[bytes]) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
        for each in sorted(folder.rglob("*")):
            if each.is_file() and not each.is_symlink():
                packed.write(each, each.relative_to(folder))
