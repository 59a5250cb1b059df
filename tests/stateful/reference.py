"""The Image Store as the reference describes it, in the plainest form that can be right: dictionaries and sets.

Written from the reference alone, without a look at how the emulator does it: a session is a dictionary from positions
to bytes, content a dictionary from lower-case paths to files. Two things are the emulator's own: a session expires
exactly when its time is up, and one of which any body did not fit its range is never published.
"""

from dataclasses import dataclass, field
from datetime import timedelta

Outcome = tuple[int, str]
Range = tuple[int, int]

DONE: Outcome = (200, "")
BAD_ARGUMENT: Outcome = (400, "E_INVALIDARG")
BAD_RANGE: Outcome = (400, "FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE")
CONFLICT: Outcome = (409, "FABRIC_E_UPLOAD_SESSION_ID_CONFLICT")
UNKNOWN: Outcome = (404, "NotFound")
NO_FILE: Outcome = (404, "FABRIC_E_FILE_NOT_FOUND")

LIFE = timedelta(minutes=30)


@dataclass(eq=False)
class Session:
    """A file on its way in; two are the same only if they are one object."""

    path: str
    size: int
    modified: timedelta
    arrived: dict[int, int] = field(default_factory=dict)
    fits: bool = True

    @property
    def expected(self) -> list[Range]:
        """The gaps, inclusive; a file of size 0 expects 0-0 for ever (store 6.4)."""
        if self.size == 0:
            return [(0, 0)]
        missing = [position for position in range(self.size) if position not in self.arrived]
        starts = [position for position in missing if position - 1 not in missing]
        ends = [position for position in missing if position + 1 not in missing]
        return list(zip(starts, ends, strict=True))

    @property
    def is_complete(self) -> bool:
        """Every byte from the first to the last, and none behind it (store 6.4)."""
        return self.size > 0 and self.fits and sorted(self.arrived) == list(range(self.size))


@dataclass
class File:
    """A stored file: the spelling of its first upload, its bytes, and the session whose commit made its row."""

    spelling: str
    content: bytes
    session: Session | None = None


class ReferenceStore:
    """What a client of the real service would see."""

    def __init__(self) -> None:
        self.now = timedelta()
        self.sessions: dict[str, Session] = {}
        self.files: dict[str, File] = {}

    def find(self, session_id: str) -> Session | None:
        """The session of that id, while it lives (store 6.10)."""
        session = self.sessions.get(session_id)
        return session if session and self.now - session.modified < LIFE else None

    def upload_chunk(self, session_id: str, path: str, chunk: Range, size: int, body: bytes) -> Outcome:
        """Store 6.2 to 6.5, gateway 5.3."""
        start, end = chunk
        if start > end or end > size:
            return BAD_RANGE
        session = self.find(session_id)
        if session is None:
            session = self.sessions[session_id] = Session(path, size, self.now)
        elif session.path != path:
            return CONFLICT
        elif session.size != size:
            return BAD_ARGUMENT
        elif not any(first <= start and end <= last for first, last in session.expected):
            return BAD_RANGE
        positions = range(start, end + 1)
        if all(position in session.arrived for position in positions):
            return DONE
        session.modified = self.now
        session.fits &= len(body) == len(positions)
        session.arrived.update(zip(positions, body.ljust(len(positions), b"?"), strict=False))
        return DONE

    def commit(self, session_id: str) -> Outcome:
        """Store 6.8: published again unless its file's row is still the one this session made."""
        session = self.find(session_id)
        if session is None or not session.is_complete:
            return BAD_ARGUMENT
        before = self.files.get(session.path.lower())
        if before is None or before.session is not session:
            content = bytes(session.arrived[position] for position in range(session.size))
            self._store(session.path, content, session)
        return DONE

    def delete_session(self, session_id: str) -> Outcome:
        """Store 6.9."""
        if self.find(session_id) is None:
            return UNKNOWN
        del self.sessions[session_id]
        return DONE

    def upload(self, path: str, body: bytes) -> Outcome:
        """Store 2."""
        self._store(path, body, None)
        return DONE

    def delete(self, path: str) -> Outcome:
        """Store 5: a file, a folder with all that is in it, or nothing."""
        key = path.lower()
        self.files = {name: file for name, file in self.files.items() if name != key and not name.startswith(key + "/")}
        return DONE

    def copy(self, source: str, destination: str, *, overwrites: bool) -> Outcome:
        """Store 4 for single files: the row at the destination keeps its session (store 6.8)."""
        original = self.files.get(source.lower())
        if original is None:
            return NO_FILE
        before = self.files.get(destination.lower())
        if overwrites or before is None:
            self._store(destination, original.content, before.session if before else None)
        return DONE

    def _store(self, path: str, content: bytes, session: Session | None) -> None:
        before = self.files.get(path.lower())
        self.files[path.lower()] = File(before.spelling if before else path, content, session)
