"""The marker ``image_store``: what a test's store starts with."""

from pathlib import Path

import pytest

from tests.support.emulator import InProcessEmulator
from tests.testing.session import run_pytest

MODULE = """
import urllib.error
import urllib.request
from datetime import UTC, datetime
import pytest
from emulator.testing import ImageStore

V = "api-version=6.0"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"

def send(store, verb, target, body=None, **headers):
    request = urllib.request.Request(f"{store.endpoint}/ImageStore{target}", body, headers, method=verb)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code

def chunk(store):
    target = f"/big/$/UploadChunk?{V}&session-id={SESSION}"
    return send(store, "PUT", target, b"half", **{"Content-Range": "bytes 0-3/8"})
"""

EACH_OPTION = f"""{MODULE}
@pytest.mark.image_store(faults="operation=UploadFile error=FABRIC_E_TIMEOUT times=1")
def test_a_fault(image_store):
    assert [send(image_store, "PUT", f"/a?{{V}}", b"a") for _ in range(2)] == [504, 200]

@pytest.mark.image_store(faults=["preset=dropped-commit", {{"operation": "UploadFile", "error": "FABRIC_E_TIMEOUT"}}])
def test_faults(image_store):
    assert [each["name"] for each in image_store.faults()] == [
        "dropped-commit", "operation=UploadFile error=FABRIC_E_TIMEOUT"
    ]

@pytest.mark.image_store(clock="frozen")
def test_a_clock_that_stands_still(image_store):
    assert image_store.now() == image_store.now()
    assert image_store.clock()["mode"] == "frozen"

@pytest.mark.image_store(clock="2026-05-01T10:00:00Z")
def test_a_clock_that_stands_at_a_moment(image_store):
    assert image_store.now() == datetime(2026, 5, 1, 10, tzinfo=UTC)
    send(image_store, "PUT", f"/a?{{V}}", b"a")
    assert image_store.journal()[0]["moment"] == "2026-05-01T10:00:00Z"

@pytest.mark.image_store(clock=datetime(2026, 5, 1, 10))
def test_a_clock_that_stands_at_a_datetime(image_store):
    assert image_store.now() == datetime(2026, 5, 1, 10, tzinfo=UTC)

@pytest.mark.image_store(clock="2026-05-01T10:00:00Z", rate=60)
def test_a_clock_that_runs_faster_from_a_moment_on(image_store):
    assert image_store.clock()["rate"] == 60
    assert image_store.now() > datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert image_store.now().year == 2026

@pytest.mark.image_store(expiry="swept")
def test_sessions_end_as_they_do_on_a_cluster(image_store):
    assert image_store.clock()["expiry"] == "swept"

@pytest.mark.image_store(seed="package")
def test_a_folder_beside_the_test(image_store):
    assert image_store.read("package/Code/program") == b"program"
    assert set(image_store.files()) == {{"package/Code/program", "package/Code/_.dir", "package/_.dir"}}

@pytest.fixture(scope="module")
def half_an_upload(image_store_server):
    with ImageStore(image_store_server).fresh() as store:
        store.freeze("2026-05-01T10:00:00Z")
        send(store, "PUT", f"/App/file?{{V}}", b"kept")
        chunk(store)
        store.snapshot("half-an-upload")

@pytest.mark.image_store(snapshot="half-an-upload")
@pytest.mark.parametrize("number", range(2))
def test_a_snapshot(half_an_upload, image_store, number):
    assert image_store.files() == {{"App/file": 4}}
    assert [each["session"] for each in image_store.sessions()] == [SESSION]
    assert [each["session"] for each in image_store.advance("31m")] == [SESSION]

@pytest.mark.image_store(clock="2026-05-01T10:00:00Z", expiry="swept")
class TestOfAClass:
    def test_as_the_class_says(self, image_store):
        assert (image_store.now().month, image_store.clock()["expiry"]) == (5, "swept")

    @pytest.mark.image_store(clock="2027-06-01T10:00:00Z")
    def test_as_the_test_itself_says(self, image_store):
        assert (image_store.now().month, image_store.clock()["expiry"]) == (6, "swept")

@pytest.mark.image_store(lint=True)
def test_a_client_without_mistakes(image_store):
    assert chunk(image_store) == 200
    assert send(image_store, "DELETE", f"/$/DeleteUploadSession?{{V}}&session-id={{SESSION}}") == 200
"""


def test_each_option_of_the_marker_is_how_the_store_starts(tmp_path: Path) -> None:
    (tmp_path / "package" / "Code").mkdir(parents=True)
    (tmp_path / "package" / "Code" / "program").write_bytes(b"program")

    run = run_pytest(tmp_path, EACH_OPTION)

    assert run.outcomes == {"passed": 13}, run.output


def test_with_lint_a_mistake_of_the_client_fails_the_test_and_shows_the_requests(
    emulator: InProcessEmulator, tmp_path: Path
) -> None:
    module = f"""{MODULE}
@pytest.mark.image_store(lint=True)
def test_leaves_a_session_open(image_store):
    assert chunk(image_store) == 200
"""

    run = run_pytest(tmp_path, module, variables={"IMAGESTORE_ENDPOINT": emulator.endpoint})

    assert run.outcomes == {"passed": 1, "error": 1}, run.output
    assert "session-left-open: session 7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11 was neither committed" in run.output
    assert "/ImageStore/big/$/UploadChunk?api-version=6.0&session-id=" in run.output
    assert "plugin.py" not in run.output


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "under xdist"])
def test_an_option_that_does_not_exist_is_an_error_before_any_test_runs(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    module = f"""{MODULE}
def test_fine(image_store):
    pass

@pytest.mark.image_store(fault="preset=lost-chunk")
def test_not_fine(image_store):
    pass

@pytest.mark.image_store("preset=lost-chunk")
def test_either(image_store):
    pass
"""

    run = run_pytest(tmp_path, module, *options)

    takes = "@pytest.mark.image_store takes snapshot, seed, clock, rate, expiry, faults, lint, by name; not"
    assert f"test_not_fine: {takes} fault\n" in run.output
    assert f"test_either: {takes} 'preset=lost-chunk'\n" in run.output
    assert "passed" not in run.output
    assert "Traceback" not in run.output
    assert "INTERNALERROR" not in run.output
    assert run.code


def test_a_value_that_cannot_be_is_an_error_of_its_test_that_says_which_and_why(
    emulator: InProcessEmulator, tmp_path: Path
) -> None:
    wrong = {
        "faults='preset=lost-chunks'": "no preset 'lost-chunks'; one of lost-chunk, ",
        "faults='operation=UploadFile'": "what shall go wrong? give one of ",
        "clock='noon'": "Input should be a valid datetime",
        "rate=0": "greater than 0",
        "expiry='soon'": "'exact' or 'swept'",
        "seed='nothing'": "No such file or directory: ",
        "snapshot='nothing'": "there is no snapshot 'nothing'",
    }
    tests = [
        f"@pytest.mark.image_store({marker})\ndef test_{number}(image_store):\n    pass\n"
        for number, marker in enumerate(wrong)
    ]

    run = run_pytest(tmp_path, MODULE + "\n".join(tests), variables={"IMAGESTORE_ENDPOINT": emulator.endpoint})

    assert run.outcomes == {"error": len(wrong)}, run.output
    assert "client.py" not in run.output
    for marker, why in wrong.items():
        (line,) = [line for line in run.output.splitlines() if line.startswith(f"@pytest.mark.image_store({marker}): ")]
        assert why in line
