"""A running emulator on a real socket: in this process with a clock a test can move, or as a process of its own."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from emulator.clock import Clock
from emulator.testing import EmulatorThread
from tests.support.databases import environment_of, url_of
from tests.support.wire import Wire

START = datetime(2024, 5, 1, 10, 20, 30, 123000, UTC)
"""Where a test's clock stands until it is moved."""


class InProcessEmulator(Wire):
    """The whole emulator on a thread of this process, on a free port of 127.0.0.1."""

    def __init__(self, data: Path, clock: Clock | None = None, **settings: Any) -> None:
        self.data = data
        self.clock = clock or Clock.frozen_at(START)
        values: dict[str, Any] = {"access_log": True, "database_url": url_of(data)} | settings
        self._thread = EmulatorThread(data, self.clock, **values)
        super().__init__("127.0.0.1", 0)

    def start(self) -> Self:
        """Serve until `stop`; the port is new each time."""
        self.port = self._thread.start().port
        self.app, self.server = self._thread.app, self._thread.server
        return self

    def stop(self) -> None:
        """Finish what is running and stop."""
        self._thread.stop()

    def restart(self) -> None:
        """Stop and start again on the same data directory."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def inherited_environment() -> dict[str, str]:
    """This process's environment without the emulator's own settings, and free to keep compiled modules."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGESTORE_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


class EmulatorProcess(Wire):
    """``imagestore-emulator`` as a user starts it, on a free port."""

    def __init__(
        self, data: Path | None, *options: str, environment: dict[str, str] | None = None, **popen: Any
    ) -> None:
        command = [sys.executable, "-m", "emulator", "serve", "--port", "0", *options]
        if data is not None:
            command += ["--data", str(data)]
        self.process: subprocess.Popen[str] = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**inherited_environment(), **environment_of(data), **(environment or {})},
            **popen,
        )
        assert self.process.stdout is not None
        self.output: list[str] = []
        port = 0
        for line in self.process.stdout:
            self.output.append(line)
            if "listening on http://" in line:
                port = int(line.split("listening on http://")[1].split()[0].rstrip("/").rpartition(":")[2])
                break
        if not port:
            raise AssertionError(f"the emulator did not start: {''.join(self.output)}")
        super().__init__("127.0.0.1", port)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        assert self.process.stdout is not None
        self.output.extend(self.process.stdout)

    def kill(self) -> None:
        """``kill -9``: no chance to finish anything."""
        self.process.kill()
        self.ended()

    def terminate(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and answer with its exit code."""
        self.process.send_signal(with_signal)
        return self.ended()

    def ended(self) -> int:
        """The exit code, once it has ended and all it wrote has been read."""
        code = self.process.wait(60)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.terminate()
