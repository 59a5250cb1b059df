"""The last requests of one store: what was asked, what was answered, and what the emulator did to it on purpose."""

import asyncio
import shlex
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from pydantic import Field

from emulator.control.pattern import Facts, Pattern


@dataclass(slots=True)
class Entry(Facts):
    """One request, and, once it was answered, its outcome.

    `status` is ``None`` while it runs, 0 where no answer was sent. `duration_ns` is machine time, `moment_ns` the
    store's. `received` and `sent` count body bytes; `digest` is the body's SHA-256, ``""`` where it was not taken.
    """

    number: int = 0
    moment_ns: int = 0
    verb: str = ""
    target: str = ""
    api_version: str = ""
    status: int | None = None
    code: str = ""
    why: str = ""
    fault: str = ""
    duration_ns: int = 0
    received: int = 0
    sent: int = 0
    digest: str = ""

    @property
    def was_cut(self) -> bool:
        """Whether the connection ended without an answer."""
        return self.status == 0

    def curl(self, endpoint: str) -> str:
        """The request as a command; a body is a placeholder file, since only its length and hash are known."""
        command = ["curl", "-sS", "-i", "--globoff", "--path-as-is", "-X", self.verb]
        if self.range:
            command += ["-H", f"Content-Range: bytes {self.range.start}-{self.range.end}/{self.range.total}"]
        if self.received:
            command += ["--data-binary", f"@{self.received}-bytes"]
        elif self.verb in ("PUT", "POST"):
            command += ["-d", ""]
        return shlex.join([*command, endpoint.rstrip("/") + self.target])


class Query(Pattern):
    """Which entries are meant: a pattern, and what the outcome has to be."""

    verb: str = ""
    status: int | None = Field(None, description="HTTP status; 0 for a request that got no answer")
    code: str = Field("", description="error code of the answer")
    fault: str = Field("", description="name of a fault that hit it; * for any")
    since: int = Field(0, ge=0, description="only entries with a greater number")

    def selects(self, entry: Entry) -> bool:
        """Whether this entry is one of those meant."""
        return (
            entry.number > self.since
            and self.matches(entry)
            and (not self.verb or self.verb.upper() == entry.verb)
            and (self.status is None or self.status == entry.status)
            and (not self.code or self.code == entry.code)
            and (not self.fault or (bool(entry.fault) if self.fault == "*" else self.fault == entry.fault))
        )


class Expectation(Query):
    """How often something has to have happened; once or more where nothing is said."""

    count: int | None = Field(None, ge=0)
    at_least: int | None = Field(None, ge=0)
    at_most: int | None = Field(None, ge=0)

    def problem(self, found: int) -> str | None:
        """What is wrong with that many."""
        wanted = [
            f"exactly {self.count}" if self.count is not None and found != self.count else "",
            f"at least {self.at_least}" if self.at_least is not None and found < self.at_least else "",
            f"at most {self.at_most}" if self.at_most is not None and found > self.at_most else "",
        ]
        if self.count is None and self.at_least is None and self.at_most is None and not found:
            wanted.append("at least 1")
        failed = " and ".join(filter(None, wanted))
        return f"{self.describe()}: {failed} expected, {found} found" if failed else None

    def describe(self) -> str:
        """The pattern as it is written."""
        given = self.model_dump(mode="json", exclude_defaults=True, exclude={"count", "at_least", "at_most"})
        return " ".join(f"{name}={value}" for name, value in given.items()) or "any request"


@dataclass(slots=True)
class Journal:
    """The last `size` requests of a store, oldest first; for the event loop only."""

    size: int
    hash_limit: int = 0
    _entries: deque[Entry] = field(init=False)
    _running: dict[int, Entry] = field(default_factory=dict)
    _count: int = 0
    _ended: int = 0
    _is_closed: bool = False
    _watchers: set[asyncio.Event] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._entries = deque(maxlen=self.size)

    def begin(self, entry: Entry) -> None:
        """A request has come."""
        self._count += 1
        entry.number = self._count
        self._running[entry.number] = entry

    def end(self, entry: Entry) -> None:
        """Its outcome is known."""
        self._running.pop(entry.number, None)
        self._entries.append(entry)
        self._ended += 1
        for watcher in self._watchers:
            watcher.set()

    @property
    def is_on(self) -> bool:
        """Whether anything is remembered at all."""
        return self.size > 0

    def entries(self) -> list[Entry]:
        """All that is remembered, in the order in which they ended."""
        return list(self._entries)

    def running(self) -> list[Entry]:
        """Requests that are not answered yet."""
        return list(self._running.values())

    def select(self, query: Query) -> list[Entry]:
        """The remembered entries that are meant."""
        return [entry for entry in self._entries if query.selects(entry)]

    def close(self) -> None:
        """The store is gone: whoever follows or waits shall not do so for ever."""
        self._is_closed = True
        for watcher in self._watchers:
            watcher.set()

    def clear(self) -> None:
        """Forget everything that has ended; numbers go on."""
        self._entries.clear()

    async def wait(self, query: Query, count: int, timeout: timedelta) -> list[Entry]:
        """The entries that are meant, as soon as there are `count` of them, or what there is after `timeout`."""
        with self._watching() as changed:
            try:
                async with asyncio.timeout(timeout.total_seconds()):
                    while len(found := self.select(query)) < count and not self._is_closed:
                        changed.clear()
                        await changed.wait()
            except TimeoutError:
                return self.select(query)
        return found

    async def follow(self, query: Query) -> AsyncIterator[Entry]:
        """What is remembered of the entries that are meant, and then each as it ends, without end."""
        seen = self._ended - len(self._entries)
        with self._watching() as changed:
            while not self._is_closed:
                changed.clear()
                new = min(self._ended - seen, len(self._entries))
                seen = self._ended
                for entry in list(islice(self._entries, len(self._entries) - new, None)):
                    if query.selects(entry):
                        yield entry
                await changed.wait()

    @contextmanager
    def _watching(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever an entry ends."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            yield changed
        finally:
            self._watchers.discard(changed)

    def verify(self, expectations: list[Expectation], order: list[Query], *, nothing_else: bool) -> list[str]:
        """What is not as expected: numbers of entries, their order, and entries that no expectation speaks of."""
        problems = [problem for each in expectations if (problem := each.problem(len(self.select(each)))) is not None]
        problems += self._out_of_order(order)
        if nothing_else:
            known = [*expectations, *order]
            problems += [
                f"unexpected: {entry.verb} {entry.target} -> {entry.status}"
                for entry in self._entries
                if not any(query.selects(entry) for query in known)
            ]
        return problems

    def _out_of_order(self, order: list[Query]) -> Iterator[str]:
        remaining = iter(sorted(self._entries, key=lambda entry: entry.number))
        for place, query in enumerate(order, 1):
            if not any(query.selects(entry) for entry in remaining):
                described = Expectation(**query.model_dump()).describe()
                yield f"step {place} of the order, {described}, did not come after the steps before it"
                return
