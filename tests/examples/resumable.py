"""Uploads a file in chunks, several at a time, and gets it there whatever goes wrong on the way.

::

    python resumable.py http://127.0.0.1:19080 movie.bin MyApp/movie.bin

Only the service knows what has arrived: an answer may be lost, and so may be what was acknowledged. So no chunk is sent
again because of its own answer. Each round asks ``GetUploadSession`` for the ranges that are missing and sends those;
when nothing is missing any more it commits. A session that is gone, because it expired or its cluster failed over,
begins anew. A commit without an answer is made again, which is right in either case: a session outlives its commit, and
to commit it twice is no mistake.
"""

import http.client
import json
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

Range = tuple[int, int]
"""First and last byte."""

MISSING = 204
"""Status of the answer about a session that is not there."""


class UploadError(Exception):
    """The file could not be uploaded; the message says what went wrong last."""


class _TroubleError(Exception):
    """One request came to nothing, as far as this client knows."""


class Upload:
    """One file on its way.

    `rounds` limits how often it is tried. Before each round but the first there is a pause, twice as long as the one
    before; `pause` is the first one's seconds. `timeout` is that of each request, which the service is told too.
    """

    def __init__(
        self,
        endpoint: str,
        file: Path,
        target: str,
        *,
        chunk_size: int = 4 * 1024 * 1024,
        parallel: int = 4,
        rounds: int = 6,
        pause: float = 1.0,
        timeout: int = 60,
    ) -> None:
        self._endpoint = urlsplit(endpoint.rstrip("/"))
        self._file = file
        self._size = file.stat().st_size
        self._target = quote(target)
        self._chunk_size = chunk_size
        self._parallel = parallel
        self._rounds = rounds
        self._pause = pause
        self._timeout = timeout
        self._session = str(uuid.uuid4())

    def run(self) -> None:
        """Return when the file is there; raises `UploadError` when it will not work."""
        trouble = None
        for attempt in range(self._rounds):
            if attempt:
                time.sleep(self._pause * 2 ** (attempt - 1))
            try:
                if self._size == 0:  # a range of no bytes cannot be written
                    self._ask("PUT", self._target)
                    return
                refused = self._send(self._missing())
                if not self._missing():
                    self._ask("POST", "$/CommitUploadSession", session=True)
                    return
                trouble = refused or trouble
            except _TroubleError as error:
                trouble = error
        raise UploadError(f"{self._file}: given up after {self._rounds} rounds: {trouble}") from trouble

    def _missing(self) -> list[Range]:
        """What the service does not have yet; all of it, for a new session, where it knows no session."""
        status, body = self._ask("GET", "$/GetUploadSession", session=True)
        if status == MISSING:
            self._session = str(uuid.uuid4())
            return [(0, self._size - 1)]
        try:
            (session,) = json.loads(body)["UploadSessions"]
            return [(int(each["StartPosition"]), int(each["EndPosition"])) for each in session["ExpectedRanges"]]
        except (ValueError, KeyError, TypeError) as error:
            raise _TroubleError(f"the answer about the session makes no sense: {error!r}") from error

    def _send(self, ranges: list[Range]) -> _TroubleError | None:
        """Send these bytes, and answer with what went wrong last, if anything."""
        with ThreadPoolExecutor(self._parallel) as pool:
            return next(filter(None, pool.map(self._send_chunk, self._chunks(ranges))), None)

    def _chunks(self, ranges: list[Range]) -> Iterator[Range]:
        for first, last in ranges:
            for start in range(first, last + 1, self._chunk_size):
                yield start, min(start + self._chunk_size - 1, last)

    def _send_chunk(self, chunk: Range) -> _TroubleError | None:
        start, end = chunk
        with self._file.open("rb") as file:
            file.seek(start)
            body = file.read(end - start + 1)
        try:
            self._ask("PUT", f"{self._target}/$/UploadChunk", body, f"bytes {start}-{end}/{self._size}", session=True)
        except _TroubleError as error:
            return error
        return None

    def _ask(
        self, verb: str, target: str, body: bytes = b"", content_range: str = "", *, session: bool = False
    ) -> tuple[int, bytes]:
        query = f"api-version=6.0&timeout={self._timeout}" + (f"&session-id={self._session}" if session else "")
        headers = {"Content-Range": content_range} if content_range else {}
        secure = self._endpoint.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._endpoint.hostname or "", self._endpoint.port, timeout=self._timeout)
        try:
            connection.request(verb, f"{self._endpoint.path}/ImageStore/{target}?{query}", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise _TroubleError(f"{verb} {target}: {error!r}") from error
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise _TroubleError(f"{verb} {target}: {answer.status} {text.decode(errors='replace')}")
        return answer.status, text


if __name__ == "__main__":
    try:
        Upload(sys.argv[1], Path(sys.argv[2]), sys.argv[3]).run()
    except UploadError as error:
        sys.exit(str(error))
