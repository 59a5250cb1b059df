"""A server as a process: start it, see what it costs in CPU and memory, stop it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.client import HOST, BenchmarkError, is_complete

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.002
_UTIME, _STIME, _CUTIME, _CSTIME = 11, 12, 13, 14  # fields of /proc/<pid>/stat, counted behind the name
_PARENT: Final = 1


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class ServerProcess:
    """A running server and its children. What it prints goes to a log file."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._log = log
        self.started = time.perf_counter()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )

    def wait_until_ready(self, port: int, target: str, statuses: Sequence[int]) -> float:
        """Wait for the first answer with one of `statuses` (any, if empty): the seconds since the process began."""
        deadline = self.started + _START_SECONDS
        while time.perf_counter() < deadline:
            status = _probe(port, target)
            if status and (not statuses or status in statuses):
                return time.perf_counter() - self.started
            if self._process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        said = self._log.read_text(errors="replace").split("\n")
        raise BenchmarkError(f"it did not start: {next((line for line in reversed(said) if line.strip()), 'silence')}")

    def cpu_seconds(self) -> float:
        """User and system time of the process and its children so far."""
        total = 0
        for process in self._family():
            with contextlib.suppress(OSError):
                fields = _stat(process)
                total += sum(int(fields[each]) for each in (_UTIME, _STIME, _CUTIME, _CSTIME))
        return total / _TICKS

    def memory(self) -> int:
        """Resident bytes of the process and its children."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """The most resident bytes each of them had, added up."""
        return self._status("VmHWM")

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _family(self) -> list[int]:
        parents: dict[int, int] = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError):
                    parents[int(name)] = int(_stat(int(name))[_PARENT])
        family = [self._process.pid]
        for member in family:  # grows while it is walked
            family += [process for process, parent in parents.items() if parent == member]
        return family

    def _status(self, key: str) -> int:
        total = 0
        for process in self._family():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{process}/status").read_text().splitlines():
                    if line.startswith(f"{key}:"):
                        total += int(line.split()[1]) * 1024
        return total


def _stat(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _probe(port: int, target: str) -> int:
    """The status of a GET, 0 while nobody answers."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            received = bytearray()
            while not is_complete(received):
                piece = connection.recv(1 << 16)
                if not piece:
                    return 0
                received += piece
            return int(received[9:12])
    except OSError:
        return 0
