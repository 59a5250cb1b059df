"""Frees what expired upload sessions hold, in the background. They are invisible from the moment they expire."""

import asyncio
import logging
from datetime import timedelta

from emulator.operations.body import in_thread
from emulator.operations.failures import as_fabric_error
from emulator.operations.uploads import Uploads

_log = logging.getLogger(__name__)


async def sweep_forever(uploads: Uploads, interval: timedelta) -> None:
    """Sweep every `interval` until cancelled; a failure is logged and the next round tries again."""
    while True:
        await asyncio.sleep(interval.total_seconds())
        try:
            expired = await in_thread(uploads.expire)
        except Exception as error:  # noqa: BLE001  # a sweep that fails must not be the last one
            is_expected = as_fabric_error(error) is not None
            _log.error("could not sweep expired upload sessions: %s", error, exc_info=not is_expected)
        else:
            for session in expired:
                _log.info("upload session %s for %s expired", session.session_id, session.path)
