"""What the report of a test that failed says about its store."""

from pathlib import Path

import pytest

from tests.support.emulator import InProcessEmulator
from tests.testing.session import run_pytest

MODULE = """
import urllib.error
import urllib.request
import pytest

V = "api-version=6.0"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"

def send(store, verb, target, body=None, **headers):
    request = urllib.request.Request(f"{store.endpoint}/ImageStore{target}", body, headers, method=verb)
    urllib.request.urlopen(request).close()

@pytest.mark.image_store(clock="2026-05-01T10:20:30Z", faults="operation=UploadFile path=lost cut=after")
def test_upload(image_store):
    chunk = f"/App/big/$/UploadChunk?{V}&session-id={SESSION}"
    send(image_store, "PUT", chunk, b"half", **{"Content-Range": "bytes 0-3/8"})
    with pytest.raises(OSError):
        send(image_store, "PUT", f"/lost?{V}", b"lost")
    send(image_store, "POST", f"/$/CommitUploadSession?{V}&session-id={SESSION}", b"")

def test_well(image_store):
    send(image_store, "PUT", f"/App/of-the-test-that-passes?{V}", b"body")

@pytest.fixture
def package(image_store):
    send(image_store, "PUT", f"/App/by-a-fixture?{V}", b"body")
    raise ValueError("no package")

def test_with_a_fixture_that_fails(package):
    pass

def test_verify(image_store):
    image_store.verify({"operation": "CommitImageStoreUploadSession"}, operation="UploadFile", count=2)  # here

def test_of_a_store_that_was_dropped(image_store):
    image_store.drop()
    assert not "this is what failed"
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "under xdist"])
def test_it_shows_the_journal_the_sessions_and_the_faults_of_tests_that_failed(
    emulator: InProcessEmulator, tmp_path: Path, options: tuple[str, ...]
) -> None:
    run = run_pytest(tmp_path, MODULE, *options, variables={"IMAGESTORE_ENDPOINT": emulator.endpoint})

    assert run.outcomes == {"failed": 3, "error": 1, "passed": 1}, run.output
    session = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
    chunk = f"/ImageStore/App/big/$/UploadChunk?api-version=6.0&session-id={session}"
    commit = f"/ImageStore/$/CommitUploadSession?api-version=6.0&session-id={session}"
    fault = "operation=UploadFile path=lost cut=after"
    assert run.section("test_upload", "image store: journal").splitlines() == [
        f"   1 10:20:30 PUT    {chunk} 0-3/8 -> 200",
        f"   2 10:20:30 PUT    /ImageStore/lost?api-version=6.0 -> no answer  [{fault}]",
        f"   3 10:20:30 POST   {commit} -> 400 E_INVALIDARG",
        f"      session {session} still expects 4-7 of 8 bytes",
    ]
    assert run.section("test_upload", "image store: upload sessions").splitlines() == [
        f"{session} App/big of 8 bytes expects 4-7"
    ]
    assert run.section("test_upload", "image store: faults").splitlines() == [f"{fault}: hit 1 of 1 requests"]
    assert "/ImageStore/App/by-a-fixture?api-version=6.0 -> 200" in run.output
    assert "of-the-test-that-passes" not in run.output


def test_a_verification_that_fails_is_shown_at_the_line_of_the_test_with_all_that_is_not_so(
    emulator: InProcessEmulator, tmp_path: Path
) -> None:
    run = run_pytest(tmp_path, MODULE, "-k", "test_verify", variables={"IMAGESTORE_ENDPOINT": emulator.endpoint})

    assert run.outcomes["failed"] == 1
    assert "count=2)  # here" in run.output
    assert "operation=CommitImageStoreUploadSession: at least 1 expected, 0 found" in run.output
    assert "operation=UploadFile: exactly 2 expected, 0 found" in run.output
    assert "client.py" not in run.output


def test_a_server_that_died_does_not_hide_what_failed(tmp_path: Path) -> None:
    conftest = """
import pytest
from emulator.testing import EmulatorThread

@pytest.fixture(scope="session")
def server():
    yield EmulatorThread()

@pytest.fixture(scope="session")
def image_store_server(server):
    return server.start().endpoint
"""
    module = """
def test_until_the_server_is_gone(server, image_store):
    server.stop()
    assert not "this is what failed"
"""

    run = run_pytest(tmp_path, module, conftest=conftest)

    assert run.outcomes == {"failed": 1, "error": 1}, run.output
    assert "AssertionError: assert not 'this is what failed'" in run.output
    assert "cannot be asked any more: no emulator answers at " in run.output


def test_a_request_that_still_runs_is_in_it_and_of_many_only_the_last(
    emulator: InProcessEmulator, tmp_path: Path
) -> None:
    module = """
import threading
import urllib.error
import urllib.request

def send(store, verb, target, body=None):
    request = urllib.request.Request(f"{store.endpoint}/ImageStore{target}?api-version=6.0", body, method=verb)
    try:
        urllib.request.urlopen(request).close()
    except OSError:
        pass

def test_gives_up_on_an_upload(image_store):
    for number in range(120):
        send(image_store, "DELETE", f"/file-{number}")
    image_store.freeze()
    image_store.add_fault(operation="UploadFile", delay="1h")
    threading.Thread(target=send, args=(image_store, "PUT", "/slow", b"body"), daemon=True).start()
    while not image_store.running():
        pass
    assert not "this is what failed"
"""

    run = run_pytest(tmp_path, module, variables={"IMAGESTORE_ENDPOINT": emulator.endpoint})

    lines = run.section("test_gives_up_on_an_upload", "image store: journal").splitlines()
    assert lines[0] == "21 earlier requests"
    assert "/ImageStore/file-21?" in lines[1]
    assert lines[-1].endswith("/ImageStore/slow?api-version=6.0 -> not answered yet  [operation=UploadFile delay=1h]")
    assert len(lines) == 101
