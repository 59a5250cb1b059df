"""The emulator as a running server: a listening socket, uvicorn, signals, logs."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Final

import uvicorn

from emulator.api.replies import SERVER
from emulator.app import Emulator
from emulator.direct_body import DirectProtocol
from emulator.settings import Settings, TlsMode

_BACKLOG: Final = 2048
_HANDSHAKE_SECONDS: Final = 20.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, which takes IPv4 as well for ``::``; raises `OSError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    is_for_both = host == "::" and socket.has_dualstack_ipv6()
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=is_for_both)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    return listener


@dataclass(frozen=True, slots=True)
class Doors:
    """The listening sockets: one that speaks HTTP, one that speaks HTTPS, or both."""

    plain: socket.socket | None
    secure: socket.socket | None

    @classmethod
    def opened(cls, settings: Settings, listen_on: Callable[[str, int], socket.socket] | None = None) -> "Doors":
        """As the settings say; raises what `listen_on` does, an `OSError` when an address cannot be had."""
        listen_on = listen_on or listen
        first = listen_on(settings.host, settings.port)
        if settings.tls is TlsMode.OFF:
            return cls(first, None)
        if settings.https_port is None:
            return cls(None, first)
        try:
            return cls(first, listen_on(settings.host, settings.https_port))
        except BaseException:
            first.close()
            raise

    def sockets(self) -> list[socket.socket]:
        """Those there are."""
        return [each for each in (self.plain, self.secure) if each]

    def addresses(self) -> list[str]:
        """Where clients find them."""
        return [f"{scheme}://{_shown(each)}" for scheme, each in (("http", self.plain), ("https", self.secure)) if each]

    def close(self) -> None:
        """Let nobody in any more."""
        for each in self.sockets():
            each.close()


def _shown(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def run(app: Emulator, settings: Settings, doors: Doors, on_started: Callable[[], None] = lambda: None) -> None:
    """Serve on this thread until SIGINT or SIGTERM."""
    _allow_many_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(Server(app, settings, doors, on_started).run_until_stopped())


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

    def __init__(
        self, app: Emulator, settings: Settings, doors: Doors, on_started: Callable[[], None] = lambda: None
    ) -> None:
        self._doors = doors
        self._tls = app.tls
        self._stores = app.stores
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

    async def run_until_stopped(self) -> None:
        """Serve."""
        await self.serve([self._doors.plain] if self._doors.plain else [])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets=sockets)
        if self._doors.secure and self._tls:
            server = await asyncio.get_running_loop().create_server(
                self._secure_connection,
                sock=self._doors.secure,
                ssl=self._tls.context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
                backlog=_BACKLOG,
            )
            self.servers.append(server)
        self._is_up.set()
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests finish; those that only watch would never."""
        self._stores.stop_watching()
        await super().shutdown(sockets=sockets)

    def _secure_connection(self) -> asyncio.Protocol:
        return DirectProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

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
