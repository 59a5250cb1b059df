"""The only source of "now" in the program: every timestamp and every expiry reads one clock."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Something that tells the time."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own time."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return time.time_ns()


class ManualClock:
    """A clock that stands still until it is moved, so that half an hour passes in no time."""

    def __init__(self, start: datetime = datetime(2024, 5, 1, 10, 20, 30, 123000, UTC)) -> None:
        self._lock = threading.Lock()
        self._now_ns = (start - _EPOCH) // timedelta(microseconds=1) * 1000

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        with self._lock:
            return self._now_ns

    def advance(self, step: timedelta) -> None:
        """Move the clock; a negative `step` moves it back."""
        with self._lock:
            self._now_ns += step // timedelta(microseconds=1) * 1000
