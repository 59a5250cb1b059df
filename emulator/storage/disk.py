"""Bytes in and out of files: whole writes, cheap copies, two names changing places."""

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from typing import IO, Final

_NO_CLONING: Final = frozenset({errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
_COPY_PIECE: Final = 1024 * 1024

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_RENAMEAT2: Final = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None


def exchange(one: str, other: str) -> None:
    """Let two files or folders change places: at once where the system can, else by three renames."""
    if _RENAMEAT2 is not None:
        result = _RENAMEAT2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
        if result == 0:
            return
        error = ctypes.get_errno()
        if error not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(error, os.strerror(error), other)
    aside = one + ".aside"
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def copy_bytes(reader: int, writer: int, length: int, reader_offset: int = 0, writer_offset: int = 0) -> None:
    """Copy `length` bytes from one open file into another; shared blocks where the file system can."""
    done = 0
    try:
        while done < length:
            count = os.copy_file_range(reader, writer, length - done, reader_offset + done, writer_offset + done)
            if count == 0:
                break
            done += count
    except AttributeError:
        pass  # a system without the call
    except OSError as error:
        if error.errno not in _NO_CLONING:
            raise
    while done < length:
        piece = os.pread(reader, min(length - done, _COPY_PIECE), reader_offset + done)
        if not piece:
            raise OSError(errno.EIO, "the file is shorter than it was")
        write_all(writer, piece, writer_offset + done)
        done += len(piece)


def write_all(descriptor: int, piece: bytes | memoryview, offset: int) -> None:
    """Write the whole piece at `offset`, however little the system takes at a time."""
    count = os.pwrite(descriptor, piece, offset)
    while count < len(piece):
        piece, offset = memoryview(piece)[count:], offset + count
        count = os.pwrite(descriptor, piece, offset)


class AppendingWriter:
    """Writes pieces one behind the other."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._offset = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Write a piece."""
        write_all(self._descriptor, piece, self._offset)
        self._offset += len(piece)


def write_file(location: str, content: bytes, sync: Callable[[int], None] | None = None) -> None:
    """Make the new file `location` with this content, and `sync` it before it is closed."""
    descriptor = os.open(location, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        write_all(descriptor, content, 0)
        if sync:
            sync(descriptor)
    finally:
        os.close(descriptor)


def read_pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    """The first `size` bytes of an open file, piece by piece; then, or when nobody wants more, it is closed."""
    with file:
        left = size
        while left and (piece := file.read(min(left, _COPY_PIECE))):
            left -= len(piece)
            yield piece
