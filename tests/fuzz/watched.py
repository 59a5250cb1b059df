"""An emulator under fire: what it logs, answers and touches is watched."""

import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.support.emulator import InProcessEmulator

V: Final = "api-version=6.0"
SENTINEL: Final = b"not to be touched"


def read_to_end(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def first_status(received: bytes) -> int:
    """The status of the first final answer, 0 for none; what comes is always HTTP."""
    received = received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if not received:
        return 0
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", received)
    assert match, received
    return int(match[1])


class Records(logging.Handler):
    """Keeps what is logged as an error or with a traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record."""
        if record.levelno >= logging.ERROR or record.exc_info:
            self.bad.append(self.format(record))


class Watched:
    """A running emulator, with everything it must not do in view."""

    def __init__(self, emulator: InProcessEmulator, surroundings: Path, records: Records) -> None:
        self.emulator = emulator
        self._surroundings = surroundings
        self._records = records
        self._before = self._outside()

    def check_unharmed(self) -> None:
        """No traceback was logged, nothing outside the data directory was touched, and it still serves."""
        bad, self._records.bad = self._records.bad, []
        assert not bad, "\n".join(bad)
        assert self._outside() == self._before
        assert self.emulator.get("/_emulator/health/ready").status == 200

    @property
    def content(self) -> set[str]:
        """Everything in the store's content, as paths on disk."""
        root = self.emulator.data / "default/content"
        return {str(path.relative_to(root)) for path in root.rglob("*")}

    def converse(self, request: bytes) -> int:
        """Send a whole request that asks for the connection to be closed, and answer with the status, 0 for none."""
        with self.emulator.connect() as connection, suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            return first_status(read_to_end(connection))
        return 0

    def blurt_out(self, request: bytes) -> int:
        """Send bytes that need not be a whole request and hang up; the status of the answer, if one came before."""
        with self.emulator.connect() as connection, suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return first_status(read_to_end(connection))
        return 0

    def _outside(self) -> dict[str, bytes | None]:
        data = self.emulator.data
        return {
            str(path.relative_to(self._surroundings)): path.read_bytes() if path.is_file() else None
            for path in self._surroundings.rglob("*")
            if path != data and data not in path.parents
        }


@contextmanager
def watched(surroundings: Path, **settings: Any) -> Iterator[Watched]:
    """Start an emulator some folders deep, with files around it that a path out of the store would meet."""
    home = surroundings / "a/b"
    home.mkdir(parents=True)
    for place in (surroundings, surroundings / "a", home):
        (place / "sentinel").write_bytes(SENTINEL)
    records = Records()
    logging.getLogger().addHandler(records)
    try:
        with InProcessEmulator(home / "data", **settings) as emulator:
            yield Watched(emulator, surroundings, records)
    finally:
        logging.getLogger().removeHandler(records)
