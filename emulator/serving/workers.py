"""Several server processes on one listening socket and one data directory.

They share nothing but the directory, its locks and its database, so this is also how replicas on one volume behave.
A worker is a process of its own (`python -m emulator.serving.workers`), started with the settings in its environment,
the socket as an open file and what is secret on its standard input; one that dies is replaced, and what it was
receiving is swept. When five in a row come to nothing, the last of them has no successor and the emulator ends.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from types import FrameType
from typing import Final

from pydantic import SecretStr

from emulator.app import create_app
from emulator.control.metrics import SHARED
from emulator.serving.logs import set_up_logging
from emulator.serving.server import Doors, run
from emulator.settings import ENVIRONMENT_PREFIX, Settings
from emulator.storage.errors import NewerDataError, UnusableError

_PLAIN: Final = "_IMAGESTORE_PLAIN_DOOR"
_SECURE: Final = "_IMAGESTORE_SECURE_DOOR"
_DATABASE_URL: Final = ENVIRONMENT_PREFIX + "DATABASE_URL"
_POLL_SECONDS: Final = 0.1
_PARENT_POLL_SECONDS: Final = 0.5
_RESTART_SECONDS: Final = 1.0
_KILL_AFTER_SECONDS: Final = 5.0
_FAILED_STARTS: Final = 5
_SETTLED_SECONDS: Final = 1.0
_UNAVAILABLE: Final = 75
"""What a worker ends with if what it needs is not there at the moment (``EX_TEMPFAIL``)."""
_NO_FAILURE: Final = (_UNAVAILABLE, -signal.SIGKILL, -signal.SIGTERM)
"""Ends that say nothing about the next start: these signals come from somebody outside."""

_log = logging.getLogger(__name__)


class CrashLoopError(Exception):
    """Workers end before they serve, again and again."""


@dataclass(frozen=True, slots=True)
class _Worker:
    """One process, when it was started, and how many before it came to nothing."""

    process: subprocess.Popen[bytes]
    started: float
    failed_starts: int

    def failed(self) -> bool:
        """Whether it ended by itself before it had served for a moment, and not for want of a disk or a database."""
        if self.process.stdout is None:
            return False
        with self.process.stdout as said:
            return not said.read() and self.process.returncode not in _NO_FAILURE


class Workers:
    """Starts the processes, replaces the dead, passes on the signal to stop.

    `shared` is a directory where all of them count what is shown at ``/_emulator/metrics``.
    """

    def __init__(self, settings: Settings, doors: Doors, shared: str) -> None:
        self._settings = settings
        self._doors = doors
        self._shared = shared
        self._is_stopping = False
        self._workers: list[_Worker] = []

    def run(self, on_started: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM; raises `CrashLoopError`, with none left running."""
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._on_signal)
        on_started()
        self._workers = [self._start() for _ in range(self._settings.workers)]
        try:
            while not self._is_stopping:
                time.sleep(_POLL_SECONDS)
                self._replace_dead()
        finally:
            self._stop()

    def _start(self, failed_starts: int = 0) -> _Worker:
        environment = worker_environment(self._settings, self._doors) | {SHARED: self._shared}
        command = [sys.executable, "-m", "emulator.serving.workers"]
        process = subprocess.Popen(  # noqa: S603
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[door.fileno() for door in self._doors.sockets()],
        )
        if process.stdin:
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(self._settings.database_url.get_secret_value().encode())
        return _Worker(process, time.monotonic(), failed_starts)

    def _replace_dead(self) -> None:
        for index, worker in enumerate(self._workers):
            process = worker.process
            if process.poll() is None or time.monotonic() < worker.started + _RESTART_SECONDS:
                continue
            failed_starts = worker.failed_starts + 1 if worker.failed() else 0
            if failed_starts == _FAILED_STARTS:
                raise CrashLoopError(
                    f"a server process ended right after its start, {failed_starts} times in a row, "
                    f"the last time with {process.returncode}: the log says why"
                )
            _log.error("worker %d ended with %d, starting another", process.pid, process.returncode)
            self._workers[index] = self._start(failed_starts)

    def _stop(self) -> None:
        processes = [worker.process for worker in self._workers]
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + self._settings.shutdown_timeout.total_seconds() + _KILL_AFTER_SECONDS
        for process in processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._is_stopping:
            for worker in self._workers:
                worker.process.send_signal(number)
        self._is_stopping = True


def worker_environment(settings: Settings, doors: Doors) -> dict[str, str]:
    """This process's environment, with the listening sockets and every setting in it but the one with a password."""
    variables = {
        ENVIRONMENT_PREFIX + name.upper(): "" if value is None else _text(value)
        for name, value in settings.model_dump(exclude={"database_url"}).items()
    }
    inherited = {name: value for name, value in os.environ.items() if name != _DATABASE_URL}
    plain, secure = (str(door.fileno()) if door else "" for door in (doors.plain, doors.secure))
    return {**inherited, **variables, _PLAIN: plain, _SECURE: secure}


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value.total_seconds()}s"
    return str(value.value if isinstance(value, Enum) else value)


def work(environment: Mapping[str, str]) -> None:
    """Be one worker."""
    threading.Thread(target=_stop_without_parent, args=[os.getppid()], daemon=True).start()
    settings = Settings(database_url=SecretStr(sys.stdin.buffer.read().decode()))
    set_up_logging(settings)
    with closing(Doors(_inherited(environment[_PLAIN]), _inherited(environment[_SECURE]))) as doors:
        try:
            app = create_app(settings)
        except UnusableError as error:
            _log.error("%s", error)
            sys.exit(1 if isinstance(error, NewerDataError) else _UNAVAILABLE)
        run(app, settings, doors, _say_so_when_settled)


def _say_so_when_settled() -> None:
    """Tell the parent, once this worker has served for a moment, that its start was none of those that fail."""
    timer = threading.Timer(_SETTLED_SECONDS, lambda: os.write(sys.stdout.fileno(), b"serves"))
    timer.daemon = True
    timer.start()


def _inherited(descriptor: str) -> socket.socket | None:
    return socket.socket(fileno=int(descriptor)) if descriptor else None


def _stop_without_parent(parent: int) -> None:
    """End when the process that started this one is gone: nobody would stop it otherwise."""
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    work(os.environ)
