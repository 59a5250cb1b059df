"""What every server has in common."""

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tests.benchmarks.client import Connection, Request
from tests.benchmarks.payload import Slice
from tests.benchmarks.processes import ServerProcess, free_port


class Server(ABC):
    """A server in a directory of its own, on a free port of 127.0.0.1."""

    ready_target: ClassVar[str] = "/"
    ready_statuses: ClassVar[tuple[int, ...]] = ()

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.start_seconds = 0.0
        self.process: ServerProcess

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What to run."""

    def environment(self) -> Mapping[str, str]:
        """Environment variables to set."""
        return {}

    def start(self) -> None:
        """Run it and wait for its first answer."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = ServerProcess(self.command(), self.directory.with_suffix(".log"), self.environment())
        try:
            self.start_seconds = self.process.wait_until_ready(self.port, self.ready_target, self.ready_statuses)
            self.prepare()
        except BaseException:
            self.stop()
            raise

    def prepare(self) -> None:
        """Make what has to be there before the first upload: nothing, for most."""
        return

    def stop(self) -> None:
        """End it; its data stay."""
        self.process.stop()

    def remove(self) -> None:
        """Delete its data."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def connect(self) -> Connection:
        """A new connection."""
        return Connection(self.port)

    @abstractmethod
    def upload_request(self, name: str, body: Slice | bytes) -> Request:
        """The request that stores `body` as `name`."""

    def upload(self, connection: Connection, name: str, body: Slice) -> None:
        """Store one file."""
        connection.send(self.upload_request(name, body))

    def forget(self, name: str) -> None:
        """Delete a file, to free the disk; not timed."""
        with self.connect() as connection:
            connection.send(self.delete_request(name))

    @abstractmethod
    def delete_request(self, name: str) -> Request:
        """The request that deletes `name`."""


class ChunkedServer(Server):
    """A server that can take a file in chunks."""

    @abstractmethod
    def upload_in_chunks(self, name: str, chunks: Sequence[Slice], in_flight: int) -> float:
        """Store a file whose chunks are given in the order to send them; the seconds until it is complete."""


def timed(connection: Connection, prepared: Request) -> float:
    """Seconds that one request takes."""
    begin = time.perf_counter()
    connection.send(prepared)
    return time.perf_counter() - begin
