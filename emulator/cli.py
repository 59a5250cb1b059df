"""The command line: ``imagestore-emulator`` is ``imagestore-emulator serve`` is ``python -m emulator``."""

import argparse
import contextlib
import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from emulator import __version__
from emulator.settings import ENVIRONMENT_PREFIX, Settings, show_duration

_MEMORY_DIRECTORY: Final = Path("/dev/shm")  # noqa: S108  # only asked for its size; the directory made in it is ours
_MEMORY_WORTH_USING: Final = 1 << 30


class ExitCode(IntEnum):
    """What the process ends with, so that scripts can tell why."""

    OK = 0
    WRONG_SETTING = 2
    PORT_IN_USE = 3
    DATA_UNUSABLE = 4
    DATA_TOO_NEW = 5
    DATABASE_UNUSABLE = 6


class StopError(Exception):
    """A reason not to start, in a sentence that says what to do."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and answer with the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "serve")
    options = vars(_parser().parse_args(given))
    options.pop("command", None)
    try:
        return _serve(_settings(options))
    except StopError as stop:
        print(f"imagestore-emulator: {stop}", file=sys.stderr)
        return stop.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imagestore-emulator",
        description="A local emulator of the Azure Service Fabric Image Store REST API.",
        epilog="Without a command it serves, with the options of 'imagestore-emulator serve --help'.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    serve = commands.add_parser(
        "serve",
        help="run the emulator (what happens without a command, too)",
        description=f"Every option is also an environment variable: --log-level is {ENVIRONMENT_PREFIX}LOG_LEVEL.",
    )
    for name, field in Settings.model_fields.items():
        _add_option(serve, name, field)
    return parser


def _add_option(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    option = _option(name)
    description = f"{field.description} (default: {_shown(field.default)})".replace("%", "%%")
    if field.annotation is bool:
        parser.add_argument(
            option, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=description, dest=name
        )
    else:
        parser.add_argument(option, default=argparse.SUPPRESS, metavar=name.upper(), help=description, dest=name)


def _given_as(name: str, settings: Settings) -> str:
    """The way by which a setting was given: its variable if that holds the value, else its option."""
    return _variable(name) if os.environ.get(_variable(name)) == str(getattr(settings, name)) else _option(name)


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _shown(default: Any) -> str:
    match default:
        case timedelta():
            return show_duration(default)
        case bool():
            return "on" if default else "off"
        case _:
            return str(default) or "none"


def _settings(options: dict[str, Any]) -> Settings:
    try:
        return Settings(**options)
    except ValidationError as error:
        sentences = []
        for fault in error.errors():
            name = str(fault["loc"][0])
            where = _option(name) if name in options else _variable(name)
            value = "the value" if Settings.model_fields[name].annotation is SecretStr else repr(fault["input"])
            sentences.append(f"{where}: {value} is not allowed: {_reason(fault)}")
        raise StopError(ExitCode.WRONG_SETTING, "; ".join(sentences)) from None


def _reason(fault: ErrorDetails) -> str:
    return fault["msg"].removeprefix("Value error, ")


def _serve(settings: Settings) -> int:
    # Imported here so that --help, --version and a wrong setting answer without loading the server.
    from emulator.app import create_app, prepare_data
    from emulator.logs import set_up_logging
    from emulator.server import run
    from emulator.storage.errors import DatabaseUnusableError, DataDirectoryError, NewerDataError
    from emulator.storage.locks import LOCKS_SPAN_PROCESSES

    if settings.workers > 1 and not LOCKS_SPAN_PROCESSES:
        raise StopError(
            ExitCode.WRONG_SETTING, "--workers: this system has no locks that processes could share: only 1 is possible"
        )
    if settings.in_memory and settings.database_url:
        raise StopError(
            ExitCode.WRONG_SETTING, "--in-memory and --database-url exclude each other: the database would remain"
        )
    set_up_logging(settings)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _stop_early)
    with _listener(settings) as listener, _with_data_directory(settings) as placed:
        try:
            app = create_app(placed) if placed.workers == 1 else None
            if app is None:
                prepare_data(placed)
        except DataDirectoryError as error:
            raise StopError(
                ExitCode.DATA_UNUSABLE, f"{error}; choose another with --data, or make it writable for this user"
            ) from None
        except NewerDataError as error:
            raise StopError(ExitCode.DATA_TOO_NEW, str(error)) from None
        except DatabaseUnusableError as error:
            raise StopError(ExitCode.DATABASE_UNUSABLE, str(error)) from None

        def announce() -> None:
            print(_start_line(placed, listener), flush=True)

        if app:
            run(app, placed, listener, announce)
        else:
            from emulator.workers import Workers

            Workers(placed, listener).run(announce)
    return ExitCode.OK


def _stop_early(_number: int, _frame: FrameType | None) -> None:
    """Asked to stop before the server has begun: leave, and clean up on the way out."""
    raise SystemExit(ExitCode.OK)


def _start_line(settings: Settings, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    where = "in memory" if settings.in_memory else f"in {settings.data.absolute()}"
    if settings.database_url:
        from emulator.storage.postgresql import place_of

        where += f", upload sessions in {place_of(settings.database_url.get_secret_value())}"
    return (
        f"Image Store emulator {__version__} listening on http://{shown}:{port} "
        f"(Service Fabric {settings.runtime_version}, {settings.platform}), data {where}"
    )


@contextlib.contextmanager
def _with_data_directory(settings: Settings) -> Iterator[Settings]:
    """The settings with the directory to use: a temporary one, deleted afterwards, for use in memory."""
    if not settings.in_memory:
        yield settings
        return
    parent = None
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY_DIRECTORY).free >= _MEMORY_WORTH_USING:
            parent = _MEMORY_DIRECTORY
    with tempfile.TemporaryDirectory(prefix="imagestore-", dir=parent, ignore_cleanup_errors=True) as directory:
        yield settings.model_copy(update={"data": Path(directory)})


@contextlib.contextmanager
def _listener(settings: Settings) -> Iterator[socket.socket]:
    from emulator.server import listen

    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StopError(
                ExitCode.PORT_IN_USE,
                f"port {settings.port} on {settings.host} is in use: stop what listens there, or choose another with "
                "--port (0 picks a free one)",
            ) from None
        raise StopError(
            ExitCode.WRONG_SETTING,
            f"{_given_as('host', settings)}: cannot listen on {settings.host}:{settings.port}: "
            f"{error.strerror or error}",
        ) from None
    with listener:
        yield listener
