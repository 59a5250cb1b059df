"""``imagestore-emulator serve``: from settings to a running server, or to a reason why not."""

import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from emulator import __version__
from emulator.serving.places import is_in_memory, temporary_directory
from emulator.settings import SettingError, Settings, option_of, variable_of

if TYPE_CHECKING:
    import tempfile

    from emulator.app import Emulator
    from emulator.serving.server import Doors


_log = logging.getLogger(__name__)


class ExitCode(IntEnum):
    """What the process ends with, so that scripts can tell why."""

    OK = 0
    WRONG_SETTING = 2
    PORT_IN_USE = 3
    DATA_UNUSABLE = 4
    DATA_TOO_NEW = 5
    DATABASE_UNUSABLE = 6
    CRASH_LOOP = 7


class StopError(Exception):
    """A reason not to start, in a sentence that says what to do."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def serve(settings: Settings) -> int:
    """Run the emulator until it is told to stop; raises `StopError` where it cannot start."""
    # Imported here so that --help, --version and a wrong setting answer without loading the server.
    from emulator.serving.logs import set_up_logging
    from emulator.serving.server import Doors, run
    from emulator.serving.workers import CrashLoopError, Workers
    from emulator.tls import without_effect

    _require_sense(settings)
    set_up_logging(settings)
    for sentence in without_effect(settings):
        _log.warning("%s", sentence)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _stop_early)
    with closing(Doors.opened(settings, _listen)) as doors, _with_data_directory(settings) as placed:
        app = _prepared(placed)

        def announce() -> None:
            print(_start_line(settings, doors), flush=True)

        if app:
            run(app, placed, doors, announce)
            return ExitCode.OK
        with _temporary() as shared:
            try:
                Workers(placed.model_copy(update={"seed": None}), doors, shared).run(announce)
            except CrashLoopError as error:
                raise StopError(ExitCode.CRASH_LOOP, str(error)) from None
    return ExitCode.OK


def _require_sense(settings: Settings) -> None:
    """Raise `StopError` for settings that exclude each other, or that this system cannot fulfil."""
    from emulator.storage.locks import LOCKS_SPAN_PROCESSES

    if settings.workers > 1 and not LOCKS_SPAN_PROCESSES:
        raise StopError(
            ExitCode.WRONG_SETTING, "--workers: this system has no locks that processes could share: only 1 is possible"
        )
    if settings.workers > 1 and settings.faults:
        raise StopError(ExitCode.WRONG_SETTING, "--faults: they live in one process, so --workers has to be 1")
    if settings.in_memory and settings.database_url:
        raise StopError(
            ExitCode.WRONG_SETTING, "--in-memory and --database-url exclude each other: the database would remain"
        )


def _given_as(name: str, value: str) -> str:
    """The way by which a setting was given: its variable if that holds the value, else its option."""
    variable = variable_of(name)
    return variable if os.environ.get(variable) == value else option_of(name)


def _prepared(settings: Settings) -> "Emulator | None":
    """The application to serve; with several workers each makes its own, and the data is made ready for them."""
    from emulator.app import create_app, prepare_for_workers
    from emulator.storage.errors import DatabaseUnusableError, DataDirectoryError, NewerDataError

    try:
        if settings.workers == 1:
            return create_app(settings)
        prepare_for_workers(settings)
    except DataDirectoryError as error:
        raise StopError(
            ExitCode.DATA_UNUSABLE, f"{error}; choose another with --data, or make it writable for this user"
        ) from None
    except NewerDataError as error:
        raise StopError(ExitCode.DATA_TOO_NEW, str(error)) from None
    except SettingError as error:
        raise StopError(ExitCode.WRONG_SETTING, f"{option_of(error.name)}: {error}") from None
    except DatabaseUnusableError as error:
        raise StopError(ExitCode.DATABASE_UNUSABLE, str(error)) from None
    return None


def _stop_early(_number: int, _frame: FrameType | None) -> None:
    """Asked to stop before the server has begun: leave, and clean up on the way out."""
    raise SystemExit(ExitCode.OK)


def _start_line(settings: Settings, doors: "Doors") -> str:
    if not is_in_memory(settings):
        where = f"in {settings.data.absolute()}"
    else:
        where = "in memory" if settings.in_memory else f"in memory: nothing is mounted at {settings.data}"
    if settings.database_url:
        from emulator.storage.postgresql import place_of

        where += f", upload sessions in {place_of(settings.database_url.get_secret_value())}"
    return (
        f"Image Store emulator {__version__} listening on {' and '.join(doors.addresses())} "
        f"(Service Fabric {settings.runtime_version}, {settings.platform}), data {where}"
    )


@contextlib.contextmanager
def _with_data_directory(settings: Settings) -> Iterator[Settings]:
    """The settings with the directory to use: a temporary one, deleted afterwards, for use in memory."""
    if not is_in_memory(settings):
        yield settings
        return
    with _temporary() as directory:
        yield settings.model_copy(update={"data": Path(directory)})


def _temporary() -> "tempfile.TemporaryDirectory[str]":
    try:
        return temporary_directory()
    except OSError as error:
        raise StopError(
            ExitCode.DATA_UNUSABLE,
            f"no place for a temporary directory: {error.strerror or error}; make /tmp writable, or choose one with "
            "TMPDIR",
        ) from None


def _listen(host: str, port: int) -> socket.socket:
    from emulator.serving.server import listen

    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StopError(
                ExitCode.PORT_IN_USE,
                f"port {port} on {host} is in use: stop what listens there, or choose another with "
                "--port (0 picks a free one)",
            ) from None
        raise StopError(
            ExitCode.WRONG_SETTING,
            f"{_given_as('host', host)}: cannot listen on {host}:{port}: {error.strerror or error}",
        ) from None
