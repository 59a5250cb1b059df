"""Where everything lies in the data directory, and the only code that knows the names.

::

    <data>/
      format                     number of this layout; a newer one is refused
      emulator.db                upload sessions (SQLite), unless a database elsewhere has them, and then
      identity                   tells this directory from others whose sessions are in the same database
      default/                   one store
        content/                 the image store itself, as plain files and folders
        staging/
          locks                  empty; its byte ranges are locked, see `locks`
          sessions/<token>       bytes of one upload session, each chunk at its offset
          sessions/<token>.contested   written when two requests fought for one range, see `staging`
          arrival.json           sessions of a store that was put here, until they are in the database
          workers/<id>.lock      held by a running server process
          workers/<id>/...       bytes that process is receiving: swept when it is gone
      <name>/                    another store, as tests make them
      .snapshots/<name>/         see `snapshots`
      .trash/<token>/            on its way in or out: deleted when nobody is there whom it could belong to
"""

import fcntl
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emulator.storage.errors import DataDirectoryError, NewerDataError

FORMAT: Final = 1
_FORMAT_FILE: Final = "format"
_SNAPSHOTS: Final = ".snapshots"
_TRASH: Final = ".trash"
_IDENTITY_FILE: Final = "identity"


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """The directories of one store."""

    root: Path

    @property
    def content(self) -> Path:
        """The tree that mirrors the image store."""
        return self.root / "content"

    @property
    def sessions(self) -> Path:
        """Bytes of upload sessions that have a row."""
        return self.root / "staging" / "sessions"

    @property
    def workers(self) -> Path:
        """One lock and one directory for each running server process."""
        return self.root / "staging" / "workers"

    @property
    def arrival(self) -> Path:
        """Sessions that come with these directories, to be put into the database when they are opened."""
        return self.root / "staging" / "arrival.json"

    @property
    def locks(self) -> Path:
        """The file whose byte ranges stand for content paths."""
        return self.root / "staging" / "locks"

    def create(self) -> None:
        """Make what is missing."""
        for directory in (self.content, self.sessions, self.workers):
            directory.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The directory that holds everything the emulator keeps."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "emulator.db"

    def store(self, name: str = "default") -> StoreLayout:
        """One store's directories."""
        return StoreLayout(self.root / name)

    def stores(self) -> list[str]:
        """The names of all stores there are."""
        return [each.parent.name for each in self.root.glob("*/content")]

    def spare_store(self) -> StoreLayout:
        """Directories for what is to become a store, or is none any more, in the same file system."""
        trash = self.root / _TRASH
        trash.mkdir(exist_ok=True)
        return StoreLayout(trash / secrets.token_hex(8))

    def snapshot(self, name: str) -> Path:
        """Where a snapshot is."""
        return self.root / _SNAPSHOTS / name

    def snapshots(self) -> list[str]:
        """The names of all snapshots."""
        return sorted(each.name for each in self.root.glob(f"{_SNAPSHOTS}/*") if each.is_dir())

    def empty_trash(self) -> None:
        """Delete what dead processes left half-way in or out."""
        shutil.rmtree(self.root / _TRASH, ignore_errors=True)

    def open(self) -> str | None:
        """Create the directory if need be, check its format, and answer with what was upgraded, if anything.

        Raises `NewerDataError` for data a newer emulator wrote and `DataDirectoryError` where it cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            stamp = self.root / _FORMAT_FILE
            found = _read_format(stamp) if stamp.exists() else None
            self.store().create()
            if found == FORMAT:
                _require_writable(stamp)
                return None
            had_content = found is None and any(self.store().content.iterdir())
            stamp.write_text(f"{FORMAT}\n")
        except OSError as error:
            raise DataDirectoryError(self.root, error.strerror or str(error)) from error
        return f"the content in {self.root} had no format stamp and has one now" if had_content else None

    def identity(self) -> str:
        """What tells this directory from every other one, made when first asked for; `open` it before."""
        file = self.root / _IDENTITY_FILE
        try:
            with (self.root / _FORMAT_FILE).open("rb") as stamp:
                fcntl.flock(stamp, fcntl.LOCK_EX)  # two processes that start at once shall not make two
                if not file.exists() or not file.stat().st_size:
                    file.write_text(f"{secrets.token_hex(8)}\n")
                return file.read_text().strip()
        except OSError as error:
            raise DataDirectoryError(self.root, error.strerror or str(error)) from error


def _read_format(stamp: Path) -> int:
    text = stamp.read_text(errors="replace").strip()
    if not text.isascii() or not text.isdigit():
        raise DataDirectoryError(stamp.parent, f"its file {stamp.name!r} says {text[:40]!r} where a number is due")
    if int(text) > FORMAT:
        raise NewerDataError(f"the data in {stamp.parent}", int(text), FORMAT)
    return int(text)


def _require_writable(stamp: Path) -> None:
    with stamp.open("r+b"):
        pass
