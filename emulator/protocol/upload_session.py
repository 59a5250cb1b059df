"""The life of an upload session: what each step needs and does, without disk or database."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from emulator.protocol.content_range import ContentRange
from emulator.protocol.errors import FabricError, invalid_argument, range_not_satisfiable
from emulator.protocol.received_ranges import ReceivedRanges

_GAPS_SHOWN = 5


@dataclass(slots=True)
class UploadSession:
    """A file on its way in.

    `path` is the text of the first chunk's URL and is compared as such: case-sensitive, forward slashes (gateway 4.3).
    `staging` names the file that holds the bytes. `is_misfit` says that some chunk's body was not as long as its range.
    `published` identifies the content file the last commit made, ``""`` before the first.
    """

    session_id: str
    path: str
    size: int
    modified_ns: int
    staging: str
    received: ReceivedRanges = field(default_factory=ReceivedRanges)
    chunk_count: int = 0
    byte_count: int = 0
    is_misfit: bool = False
    published: str = ""

    @property
    def expected_ranges(self) -> list[tuple[int, int]]:
        """What a client still has to send: inclusive, ascending."""
        return self.received.gaps(self.size)

    def check_chunk(self, path: str, chunk: ContentRange) -> None:
        """Refuse a chunk that may not join: other path, other size, or not wholly inside one gap (store 6.3, 4-6)."""
        if path != self.path:
            raise FabricError(
                "FABRIC_E_UPLOAD_SESSION_ID_CONFLICT",
                why=f"session {self.session_id} is one for {self.path!r}, and paths are compared letter by letter",
            )
        if chunk.total != self.size:
            raise invalid_argument(f"session {self.session_id} is for a file of {self.size} bytes, not {chunk.total}")
        if not self.received.is_free(chunk.start, chunk.end, self.size):
            raise range_not_satisfiable(
                f"bytes {chunk.start}-{chunk.end} do not lie inside one gap of the session, which expects "
                f"{self._show_expected()} of {self.size} bytes; the last new chunk came at {self._show_modified()}"
            )

    def take_chunk(self, chunk: ContentRange, body_length: int, now_ns: int) -> None:
        """Record a chunk whose bytes are on disk; only a new one renews the session (store 6.4).

        The length of the body is not held against the range before the commit (gateway 5.4). In a session of size 0
        the range 0-0 stands for no byte at all.
        """
        if not self.received.add(chunk.start, chunk.end):
            return
        self.modified_ns = now_ns
        self.chunk_count += 1
        self.byte_count += body_length
        self.is_misfit |= body_length != (chunk.length if self.size else 0)

    def check_commit(self) -> None:
        """Refuse to publish anything but one range from the first byte to the last, of the right length (store 6.8)."""
        if self.is_misfit:
            raise invalid_argument(f"session {self.session_id} has a chunk whose body was not as long as its range")
        if not self.received.covers_exactly(self.size):
            raise invalid_argument(
                f"session {self.session_id} still expects {self._show_expected()} of {self.size} bytes"
            )

    def _show_modified(self) -> str:
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _show_expected(self) -> str:
        gaps = self.expected_ranges
        shown = ", ".join(f"{start}-{end}" for start, end in gaps[:_GAPS_SHOWN])
        return (shown or "nothing") + (f" and {len(gaps) - _GAPS_SHOWN} more" if len(gaps) > _GAPS_SHOWN else "")
