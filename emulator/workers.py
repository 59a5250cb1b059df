"""Several server processes on one listening socket and one data directory.

They share nothing but the directory, its locks and its database, so this is also how replicas on one volume behave.
A worker is a process of its own (`python -m emulator.workers`), started with the settings in its environment, the
socket as an open file and what is secret on its standard input; one that dies is replaced, and what it was receiving is
swept.
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
from datetime import timedelta
from enum import Enum
from types import FrameType
from typing import Final

from pydantic import SecretStr

from emulator.app import create_app
from emulator.logs import set_up_logging
from emulator.server import Doors, run
from emulator.settings import ENVIRONMENT_PREFIX, Settings
from emulator.storage.errors import UnusableError

_PLAIN: Final = "_IMAGESTORE_PLAIN_DOOR"
_SECURE: Final = "_IMAGESTORE_SECURE_DOOR"
_DATABASE_URL: Final = ENVIRONMENT_PREFIX + "DATABASE_URL"
_POLL_SECONDS: Final = 0.1
_PARENT_POLL_SECONDS: Final = 0.5
_RESTART_SECONDS: Final = 1.0
_KILL_AFTER_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Workers:
    """Starts the processes, replaces the dead, passes on the signal to stop."""

    def __init__(self, settings: Settings, doors: Doors) -> None:
        self._settings = settings
        self._doors = doors
        self._is_stopping = False
        self._processes: list[subprocess.Popen[bytes]] = []
        self._started: dict[int, float] = {}

    def run(self, on_started: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM."""
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._on_signal)
        on_started()
        self._processes = [self._start() for _ in range(self._settings.workers)]
        while not self._is_stopping:
            time.sleep(_POLL_SECONDS)
            self._replace_dead()
        self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = worker_environment(self._settings, self._doors)
        command = [sys.executable, "-m", "emulator.workers"]
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, stdin=subprocess.PIPE, pass_fds=[door.fileno() for door in self._doors.sockets()]
        )
        if process.stdin:
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(self._settings.database_url.get_secret_value().encode())
        self._started[process.pid] = time.monotonic()
        return process

    def _replace_dead(self) -> None:
        for index, process in enumerate(self._processes):
            if process.poll() is None or time.monotonic() < self._started[process.pid] + _RESTART_SECONDS:
                continue
            _log.error("worker %d ended with %d, starting another", process.pid, process.returncode)
            del self._started[process.pid]
            self._processes[index] = self._start()

    def _stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + self._settings.shutdown_timeout.total_seconds() + _KILL_AFTER_SECONDS
        for process in self._processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._is_stopping:
            for process in self._processes:
                process.send_signal(number)
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
            sys.exit(1)
        run(app, settings, doors)


def _inherited(descriptor: str) -> socket.socket | None:
    return socket.socket(fileno=int(descriptor)) if descriptor else None


def _stop_without_parent(parent: int) -> None:
    """End when the process that started this one is gone: nobody would stop it otherwise."""
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    work(os.environ)
