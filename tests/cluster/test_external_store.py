"""Packages from an external store: from this machine and no other, unpacked without harm."""

import contextlib
import http.client
import io
import random
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clients.package import read_tree
from tests.support.application import Files, V, package, provision, types, unprovision
from tests.support.emulator import EmulatorProcess, InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Reply, Wire

INVALID = "FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR"
UNEXPECTED = "FABRIC_E_IMAGEBUILDER_UNEXPECTED_ERROR"


def sfpkg(files: Files | None = None) -> bytes:
    """A package as one file, without mark files, as tools make them."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for path, content in (package() if files is None else files).items():
            if not path.endswith("_.dir"):
                opened.writestr(path, content)
    return archive.getvalue()


class Shop:
    """A web server of packages: what it has, and what it was asked for."""

    def __init__(self) -> None:
        self.has: dict[str, tuple[int, dict[str, str], bytes]] = {"/calc.sfpkg": (200, {}, sfpkg())}
        self.asked: list[str] = []
        self.port = 0

    def address(self, path: str = "/calc.sfpkg", host: str = "127.0.0.1") -> str:
        """Where something is."""
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def shop() -> Iterator[Shop]:
    """An open one."""
    with serving(Shop()) as opened:
        yield opened


@contextmanager
def serving(shop: Shop) -> Iterator[Shop]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.asked.append(self.path)
            status, headers, body = shop.has.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        shop.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield shop
        server.shutdown()
        thread.join()


def order(emulator: Wire, uri: str, name: str = "Calc", version: str = "1.0", **fields: Any) -> Reply:
    """Ask to register a package at an address."""
    return provision(
        emulator,
        "",
        Kind="ExternalStore",
        ApplicationPackageDownloadUri=uri,
        ApplicationTypeName=name,
        ApplicationTypeVersion=version,
        **fields,
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9"])
def test_a_package_on_this_machine_is_registered_with_the_mark_files_it_lacks(
    emulator: InProcessEmulator, shop: Shop, host: str
) -> None:
    if host == "127.9.9.9":
        with serving_elsewhere() as other:
            reply = order(emulator, other)
    else:
        reply = order(emulator, shop.address("/calc.sfpkg?sig=a%2Bb", host).replace("?sig=a%2Bb", ""))
    assert reply.status == 200, reply.body

    stored = read_tree(emulator.data / "default/content")
    assert {path for path in stored if not path.endswith(".checksum")} == {
        "Store/Calc/ApplicationManifest.1.0.xml",
        "Store/Calc/Web.Manifest.1.0.xml",
        "Store/Calc/Web.Code.1.0/run.exe",
        "Store/Calc/Web.Code.1.0/_.dir",
        "Store/Calc/Web.Config.1.0/Settings.xml",
        "Store/Calc/Web.Config.1.0/_.dir",
    }
    assert types(emulator) == [("Calc", "1.0", "Available")]
    assert not list((emulator.data / "default/staging/workers").glob("*/*"))


@contextmanager
def serving_elsewhere() -> Iterator[str]:
    """The address of a package on another loopback address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(sfpkg())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.9.9.9", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.9.9.9:{server.server_port}/deep/calc.SFPKG?sig=a%2Bb"
        server.shutdown()
        thread.join()


def test_a_package_that_was_registered_from_outside_is_the_same_as_one_that_was_uploaded(
    emulator: InProcessEmulator, shop: Shop
) -> None:
    """A second version that shares its parts finds them there."""
    assert order(emulator, shop.address()).status == 200
    shop.has["/2.sfpkg"] = (200, {}, sfpkg(package(version="2.0")))
    assert order(emulator, shop.address("/2.sfpkg"), version="2.0").status == 200
    assert unprovision(emulator).status == 200
    assert types(emulator) == [("Calc", "2.0", "Available")]


def test_async_shows_what_is_being_downloaded_and_what_came_of_it(emulator: InProcessEmulator, shop: Shop) -> None:
    assert order(emulator, shop.address(), Async=True).status == 202
    eventually(lambda: types(emulator) == [("Calc", "1.0", "Available")], "it is available")
    assert order(emulator, shop.address("/none.sfpkg"), version="2.0", Async=True).status == 202
    eventually(lambda: ("Calc", "2.0", "Failed") in types(emulator), "the failure shows")
    listed = emulator.get(f"/ApplicationTypes/Calc?{V}&ApplicationTypeVersion=2.0").json()["Items"]
    assert listed[0]["StatusDetails"] == f"{UNEXPECTED}: The remote server returned an error: (404) Not Found."


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "[2001:db8::1]", "no-such-host.invalid"]
)
def test_no_other_machine_is_asked(emulator: InProcessEmulator, host: str) -> None:
    uri = f"http://{host}/calc.sfpkg"
    reply = order(emulator, uri)
    assert reply.error == (
        501,
        "E_NOTIMPL",
        f"This emulator downloads application packages from its own machine only, not from '{uri}'.",
    )
    assert types(emulator) == []


def test_a_redirect_leads_nowhere(emulator: InProcessEmulator, shop: Shop) -> None:
    shop.has["/moved.sfpkg"] = (302, {"Location": shop.address()}, b"")
    assert order(emulator, shop.address("/moved.sfpkg")).error[:2] == (500, UNEXPECTED)
    assert shop.asked == ["/moved.sfpkg"]


@pytest.mark.parametrize(
    "uri",
    [
        "ftp://127.0.0.1/calc.sfpkg",
        "file:///etc/calc.sfpkg",
        "/calc.sfpkg",
        "http:///calc.sfpkg",
        "http://127.0.0.1/calc.zip",
        "http://127.0.0.1:99999/calc.sfpkg",
        "http://[127.0.0.1/calc.sfpkg",
    ],
)
def test_an_address_that_is_none_of_a_package_is_a_bad_argument(emulator: InProcessEmulator, uri: str) -> None:
    status, code, message = order(emulator, uri).error
    assert (status, code) == (400, "E_INVALIDARG")
    assert f"The specified download path '{uri}' is invalid." in message


def test_name_and_version_have_to_be_given_and_right(emulator: InProcessEmulator, shop: Shop) -> None:
    assert "please specify the application type name and version" in order(emulator, shop.address(), "").error[2]
    status, code, message = order(emulator, shop.address(), "Other").error
    assert (status, code) == (400, INVALID)
    assert "has application type name 'Calc', which doesn't match expected value 'Other'." in message
    assert "version '1.0', which" in order(emulator, shop.address(), version="2").error[2]
    assert types(emulator) == []


def zipped(*members: tuple[str, bytes]) -> bytes:
    """A package with these files too."""
    archive = io.BytesIO(sfpkg())
    with zipfile.ZipFile(archive, "a") as opened:
        for name, content in members:
            opened.writestr(name, content)
    return archive.getvalue()


def link() -> bytes:
    """A package with a symbolic link."""
    archive = io.BytesIO(sfpkg())
    with zipfile.ZipFile(archive, "a") as opened:
        member = zipfile.ZipInfo("Web/Code/passwd")
        member.external_attr = 0o120777 << 16
        opened.writestr(member, "/etc/passwd")
    return archive.getvalue()


def huge() -> bytes:
    """A package whose one file claims to be larger than any disk."""
    small = zipped(("Web/Code/big", b"x" * 77))
    size = (77).to_bytes(4, "little")
    assert small.count(size) >= 2
    return small.replace(size, b"\xfe\xff\xff\xff")


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        pytest.param(b"no zip", INVALID, id="no zip"),
        pytest.param(b"", INVALID, id="nothing"),
        pytest.param(sfpkg()[:-30], INVALID, id="cut"),
        pytest.param(zipped(("../../../outside", b"")), INVALID, id="up and out"),
        pytest.param(zipped(("Web/../../outside", b"")), INVALID, id="down, up and out"),
        pytest.param(zipped(("..\\..\\outside", b"")), INVALID, id="backslashes"),
        pytest.param(zipped(("Web/Code/a:b", b"")), INVALID, id="a name that Windows forbids"),
        pytest.param(zipped(("Web/Code", b"")), INVALID, id="a file where a folder is"),
        pytest.param(link(), INVALID, id="a link"),
        pytest.param(sfpkg({}), "FABRIC_E_DIRECTORY_NOT_FOUND", id="empty"),
        pytest.param(sfpkg({"readme": b""}), "FABRIC_E_FILE_NOT_FOUND", id="no manifest"),
    ],
)
def test_a_bad_archive_is_refused_and_nothing_leaves_its_folder(
    emulator: InProcessEmulator, shop: Shop, archive: bytes, code: str
) -> None:
    shop.has["/bad.sfpkg"] = (200, {}, archive)
    before = set(emulator.data.parent.rglob("outside"))
    assert order(emulator, shop.address("/bad.sfpkg")).error[1] == code
    assert set(emulator.data.parent.rglob("outside")) == before
    assert read_tree(emulator.data / "default/content") == {}
    assert not list((emulator.data / "default/staging/workers").glob("*/*"))


def test_a_file_that_claims_to_be_huge_does_not_become_so(emulator: InProcessEmulator, shop: Shop) -> None:
    shop.has["/huge.sfpkg"] = (200, {}, huge())
    assert order(emulator, shop.address("/huge.sfpkg")).error[1] in (INVALID, "FABRIC_E_IMAGESTORE_IOERROR")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"Web/Code/big": bytes(1_000_000)}, id="unpacked"),
        pytest.param({"Web/Code/big": random.Random(1).randbytes(1_000_000)}, id="as it comes"),
    ],
)
def test_what_comes_from_outside_has_to_fit_into_the_store(tmp_path: Path, shop: Shop, files: Files) -> None:
    shop.has["/big.sfpkg"] = (200, {}, sfpkg(package() | files))
    with InProcessEmulator(tmp_path / "data", store_limit=900_000) as emulator:
        refused = order(emulator, shop.address("/big.sfpkg"))
        assert refused.error[1] == "FABRIC_E_IMAGESTORE_IOERROR"
        assert "larger than what the disk or the store can hold" in refused.headers["x-emulator-why"]
        assert read_tree(emulator.data / "default/content") == {}
        assert not list((emulator.data / "default/staging/workers").glob("*/*"))
        assert order(emulator, shop.address()).status == 200


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a package at a server that takes whoever comes, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/calc.sfpkg"


def test_a_server_that_says_nothing_keeps_no_store_from_being_dropped(emulator: InProcessEmulator, silent: str) -> None:
    prefix = "/_emulator/on/other"
    assert order(emulator, silent, prefix=prefix, Async=True).status == 202
    assert types(emulator, prefix) == [("Calc", "1.0", "Provisioning")]

    assert emulator.send("DELETE", "/_emulator/stores/other").status == 204

    assert types(emulator, prefix) == []
    assert order(emulator, silent, Async=True).status == 202
    assert emulator.post("/_emulator/reset").status == 204
    assert types(emulator) == []


@pytest.mark.parametrize("is_async", [True, False])
def test_a_server_that_says_nothing_keeps_no_emulator_from_stopping(
    tmp_path: Path, silent: str, *, is_async: bool
) -> None:
    """It would be given a minute to say something."""
    with EmulatorProcess(tmp_path / "data") as process:
        asking = threading.Thread(target=lambda: ask(process, silent, is_async=is_async))
        asking.start()
        eventually(lambda: types(process) == [("Calc", "1.0", "Provisioning")], "it is waited for")
        process.process.terminate()
        process.process.wait(40)
        assert process.ended() == 0
        asking.join()


def ask(wire: Wire, uri: str, *, is_async: bool) -> None:
    """Ask to register a package, and take it as it comes."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        order(wire, uri, Async=is_async)


def test_a_download_that_breaks_off_registers_nothing(emulator: InProcessEmulator, shop: Shop) -> None:
    shop.has["/cut.sfpkg"] = (200, {"Content-Length": str(10_000_000)}, sfpkg())
    assert order(emulator, shop.address("/cut.sfpkg")).error[:2] == (500, UNEXPECTED)
    assert types(emulator) == []
