"""Upload sessions: take in chunks, tell what is missing, commit, delete (reference: store 6, gateway 4 and 5)."""

import threading
import time

from emulator.operations.body import Body, Piece, Turns, in_thread
from emulator.operations.expiry import SessionLife
from emulator.operations.path_locks import changing
from emulator.protocol.content_range import ContentRange
from emulator.protocol.errors import FabricError, invalid_argument, range_not_satisfiable
from emulator.protocol.upload_session import UploadSession
from emulator.storage.content_tree import Stored
from emulator.storage.sessions import SessionRows, StagedUsage
from emulator.storage.staging import ChunkFile, OpeningFile
from emulator.storage.store import Store
from emulator.units import show_duration

_OpeningKey = tuple[str, str, int]
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.002
_FOR_EVER = (1 << 63) - 1
_DELETED = "the session was deleted while the chunk was on its way"


def _not_found(why: str) -> FabricError:
    return FabricError("NotFound", why=why)


def _unknown(session_id: str, life: SessionLife) -> str:
    return (
        f"there is no session {session_id}: it never was, was deleted, or had no new chunk for "
        f"{show_duration(life.timeout)} and expired"
    )


class Uploads:
    """The operations on upload sessions of one store."""

    def __init__(self, store: Store, life: SessionLife, session_limit: int = 0) -> None:
        self._store = store
        self._session_limit = session_limit
        self._life = life
        self._clock = life.clock
        if store.sessions.tokens():
            life.began(lambda: True)
        self._opening = OpeningFiles(store)
        self._turns = Turns()

    async def upload_chunk(self, path: str, session_id: str, chunk: ContentRange, body: Body, timeout: float) -> None:
        """Take in one chunk; the first one of an unused id makes the session.

        Nothing of it counts before all of it is on disk. Raises ``FABRIC_E_UPLOAD_SESSION_ID_CONFLICT``,
        ``E_INVALIDARG`` or ``FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE`` for one that may not join, as the
        service does once it has read the body.
        """
        if self._store.rules.parse(path).is_root:
            raise invalid_argument("the path names the store itself")
        arrival = Arrival(self, path, session_id, chunk)
        try:
            small = await body.read_small()
            if small is None:
                with self._store.staging.receiving():
                    await body.pour(arrival.write)
            async with self._turns.take(timeout):
                await in_thread(arrival.finish, small or b"", timeout)
        except BaseException:
            await in_thread(arrival.close)
            raise

    def find(self, session_id: str) -> UploadSession | None:
        """The session of that id, while it lives."""
        return self._store.sessions.find(session_id, self.alive_since_ns)

    def find_by_path(self, path: str) -> list[UploadSession]:
        """The sessions on exactly that text of a path."""
        return self._store.sessions.find_by_path(path, self.alive_since_ns)

    def staged(self) -> StagedUsage:
        """What the chunks of all living sessions take."""
        return self._store.sessions.usage(self.alive_since_ns)

    def unpublished_size(self) -> int:
        """Bytes of the chunks of living sessions that no commit has made content of."""
        return self._store.sessions.unpublished_size(self.alive_since_ns)

    async def commit(self, session_id: str, timeout: float) -> None:
        """Publish the file of a complete session. Its session stays, and committing it again is fine.

        Raises ``E_INVALIDARG`` for an unknown or incomplete session, ``NotFound`` when its bytes are lost.
        """
        async with self._turns.take(timeout):
            await in_thread(self._commit, session_id, timeout)

    async def delete(self, session_id: str, timeout: float) -> None:
        """Forget a session and its bytes; raises ``NotFound`` for an unknown one. A committed file stays."""
        async with self._turns.take(timeout):
            await in_thread(self._delete, session_id, timeout)

    def _commit(self, session_id: str, timeout: float) -> None:
        session = self.find(session_id)
        if session is None:
            raise invalid_argument(_unknown(session_id, self._life))
        session.check_commit()
        path = self._store.rules.parse(session.path)
        staged = self._store.staging.new_name()
        with changing(self._store.locks, path, timeout=timeout):
            session = self.find(session_id)
            if session is None:
                raise invalid_argument(f"session {session_id} was deleted meanwhile")
            stored = self._store.content.find(path)
            if stored and self._is_published(session, stored):
                return
            try:
                self._link(session, staged)
                published = self._store.content.publish(staged, path, self._clock.now_ns())
            finally:
                self._store.staging.discard(staged)
            with self._store.sessions.change(timeout) as rows:
                current = rows.find(session_id, self.alive_since_ns)
                if current and current.staging == session.staging:
                    current.published = published.identity
                    rows.update(current)

    def _is_published(self, session: UploadSession, stored: Stored) -> bool:
        """Whether a file is the one that this session's last commit made.

        One that is the session's own file by another name is, whatever became of its dates: other names that it has
        in snapshots come and go.
        """
        return stored.identity == session.published or self._store.staging.is_session_file(
            session.staging, stored.status
        )

    def _delete(self, session_id: str, timeout: float) -> None:
        session = self.find(session_id)
        if session is None:
            raise _not_found(_unknown(session_id, self._life))
        with self._store.staging.placing(session.staging, timeout):
            with self._store.sessions.change(timeout) as rows:
                current = rows.find(session_id, self.alive_since_ns)
                if current is None or current.staging != session.staging:
                    raise _not_found(f"session {session_id} was deleted meanwhile")
                rows.delete(session_id)
            self._store.staging.discard_session(session.staging)

    def all(self) -> list[UploadSession]:
        """Every living session."""
        return self._store.sessions.all(self.alive_since_ns)

    def expire(self) -> list[UploadSession]:
        """Free what expired sessions hold; they were invisible already."""
        return self._drop(self.alive_since_ns)

    def forget_all(self) -> list[UploadSession]:
        """Lose every session at once, as the real service does when another replica becomes primary."""
        return self._drop(_FOR_EVER)

    def _drop(self, alive_since_ns: int) -> list[UploadSession]:
        dropped = self._store.sessions.delete_expired(alive_since_ns)
        for session in dropped:
            self._store.staging.discard_session(session.staging)
        self._store.staging.sweep_sessions(self._store.sessions.tokens)
        return dropped

    def _link(self, session: UploadSession, staged: str) -> None:
        try:
            self._store.staging.link_session(session.staging, staged)
        except FileNotFoundError:
            raise _not_found(f"the bytes of session {session.session_id} are lost") from None

    def require_place(self, rows: SessionRows) -> None:
        """Raise ``FABRIC_E_SERVICE_TOO_BUSY`` if there are as many sessions as there may be."""
        if self._session_limit and rows.count(self.alive_since_ns) >= self._session_limit:
            raise FabricError(
                "FABRIC_E_SERVICE_TOO_BUSY",
                why=f"there are {self._session_limit} upload sessions, committed ones included, and no more are let in",
            )

    @property
    def alive_since_ns(self) -> int:
        """A session last changed at this time or before has expired."""
        return self._life.alive_since_ns

    @property
    def life(self) -> SessionLife:
        """When sessions end."""
        return self._life

    @property
    def store(self) -> Store:
        """The store the sessions belong to."""
        return self._store

    @property
    def opening(self) -> "OpeningFiles":
        """Files of sessions whose first chunks are arriving."""
        return self._opening

    def now_ns(self) -> int:
        """The clock's time."""
        return self._clock.now_ns()


class OpeningFiles:
    """The files of sessions without a row: first chunks that arrive together share one, so none is copied later."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._files: dict[_OpeningKey, OpeningFile] = {}

    def enter(self, key: _OpeningKey) -> OpeningFile:
        """The file for the first chunks of this session."""
        with self._guard:
            file = self._files.get(key)
            if file is None or file.is_adopted:
                file = self._files[key] = self._store.staging.open_session()
            file.users += 1
            return file

    def leave(self, key: _OpeningKey, file: OpeningFile) -> None:
        """The last one out deletes a file that became no session's."""
        with self._guard:
            file.users -= 1
            if file.users:
                return
            if self._files.get(key) is file:
                del self._files[key]
            if not file.is_adopted:
                self._store.staging.discard(file.location)


class Arrival:
    """One chunk being received, from the look at its session to the decision whether it counts."""

    def __init__(self, uploads: Uploads, path: str, session_id: str, chunk: ContentRange) -> None:
        self._uploads = uploads
        self._staging = uploads.store.staging
        self._path = path
        self._session_id = session_id
        self._chunk = chunk
        self._refusal: FabricError | None = None
        self._file: ChunkFile | None = None
        self._opening: OpeningFile | None = None
        self._expired: str | None = None

    def write(self, piece: Piece) -> None:
        """Add a piece of the body, the first of which lays claim to the range; of a refused chunk it is dropped."""
        if not self._file and not self._refusal:
            self._begin()
        if self._file:
            self._file.write(piece)

    def finish(self, last_piece: bytes, timeout: float) -> None:
        """The body is complete: make the chunk count, or raise why it does not; then let go of everything."""
        try:
            self._finish(last_piece, timeout)
        finally:
            self.close()
        if self._expired:
            self._staging.discard_session(self._expired)

    def _finish(self, last_piece: bytes, timeout: float) -> None:
        self.write(last_piece)
        if self._refusal or not self._file:
            raise self._refusal or _not_found(_DELETED)
        self._file.sync()
        for _ in range(_ATTEMPTS):
            with self._staging.recording(self._file.token, timeout):
                if self._file.was_overwritten():  # and if the other chunk came to nothing, this one can be sent again
                    raise self._overwritten()
                token = self._record(self._file, timeout)
            if token is None:
                return
            with self._staging.placing(token, timeout):
                if self._place_and_record(self._file, token, timeout):
                    return
        raise FabricError("E_ABORT", why="the session came and went too often while the chunk was recorded")

    def close(self) -> None:
        """Let go of everything; what did not count leaves no trace."""
        self._close_file()
        self._leave_opening()

    def _close_file(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _leave_opening(self) -> None:
        if self._opening:
            self._uploads.opening.leave(self._key, self._opening)
            self._opening = None

    @property
    def _key(self) -> _OpeningKey:
        return self._session_id, self._path, self._chunk.total

    def _begin(self) -> None:
        """Find the file to write into. A session that comes or goes at this very moment takes its file with it."""
        for attempts_left in reversed(range(_ATTEMPTS)):
            session = self._uploads.find(self._session_id)
            try:
                if session is None:
                    self._opening = self._uploads.opening.enter(self._key)
                    self._file = self._receive(self._opening.location, self._opening.token)
                else:
                    session.check_chunk(self._path, self._chunk)
                    self._file = self._receive(self._staging.session_file(session.staging), session.staging)
                self._check_claim()
            except FabricError as refusal:
                self._refusal = refusal
                self._close_file()  # what is refused must not be written either
            except FileNotFoundError:
                self._leave_opening()
                if not attempts_left:
                    raise
                time.sleep(_PAUSE_SECONDS)
                continue
            return

    def _receive(self, location: str, token: str) -> ChunkFile:
        return self._staging.chunk(location, token, self._chunk)

    def _check_claim(self) -> None:
        """Look at the range again once it is claimed: whoever held the claim before may just have filled it."""
        session = self._uploads.find(self._session_id)
        if session:
            session.check_chunk(self._path, self._chunk)

    def _overwritten(self) -> FabricError:
        """Another request for the same bytes was faster, and may or may not have come to something."""
        session = self._uploads.find(self._session_id)
        if session is None or session.received.is_free(self._chunk.start, self._chunk.end, session.size):
            return FabricError("FABRIC_E_TIMEOUT", why="another request for these bytes was faster, and failed")
        return range_not_satisfiable("another request for these bytes was faster")

    def _record(self, file: ChunkFile, timeout: float) -> str | None:
        """Make the chunk count if its bytes are where they belong; else answer with the token of that file."""
        with self._uploads.store.sessions.change(timeout) as rows:
            session = rows.find(self._session_id, self._uploads.alive_since_ns)
            if session is None:
                opening = self._still_opening()
                if not file.is_claimant:
                    return opening.token
                self._create(rows, file, opening)
            elif session.staging == file.token and file.is_claimant:
                self._take(rows, session, file)
            elif session.staging == file.token or self._is_own(file):
                return session.staging
            else:
                raise _not_found(_DELETED)  # another has its id now
        return None

    def _is_own(self, file: ChunkFile) -> bool:
        """Whether nobody else can have written where this chunk's bytes are, so that they may go to another session."""
        return self._opening is not None and not (file.is_claimant and self._opening.is_adopted)

    def _place_and_record(self, file: ChunkFile, token: str, timeout: float) -> bool:
        """Copy the bytes where they belong, if the range is still free; false when the session changed meanwhile."""
        session = self._uploads.find(self._session_id)
        if session is None:
            opening = self._still_opening()
            if token != opening.token:
                return False
            file.place(token, opening.location)
        else:
            if session.staging != token:
                return False
            session.check_chunk(self._path, self._chunk)
            try:
                file.place(token, self._staging.session_file(token))
            except FileNotFoundError:
                return False
        with self._uploads.store.sessions.change(timeout) as rows:
            current = rows.find(self._session_id, self._uploads.alive_since_ns)
            if (current is None) != (session is None) or (current and current.staging != token):
                return False
            if current is None:
                self._create(rows, file, self._still_opening())
            else:
                self._take(rows, current, file)
        return True

    def _still_opening(self) -> OpeningFile:
        """The file this chunk may make a session of; without one, its session was deleted under it (gateway 4.3)."""
        if self._opening is None or self._opening.is_adopted:
            raise _not_found(_DELETED)
        return self._opening

    def _create(self, rows: SessionRows, file: ChunkFile, opening: OpeningFile) -> None:
        session = UploadSession(self._session_id, self._path, self._chunk.total, 0, opening.token)
        session.take_chunk(self._chunk, file.body_length, self._uploads.now_ns())
        self._uploads.require_place(rows)
        self._expired = rows.delete(self._session_id)
        self._uploads.life.began(lambda: rows.is_empty(self._uploads.alive_since_ns))
        with self._staging.adopting(opening):
            rows.insert(session)

    def _take(self, rows: SessionRows, session: UploadSession, file: ChunkFile) -> None:
        session.check_chunk(self._path, self._chunk)
        session.take_chunk(self._chunk, file.body_length, self._uploads.now_ns())
        rows.update(session)
