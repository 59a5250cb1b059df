"""The verbs of the command line that control a running emulator."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from emulator.client import DEFAULT_ENDPOINT, Control, ControlError, OnProgress, UnreachableError
from emulator.display import printable, show_answer, show_range, show_session

OK: Final = 0
NOT_SO: Final = 1
REFUSED: Final = 2
UNREACHABLE: Final = 6

Verb = Callable[[Control, argparse.Namespace], int]
_BAR_AFTER_SECONDS: Final = 1.0


def add_verbs(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add all verbs to the command line's parser; each sets ``verb`` to what does it."""
    common = _common_options()
    _add_clock(commands, common)
    _add_faults(commands, common)
    _add_journal(commands, common)
    _add_state(commands, common)
    _add_snapshots(commands, common)


def run(options: argparse.Namespace) -> int:
    """Do what the verb says, and answer with the exit code."""
    control = Control(options.endpoint, options.token, ca=options.ca, certificate=options.certificate)
    if options.store:
        control = control.on(options.store)
    try:
        return int(options.verb(control, options))
    except ControlError as error:
        print(f"imagestore-emulator: {error}", file=sys.stderr)
        return REFUSED
    except UnreachableError as error:
        print(f"imagestore-emulator: {error}", file=sys.stderr)
        return UNREACHABLE
    except UnicodeError as error:
        print(f"imagestore-emulator: a name that cannot be sent: {error}", file=sys.stderr)
        return REFUSED
    except BrokenPipeError:
        sys.stderr.close()
        return OK


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--endpoint",
        default=os.environ.get("IMAGESTORE_ENDPOINT", DEFAULT_ENDPOINT),
        help="address of the emulator or of one of its stores (IMAGESTORE_ENDPOINT; default: %(default)s)",
    )
    common.add_argument("--store", default="", help="name of the store, if it is not the endpoint's")
    common.add_argument(
        "--token",
        default=os.environ.get("IMAGESTORE_CONTROL_TOKEN", ""),
        help="the emulator's control token (IMAGESTORE_CONTROL_TOKEN)",
    )
    common.add_argument(
        "--ca", default=os.environ.get("IMAGESTORE_CA", ""), help="authority to trust for HTTPS, PEM (IMAGESTORE_CA)"
    )
    common.add_argument(
        "--certificate",
        default=os.environ.get("IMAGESTORE_CERTIFICATE", ""),
        help="a client's certificate and key for HTTPS, PEM (IMAGESTORE_CERTIFICATE)",
    )
    return common


class _Group:
    """A command with commands of its own."""

    def __init__(
        self,
        commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
        common: argparse.ArgumentParser,
        name: str,
        about: str,
    ) -> None:
        self._common = common
        parser = commands.add_parser(name, help=about, description=about)
        self._commands = parser.add_subparsers(dest="action", required=True, metavar="action")

    def add(self, name: str, about: str, verb: Verb) -> argparse.ArgumentParser:
        """One of its commands."""
        parser = self._commands.add_parser(name, help=about, description=about, parents=[self._common])
        parser.set_defaults(verb=verb)
        return parser


def _add_clock(commands: Any, common: argparse.ArgumentParser) -> None:
    group = _Group(commands, common, "clock", "read and move a store's time")
    group.add("show", "tell the store's time", lambda control, _: _show(control.clock()))
    advance = group.add("advance", "let time pass at once, and tell which sessions that ends", _advance)
    advance.add_argument("by", help="31m, 90s, 2d, or seconds; back with -- -31m")
    freeze = group.add("freeze", "let time stand still", lambda control, given: _show(control.freeze(given.at)))
    freeze.add_argument("--at", help="at this moment, as 2026-05-01T10:00:00Z")
    move = group.add("set", "move to a moment", lambda control, given: _show(control.set_clock(given.moment)))
    move.add_argument("moment", help="as 2026-05-01T10:00:00Z")
    rate = group.add(
        "run", "let time run faster or slower", lambda control, given: _show(control.set_clock(rate=given.rate))
    )
    rate.add_argument("rate", type=float, help="seconds that pass in one of the machine's")
    expiry = group.add(
        "expiry", "choose when sessions end", lambda control, given: _show(control.set_expiry(given.mode))
    )
    expiry.add_argument("mode", choices=["exact", "swept"])
    group.add("reset", "let time run like the machine's", lambda control, _: _show(control.reset_clock()))


def _advance(control: Control, given: argparse.Namespace) -> int:
    for session in control.advance(given.by):
        print(f"expired: session {session['session']} for {session['path']}")
    return _show(control.clock())


def _add_faults(commands: Any, common: argparse.ArgumentParser) -> None:
    group = _Group(commands, common, "fault", "let requests go wrong on purpose")
    add = group.add("add", "set a fault", _add_fault)
    add.add_argument(
        "field", nargs="+", help="preset=lost-chunk, or operation=UploadFileChunk chunk=3 cut=1MiB times=1"
    )
    group.add("list", "tell what is set, and what it did so far", _list_faults)
    group.add("presets", "tell which faults have a name", _list_presets)
    remove = group.add("remove", "take a fault back", lambda control, given: _done(control.remove_fault, given.id))
    remove.add_argument("id", type=int)
    group.add("clear", "take all faults back", lambda control, _: _done(control.clear_faults))


def _add_fault(control: Control, given: argparse.Namespace) -> int:
    for fault in control.add_fault(" ".join(map(_quoted, given.field))):
        print(f"{fault['id']}: {fault['name']}")
    return OK


def _quoted(field: str) -> str:
    """A shell has taken the quotes off a value with spaces."""
    name, equals, value = field.partition("=")
    return f'{name}{equals}"{value}"' if " " in value else field


def _list_faults(control: Control, _given: argparse.Namespace) -> int:
    for fault in control.faults():
        state = "over" if fault["is_over"] else "set"
        print(f"{fault['id']}: {fault['name']} ({state}; {fault['hits']} of {fault['matched']} requests)")
    return OK


def _list_presets(control: Control, _given: argparse.Namespace) -> int:
    for preset in control.presets():
        print(f"{preset['name']:20} {preset['does']}")
    return OK


def _add_journal(commands: Any, common: argparse.ArgumentParser) -> None:
    journal = commands.add_parser(
        "journal",
        help="what was asked and answered: show, follow, wait for and verify it",
        description="Requests of a store. Fields choose among them: operation, path, session, range, client, verb, "
        "status, code, fault, since; as operation=UploadFile* status=200.",
        parents=[common],
    )
    journal.add_argument("field", nargs="*", help="name=value")
    journal.add_argument("--follow", action="store_true", help="and then each request as it ends")
    journal.add_argument("--curl", action="store_true", help="as curl commands")
    journal.add_argument("--json", action="store_true", help="as JSON, one a line")
    journal.add_argument("--clear", action="store_true", help="forget all requests")
    journal.add_argument("--wait", type=int, metavar="COUNT", help="wait until so many were answered; else exit with 1")
    journal.add_argument("--timeout", default="10s", help="for how long (default: %(default)s)")
    journal.add_argument(
        "--verify", action="store_true", help="exit with 1 unless such requests came: at all, or as often as said"
    )
    journal.add_argument("--count", type=int, help="verify: exactly so often")
    journal.add_argument("--at-least", type=int, help="verify: so often or more")
    journal.add_argument("--at-most", type=int, help="verify: so often or less")
    journal.add_argument(
        "--in-order", nargs="+", metavar="FIELDS", help="verify: these came one after the other, each 'name=value ...'"
    )
    journal.set_defaults(verb=_journal)
    check = commands.add_parser(
        "lint",
        help="find mistakes of clients that hurt on a cluster; exit with 1 if there are any",
        parents=[common],
    )
    check.set_defaults(verb=_lint)


def _journal(control: Control, given: argparse.Namespace) -> int:
    query = _fields(given.field)
    if given.clear:
        return _done(control.clear_journal)
    if not given.verify and any(each is not None for each in (given.count, given.at_least, given.at_most)):
        raise ControlError(REFUSED, "--count, --at-least and --at-most are for --verify")
    if given.verify or given.in_order:
        return _verify(control, given, query)
    if given.wait is not None:
        try:
            entries = control.wait(given.wait, given.timeout, **query)
        except TimeoutError as error:
            print(f"imagestore-emulator: {error}", file=sys.stderr)
            return NOT_SO
    elif given.follow:
        try:
            for entry in control.follow(**query):
                _print_entry(entry, given)
        except KeyboardInterrupt:
            pass
        return OK
    else:
        entries = control.journal(**query)
    for entry in entries:
        _print_entry(entry, given)
    return OK


def _verify(control: Control, given: argparse.Namespace, query: dict[str, str]) -> int:
    counts = {"count": given.count, "at_least": given.at_least, "at_most": given.at_most}
    expected = query | {name: value for name, value in counts.items() if value is not None}
    order = [_fields(each.split()) for each in given.in_order or []]
    try:
        control.verify(*([expected] if given.verify else []), order=order)
    except AssertionError as error:
        print(error, file=sys.stderr)
        return NOT_SO
    return OK


def _print_entry(entry: dict[str, Any], given: argparse.Namespace) -> None:
    if given.json:
        print(json.dumps(entry), flush=True)
    elif given.curl:
        print(entry["curl"], flush=True)
    else:
        fault = f" [{entry['fault']}]" if entry["fault"] else ""
        where = printable(entry["path"] or entry["target"]) + show_range(entry)
        print(
            f"{entry['number']:5} {entry['moment']} {entry['operation'] or '-':32} {entry['verb']:6} "
            f"{where} -> {show_answer(entry)} {entry['duration_ms']:.1f} ms{fault}",
            flush=True,
        )


def _lint(control: Control, _given: argparse.Namespace) -> int:
    findings = control.lint()
    for finding in findings:
        print(f"{finding['rule']}: {finding['message']} (requests {', '.join(map(str, finding['entries']))})")
    return NOT_SO if findings else OK


def _add_state(commands: Any, common: argparse.ArgumentParser) -> None:
    sessions = commands.add_parser("sessions", help="tell which upload sessions are open", parents=[common])
    sessions.add_argument("--forget", action="store_true", help="lose them all, as a failover does")
    sessions.set_defaults(verb=_sessions)
    reset = commands.add_parser("reset", help="put a store back to the start", parents=[common])
    reset.set_defaults(verb=lambda control, _: _done(control.reset))
    seed = commands.add_parser("seed", help="put a folder, zip or .sfpkg into a store", parents=[common])
    seed.add_argument("source")
    seed.add_argument("--into", default="", help="folder of the store (default: the source's own name)")
    seed.add_argument("--no-marks", action="store_true", help="give folders no mark files")
    seed.set_defaults(verb=_seed)
    group = _Group(commands, common, "store", "isolated stores of one emulator")
    group.add("list", "tell which there are", _list_stores)
    make = group.add("make", "make one", lambda control, given: _say(control.make_store(given.name).endpoint))
    make.add_argument("name")
    drop = group.add(
        "drop",
        "delete one with all that is in it",
        lambda control, given: _done(control.drop_store, given.name),
    )
    drop.add_argument("name")


def _sessions(control: Control, given: argparse.Namespace) -> int:
    for each in control.forget_sessions() if given.forget else control.sessions():
        print(f"{show_session(each)}; until {each['expires']}")
    return OK


def _seed(control: Control, given: argparse.Namespace) -> int:
    if not os.path.exists(given.source):
        print(f"imagestore-emulator: there is no {given.source}", file=sys.stderr)
        return REFUSED
    with _Bar() as on_progress:
        count = control.seed(given.source, given.into, marks=not given.no_marks, on_progress=on_progress)
    return _say(f"{count} files")


def _list_stores(control: Control, _given: argparse.Namespace) -> int:
    for store in control.stores():
        print(f"{store['name']:20} {store['endpoint']}")
    return OK


def _add_snapshots(commands: Any, common: argparse.ArgumentParser) -> None:
    group = _Group(commands, common, "snapshot", "put a store's state aside, and bring it back")
    for name, about, verb in (
        ("save", "keep a store as it is now", _save_snapshot),
        ("restore", "let a store be as it was in a snapshot", _restore_snapshot),
        ("delete", "delete one", lambda control, given: _done(control.delete_snapshot, given.name)),
    ):
        group.add(name, about, verb).add_argument("name")
    group.add("list", "tell which there are", lambda control, _: _say("\n".join(control.snapshots())))


def _save_snapshot(control: Control, given: argparse.Namespace) -> int:
    with _Bar() as on_progress:
        count = control.snapshot(given.name, on_progress)
    return _say(f"{count} files")


def _restore_snapshot(control: Control, given: argparse.Namespace) -> int:
    with _Bar() as on_progress:
        count = control.restore(given.name, on_progress)
    return _say(f"{count} files")


class _Bar:
    """A progress bar on a terminal, for what takes longer than a second."""

    def __enter__(self) -> OnProgress:
        from tqdm import tqdm

        self._bar = tqdm(delay=_BAR_AFTER_SECONDS, unit=" files", leave=False, disable=None)
        return self._show

    def _show(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _fields(fields: list[str]) -> dict[str, str]:
    wrong = next((field for field in fields if "=" not in field), None)
    if wrong is not None:
        raise ControlError(REFUSED, f"{wrong!r} is not of the form name=value")
    return dict(field.split("=", 1) for field in fields)


def _show(view: dict[str, Any]) -> int:
    print(" ".join(f"{name}={value}" for name, value in view.items() if name != "expired"))
    return OK


def _say(text: str) -> int:
    if text:
        print(text)
    return OK


def _done(work: Callable[..., None], *arguments: Any) -> int:
    work(*arguments)
    return OK
