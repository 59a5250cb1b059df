"""The command line: ``imagestore-emulator`` is ``imagestore-emulator serve`` is ``python -m emulator``."""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from emulator import __version__
from emulator.command.healthcheck import check_health
from emulator.command.verbs import add_verbs
from emulator.command.verbs import run as run_verb
from emulator.serving.start import ExitCode, StopError, serve
from emulator.settings import ENVIRONMENT_PREFIX, Settings, option_of, variable_of
from emulator.units import show_duration


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and answer with the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "serve")
    parsed = _parser().parse_args(given)
    if parsed.command == "healthcheck":
        return check_health()
    if parsed.command != "serve":
        return run_verb(parsed)
    options = vars(parsed)
    del options["command"]
    try:
        return serve(_settings(options))
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
    about = f"Asks the emulator at {ENVIRONMENT_PREFIX}HOST and {ENVIRONMENT_PREFIX}PORT; ends with 0 if it is ready."
    commands.add_parser("healthcheck", help="ask the emulator on this machine whether it is ready", description=about)
    add_verbs(commands)
    return parser


def _add_option(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    option = option_of(name)
    description = f"{field.description} (default: {_shown(field.default)})".replace("%", "%%")
    if field.annotation is bool:
        parser.add_argument(
            option, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=description, dest=name
        )
    else:
        parser.add_argument(option, default=argparse.SUPPRESS, metavar=name.upper(), help=description, dest=name)


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
            where = option_of(name) if name in options else variable_of(name)
            value = "the value" if Settings.model_fields[name].annotation is SecretStr else repr(fault["input"])
            sentences.append(f"{where}: {value} is not allowed: {_reason(fault)}")
        raise StopError(ExitCode.WRONG_SETTING, "; ".join(sentences)) from None


def _reason(fault: ErrorDetails) -> str:
    return fault["msg"].removeprefix("Value error, ")
