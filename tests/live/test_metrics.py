"""What is shown to Prometheus, read by its own client library."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.durability.servers import DurableServer
from tests.support.emulator import InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Wire

V: Final = "api-version=6.0"
G: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(wire: Wire) -> Samples:
    """Every sample."""
    reply = wire.get("/_emulator/metrics")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = text_string_to_metric_families(reply.body.decode())
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def value(wire: Wire, name: str, **labels: str) -> float:
    """One sample; 0 for what has not been counted yet."""
    return scrape(wire).get((f"imagestore_{name}", frozenset(labels.items())), 0)


def send_chunk(wire: Wire, path: str = "App/big") -> int:
    """Half of a file."""
    target = f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={G}"
    return wire.put(target, b"12345", headers={"Content-Range": "bytes 0-4/10"}).status


def test_requests_are_counted_by_operation_and_status(emulator: InProcessEmulator) -> None:
    for _ in range(3):
        assert emulator.put(f"/ImageStore/file?{V}", b"bytes").status == 200
    assert emulator.put("/ImageStore/file", b"bytes").status == 400
    assert emulator.get("/nowhere").status == 400

    def counted() -> list[float]:
        names = [("UploadFile", "200"), ("UploadFile", "400"), ("none", "400")]
        return [value(emulator, "requests_total", operation=name, status=status) for name, status in names]

    eventually(lambda: counted() == [3, 1, 1], "all are counted")
    assert value(emulator, "received_bytes_total", operation="UploadFile") >= 15
    assert value(emulator, "sent_bytes_total", operation="none") > 0


def test_durations_are_in_a_histogram(emulator: InProcessEmulator) -> None:
    assert emulator.put(f"/ImageStore/file?{V}", b"bytes").status == 200
    eventually(
        lambda: value(emulator, "request_duration_seconds_count", operation="UploadFile") == 1, "its duration is known"
    )
    assert 0 < value(emulator, "request_duration_seconds_sum", operation="UploadFile") < 60
    assert value(emulator, "request_duration_seconds_bucket", operation="UploadFile", le="+Inf") == 1


def test_open_sessions_their_bytes_and_those_that_expired(emulator: InProcessEmulator) -> None:
    """Over all stores in use."""
    assert send_chunk(emulator) == 200
    assert send_chunk(emulator, "Other") == 409
    other = f"/_emulator/on/other/ImageStore/App/$/UploadChunk?{V}&session-id={G}"
    assert emulator.put(other, b"123", headers={"Content-Range": "bytes 0-2/10"}).status == 200
    names = ("stores", "upload_sessions", "staged_bytes", "expired_sessions_total")
    assert [value(emulator, name) for name in names] == [2, 2, 8, 0]

    emulator.clock.advance(timedelta(minutes=31))
    assert [value(emulator, name) for name in names] == [2, 1, 3, 0]
    assert emulator.post("/_emulator/clock/advance", b'{"by": "1m"}').status == 200
    assert [value(emulator, name) for name in names] == [2, 1, 3, 1]


def test_faults_that_hit_are_counted(emulator: InProcessEmulator) -> None:
    fault = {"X-Emulator-Fault": "error=FABRIC_E_SERVICE_TOO_BUSY"}
    assert emulator.put(f"/ImageStore/file?{V}", b"", headers=fault).status == 503
    eventually(lambda: value(emulator, "faults_total", operation="UploadFile") == 1, "it is counted")


def test_a_scrape_of_several_workers_shows_the_sum_over_all_of_them_and_over_dead_ones(tmp_path: Path) -> None:
    """Whichever of them answers."""
    with DurableServer(tmp_path / "data", "--workers", "2").started() as server, ThreadPoolExecutor(8) as pool:
        assert {reply.status for reply in pool.map(lambda n: server.upload(f"{n}", b"12345"), range(64))} == {200}
        assert send_chunk(server) == 200

        def shown() -> set[tuple[float, ...]]:
            scraped = pool.map(lambda _: scrape(server), range(16))
            names = [
                ("imagestore_requests_total", frozenset({("operation", "UploadFile"), ("status", "200")})),
                ("imagestore_received_bytes_total", frozenset({("operation", "UploadFile")})),
                ("imagestore_upload_sessions", frozenset()),
                ("imagestore_staged_bytes", frozenset()),
            ]
            return {tuple(samples[name] for name in names) for samples in scraped}

        eventually(lambda: shown() == {(64, 320, 1, 5)}, "all are counted")
        for victim in server.workers():
            os.kill(victim, signal.SIGKILL)
        server.started()
        assert shown() == {(64, 320, 1, 5)}
        assert server.terminate() == 0


def test_with_a_control_token_a_scrape_needs_it(tmp_path: Path) -> None:
    with InProcessEmulator(tmp_path / "data", control_token="secret") as guarded:
        assert guarded.get("/_emulator/metrics").status == 401
        assert guarded.get("/_emulator/metrics", headers={"Authorization": "Bearer secret"}).status == 200
