"""When an upload session's life ends, and what then frees the disk."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum
from typing import Final

from emulator.clock import Clock
from emulator.operations.body import in_thread
from emulator.operations.failures import as_fabric_error
from emulator.protocol.upload_session import UploadSession

SWEEP_EVERY: Final = timedelta(minutes=5)
"""How often the real service looks for expired sessions (``ProcessPendingCleanupInterval``; store 6.10)."""

_log = logging.getLogger(__name__)


class Expiry(StrEnum):
    """When a session whose time is up is gone."""

    EXACT = "exact"
    SWEPT = "swept"


class SessionLife:
    """Tells which sessions are alive.

    `EXACT`: gone the moment its time is up, as the documentation has it. `SWEPT`: gone at the next sweep of the real
    service, the first one timeout after a session entered an empty store, and one every five minutes from then on.
    """

    def __init__(self, clock: Clock, timeout: timedelta, mode: Expiry = Expiry.EXACT) -> None:
        self.clock = clock
        self.mode = mode
        self.timeout = timeout
        self._timeout_ns = timeout // timedelta(microseconds=1) * 1000
        self._first_ns: int | None = None
        clock.follow(self._clock_was_changed)

    @property
    def alive_since_ns(self) -> int:
        """A session last changed at this time or before is gone."""
        now_ns = self.clock.now_ns()
        if self.mode is Expiry.EXACT:
            return now_ns - self._timeout_ns
        if self._first_ns is None or now_ns < self._first_ns:
            self._first_ns = now_ns  # sweeping begins now: it was not on before, or the clock was moved back
        if now_ns < self._first_ns + self._timeout_ns:
            return 0
        every_ns = SWEEP_EVERY // timedelta(microseconds=1) * 1000
        sweeps = (now_ns - self._first_ns - self._timeout_ns) // every_ns
        return self._first_ns + sweeps * every_ns

    def set_mode(self, mode: Expiry) -> None:
        """Choose when sessions end; sweeping begins now."""
        self.mode = mode
        self._first_ns = self.clock.now_ns()

    def began(self, is_first: Callable[[], bool]) -> None:
        """A session comes to be; `is_first` says whether there is no other."""
        if self.mode is Expiry.SWEPT and is_first():
            self._first_ns = self.clock.now_ns()

    def _clock_was_changed(self) -> None:
        """Sweeps that were due in a future that is no more are due from now on."""
        if self._first_ns is not None:
            self._first_ns = min(self._first_ns, self.clock.now_ns())


async def sweep_forever(sweeps: Callable[[], Iterable[Callable[[], object]]], interval: timedelta) -> None:
    """Do all `sweeps` every `interval` of machine time until cancelled; one that fails is logged and tried again."""
    while True:
        await asyncio.sleep(interval.total_seconds())
        for sweep in sweeps():
            try:
                await in_thread(sweep)
            except Exception as error:  # noqa: BLE001, RUF100  # a sweep that fails must not be the last one
                is_expected = as_fabric_error(error) is not None
                _log.error("could not sweep expired upload sessions: %s", error, exc_info=not is_expected)


def log_expired(sessions: Iterable[UploadSession]) -> None:
    """Say which sessions are gone."""
    for session in sessions:
        _log.info("upload session %s for %s expired", session.session_id, session.path)
