"""Servers that are killed, starved and looked into: their processes, open files, memory, data directory and log."""

import http.client
import os
import signal
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.databases import rows_of
from tests.support.emulator import EmulatorProcess
from tests.support.waiting import eventually
from tests.support.wire import Reply

V: Final = "api-version=6.1"


class DurableServer(EmulatorProcess):
    """The emulator in a process group of its own, so that it can be killed with its workers at one stroke."""

    def __init__(self, data: Path, *options: str, **popen: Any) -> None:
        super().__init__(data, "--no-access-log", *options, start_new_session=True, **popen)
        self.data = data
        self._options = options

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self.process.pid

    def workers(self) -> set[int]:
        """The processes that serve: its children, or itself where it has none."""
        return children(self.pid) or {self.pid}

    def kill(self) -> None:
        """``kill -9`` of all its processes."""
        os.killpg(self.pid, signal.SIGKILL)
        self.ended()

    def started(self) -> Self:
        """Once all its processes are past their start."""
        expected = int(self._options[self._options.index("--workers") + 1]) if "--workers" in self._options else 1
        eventually(self.is_ready, "it is ready")
        eventually(lambda: len(self.workers()) == expected, "all workers run")
        eventually(lambda: all(map(self._serves, self.workers())), "all workers serve")
        return self

    def _serves(self, pid: int) -> bool:
        """A process that was just forked is still what its parent is, which catches SIGTERM."""
        return (pid == self.pid or command_line_of(pid) != command_line_of(self.pid)) and catches_sigterm(pid)

    def log(self) -> str:
        """What it wrote so far."""
        return "".join(self.output)

    def is_ready(self) -> bool:
        """What the health page says, if there is anybody to say it."""
        try:
            return self.get("/_emulator/health/ready").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def upload(self, path: str, body: bytes) -> Reply:
        """Store a whole file."""
        return self.put(f"/ImageStore/{path}?{V}", body)

    def chunk(self, path: str, session_id: str, start: int, body: bytes, total: int) -> Reply:
        """Send one chunk of a session."""
        return self.put(
            f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={session_id}",
            body,
            headers={"Content-Range": content_range(start, len(body), total)},
        )

    def commit(self, session_id: str) -> Reply:
        """Publish a session."""
        return self.post(f"/ImageStore/$/CommitUploadSession?{V}&session-id={session_id}")

    def expected_ranges(self, session_id: str) -> list[tuple[int, int]] | None:
        """What a session still lacks, both ends inclusive; ``None`` when there is none of that id."""
        reply = self.get(f"/ImageStore/$/GetUploadSession?{V}&session-id={session_id}")
        if reply.status == 204:
            return None
        assert reply.status == 200, reply
        (session,) = reply.json()["UploadSessions"]
        return [(int(each["StartPosition"]), int(each["EndPosition"])) for each in session["ExpectedRanges"]]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing of it may outlive the test, not even what it failed to stop."""
        try:
            super().__exit__(kind, error, trace)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


def content_range(start: int, length: int, total: int) -> str:
    """``Content-Range`` of a chunk."""
    return f"bytes {start}-{start + length - 1}/{total}"


def children(pid: int) -> set[int]:
    """The living children of a process."""
    found = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):  # gone before, or while it was read
            continue
        if state != "Z":
            found.add(int(child))
    return found


def command_line_of(pid: int) -> bytes:
    """What a process was started as."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def catches_sigterm(pid: int) -> bool:
    """Whether a process is past the part of its start in which SIGTERM simply ends it."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def content_of(data: Path, folder: str = "") -> dict[str, bytes]:
    """Every file of the content, or of a folder in it, as it is on disk, by its path there."""
    root = data / "default/content" / folder
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def session_tokens(data: Path) -> set[str]:
    """The staging files that the database names."""
    return {token for (token,) in rows_of(data, "SELECT staging FROM upload_session")}


def session_files(data: Path) -> set[str]:
    """The staging files that are there, those of sessions that were fought for counted once."""
    return {file.name.removesuffix(".contested") for file in (data / "default/staging/sessions").iterdir()}


def half_received(data: Path) -> list[str]:
    """What server processes, living or dead, have in their own staging directories."""
    workers = data / "default/staging/workers"
    return [str(file.relative_to(workers)) for file in workers.glob("*/*")]


def leftovers(data: Path, living: int) -> set[Path]:
    """What staging holds that belongs to no session, or to a process when there are more than the living."""
    workers, sessions = data / "default/staging/workers", data / "default/staging/sessions"
    found = {workers / file for file in half_received(data)}
    found |= {sessions / name for name in session_files(data) - session_tokens(data)}
    owned = set(workers.iterdir())
    return found | (owned if len(owned) != 2 * living else set())


def require_clean_staging(data: Path, living: int) -> None:
    """Servers tidy up behind their answers, so this looks until it is so. Orphans are taken away for the next test."""
    try:
        eventually(lambda: not leftovers(data, living), "staging is clean")
    except AssertionError:
        found = leftovers(data, living)
        for file in found:
            if file.parent.name == "sessions":
                file.unlink(missing_ok=True)
        raise AssertionError(f"left over in staging: {sorted(map(str, found))}") from None
    assert session_tokens(data) == session_files(data), "a session without its bytes"


def memory_of(pid: int) -> int:
    """Bytes of memory a process holds."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def open_files_of(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
