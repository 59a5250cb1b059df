"""A client of the service at an endpoint address: no more than what a test wants to say."""

import http.client
import uuid
from typing import Final
from urllib.parse import urlsplit

from tests.support.wire import Reply, Wire

V: Final = "api-version=6.0"
NO_ANSWER: Final = 0


class Service:
    """Sends the requests of a client to a store's endpoint address."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._wire = Wire(parts.hostname or "", parts.port or 0)
        self._prefix = parts.path

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        """Any request; raises what a broken connection raises."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._wire.send(method, self._prefix + target, headers=fields, body=body)

    def status(self, method: str, target: str, body: bytes = b"", **headers: str) -> int:
        """The status of the answer, or `NO_ANSWER`."""
        try:
            return self.send(method, target, body, **headers).status
        except (OSError, http.client.HTTPException):
            return NO_ANSWER

    def upload(self, path: str, body: bytes = b"", **headers: str) -> int:
        """Store a file."""
        return self.status("PUT", f"/ImageStore/{path}?{V}", body, **headers)

    def chunk(self, path: str, session: str, start: int, body: bytes, total: int, **headers: str) -> int:
        """Send a chunk."""
        target = f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={session}"
        part = f"bytes {start}-{start + len(body) - 1}/{total}"
        return self.status("PUT", target, body, content_range=part, **headers)

    def commit(self, session: str, **headers: str) -> int:
        """Commit a session."""
        target = f"/ImageStore/$/CommitUploadSession?{V}&session-id={session}"
        return self.status("POST", target, b"", **headers)

    def find_session(self, session: str) -> int:
        """200 for a living session, 204 for none."""
        return self.status("GET", f"/ImageStore/$/GetUploadSession?{V}&session-id={session}")

    def delete_session(self, session: str) -> int:
        """Delete a session."""
        return self.status("DELETE", f"/ImageStore/$/DeleteUploadSession?{V}&session-id={session}")


def new_session() -> str:
    """A session id nobody used."""
    return str(uuid.uuid4())
