"""Bytes on their way in: whole files being received, and the chunks of upload sessions.

**A whole file** is received in a file of its own and moved into the content tree when it is complete.

**A chunk** is written at its offset in the one file of its session, so that a commit has nothing left to join. Two
hazards come with that, and this is how each is held off, between threads and between processes alike:

* *Two requests for one range must not mix their bytes.* The first claims the range by locking it in the session's
  file; a request that finds it claimed writes to a file of its own. Whichever is complete first wins. If that is the
  second (the first may hang in a dead connection), it leaves a note beside the session's file and copies its bytes in
  while no claimant is writing; a claimant that sees a note about its range, before its next piece or at the end, knows
  that its bytes are gone, writes no more and is refused.
* *Nobody may write to a file that has been committed.* A commit needs every range received; a range is received only
  once its writer is done or was stopped as above; and a range that is received is claimed no more.

A dead server leaves its lock free and its directory behind, and the next one to start sweeps it.
"""

import itertools
import os
import secrets
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from emulator.protocol.content_range import ContentRange
from emulator.protocol.limits import LARGEST_FILE
from emulator.storage.disk import copy_bytes, write_all
from emulator.storage.durability import Sync
from emulator.storage.layout import StoreLayout
from emulator.storage.locks import NamedLocks, range_locks

_CONTESTED = ".contested"
_SESSIONS = "sessions"
_PIECE_TIMEOUT = 60.0
_NOTE = struct.Struct("<QQ")


class Staging:
    """The staging area of one store, as one server process uses it."""

    def __init__(self, layout: StoreLayout, locks: NamedLocks, sync: Sync) -> None:
        self._workers = str(layout.workers)
        self._sessions = str(layout.sessions)
        self._sync = sync
        self._locks = locks
        self._names = itertools.count()
        self._receiving = 0
        self._workers_changed = 0
        self._is_alone = False
        self._lock, self._directory = _enlist(layout.workers)
        self._sweep_dead_workers()

    def new_name(self) -> str:
        """A place for a file or folder that nobody else uses, in the file system of the content."""
        return f"{self._directory}/{next(self._names)}"

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Inside, a large body is being written."""
        self._receiving += 1
        try:
            yield
        finally:
            self._receiving -= 1

    @property
    def is_quick(self) -> bool:
        """Whether writing a small file takes no longer than handing it to a thread would."""
        return not self._receiving and not self._sync.is_on

    def is_alone(self) -> bool:
        """Whether no other server process uses this store: each has a lock beside its directory."""
        changed = os.stat(self._workers).st_mtime_ns
        if changed != self._workers_changed:
            self._workers_changed = changed
            self._is_alone = sum(name.endswith(".lock") for name in os.listdir(self._workers)) <= 1
        return self._is_alone

    def session_file(self, token: str) -> str:
        """Where the bytes of a session with a row are."""
        return f"{self._sessions}/{token}"

    def sync_file(self, descriptor: int) -> None:
        """Push an open file to the disk, where durability asks for it."""
        self._sync.file(descriptor)

    def sync_tree(self, location: str) -> None:
        """Push a staged folder to the disk, where durability asks for it."""
        self._sync.tree(location)

    def discard(self, location: str) -> None:
        """Delete a staged file or folder, if it is there."""
        try:
            os.unlink(location)
        except FileNotFoundError:
            pass
        except (IsADirectoryError, PermissionError):
            shutil.rmtree(location, ignore_errors=True)

    def discard_session(self, token: str) -> None:
        """Delete the bytes of a session whose row is gone."""
        location = self.session_file(token)
        self.discard(location)
        self.discard(location + _CONTESTED)

    def sweep_sessions(self, living_tokens: Callable[[], set[str]]) -> int:
        """Delete session files that no row names; answers how many."""
        with self._locks.hold(exclusive=[_SESSIONS]):
            names = os.listdir(self._sessions)
            living = living_tokens()
            orphans = [name for name in names if name.removesuffix(_CONTESTED) not in living]
            for name in orphans:
                self.discard(self.session_file(name))
        return len(orphans)

    @contextmanager
    def adopting(self, opening: "OpeningFile") -> Iterator[None]:
        """Inside, a session row is made for a file of `open_session`, which then is the session's; be `recording`."""
        yield
        opening.is_adopted = True  # first: whoever comes from now on shall look for the session instead
        try:
            os.rename(opening.location, self.session_file(opening.token))
        except OSError:
            opening.is_adopted = False
            raise
        self._sync.directory(self._sessions)

    def open_session(self) -> "OpeningFile":
        """A file for a session that has no row yet."""
        location = self.new_name()
        os.close(os.open(location, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        return OpeningFile(location)

    def chunk(self, location: str, token: str, chunk: ContentRange) -> "ChunkFile":
        """Start to receive a chunk of the session whose bytes are in `location`.

        Raises `FileNotFoundError` when that file was moved or deleted a moment ago.
        """
        return ChunkFile(self, location, token, chunk)

    def link_session(self, token: str, target: str) -> None:
        """Make `target` a second name of a session's bytes, or a copy where the file system has no links.

        A copy as well where they have a second name already: as what they were published before, in a snapshot
        perhaps, and publishing them again dates them anew. Raises `FileNotFoundError` when the bytes are gone.
        """
        location = self.session_file(token)
        if os.stat(location).st_nlink == 1:
            try:
                os.link(location, target)
            except FileNotFoundError:
                raise
            except OSError:
                pass
            else:
                return
        with open(location, "rb", buffering=0) as source, open(target, "xb", buffering=0) as copy:
            copy_bytes(source.fileno(), copy.fileno(), os.fstat(source.fileno()).st_size)
            self.sync_file(copy.fileno())

    def is_session_file(self, token: str, status: os.stat_result) -> bool:
        """Whether what has this status is the file with a session's bytes, by whatever name."""
        try:
            return os.path.samestat(os.stat(self.session_file(token)), status)
        except FileNotFoundError:
            return False

    def writing(self, token: str) -> AbstractContextManager[None]:
        """Hold off a winner of a contested range in the session's file; any number of claimants may."""
        return self._locks.hold(shared=[_session(token)], timeout=_PIECE_TIMEOUT)

    def recording(self, token: str, timeout: float) -> AbstractContextManager[None]:
        """Like `writing`, and hold off the sweep of files without a row until the row is committed."""
        return self._locks.hold(shared=[_session(token), _SESSIONS], timeout=timeout)

    def placing(self, token: str, timeout: float) -> AbstractContextManager[None]:
        """Hold off every claimant of the session's file, and the sweep of files without a row."""
        return self._locks.hold(exclusive=[_session(token)], shared=[_SESSIONS], timeout=timeout)

    def contests(self, token: str) -> int:
        """Bytes of notes about ranges of a session that were fought for."""
        try:
            return os.stat(self.session_file(token) + _CONTESTED).st_size
        except FileNotFoundError:
            return 0

    def note_contest(self, token: str, start: int, length: int) -> None:
        """Tell every claimant of the session that these bytes are somebody else's from now on."""
        with open(self.session_file(token) + _CONTESTED, "ab", buffering=0) as note:
            note.write(_NOTE.pack(start, start + length))

    def contested_since(self, token: str, known: int) -> list[tuple[int, int]] | None:
        """The ranges noted after the first `known` bytes of notes; ``None`` where those are gone."""
        try:
            with open(self.session_file(token) + _CONTESTED, "rb", buffering=0) as note:
                notes = note.read()
        except FileNotFoundError:
            return None
        return list(_NOTE.iter_unpack(notes[known:])) if len(notes) >= known else None

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._directory, ignore_errors=True)
        Path(f"{self._directory}.lock").unlink(missing_ok=True)
        range_locks.unlock(self._lock)
        os.close(self._lock)

    def _sweep_dead_workers(self) -> None:
        for lock in Path(self._workers).glob("*.lock"):
            directory = lock.with_suffix("")
            if str(directory) == self._directory:
                continue
            try:
                descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # another process, starting at the same time, swept it
            try:
                if range_locks.try_lock(descriptor, 0, 1, exclusive=True):
                    shutil.rmtree(directory, ignore_errors=True)
                    lock.unlink(missing_ok=True)
                    range_locks.unlock(descriptor)
            finally:
                os.close(descriptor)


class OpeningFile:
    """The file of a session that becomes one when its first chunk is complete; chunks that start meanwhile share it."""

    def __init__(self, location: str) -> None:
        self.token = secrets.token_hex(16)
        self.location = location
        self.users = 0
        self.is_adopted = False


class ChunkFile:
    """One chunk on its way to disk: `write` its body piece by piece, `place` it if it is elsewhere, then `close`."""

    def __init__(self, staging: Staging, location: str, token: str, chunk: ContentRange) -> None:
        self.token = token
        self.body_length = 0
        self._staging = staging
        self._start = chunk.start
        self._capacity = chunk.length if 0 < chunk.total <= LARGEST_FILE else 0
        self._own_location = ""
        self._is_overwritten = False
        self._descriptor = os.open(location, os.O_RDWR | os.O_CLOEXEC)
        try:
            is_claimant = not self._capacity or range_locks.try_lock(
                self._descriptor, self._start, self._capacity, exclusive=True
            )
            self._contests = staging.contests(token)
        except BaseException:
            os.close(self._descriptor)
            raise
        if not is_claimant:
            os.close(self._descriptor)
            self._own_location = staging.new_name()
            self._descriptor = os.open(self._own_location, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    @property
    def is_claimant(self) -> bool:
        """Whether the bytes go to their place in the file of `token`, or else to a file of their own."""
        return not self._own_location

    def write(self, piece: bytes | memoryview) -> None:
        """Add a piece of the body. What is longer than the range is counted and not kept."""
        kept = memoryview(piece)[: max(self._capacity - self.body_length, 0)]
        if kept and self.is_claimant:
            self._write_claimed(kept)
        elif kept:
            write_all(self._descriptor, kept, self.body_length)
        self.body_length += len(piece)

    def sync(self) -> None:
        """Push what was written to the disk, where durability asks for it."""
        self._staging.sync_file(self._descriptor)

    def place(self, token: str, location: str) -> None:
        """Copy the bytes into `location`, the file of session `token`; the caller is `placing` there."""
        length = min(self.body_length, self._capacity)
        with open(location, "r+b", buffering=0) as session:
            self._staging.note_contest(token, self._start, length)
            here = self._start if self.is_claimant else 0
            copy_bytes(self._descriptor, session.fileno(), length, here, self._start)
            self._staging.sync_file(session.fileno())

    def close(self) -> None:
        """Give up the claim and whatever was not placed."""
        range_locks.unlock(self._descriptor)
        os.close(self._descriptor)
        if self._own_location:
            self._staging.discard(self._own_location)

    def was_overwritten(self) -> bool:
        """Whether somebody else has written over this chunk's bytes; to be asked while `writing` or `recording`.

        Even if that one's chunk came to nothing in the end, this one's bytes are no longer there.
        """
        contests = self._staging.contests(self.token)
        if self.is_claimant and contests != self._contests and not self._is_overwritten:
            notes = self._staging.contested_since(self.token, self._contests)
            self._contests = contests
            end = self._start + self._capacity
            self._is_overwritten = notes is None or any(start < end and self._start < stop for start, stop in notes)
        return self._is_overwritten

    def _write_claimed(self, piece: memoryview) -> None:
        with self._staging.writing(self.token):
            if not self.was_overwritten():
                write_all(self._descriptor, piece, self._start + self.body_length)


def _session(token: str) -> str:
    return f"session {token}"


def _enlist(workers: Path) -> tuple[int, str]:
    """Make this process's directory, with a lock that tells others it is alive."""
    while True:
        directory = workers / secrets.token_hex(8)
        lock = directory.with_suffix(".lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if range_locks.try_lock(descriptor, 0, 1, exclusive=True) and lock.exists():
            directory.mkdir()
            return descriptor, str(directory)
        os.close(descriptor)  # another process, just starting, took it for a dead one's
