"""Faults that are set strike the requests they mean, and do to them what they say."""

import hashlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.client import Control, ControlError
from emulator.protocol.errors import ERRORS
from emulator.testing import EmulatorThread, ImageStore
from tests.control.service import Service
from tests.support.emulator import EmulatorProcess
from tests.support.waiting import eventually
from tests.support.wire import Connection, Reply, Wire, head, read_reply

VERSION = "api-version=6.0"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
OTHER_SESSION = "0c2f3b64-52f4-4c39-8b9e-6f0d2b1f7a55"
BUSY = "FABRIC_E_SERVICE_TOO_BUSY"
MIB = 1024 * 1024
CUT = (http.client.HTTPException, ConnectionError)


class Store:
    """Sends the requests of these tests to one store, whose clock stands still, and looks at what came of them."""

    def __init__(self, server: EmulatorThread, control: Control) -> None:
        self.control = control
        self.wire = Wire("127.0.0.1", server.port)
        self.base = control.endpoint.removeprefix(server.endpoint)
        name = self.base.rpartition("/")[2]
        assert server.data
        self._staging = server.data / name / "staging"
        opened = server.app.stores.at_hand(name)
        assert opened
        self.clock = opened.clock

    def put(self, path: str, body: bytes = b"new", fault: str = "") -> Reply:
        headers = {"X-Emulator-Fault": fault} if fault else {}
        return self.wire.put(f"{self.base}/ImageStore/{path}?{VERSION}", body, headers=headers)

    def get(self, path: str = "App", fault: str = "") -> Reply:
        headers = {"X-Emulator-Fault": fault} if fault else {}
        return self.wire.get(f"{self.base}/ImageStore/{path}?{VERSION}", headers=headers)

    def chunk(self, start: int, body: bytes, total: int, path: str = "App/big.bin", session: str = SESSION) -> Reply:
        headers = {"Content-Range": f"bytes {start}-{start + len(body) - 1}/{total}"}
        return self.wire.put(
            f"{self.base}/ImageStore/{path}/$/UploadChunk?{VERSION}&session-id={session}", body, headers=headers
        )

    def commit(self, session: str = SESSION) -> Reply:
        return self.wire.post(f"{self.base}/ImageStore/$/CommitUploadSession?{VERSION}&session-id={session}")

    def expected(self, session: str = SESSION) -> list[tuple[int, int]]:
        """What an open session still expects."""
        (found,) = (each for each in self.control.sessions() if each["session"] == session)
        return [(each["start"], each["end"]) for each in found["expected"]]

    def staged(self) -> list[str]:
        """Files of bytes on their way in, those of open sessions included."""
        return [each.name for each in self._staging.rglob("*") if each.is_file() and "lock" not in each.name]

    def entry(self) -> dict[str, Any]:
        """The last request that ended."""
        return self.control.journal()[-1]


@pytest.fixture
def faulty(server: EmulatorThread, store: Control) -> Store:
    """A store whose requests can go wrong."""
    store.freeze()
    return Store(server, store)


@pytest.fixture
def behind() -> Iterator[Callable[..., "Future[Any]"]]:
    """Lets a request run while the test goes on."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def waits_for_the_clock(faulty: Store) -> None:
    eventually(lambda: faulty.clock._waiting, "a request waits for the clock")


# Which requests


def the_requests(faulty: Store) -> dict[str, Callable[[], Reply]]:
    return {
        "a": lambda: faulty.put("App/a.txt"),
        "b": lambda: faulty.put("Other/b.txt"),
        "c1": lambda: faulty.chunk(0, b"0" * 10, 30),
        "c2": lambda: faulty.chunk(10, b"1" * 10, 30),
        "c3": lambda: faulty.chunk(20, b"2" * 10, 30),
        "d": lambda: faulty.chunk(0, b"3" * 10, 10, "Other/d.bin", OTHER_SESSION),
        "commit": faulty.commit,
        "list": faulty.get,
    }


@pytest.mark.parametrize(
    ("pattern", "struck"),
    [
        ("operation=UploadFile", "a b"),
        ("operation=uploadFILE", "a b"),
        ("operation=Upload*", "a b c1 c2 c3 d"),
        ("operation=UploadFil?", "a b"),
        ("operation=CommitImageStoreUploadSession", "commit"),
        ("path=App/*", "a c1 c2 c3 commit"),
        ("path=**/?.txt", "a b"),
        (r"path=\app\BIG.bin", "c1 c2 c3 commit"),
        ("path=App", "list"),
        (f"session={OTHER_SESSION}", "d"),
        (f"session={{{SESSION.upper()}}}", "c1 c2 c3 commit"),
        ("range=15-25", "c2 c3"),
        ("range=20-", "c3"),
        ("range='bytes 0-9'", "c1 d"),
        ("chunk=1", "c1 d"),
        ("chunk=2", "c2"),
        ("nth=2", "b"),
        ("operation=UploadFileChunk nth=4", "d"),
        ("every=3", "c1 d"),
        ("times=2", "a b"),
        ("client=127.0.0.1", "a b c1 c2 c3 d commit list"),
        ("client=127.0.0.0/8 path=Other/*", "b d"),
        ("client=10.0.0.0/8", ""),
        ("client=::1", ""),
        ("operation=UploadFileChunk path=App/* range=10- chunk=3", "c3"),
        ("operation=UploadFileChunk every=2 times=1", "c2"),
        ("path=App/* operation=Upload* nth=2", "c1"),
        ("path=Other/* chunk=2", ""),
    ],
)
def test_a_fault_strikes_the_requests_it_means_and_no_others(faulty: Store, pattern: str, struck: str) -> None:
    faulty.control.add_fault(f"{pattern} error={BUSY}")

    answers = {name: request().status for name, request in the_requests(faulty).items()}

    assert [name for name, status in answers.items() if status == 503] == struck.split()


def test_a_client_is_told_from_another_by_its_address(faulty: Store) -> None:
    faulty.control.add_fault(f"client=127.0.0.2 error={BUSY}")
    request = head("GET", f"{faulty.base}/ImageStore?{VERSION}", [("Host", "there"), ("Connection", "close")])

    def status_from(address: str) -> int:
        there = (faulty.wire.host, faulty.wire.port)
        with socket.create_connection(there, 30, source_address=(address, 0)) as connection:
            connection.sendall(request)
            return read_reply(connection).status

    assert (status_from("127.0.0.2"), status_from("127.0.0.1")) == (503, 404)


def test_a_chunk_sent_again_keeps_its_number(faulty: Store) -> None:
    faulty.control.add_fault(f"chunk=2 error={BUSY}")

    answers = [faulty.chunk(start, b"0" * 10, 30).status for start in (0, 0, 10, 20, 10)]

    assert answers == [200, 400, 503, 200, 503]


def test_a_fault_that_happens_by_chance_does_so_in_the_same_way_with_the_same_seed(faulty: Store) -> None:
    def struck(name: str, seed: int) -> list[bool]:
        faulty.control.on(name).add_fault(probability=0.5, seed=seed, error=BUSY)
        return [faulty.wire.get(f"/_emulator/on/{name}/ImageStore?{VERSION}").status == 503 for _ in range(40)]

    first = struck("first", 7)

    assert first == struck("again", 7)
    assert first != struck("other", 8)
    assert 8 < sum(first) < 32


def test_a_fault_is_over_when_it_has_lasted_long_enough_by_the_stores_clock(faulty: Store) -> None:
    faulty.control.add_fault(f"lasts=60s error={BUSY}")

    before = [faulty.put("App/a").status, (faulty.control.advance("59s"), faulty.put("App/a").status)[1]]
    faulty.control.advance("1s")

    assert (before, faulty.put("App/a").status) == ([503, 503], 200)
    assert [each["is_over"] for each in faulty.control.faults()] == [True]


def test_the_first_fault_that_fits_happens_and_the_others_count_the_request(faulty: Store) -> None:
    faulty.control.add_fault(f"name=first operation=UploadFile times=2 error={BUSY}")
    faulty.control.add_fault("name=second error=FABRIC_E_TIMEOUT")
    faulty.control.add_fault("name=third nth=3 error=E_FAIL")

    answers = [faulty.put("App/a").status for _ in range(3)]

    assert answers == [503, 503, 504]
    assert [(each["name"], each["matched"], each["hits"], each["is_over"]) for each in faulty.control.faults()] == [
        ("first", 2, 2, True),
        ("second", 3, 1, False),
        ("third", 3, 0, True),
    ]
    assert [each["fault"] for each in faulty.control.journal()] == ["first", "first", "second"]


def test_the_faults_of_one_store_leave_the_others_alone(faulty: Store) -> None:
    faulty.control.on("unlucky").add_fault(error=BUSY)

    unlucky = faulty.wire.put(f"/_emulator/on/unlucky/ImageStore/a?{VERSION}", b"x")

    assert (unlucky.status, faulty.put("a").status) == (503, 200)


def test_the_emulators_own_pages_never_go_wrong(faulty: Store) -> None:
    faulty.control.add_fault(cut="before")
    own = ("health/live", "health/ready", "docs", "openapi.json", "faults", "journal", "clock", "content")

    answers = [
        faulty.wire.get(f"{faulty.base}/_emulator/{page}", headers={"X-Emulator-Fault": "cut=before"}).status
        for page in own
    ]

    assert set(answers) == {200}
    with pytest.raises(CUT):
        faulty.get()


# What goes wrong


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_of_the_service_can_be_answered_as_the_service_words_it(faulty: Store, code: str) -> None:
    reply = faulty.get(fault=f"error={code}")

    error = {"Code": code, "Message": ERRORS[code].message}
    body = json.dumps({"Error": error}, separators=(",", ":")).replace("/", "\\/")
    assert (reply.status, reply.body.decode()) == (ERRORS[code].status, body)
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert f"error={code}" in reply.headers["x-emulator-why"]


def test_an_error_comes_instead_of_the_work_or_after_it(faulty: Store) -> None:
    before = faulty.put("App/before", fault="error=FABRIC_E_TIMEOUT")
    after = faulty.put("App/after", fault="error=FABRIC_E_TIMEOUT when=after")

    assert before.error == after.error == (504, "FABRIC_E_TIMEOUT", "Operation timed out.")
    assert list(faulty.control.files()) == ["App/after"]
    assert [(each["code"], each["received"]) for each in faulty.control.journal()] == [("FABRIC_E_TIMEOUT", 3)] * 2


def test_a_delayed_request_waits_for_the_stores_clock_before_it_is_done(
    faulty: Store, behind: Callable[..., "Future[Reply]"]
) -> None:
    answer = behind(faulty.put, "App/a", fault="delay=15s")

    waits_for_the_clock(faulty)
    faulty.control.advance("14s")
    assert faulty.control.files() == {}
    assert not answer.done()
    faulty.control.advance("1s")
    assert answer.result().status == 200
    assert faulty.control.files() == {"App/a": 3}


def test_a_delayed_answer_keeps_a_client_waiting_for_what_is_done_already(
    faulty: Store, behind: Callable[..., "Future[Reply]"]
) -> None:
    answer = behind(faulty.put, "App/a", fault="delay=15s when=after")

    waits_for_the_clock(faulty)
    assert faulty.control.files() == {"App/a": 3}
    assert not answer.done()
    faulty.control.advance("15s")
    assert answer.result().status == 200


@pytest.mark.parametrize("size", [10_000, 80 * MIB])
def test_a_throttled_body_comes_in_as_the_stores_time_passes(
    faulty: Store, behind: Callable[..., "Future[Reply]"], size: int
) -> None:
    body = bytes(size)
    answer = behind(faulty.put, "App/slow", body, fault=f"throttle={size // 20}")

    waits_for_the_clock(faulty)
    faulty.control.advance("19s")
    assert not answer.done()
    assert faulty.control.files() == {}
    faulty.control.advance("1s")
    assert answer.result().status == 200
    assert faulty.control.files() == {"App/slow": size}
    assert faulty.entry()["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_body_stalls_where_it_is_told_to_and_then_goes_on(faulty: Store) -> None:
    fields = [("Host", "there"), ("Content-Length", "20"), ("X-Emulator-Fault", "stall=30s stall_at=10")]
    with faulty.wire.connect() as connection:
        connection.sendall(head("PUT", f"{faulty.base}/ImageStore/App/a?{VERSION}", fields) + b"0123456789")
        waits_for_the_clock(faulty)
        connection.sendall(b"abcdefghij")
        faulty.control.advance("29s")
        assert faulty.control.files() == {}
        faulty.control.advance("1s")
        assert read_reply(connection).status == 200
    assert faulty.control.read("App/a") == b"0123456789abcdefghij"


@pytest.mark.parametrize("where", ["stall_at=0", "stall_at=1", "stall_at=12MiB", "stall_at=1GiB"])
def test_a_chunk_of_25_mib_stalls_wherever_that_is_and_arrives_whole(
    faulty: Store, behind: Callable[..., "Future[Reply]"], where: str
) -> None:
    faulty.control.add_fault(f"stall=1h {where}")
    size = 25 * MIB
    answer = behind(faulty.chunk, 0, b"x" * size, size)

    waits_for_the_clock(faulty)
    assert not answer.done()
    faulty.control.clear_faults()
    faulty.clock.advance(timedelta(hours=1))
    assert answer.result().status == 200
    assert faulty.commit().status == 200
    assert faulty.control.files() == {"App/big.bin": size}


def test_a_chunk_cut_after_some_bytes_leaves_session_and_content_as_they_were(faulty: Store) -> None:
    faulty.put("App/big.bin", b"old")
    faulty.chunk(0, b"0" * 100, 300)
    staged = sorted(faulty.staged())
    faulty.control.add_fault("chunk=1 cut=40 times=1")

    with pytest.raises(CUT):
        faulty.chunk(100, b"1" * 100, 300)

    assert (faulty.entry()["status"], faulty.entry()["received"]) == (0, 40)
    assert faulty.expected() == [(100, 299)]
    assert sorted(faulty.staged()) == staged
    assert faulty.control.read("App/big.bin") == b"old"
    assert [faulty.chunk(start, b"1" * 100, 300).status for start in (100, 200)] == [200, 200]
    assert faulty.commit().status == 200
    assert faulty.control.read("App/big.bin") == b"0" * 100 + b"1" * 200


@pytest.mark.parametrize("where", ["cut=0", "cut=32MiB", "cut=1GiB", "cut=before"])
def test_a_file_of_64_mib_that_is_cut_leaves_what_was_there(faulty: Store, where: str) -> None:
    faulty.put("App/big.bin", b"old")

    with pytest.raises(CUT):
        faulty.put("App/big.bin", bytes(64 * MIB), fault=where)

    eventually(lambda: faulty.entry()["status"] == 0, "the request has ended")
    assert faulty.entry()["received"] == {"cut=32MiB": 32 * MIB, "cut=1GiB": 64 * MIB}.get(where, 0)
    assert faulty.control.read("App/big.bin") == b"old"
    assert faulty.staged() == []
    assert faulty.put("App/big.bin", bytes(64 * MIB)).status == 200


def test_requests_without_a_body_are_cut_before_anything_is_done(faulty: Store) -> None:
    faulty.put("App/a")

    for verb in ("GET", "DELETE"):
        with pytest.raises(CUT):
            faulty.wire.send(verb, f"{faulty.base}/ImageStore/App/a?{VERSION}", headers={"X-Emulator-Fault": "cut=100"})

    assert faulty.control.files() == {"App/a": 3}


def test_a_request_that_would_be_refused_is_cut_all_the_same(faulty: Store) -> None:
    for fault in ("cut=2", "cut=after", "cut=before"):
        with pytest.raises(CUT):
            faulty.wire.put(
                f"{faulty.base}/ImageStore/App/a?api-version=99", b"new", headers={"X-Emulator-Fault": fault}
            )
        assert (faulty.entry()["status"], faulty.entry()["code"]) == (0, "")


def test_a_lost_reply_has_done_its_work(faulty: Store) -> None:
    faulty.chunk(0, b"whole", 5)
    faulty.control.add_fault("operation=Commit* cut=after times=1")

    with pytest.raises(CUT):
        faulty.commit()

    assert faulty.control.read("App/big.bin") == b"whole"
    assert faulty.entry()["status"] == 0
    assert faulty.commit().status == 200


def test_an_answer_may_come_without_its_body(faulty: Store) -> None:
    faulty.put("App/a")

    listing = faulty.get(fault="reply=empty")
    refusal = faulty.put("App/b", fault="error=FABRIC_E_TIMEOUT reply=empty")

    assert (listing.status, listing.body, listing.headers["content-length"]) == (200, b"", "0")
    assert (refusal.status, refusal.body) == (504, b"")
    assert faulty.get().json()["StoreFiles"]


def test_an_answer_may_break_off_in_the_middle(faulty: Store) -> None:
    faulty.put("App/a")
    whole = faulty.get().body

    with pytest.raises(http.client.IncompleteRead) as broken:
        faulty.get(fault="reply=broken")

    assert broken.value.partial == whole[: len(whole) // 2]
    assert len(broken.value.partial) + (broken.value.expected or 0) == len(whole)


def test_an_answer_that_has_no_body_breaks_off_before_one_it_claims_to_have(faulty: Store) -> None:
    with pytest.raises(http.client.IncompleteRead):
        faulty.put("App/a", fault="reply=broken")

    assert faulty.control.files() == {"App/a": 3}


def test_a_lost_chunk_is_acknowledged_and_still_expected(faulty: Store) -> None:
    faulty.chunk(0, b"0" * 10, 10 + 25 * MIB)
    faulty.control.add_fault("chunk=1 forget=chunk times=1")

    lost = faulty.chunk(10, bytes(25 * MIB), 10 + 25 * MIB)

    assert (lost.status, lost.body) == (200, b"")
    assert faulty.expected() == [(10, 9 + 25 * MIB)]
    assert faulty.commit().status == 400
    assert faulty.chunk(10, bytes(25 * MIB), 10 + 25 * MIB).status == 200
    assert faulty.commit().status == 200


def test_a_failover_forgets_all_sessions_and_no_content(faulty: Store) -> None:
    faulty.put("App/a")
    faulty.chunk(0, b"0" * 10, 20)
    faulty.chunk(0, b"0" * 10, 20, "Other/d.bin", OTHER_SESSION)
    faulty.control.add_fault("operation=UploadFileChunk forget=sessions error=NotFound times=1")

    assert faulty.chunk(10, b"1" * 10, 20).error == (404, "NotFound", "Null")

    assert faulty.control.sessions() == []
    assert faulty.control.files() == {"App/a": 3}
    assert faulty.staged() == []
    assert faulty.chunk(10, b"1" * 10, 20).status == 200
    assert faulty.expected() == [(0, 9)]


# Acts together


def test_a_failover_may_break_the_connection(faulty: Store) -> None:
    faulty.chunk(0, b"0" * 10, 20)
    faulty.control.add_fault("forget=sessions cut=before")

    with pytest.raises(CUT):
        faulty.chunk(10, b"1" * 10, 20)

    assert faulty.control.sessions() == []


def test_a_slow_error_waits_and_then_refuses(faulty: Store, behind: Callable[..., "Future[Reply]"]) -> None:
    answer = behind(faulty.put, "App/a", fault="delay=60s error=FABRIC_E_TIMEOUT")

    waits_for_the_clock(faulty)
    faulty.control.advance("60s")

    assert answer.result().status == 504
    assert faulty.control.files() == {}


def test_a_slow_body_may_be_cut_after_a_stall(faulty: Store, behind: Callable[..., "Future[Reply]"]) -> None:
    answer = behind(faulty.put, "App/a", bytes(1000), fault="throttle=100 stall=5s cut=500")

    waits_for_the_clock(faulty)
    faulty.control.advance("1h")
    waits_for_the_clock(faulty)
    faulty.control.advance("5s")

    assert isinstance(answer.exception(), CUT)
    assert faulty.control.files() == {}


def test_a_lost_chunks_answer_may_be_lost_as_well(faulty: Store) -> None:
    faulty.chunk(0, b"0" * 10, 20)
    faulty.control.add_fault("forget=chunk cut=after")

    with pytest.raises(CUT):
        faulty.chunk(10, b"1" * 10, 20)

    assert faulty.expected() == [(10, 19)]


# Connections


@pytest.mark.parametrize("size", [0, 3, 5 * MIB])
def test_a_connection_stays_in_order_after_errors_to_requests_with_a_body(faulty: Store, size: int) -> None:
    faulty.control.add_fault(f"operation=Upload* error={BUSY}")
    with closing(Connection(faulty.wire)) as connection:
        answers = []
        for _ in range(3):
            answers.append(connection.send("PUT", f"{faulty.base}/ImageStore/App/a?{VERSION}", body=b"G" * size).status)
            answers.append(connection.send("GET", f"{faulty.base}/ImageStore?{VERSION}").status)
    assert answers == [503, 404] * 3
    assert {each["received"] for each in faulty.control.journal(operation="UploadFile")} == {size}


def test_a_connection_stays_in_order_after_slow_and_lost_and_emptied_answers(
    faulty: Store, behind: Callable[..., "Future[Reply]"]
) -> None:
    body = bytes(3 * MIB)
    with closing(Connection(faulty.wire)) as connection:

        def put(name: str, fault: str) -> int:
            headers = {"X-Emulator-Fault": fault}
            return connection.send(
                "PUT", f"{faulty.base}/ImageStore/App/{name}?{VERSION}", headers=headers, body=body
            ).status

        slow = behind(put, "slow", "throttle=1MiB")
        waits_for_the_clock(faulty)
        faulty.control.advance("3s")
        answers = [slow.result(), put("empty", "reply=empty"), put("lost", "forget=chunk"), put("none", "error=E_FAIL")]
        listing = connection.send("GET", f"{faulty.base}/ImageStore/App?{VERSION}").json()
    assert answers == [200, 200, 200, 500]
    assert [each["StoreRelativePath"] for each in listing["StoreFiles"]] == ["App\\empty", "App\\slow"]


def test_a_body_in_chunked_coding_is_taken_in_before_the_error(faulty: Store) -> None:
    fields = [("Host", "there"), ("Transfer-Encoding", "chunked"), ("X-Emulator-Fault", f"error={BUSY}")]
    with faulty.wire.connect() as connection:
        connection.sendall(head("PUT", f"{faulty.base}/ImageStore/App/a?{VERSION}", fields))
        connection.sendall(b"5\r\nhello\r\n")
        connection.sendall(b"0\r\n\r\n")
        first = read_reply(connection)
        connection.sendall(head("GET", f"{faulty.base}/ImageStore?{VERSION}", [("Host", "there")]))
        second = read_reply(connection)
    assert (first.status, second.status) == (503, 404)


def test_a_client_that_hangs_up_during_a_stall_leaves_nothing_behind(faulty: Store) -> None:
    fields = [("Host", "there"), ("Content-Length", "2000000"), ("X-Emulator-Fault", "stall=1h stall_at=10")]
    with faulty.wire.connect() as connection:
        connection.sendall(head("PUT", f"{faulty.base}/ImageStore/App/a?{VERSION}", fields) + b"0123456789")
        waits_for_the_clock(faulty)
    faulty.control.advance("1h")
    eventually(faulty.control.journal, "the request has ended")
    assert (faulty.entry()["status"], faulty.control.files(), faulty.staged()) == (0, {}, [])


# Ways to set them


def test_a_header_makes_one_call_go_wrong(faulty: Store) -> None:
    assert [faulty.put("a", fault=f"error={BUSY}").status, faulty.put("a").status] == [503, 200]
    assert [each["fault"] for each in faulty.control.journal()] == [f"error={BUSY}", ""]
    assert faulty.control.faults() == []


def test_a_header_may_name_a_preset_and_is_ignored_by_requests_it_is_not_about(faulty: Store) -> None:
    headers = {"X-Emulator-Fault": "preset=lost-commit-reply"}
    session = f"{VERSION}&session-id={SESSION}"
    chunk = faulty.wire.put(
        f"{faulty.base}/ImageStore/App/a/$/UploadChunk?{session}",
        b"x",
        headers=headers | {"Content-Range": "bytes 0-0/1"},
    )

    with pytest.raises(CUT):
        faulty.wire.post(f"{faulty.base}/ImageStore/$/CommitUploadSession?{session}", headers=headers)

    assert (chunk.status, faulty.control.files()) == (200, {"App/a": 1})


def test_a_header_is_heard_instead_of_the_faults_that_are_set(faulty: Store) -> None:
    faulty.control.add_fault(f"nth=1 error={BUSY}")

    answers = [faulty.put("a", fault="error=E_FAIL").status, faulty.put("a").status, faulty.put("a").status]

    assert answers == [500, 503, 200]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "what shall go wrong?"),
        ("nonsense", "'nonsense' is not of the form name=value"),
        ("operation=UploadFile", "what shall go wrong?"),
        ("error=E_NONE", "error: no error of the service; one of "),
        ("cut=sideways", "cut: before, after, or a number of bytes"),
        ("delay=soon", "delay: a duration is written 30m"),
        ("throttle=0", "throttle: "),
        ("preset=bad-luck", "no preset 'bad-luck'; one of lost-chunk, "),
        ("colour=red delay=1s", "colour: "),
    ],
)
def test_what_is_no_fault_is_refused_with_the_reason(faulty: Store, text: str, why: str) -> None:
    reply = faulty.wire.put(f"{faulty.base}/ImageStore/a?{VERSION}", b"x", headers={"X-Emulator-Fault": text})
    assert reply.error == (400, "E_INVALIDARG", "Invalid argument")
    assert reply.headers["x-emulator-why"].startswith(f"x-emulator-fault: {why}")

    with pytest.raises(ControlError, match=r".") as refusal:
        faulty.control.add_fault(text)
    assert (refusal.value.status, why in str(refusal.value)) == (400, True)
    assert faulty.control.files() == {}


def test_faults_are_set_as_text_as_objects_and_as_lists_and_taken_back(faulty: Store) -> None:
    control = faulty.control
    control.add_fault([{"operation": "UploadFile", "delay": 1.5}, "cut=64k times=1 lasts=30m"])
    control.add_fault(preset="lost-chunk", path="App/*", name="ours")

    assert [each["fault"] for each in control.faults()] == [
        {"operation": "UploadFile", "delay": "1500ms"},
        {"cut": 65536, "times": 1, "lasts": "30m"},
        {"name": "ours", "operation": "UploadFileChunk", "path": "App/*", "chunk": 2, "times": 1, "forget": "chunk"},
    ]
    control.add_fault([each["fault"] for each in control.faults()])
    assert len(control.faults()) == 6
    control.remove_fault(2)
    assert [each["id"] for each in control.faults()] == [1, 3, 4, 5, 6]
    control.clear_faults()
    assert control.faults() == []


def test_faults_of_a_file_are_set_from_the_start(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps(["preset=lost-commit-reply", {"operation": "UploadFile", "error": BUSY, "times": 1}]))

    with EmulatorProcess(tmp_path / "data", "--faults", str(faults)) as emulator:
        answers = [emulator.put(f"/ImageStore/a?{VERSION}", b"x").status for _ in range(2)]
        names = [each["name"] for each in Control(f"http://{emulator.host}:{emulator.port}").faults()]

    assert answers == [503, 200]
    assert names == ["lost-commit-reply", f"operation=UploadFile times=1 error={BUSY}"]


@pytest.mark.image_store(faults=["operation=UploadFile nth=2 error=FABRIC_E_TIMEOUT"])
def test_faults_of_a_fixture_are_set_in_its_store(image_store: ImageStore) -> None:
    address = image_store.endpoint.removeprefix("http://")
    server, _, prefix = address.partition("/")

    def put() -> int:
        connection = http.client.HTTPConnection(server, timeout=30)
        with closing(connection):
            connection.request("PUT", f"/{prefix}/ImageStore/a?{VERSION}", b"x")
            return connection.getresponse().status

    assert [put(), put(), put()] == [200, 504, 200]


@pytest.mark.image_store(faults=["error=E_FAIL times=1"])
def test_who_says_so_is_spared_and_does_not_count(image_store: ImageStore) -> None:
    service = Service(image_store.endpoint)

    assert service.upload("file", b"x", X_Emulator_Fault="none") == 200
    assert image_store.faults()[0]["matched"] == 0
    assert service.upload("file", b"x") == 500
