"""A real PostgreSQL of the tests' own: the programs of the system's package, the data in a temporary place."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

from tests.support.waiting import eventually

USER: Final = "emulator"
PASSWORD: Final = "geh/eim@1"
_NO_ROOT: Final = ("postgres", "nobody")
"""Whose processes they are when the tests are root's, for whom the server refuses to run."""


def missing() -> str | None:
    """Why there is no PostgreSQL to be had, if so."""
    return (
        None if _programs() else "PostgreSQL isn't installed: no postgres in /usr/lib/postgresql/*/bin nor on the PATH"
    )


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda each: float(each.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def _as_whom() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    known = {each.pw_name: each for each in pwd.getpwall()}
    user = next(known[name] for name in _NO_ROOT if name in known)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class PostgresServer:
    """One server on a port of its own, which stays the same when it is stopped and started again."""

    def __init__(self) -> None:
        programs = _programs()
        assert programs
        self._programs = programs
        self._place = Path(tempfile.mkdtemp(prefix="imagestore-postgresql-"))
        self._as_whom = _as_whom()
        if self._as_whom:
            os.chown(self._place, self._as_whom["user"], self._as_whom["group"])
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._schemas = 0
        self._make()
        self.start()

    def _make(self) -> None:
        secret = self._place / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        command = [f"{self._programs}/initdb", f"--pgdata={self._place}/data", f"--username={USER}", "--no-sync"]
        command += ["--auth=password", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
        made = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **self._as_whom)
        assert made.returncode == 0, made.stdout + made.stderr

    def start(self) -> None:
        """Run until `stop`, and answer when this returns."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 400,
            "fsync": "off",
        }
        command = [f"{self._programs}/postgres", "-D", f"{self._place}/data"]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **self._as_whom
            )
        eventually(self._answers, "PostgreSQL answers")

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self._place / "log").read_text()
        with suppress(psycopg.OperationalError), psycopg.connect(self.url()):
            return True
        return False

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> None:
        """Break off every connection and stop; SIGQUIT does that without tidying up."""
        assert self._process
        self._process.send_signal(with_signal)
        self._process.wait(60)

    def remove(self) -> None:
        """Stop and leave nothing behind."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._place)

    def url(self, *, user: str = USER, password: str = PASSWORD, name: str = "postgres", options: str = "") -> str:
        """The URL of a database."""
        url = f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{name}"
        return f"{url}?options={quote(options)}" if options else url

    def new_schema(self) -> str:
        """The URL of an empty schema, which is made in no time and is as good as a database."""
        self._schemas += 1
        name = f"emulator{self._schemas}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return self.url(options=f"-c search_path={name}")


_running: list[PostgresServer] = []


def server() -> PostgresServer:
    """The server that all tests of this process share, started when the first one needs it."""
    if not _running:
        _running.append(PostgresServer())
    return _running[0]


def stop_server() -> None:
    """Called when the last test of this process is over."""
    while _running:
        _running.pop().remove()
