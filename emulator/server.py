"""The emulator as a running server: a listening socket, uvicorn, signals, logs."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from emulator.api.replies import SERVER
from emulator.direct_body import DirectProtocol
from emulator.settings import Settings

_BACKLOG: Final = 2048
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, which takes IPv4 as well for ``::``; raises `OSError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    is_for_both = host == "::" and socket.has_dualstack_ipv6()
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=is_for_both)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    return listener


def run(
    app: ASGIApp, settings: Settings, listener: socket.socket, on_started: Callable[[], None] = lambda: None
) -> None:
    """Serve on this thread until SIGINT or SIGTERM."""
    _allow_many_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(Server(app, settings, on_started).serve([listener]))


def _allow_many_files() -> None:
    """Each store and each connection keeps files open, more of them than what shells allow to begin with."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS calls it unlimited, and does not let it be
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class Server(uvicorn.Server):
    """uvicorn, which ends with success after SIGTERM or Ctrl-C instead of dying of the signal again."""

    def __init__(self, app: ASGIApp, settings: Settings, on_started: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,  # `RequestLog` knows more
                log_config=None,
                server_header=False,
                proxy_headers=False,
                headers=[("server", SERVER)],
                timeout_keep_alive=settings.keep_alive.total_seconds(),  # type: ignore[arg-type]  # as below
                timeout_graceful_shutdown=settings.shutdown_timeout.total_seconds(),  # type: ignore[arg-type]  # waits for it
                http=DirectProtocol,
                ws="none",
                lifespan="on",
            )
        )
        self._is_up = threading.Event()
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets=sockets)
        self._is_up.set()
        self._on_started()

    def wait_until_started(self, seconds: float) -> None:
        """Block another thread until requests are answered; raises `TimeoutError`."""
        if not self._is_up.wait(seconds):
            raise TimeoutError(f"the server did not start within {seconds} s")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the first SIGINT or SIGTERM for a request to finish, the second for one to stop at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self._on_signal) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
            logging.disable()  # of what is cut off now nothing needs telling
        self.should_exit = True
