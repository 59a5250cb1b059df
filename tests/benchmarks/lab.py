"""Where works find what they need: sizes, the payload, a directory, and servers that live as long as the work."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.client import BenchmarkError
from tests.benchmarks.payload import Payload
from tests.benchmarks.results import OURS, OURS_AGAIN, OURS_POWER, Measure
from tests.benchmarks.servers import azurite, nginx, tus
from tests.benchmarks.servers.azurite import Azurite
from tests.benchmarks.servers.base import Server
from tests.benchmarks.servers.emulator import Emulator, has_option
from tests.benchmarks.servers.nginx import Nginx
from tests.benchmarks.servers.raw import Raw
from tests.benchmarks.servers.tus import Tuspyserver
from tests.benchmarks.sizes import Sizes

NGINX: Final = "nginx"
NGINX_BUFFERED: Final = "nginx, 1 MiB buffer"
AZURITE: Final = "Azurite"
TUS: Final = "tuspyserver"
TUS_SYNCED: Final = "tuspyserver, data synced"
RAW: Final = "raw socket to file"

NAMES: Final = (OURS, OURS_AGAIN, OURS_POWER, NGINX, NGINX_BUFFERED, AZURITE, TUS, TUS_SYNCED, RAW)


@dataclass(frozen=True)
class Lab:
    """One run's surroundings."""

    directory: Path
    peers: Path
    payload: Payload
    sizes: Sizes
    rounds: int

    def fault(self, name: str) -> str | None:
        """Why the server of that name cannot take part."""
        if name == OURS_POWER:
            return None if has_option("--durability") else "the emulator has no --durability yet"
        if name in (NGINX, NGINX_BUFFERED):
            return None if nginx.find(self.peers) else "not installed"
        if name == AZURITE:
            return azurite.fault(self.peers)
        if name in (TUS, TUS_SYNCED):
            return tus.fault(self.peers)
        if name == RAW:
            return None if hasattr(os, "splice") else "this platform has no splice"
        return None

    def server(self, name: str, *options: str) -> Server:
        """The server of that name, not started; `options` are for an emulator's command line."""
        directory = self.directory / name.replace(" ", "-").replace(",", "").strip("()")
        program = nginx.find(self.peers) or ""
        made: dict[str, Callable[[], Server]] = {
            OURS: lambda: Emulator(directory, *options),
            OURS_AGAIN: lambda: Emulator(directory, *options),
            OURS_POWER: lambda: Emulator(directory, "--durability", "power", *options),
            NGINX: lambda: Nginx(directory, program),
            NGINX_BUFFERED: lambda: Nginx(directory, program, "client_body_buffer_size 1m;"),
            AZURITE: lambda: Azurite(directory, self.peers),
            TUS: lambda: Tuspyserver(directory, self.peers, syncs_data=False),
            TUS_SYNCED: lambda: Tuspyserver(directory, self.peers, syncs_data=True),
            RAW: lambda: Raw(directory),
        }
        return made[name]()

    @contextmanager
    def running(self, names: Sequence[str], measures: Sequence[Measure]) -> Iterator[dict[str, Server]]:
        """The servers of those names, started; one that cannot run is noted in the measures and left out."""
        with ExitStack() as stack:
            servers: dict[str, Server] = {}
            for name in names:
                reason = self.fault(name)
                if reason:
                    for measure in measures:
                        measure.skip(name, reason)
                    continue
                try:
                    servers[name] = stack.enter_context(started(self.server(name)))
                except BenchmarkError as error:
                    for measure in measures:
                        measure.fail(name, error)
            yield servers

    @contextmanager
    def emulator(self, name: str = OURS, *options: str) -> Iterator[Emulator]:
        """One emulator, for works without peers."""
        server = self.server(name, *options)
        assert isinstance(server, Emulator)
        with started(server):
            yield server


@contextmanager
def started(server: Server) -> Iterator[Server]:
    """A server for the length of a block; its data are deleted afterwards."""
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        server.remove()


def settle() -> None:
    """Begin a timed part without the writes of the one before."""
    os.sync()
