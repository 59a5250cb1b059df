"""The only source of "now" in the program: every timestamp and every expiry reads one clock."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LONGEST_WAIT_SECONDS: Final = 3600.0
_FIRST_NS: Final = 0
_LAST_NS: Final = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND * 1000
"""Far enough from where 64 bits of nanoseconds end."""


@dataclass(frozen=True, slots=True)
class _Course:
    """From machine time `since_ns` on, when it was `start_ns`, time runs `rate` times as fast as the machine's."""

    since_ns: int
    start_ns: int
    rate: float

    def at(self, machine_ns: int) -> int:
        return self.start_ns + int((machine_ns - self.since_ns) * self.rate)


_REAL: Final = _Course(0, 0, 1.0)


class Clock:
    """A clock that runs like the machine's until it is moved, stopped, or made to run faster or slower.

    Any thread may read and change it; `sleep` is for the event loop.
    """

    def __init__(self) -> None:
        self._course = _REAL
        self._waiting: set[asyncio.Future[None]] = set()
        self._followers: list[Callable[[], None]] = []

    @classmethod
    def frozen_at(cls, moment: datetime) -> "Clock":
        """A clock that stands still at `moment`."""
        clock = cls()
        clock.freeze(moment)
        return clock

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        course = self._course
        return time.time_ns() if course is _REAL else course.at(time.time_ns())

    @property
    def rate(self) -> float:
        """How many seconds pass here in one of the machine's; 0 for a clock that stands still."""
        return self._course.rate

    @property
    def offset(self) -> timedelta:
        """How far it is ahead of the machine's clock right now."""
        return timedelta(microseconds=(self.now_ns() - time.time_ns()) / 1000)

    @property
    def is_real(self) -> bool:
        """Whether it is the machine's own time."""
        return self._course is _REAL

    def reset(self) -> None:
        """Run like the machine's clock again."""
        self._set(_REAL)

    def freeze(self, moment: datetime | None = None) -> None:
        """Stand still, now or at `moment`."""
        self._set(_Course(time.time_ns(), self.now_ns() if moment is None else to_ns(moment), 0.0))

    def advance(self, step: timedelta) -> None:
        """Move forward, or back with a negative `step`, and go on as before."""
        self._set(_Course(time.time_ns(), self.now_ns() + step // _MICROSECOND * 1000, self.rate))

    def set(self, moment: datetime) -> None:
        """Move to `moment` and go on as before."""
        self._set(_Course(time.time_ns(), to_ns(moment), self.rate))

    def start(self, moment: datetime, rate: float) -> None:
        """Move to `moment`, and let time run at `rate` from there; 0 stands still."""
        self._set(_Course(time.time_ns(), to_ns(moment), rate))

    def run(self, rate: float) -> None:
        """From now on let `rate` seconds pass in one of the machine's."""
        self._set(_Course(time.time_ns(), self.now_ns(), rate))

    def follow(self, was_changed: Callable[[], None]) -> None:
        """Call this each time the clock was moved, stopped or made to run at another rate."""
        self._followers.append(was_changed)

    async def sleep(self, duration: timedelta) -> None:
        """Wait until this much time has passed here, whatever becomes of the clock; going back takes nothing away."""
        left = duration // _MICROSECOND * 1000
        last = self.now_ns()
        while left > 0:
            changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(changed)
            try:
                seconds = left / 1e9 / self.rate if self.rate else _LONGEST_WAIT_SECONDS
                await asyncio.wait([changed], timeout=min(seconds, _LONGEST_WAIT_SECONDS))
            finally:
                self._waiting.discard(changed)
            now = self.now_ns()
            left -= max(0, now - last)
            last = now

    def _set(self, course: _Course) -> None:
        if not _FIRST_NS <= course.start_ns <= _LAST_NS and course is not _REAL:
            raise ValueError("the clock goes from 1970 to 2200")
        self._course = course
        for was_changed in self._followers:
            was_changed()
        for waiting in list(self._waiting):
            waiting.get_loop().call_soon_threadsafe(_wake, waiting)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def to_ns(moment: datetime) -> int:
    """Nanoseconds since 1970; a moment without a zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND * 1000  # no overflow: the difference of two moments always fits


def to_datetime(moment_ns: int) -> datetime:
    """The moment, to the microsecond."""
    return _EPOCH + timedelta(microseconds=moment_ns // 1000)
