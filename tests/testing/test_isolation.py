"""Stores of one server do not meet, however they are chosen and however many there are."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.client import Control
from tests.support.emulator import EmulatorProcess, InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Reply
from tests.testing.session import run_pytest

V = "api-version=6.0"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
MIB = 1 << 20

Send = Callable[..., Reply]


def ways(emulator: InProcessEmulator, store: str) -> dict[str, Send]:
    """One request to a store, as a client sends it that chooses the store in each of the three ways."""

    def by_path(method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        return emulator.send(method, f"/_emulator/on/{store}{target}", headers=headers, body=body)

    def by_header(method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        return emulator.send(method, target, headers=headers | {"X-Emulator-Store": store}, body=body)

    def by_host(method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        return emulator.send(
            method, target, headers=headers | {"Host": f"{store}.localhost:{emulator.port}"}, body=body
        )

    return {"path": by_path, "header": by_header, "host": by_host}


@pytest.mark.parametrize("way", ["path", "header", "host"])
def test_one_store_is_chosen_by_path_by_header_and_by_host_name(emulator: InProcessEmulator, way: str) -> None:
    send = ways(emulator, "mine")[way]

    assert send("PUT", f"/ImageStore/App/file?{V}", {}, b"mine").status == 200
    chunk = f"/ImageStore/App/big/$/UploadChunk?{V}&session-id={SESSION}"
    assert send("PUT", chunk, {"Content-Range": "bytes 0-3/8"}, b"half").status == 200
    assert send("POST", "/_emulator/clock/advance", {}, b'{"by": "10m"}').status == 200
    assert send("POST", "/_emulator/faults", {}, b'"preset=lost-chunk"').status == 201

    for other in ways(emulator, "mine").values():
        assert other("GET", "/_emulator/content/App/file", {}, b"").body == b"mine"
        assert other("GET", f"/ImageStore/$/GetUploadSession?{V}&session-id={SESSION}", {}, b"").status == 200
        assert other("GET", "/_emulator/clock", {}, b"").json()["mode"] == "offset"
        assert len(other("GET", "/_emulator/faults", {}, b"").json()) == 1
    for name in ("default", "yours"):
        for other in ways(emulator, name).values():
            assert other("GET", f"/ImageStore?{V}", {}, b"").status == 404
            assert other("GET", f"/ImageStore/$/GetUploadSession?{V}&session-id={SESSION}", {}, b"").status == 204
            assert other("GET", "/_emulator/faults", {}, b"").json() == []
    assert "App" not in emulator.get("/_emulator/journal").body.decode()


def test_the_path_is_heard_before_the_header_and_the_header_before_the_host(emulator: InProcessEmulator) -> None:
    names = {"Host": "by-host.localhost", "X-Emulator-Store": "by-header"}

    emulator.put(f"/_emulator/on/by-path/ImageStore/file?{V}", b"", headers=names)
    emulator.put(f"/ImageStore/file?{V}", b"", headers=names)
    emulator.put(f"/ImageStore/file?{V}", b"", headers={"Host": "BY-HOST.LOCALHOST"})

    control = Control(emulator.endpoint)
    assert [control.on(f"by-{way}").files() for way in ("path", "header", "host")] == [{"file": 0}] * 3
    assert control.files() == {}


def test_python_controls_a_store_by_its_host_name_too(emulator: InProcessEmulator) -> None:
    by_host = Control(f"http://mine.localhost:{emulator.port}")
    default = Control(emulator.endpoint)
    emulator.put(f"/ImageStore/of-the-default?{V}")
    by_host.on("yours").freeze()

    assert (by_host.store, by_host.on("yours").store, by_host.on("default").store) == ("mine", "yours", "default")
    assert by_host.on("default").files() == {"of-the-default": 0}
    assert by_host.stores() == [
        {"name": "default", "endpoint": f"http://localhost:{emulator.port}"},
        {"name": "mine", "endpoint": f"http://localhost:{emulator.port}/_emulator/on/mine"},
        {"name": "yours", "endpoint": f"http://localhost:{emulator.port}/_emulator/on/yours"},
    ]

    by_host.drop()

    assert [each["name"] for each in default.stores()] == ["default", "yours"]
    assert default.files() == {"of-the-default": 0}


def test_a_server_holds_more_stores_than_a_shell_lets_it_open_files() -> None:
    def allow_few_files() -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, most))

    with EmulatorProcess(None, "--in-memory", "--no-access-log", preexec_fn=allow_few_files) as server:
        control = Control(server.endpoint)
        for number in range(150):
            control.make_store(f"store-{number}")

        assert len(control.stores()) == 151


A_THOUSAND_TESTS = """
import http.client
from urllib.parse import urlsplit
import pytest

V = "api-version=6.0"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"

@pytest.fixture
def send(image_store):
    parts = urlsplit(image_store.endpoint)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)

    def send(verb, target, body=None, **headers):
        connection.request(verb, f"{parts.path}/ImageStore{target}", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    yield send
    connection.close()

@pytest.mark.parametrize("number", range(1000))
def test_sees_nobody(image_store, send, number):
    mine, size = f"file of {number}".encode(), 1000 + number

    assert send("GET", f"?{V}") == 404
    assert send("PUT", f"/App/file?{V}", mine) == 200
    assert send("GET", f"/$/GetUploadSession?{V}&session-id={SESSION}") == 204
    chunk = f"/App/big/$/UploadChunk?{V}&session-id={SESSION}"
    assert send("PUT", chunk, b"half", **{"Content-Range": f"bytes 0-3/{size}"}) == 200

    image_store.add_fault(operation="DeleteImageStoreContent", error="FABRIC_E_TIMEOUT", times=1, name=f"of {number}")
    assert send("DELETE", f"/App/big?{V}") == 504
    assert send("DELETE", f"/App/big?{V}") == 200

    (session,) = image_store.advance(f"{31 + number}m")
    assert (session["session"], session["size"]) == (SESSION, size)
    assert send("GET", f"/$/GetUploadSession?{V}&session-id={SESSION}") == 204
    assert image_store.clock()["offset_seconds"] == pytest.approx((31 + number) * 60, abs=1)
    assert image_store.read("App/file") == mine
    journal = image_store.journal()
    assert [(each["number"], each["status"], each["fault"]) for each in journal] == [
        (1, 404, ""), (2, 200, ""), (3, 204, ""), (4, 200, ""), (5, 504, f"of {number}"), (6, 200, ""), (7, 204, ""),
    ]
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what a process takes is read in Linux's /proc")
def test_a_thousand_tests_share_one_server_see_nothing_of_each_other_and_leave_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with EmulatorProcess(data, "--no-access-log") as server:
        variables = {"IMAGESTORE_ENDPOINT": server.endpoint}
        # Some tests first, so that threads, connections and memory that stay are there before it is looked at.
        first = run_pytest(tmp_path, A_THOUSAND_TESTS.replace("1000)", "40)"), "-n", "4", variables=variables)
        assert first.outcomes == {"passed": 40}, first.output
        files, memory = open_files(server.process.pid), memory_of(server.process.pid)

        run = run_pytest(tmp_path, A_THOUSAND_TESTS, "-n", "4", variables=variables)

        assert run.outcomes == {"passed": 1000}, run.output
        assert [store["name"] for store in Control(server.endpoint).stores()] == ["default"]
        assert Control(server.endpoint).files() == {}
        assert Control(server.endpoint).journal() == []
        eventually(lambda: open_files(server.process.pid) < files + 30, "what the stores had open is closed")
        eventually(lambda: not any((data / ".trash").iterdir()), "the bytes of the stores are deleted")
        assert memory_of(server.process.pid) < memory + 24 * MIB


def open_files(process: int) -> int:
    return len(os.listdir(f"/proc/{process}/fd"))


def memory_of(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
