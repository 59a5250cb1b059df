"""What a monitoring system wants to know: requests by their outcome, and what the stores hold.

Counts are those of this process, or, where the variable `SHARED` names a directory, those of all processes that ever
used it. So several workers answer alike, whichever is asked, and nothing is lost with one that died. prometheus_client
looks at the variable when it is loaded.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from emulator.control.journal import Entry
from emulator.operations.failures import as_fabric_error
from emulator.operations.uploads import Uploads

SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Seconds: from a small file in the page cache to some gigabytes."""

_UNMATCHED: Final = "none"
"""The operation of a request that is none."""

_WHEN_MADE: Final = "_created"
"""The client library's own samples, which say when each count began."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """What counts requests of one operation with one status."""

    requests: Counter
    duration: Histogram
    received: Counter
    sent: Counter


class Metrics:
    """Everything that one emulator counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests of the service; status 0 got no answer", "status")
        self._received = self._counter("received_bytes", "Bytes of request bodies")
        self._sent = self._counter("sent_bytes", "Bytes of response bodies")
        self._faults = self._counter("faults", "Requests to which a fault was done on purpose")
        self._duration = Histogram(
            "imagestore_request_duration_seconds",
            "From the end of a request's headers to the end of its answer",
            ["operation"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._expired = Counter(
            "imagestore_expired_sessions", "Upload sessions whose time was up", registry=self._registry
        )
        self._counts: dict[tuple[str, int | None], _Counts] = {}

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"imagestore_{name}", text, ["operation", *labels], registry=self._registry)

    def answered(self, entry: Entry) -> None:
        """A request is over."""
        counts = self._counts.get((entry.operation, entry.status)) or self._counts_of(entry)
        counts.requests.inc()
        counts.duration.observe(entry.duration_ns / 1e9)
        if entry.received:
            counts.received.inc(entry.received)
        if entry.sent:
            counts.sent.inc(entry.sent)
        if entry.fault:
            self._faults.labels(entry.operation or _UNMATCHED).inc()

    def _counts_of(self, entry: Entry) -> _Counts:
        """Looking up a counter by its labels costs more than counting does, so it is done once."""
        name = entry.operation or _UNMATCHED
        counts = self._counts[entry.operation, entry.status] = _Counts(
            self._requests.labels(name, entry.status),
            self._duration.labels(name),
            self._received.labels(name),
            self._sent.labels(name),
        )
        return counts

    def expired(self, count: int) -> None:
        """The time of so many sessions was up."""
        self._expired.inc(count)

    def exposition(self, stores: list[Uploads]) -> bytes:
        """All of it as text, with what the upload sessions of these stores hold at the moment."""
        counts = self._registry
        if SHARED in os.environ:
            counts = CollectorRegistry()
            MultiProcessCollector(counts)  # type: ignore[no-untyped-call]
        shown = CollectorRegistry()
        shown.register(_Collected(lambda: [*_without_dates(counts), *_gauges(stores)]))
        return generate_latest(shown)


@dataclass(frozen=True, slots=True)
class _Collected(Collector):
    """Whatever a function finds."""

    find: Callable[[], Iterable[Metric]]

    def collect(self) -> Iterable[Metric]:
        """Find it."""
        return self.find()

    def describe(self) -> Iterable[Metric]:
        """Nothing that could be told before."""
        return []


def _without_dates(counts: CollectorRegistry) -> Iterator[Metric]:
    for metric in counts.collect():
        metric.samples = [sample for sample in metric.samples if not sample.name.endswith(_WHEN_MADE)]
        yield metric


def _gauges(stores: list[Uploads]) -> Iterator[Metric]:
    yield GaugeMetricFamily("imagestore_stores", "Stores that this process has in use", len(stores))
    try:
        staged = [uploads.staged() for uploads in stores]
    except Exception as error:
        if as_fabric_error(error) is None:
            raise
        return  # while the database is away, no figure is better than a wrong one
    yield GaugeMetricFamily(
        "imagestore_upload_sessions", "Living upload sessions in them", sum(each.session_count for each in staged)
    )
    yield GaugeMetricFamily("imagestore_staged_bytes", "Bytes of their chunks", sum(each.byte_count for each in staged))
