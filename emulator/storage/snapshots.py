"""Content and sessions of a store put aside, and put into a new store's directories.

::

    <snapshot>/
      content/            hard links to the store's files: no file of the content is ever written to again
      sessions/<token>    bytes of a session; of one that was committed, a hard link to its file
      state.json          the sessions, and the store's time

So a snapshot costs what its files are in number, not in bytes, but for the bytes of sessions still being received:
those files are written to, so they are cloned where the file system can, and copied where it cannot.
"""

import base64
import dataclasses
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from emulator.protocol.received_ranges import ReceivedRanges
from emulator.protocol.upload_session import UploadSession
from emulator.storage.disk import copy_bytes
from emulator.storage.errors import NewerDataError
from emulator.storage.layout import StoreLayout

SNAPSHOT_FORMAT: Final = 1
_CONTENT: Final = "content"
_SESSIONS: Final = "sessions"
_STATE: Final = "state.json"

OnFile = Callable[[], None]
"""Called for each file that is done."""


def save(
    layout: StoreLayout, sessions: list[UploadSession], target: Path, times: dict[str, Any], on_file: OnFile
) -> int:
    """Put a store's content, `sessions` and `times` into the new directory `target`; answers with how many files."""
    target.mkdir(parents=True)
    count = _link_tree(layout.content, target / _CONTENT, on_file)
    (target / _SESSIONS).mkdir()
    kept = []
    for session in sessions:
        try:
            _put_session(layout.sessions / session.staging, target / _SESSIONS / session.staging, session)
        except FileNotFoundError:
            continue  # deleted while we looked
        kept.append(_as_json(session))
        on_file()
    state = {"format": SNAPSHOT_FORMAT, "times": times, "sessions": kept}
    (target / _STATE).write_text(json.dumps(state, indent=1))
    return count + len(kept)


def restore(source: Path, layout: StoreLayout, on_file: OnFile) -> dict[str, Any]:
    """Put a snapshot into the directories of a new store, its sessions too; answers with the times that were kept.

    Raises `NewerDataError` for a snapshot that a newer emulator made.
    """
    state = json.loads((source / _STATE).read_text())
    if state["format"] > SNAPSHOT_FORMAT:
        raise NewerDataError(f"the snapshot {source.name}", state["format"], SNAPSHOT_FORMAT)
    layout.create()
    os.rmdir(layout.content)
    _link_tree(source / _CONTENT, layout.content, on_file)
    sessions = [_from_json(each) for each in state["sessions"]]
    for session in sessions:
        kept, session.staging = session.staging, secrets.token_hex(16)  # no other session's row can mean this file
        _put_session(source / _SESSIONS / kept, layout.sessions / session.staging, session)
        on_file()
    write_arrival(layout, sessions)
    times: dict[str, Any] = state["times"]
    return times


def write_arrival(layout: StoreLayout, sessions: list[UploadSession]) -> None:
    """Let directories that are to become a store's bring their sessions with them.

    So directories and sessions change in the one step in which the directories do, whatever dies when.
    """
    layout.arrival.write_text(json.dumps([_as_json(session) for session in sessions]))


def read_arrival(layout: StoreLayout) -> list[UploadSession] | None:
    """The sessions that came with these directories, if they did not find their way into the database yet."""
    try:
        return [_from_json(each) for each in json.loads(layout.arrival.read_text())]
    except FileNotFoundError:
        return None


def count_files(location: Path) -> int:
    """How many files a store's content or a snapshot has, to tell how far its copy is."""
    return sum(len(files) for _, _, files in os.walk(location))


def _link_tree(source: Path, target: Path, on_file: OnFile) -> int:
    """A second name for every file below `source`; a file or folder that goes meanwhile is not there."""
    count = 0
    for directory, folders, names in os.walk(source):
        here = f"{target}{directory.removeprefix(str(source))}"
        os.makedirs(here, exist_ok=True)
        folders[:] = [name for name in folders if not os.path.islink(f"{directory}/{name}")]
        for name in names:
            origin = f"{directory}/{name}"
            if os.path.islink(origin):
                continue
            try:
                _link(origin, f"{here}/{name}")
            except FileNotFoundError:
                continue
            count += 1
            on_file()
    return count


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        _copy(source, target)


def _copy(source: str, target: str, ranges: list[tuple[int, int]] | None = None) -> None:
    """A file of its own with the same bytes, or those of `ranges` only, and the same date."""
    with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        status = os.fstat(reader.fileno())
        for start, end in ranges if ranges is not None else [(0, status.st_size - 1)]:
            length = min(end + 1, status.st_size) - start
            if length > 0:
                copy_bytes(reader.fileno(), writer.fileno(), length, start, start)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _put_session(source: Path, target: Path, session: UploadSession) -> None:
    if os.stat(source).st_nlink > 1:
        _link(str(source), str(target))
    else:
        _copy(str(source), str(target), list(session.received))


def _as_json(session: UploadSession) -> dict[str, Any]:
    values = {each.name: getattr(session, each.name) for each in dataclasses.fields(session)}
    return values | {"received": base64.b64encode(session.received.to_bytes()).decode()}


def _from_json(values: dict[str, Any]) -> UploadSession:
    received = ReceivedRanges.from_bytes(base64.b64decode(values["received"]))
    return UploadSession(**(values | {"received": received}))
