"""The log's one line for each request: every fact about it, and nothing a client could forge."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.databases import alter, keep_in_postgresql
from tests.support.emulator import EmulatorProcess
from tests.support.waiting import eventually
from tests.support.wire import head

V: Final = "api-version=6.0"
G: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"


def lines_of(process: EmulatorProcess) -> list[dict[str, Any]]:
    """What was logged about requests so far."""
    lines = [json.loads(line) for line in process.output if line.startswith("{")]
    return [line for line in lines if line["logger"] == "emulator.requests"]


def line_about(process: EmulatorProcess, text: str) -> dict[str, Any]:
    """The one line whose target has this text, which is written after the answer."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = [line for line in lines_of(process) if text in line["target"]]
        return bool(found)

    eventually(look, f"{text} is logged")
    (line,) = found
    return line


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """An emulator that logs as it does where nobody watches."""
    with EmulatorProcess(tmp_path_factory.mktemp("logged") / "data") as running:
        yield running


def test_a_line_tells_everything_about_a_chunk(process: EmulatorProcess) -> None:
    reply = process.put(
        f"/_emulator/on/mine/ImageStore/App/big/$/UploadChunk?{V}&session-id={G}",
        b"12345",
        headers={"Content-Range": "bytes 0-4/10", "X-ServiceFabricRequestId": "request of mine"},
    )
    assert reply.status == 200
    line = line_about(process, "/App/big/")
    duration = line.pop("duration_ms")
    assert 0 < duration < 60_000
    assert {name: line[name] for name in line.keys() - {"time"}} == {
        "level": "info",
        "logger": "emulator.requests",
        "message": f"PUT /ImageStore/App/big/$/UploadChunk?{V}&session-id={G} 200",
        "verb": "PUT",
        "target": f"/ImageStore/App/big/$/UploadChunk?{V}&session-id={G}",
        "status": 200,
        "operation": "UploadFileChunk",
        "path": "App/big",
        "session": G,
        "range": "0-4/10",
        "received": 5,
        "sent": 0,
        "store": "mine",
        "client": "127.0.0.1",
        "request_id": "request of mine",
    }


def test_a_line_tells_why_a_request_failed_and_which_fault_it_met(process: EmulatorProcess) -> None:
    fault = {"X-Emulator-Fault": "error=FABRIC_E_SERVICE_TOO_BUSY"}
    assert process.put(f"/ImageStore/busy?{V}", b"x", headers=fault).status == 503
    line = line_about(process, "/busy")
    assert (line["status"], line["code"], line["fault"]) == (
        503,
        "FABRIC_E_SERVICE_TOO_BUSY",
        fault["X-Emulator-Fault"],
    )
    assert line["sent"] > 0
    assert "a fault that was set" in line["why"]


def test_every_request_has_an_id_of_its_own_unless_its_client_gave_one(process: EmulatorProcess) -> None:
    for name in ("one", "two"):
        assert process.get(f"/ImageStore/id/{name}?{V}").status == 404
    ids = [line_about(process, f"/id/{name}")["request_id"] for name in ("one", "two")]
    assert len({uuid.UUID(each) for each in ids}) == 2


def test_a_client_that_hangs_up_has_a_line_too(process: EmulatorProcess) -> None:
    with process.connect() as connection:
        connection.sendall(head("PUT", f"/ImageStore/half?{V}", [("Host", "localhost"), ("Content-Length", "10")]))
        connection.sendall(b"12345")
    line = line_about(process, "/half")
    assert (line["status"], line["received"]) == (0, 5)
    assert "went away" in line["why"]


def test_what_matches_no_operation_is_logged_with_the_status_it_got(process: EmulatorProcess) -> None:
    assert process.get("/nowhere").status == 400
    assert line_about(process, "/nowhere")["status"] == 400
    assert process.send("PUT", f"/ImageStore/without-length?{V}", content_length=False).status == 411
    assert line_about(process, "/without-length")["status"] == 411


def test_the_emulators_own_pages_are_logged_but_for_health_and_metrics(process: EmulatorProcess) -> None:
    for page in ("health/live", "health/ready", "metrics", "docs"):
        assert process.get(f"/_emulator/{page}").status == 200
    assert process.get("/_emulator/on/-/ImageStore").status == 400
    line = line_about(process, "/docs")
    assert (line["status"], line["store"]) == (200, "default")
    assert line["sent"] > 1000
    eventually(lambda: [line for line in lines_of(process) if line["store"] == "-"], "a name that is none is logged")
    assert not [line for line in lines_of(process) if "/health/" in line["target"] or "/metrics" in line["target"]]


def test_a_health_check_that_fails_is_logged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with EmulatorProcess(data) as process:
        (data / "default/content").rmdir()
        assert process.get("/_emulator/health/ready").status == 503
        assert line_about(process, "/health/ready")["status"] == 503


def test_nothing_a_client_sends_can_make_a_line_of_its_own(tmp_path: Path) -> None:
    """Neither a line break in a path nor bytes that would move a terminal's cursor, encoded or not."""
    with EmulatorProcess(tmp_path / "data", "--log-format", "text", "--platform", "linux") as process:
        hostile = {"X-ServiceFabricRequestId": 'x" status=200 \x9b2J'}
        assert process.get(f"/ImageStore/a%0A2026%0Db%1B%5B2J%22?{V}", headers=hostile).status in (400, 404)
        assert process.get(f"/ImageStore/last?{V}").status == 404
        eventually(lambda: len(process.output) == 3, "both requests are logged")
    assert len(process.output) == 3, process.output
    line = process.output[1].rstrip("\n")
    assert line.isprintable()
    assert re.search(r' request_id="x\\" status=200 ', line), line


def test_no_line_for_machines_has_a_character_that_terminals_or_readers_act_on(tmp_path: Path) -> None:
    """Readers that know Unicode end a line at U+2028 and U+0085; a terminal takes U+009B for a command."""
    hostile = {"X-ServiceFabricRequestId": "a\x9b2J\x85b"}
    with EmulatorProcess(tmp_path / "data") as process:
        assert process.put(f"/ImageStore/odd%E2%80%A8%E2%80%AE%C2%85?{V}", b"x", headers=hostile).status == 200
        assert process.put(f"/ImageStore/sch%C3%B6n?{V}", b"x").status == 200
        odd, plain = line_about(process, "/odd"), line_about(process, "/sch")
    assert (odd["path"], plain["path"]) == ("odd\u2028\u202e\x85", "schön")
    assert odd["request_id"].encode("latin-1").decode() == "a\x9b2J\x85b", "it is all there, byte for byte"
    assert all(line.rstrip("\n").isprintable() for line in process.output), process.output
    assert any("schön" in line for line in process.output), "what can be read is left as it is"


@pytest.mark.postgresql
def test_a_database_that_fails_is_one_line_for_people_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    keep_in_postgresql(data)
    with EmulatorProcess(data, "--log-format", "text") as process:
        alter(data, "ALTER TABLE upload_session RENAME TO away")
        assert process.get(f"/ImageStore/f/$/GetUploadSession?{V}").status == 500
        eventually(lambda: any(" 500 " in line for line in process.output), "the request is logged")
    _, *lines = process.output
    assert all(re.match(r"\d{4}-\d\d-\d\d \S+ (WARNING|INFO) ", line) for line in lines), lines
    assert "does not exist" in lines[0]


def test_no_answer_names_the_request_unless_that_is_wanted(tmp_path: Path, process: EmulatorProcess) -> None:
    named = {"X-ServiceFabricRequestId": "mine"}
    assert "x-servicefabricrequestid" not in process.get(f"/ImageStore/silent?{V}", headers=named).headers
    with EmulatorProcess(tmp_path / "data", "--echo-request-id") as talkative:
        assert talkative.get(f"/ImageStore?{V}", headers=named).headers["x-servicefabricrequestid"] == "mine"
        made = talkative.put(f"/ImageStore/file?{V}", b"x").headers["x-servicefabricrequestid"]
        assert line_about(talkative, "/file")["request_id"] == made
