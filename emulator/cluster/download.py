"""``.sfpkg`` files from an external store: fetched from this machine alone, and unpacked.

A real cluster downloads from wherever it is told to. The emulator is told by whoever reaches its port, so it asks no
other machine: the address has to lead to a loopback address, and the connection is made to the very address that was
looked at. No redirect is followed and no proxy asked.
"""

import contextlib
import http.client
import ipaddress
import os
import shutil
import socket
import ssl
import stat
import threading
import zipfile
import zlib
from contextlib import closing
from typing import Final
from urllib.parse import SplitResult, urlsplit

from emulator.cluster.manifests import invalid_package
from emulator.protocol.content_path import PathRules
from emulator.protocol.errors import FabricError

_PIECE: Final = 1024 * 1024
_CONNECT_TIMEOUT: Final = 5.0
_BROKEN: Final = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, ValueError)


class Line:
    """The connection of a download; another thread may cut it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_cut = False
        self._handle: socket.socket | None = None

    def open(self, address: str, port: int, timeout: float) -> socket.socket:
        """Connect; raises `OSError`, also for a line that was cut before."""
        connection = socket.create_connection((address, port), _CONNECT_TIMEOUT)
        connection.settimeout(timeout)
        with self._guard:
            if self._is_cut:
                connection.close()
                raise ConnectionAbortedError("the download was given up")
            self._handle = connection.dup()  # TLS takes the connection itself away
        return connection

    def cut(self) -> None:
        """Whoever waits at it, or will, need not wait any longer."""
        with self._guard, contextlib.suppress(OSError):
            self._is_cut = True
            if self._handle:
                self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of it."""
        with self._guard:
            if self._handle:
                self._handle.close()
                self._handle = None


def download_package(uri: str, location: str, largest: int, timeout: float, line: Line) -> None:
    """Fetch the package at `uri`, of `largest` bytes at most, into the new file `location`.

    Raises where it may or can not be.
    """
    parts = urlsplit(uri)
    address = _loopback_address(parts, uri)
    try:
        with (
            closing(line),
            closing(_connect(parts, address, timeout, line)) as connection,
            open(location, "xb") as file,
        ):
            path = parts._replace(scheme="", netloc="", fragment="").geturl()
            connection.request("GET", path, headers={"User-Agent": "imagestore-emulator"})
            with connection.getresponse() as answer:
                if answer.status != 200:
                    raise _failed(uri, f"The remote server returned an error: ({answer.status}) {answer.reason}.")
                while piece := answer.read(_PIECE):
                    if file.tell() + len(piece) > largest:
                        raise _no_room("the package is larger than what the disk or the store can hold")
                    file.write(piece)
                if answer.length:
                    raise _failed(uri, "The connection was closed before the whole package had come.")
    except TimeoutError:
        raise FabricError(
            "FABRIC_E_TIMEOUT", why=f"the server of the package kept it waiting for {timeout:g} s"
        ) from None
    except (http.client.HTTPException, ConnectionError, ssl.SSLError, socket.gaierror, UnicodeError) as error:
        raise _failed(uri, f"{type(error).__name__}: {error}") from None


def unpack_package(archive: str, folder: str, largest: int, rules: PathRules) -> None:
    """Unpack a zip into the new folder `folder`; raises ``FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR`` for a bad one.

    Nothing leaves the folder, and what would be more than `largest` bytes is refused before anything is written.
    """
    os.mkdir(folder)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [each for each in opened.infolist() if not each.is_dir()]
            if sum(each.file_size for each in members) > largest:
                raise _no_room("unpacked, the package is larger than what the disk or the store can hold")
            for member in members:
                target = "/".join([folder, *_path(member, rules)])
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with opened.open(member) as reader, open(target, "wb") as writer:
                    shutil.copyfileobj(reader, writer, _PIECE)
    except (FileExistsError, IsADirectoryError, NotADirectoryError):
        raise invalid_package(
            "The application package is not a valid archive.", "a file and a folder in it have one name"
        ) from None
    except _BROKEN as error:
        raise invalid_package("The application package is not a valid archive.", f"no zip: {error}") from None


def _path(member: zipfile.ZipInfo, rules: PathRules) -> tuple[str, ...]:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise invalid_package(
            "The application package is not a valid archive.", f"{member.filename} is a symbolic link"
        )
    try:
        path = rules.parse(member.filename)
    except FabricError as error:
        raise invalid_package("The application package is not a valid archive.", error.why) from None
    if path.is_root:
        raise invalid_package("The application package is not a valid archive.", "a file in it has no name")
    return path.parts


def _loopback_address(parts: SplitResult, uri: str) -> str:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    addresses = [str(each[4][0]) for each in found]
    if not addresses or not all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in addresses):
        raise FabricError(
            "E_NOTIMPL",
            f"This emulator downloads application packages from its own machine only, not from '{uri}'.",
            why="the host of ApplicationPackageDownloadUri has to be localhost or another loopback address",
        )
    return addresses[0]


def _connect(parts: SplitResult, address: str, timeout: float, line: Line) -> http.client.HTTPConnection:
    kind = _PinnedHttps if parts.scheme.lower() == "https" else _Pinned
    return kind(line, address, parts.hostname or "", parts.port, timeout)


class _Pinned(http.client.HTTPConnection):
    """Connects to an address that was checked, whatever the host's name may mean by now."""

    def __init__(self, line: Line, address: str, host: str, port: int | None, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._create_connection = lambda target, *_: line.open(address, target[1], timeout)


class _PinnedHttps(_Pinned, http.client.HTTPSConnection):
    """The same with TLS, whose certificate has to be the host's."""


def _no_room(why: str) -> FabricError:
    return FabricError("FABRIC_E_IMAGESTORE_IOERROR", why=why)


def _failed(uri: str, reason: str) -> FabricError:
    return FabricError("FABRIC_E_IMAGEBUILDER_UNEXPECTED_ERROR", reason, why=f"the package at {uri} could not be had")
