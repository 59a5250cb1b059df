"""The raw limit: bytes from a socket into a file with as little between as the machine allows."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from tests.benchmarks.client import Request, request
from tests.benchmarks.payload import Slice
from tests.benchmarks.servers.base import Server

_PROGRAM: Final = Path(__file__).with_name("raw_server.py")


class Raw(Server):
    """A process that knows just enough HTTP to be sent the same requests."""

    ready_statuses: ClassVar[tuple[int, ...]] = (200,)

    def command(self) -> Sequence[str]:
        return [sys.executable, str(_PROGRAM), str(self.port), str(self.directory)]

    def upload_request(self, name: str, body: Slice | bytes) -> Request:
        return request("PUT", f"/{name}", body, expected=(201,))

    def delete_request(self, name: str) -> Request:
        return request("DELETE", f"/{name}", expected=(204,))
