"""The whole emulator on a thread of this process."""

import asyncio
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from emulator.testing.store import ImageStore

if TYPE_CHECKING:
    from emulator.clock import Clock

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 30.0


class EmulatorThread:
    """Serves on a free port of 127.0.0.1 between `start` and `stop`, or inside a ``with``.

    Without `data` everything is in a temporary directory, deleted in the end. `settings` are those of the command line,
    as ``runtime_version="6.4"``.
    """

    def __init__(self, data: Path | None = None, clock: "Clock | None" = None, **settings: Any) -> None:
        self.data = data
        self.port = 0
        self._scheme = "http"
        self._clock = clock
        self._settings = settings
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def endpoint(self) -> str:
        """The address that clients are given."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def store(self) -> ImageStore:
        """The default store; its ``fresh()`` is one for a single test."""
        return ImageStore(self.endpoint, self._token)

    def start(self) -> Self:
        """Serve; the port is a new one each time."""
        from emulator.app import create_app
        from emulator.serving.server import Doors, Server
        from emulator.settings import Settings

        if self.data is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="imagestore-", ignore_cleanup_errors=True)
            self.data = Path(self._temporary.name)
        try:
            fixed = {"host": "127.0.0.1", "port": 0, "workers": 1}
            values: dict[str, Any] = {"data": self.data, "access_log": False} | self._settings | fixed
            settings = Settings(**values)
            self._token = settings.control_token
            self.app = create_app(settings, self._clock)
            doors = Doors.opened(settings)
        except BaseException:
            self._clean_up()
            raise
        self._scheme, _, port = doors.addresses()[0].rpartition(":")
        self._scheme, self.port = self._scheme.partition(":")[0], int(port)
        self.server = Server(self.app, settings, doors)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self.server.run_until_stopped()), name="image store emulator", daemon=True
        )
        self._thread.start()
        self.server.wait_until_started(_START_SECONDS)
        return self

    def stop(self) -> None:
        """Finish what is running and stop; raises `TimeoutError` if it does not."""
        self.server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError("the emulator did not stop")
        self._clean_up()

    def _clean_up(self) -> None:
        if self._temporary:
            self._temporary.cleanup()
            self._temporary = self.data = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
