"""What a test can learn of what its client did."""

import hashlib
import threading
from datetime import timedelta

import pytest

from emulator.client import Control, ControlError
from emulator.testing import EmulatorThread
from tests.control.service import Service, V, new_session
from tests.support.waiting import eventually

TARGET = f"/ImageStore/App/file?{V}"


def test_an_entry_tells_what_was_asked_and_what_was_answered(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("App/file", session, 0, b"12345", 10)
    service.chunk("App/file", session, 0, b"12345", 10)

    first, second = store.journal()

    assert (first["operation"], first["verb"], first["status"]) == ("UploadFileChunk", "PUT", 200)
    assert (first["path"], first["session"], first["range"]) == ("App/file", session, "0-4/10")
    assert (first["received"], first["sha256"]) == (5, hashlib.sha256(b"12345").hexdigest())
    assert first["client"] == "127.0.0.1"
    assert (second["status"], second["code"]) == (400, "FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE")
    assert "bytes 0-4 do not lie inside one gap" in second["why"]
    assert second["number"] == first["number"] + 1


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_048_576, 1_048_577, 5_000_000])
def test_a_body_of_any_size_is_kept_as_its_length_and_hash(store: Control, service: Service, size: int) -> None:
    body = bytes(size)

    assert service.upload("App/file", body) == 200

    (entry,) = store.journal()
    assert entry["received"] == size
    assert entry["sha256"] == (hashlib.sha256(body).hexdigest() if size else "")


def test_requests_that_reach_no_operation_are_noted_too(store: Control, service: Service) -> None:
    service.status("PATCH", TARGET)
    service.status("GET", "/ImageStore/%zz?api-version=6.0")
    service.status("GET", "/Wherever?api-version=6.0")

    assert [(entry["operation"], entry["status"], entry["code"]) for entry in store.journal()] == [
        ("", 400, "E_INVALIDARG")
    ] * 3


def test_a_commit_is_found_by_the_path_of_its_session(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("App/file", session, 0, b"12345", 5)
    service.commit(session)

    assert [entry["operation"] for entry in store.journal(path="app/*")] == [
        "UploadFileChunk",
        "CommitImageStoreUploadSession",
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"operation": "Upload*"}, 2),
        ({"operation": "uploadfile"}, 2),
        ({"path": "App/a"}, 1),
        ({"path": "APP\\*"}, 2),
        ({"status": 404}, 1),
        ({"verb": "get"}, 1),
        ({"client": "127.0.0.0/8"}, 3),
        ({"client": "10.0.0.1"}, 0),
        ({"code": "E_INVALIDARG"}, 0),
        ({"fault": "*"}, 0),
        ({"since": 2}, 1),
    ],
)
def test_entries_are_found_by_what_they_are(
    store: Control, service: Service, query: dict[str, object], found: int
) -> None:
    service.upload("App/a")
    service.upload("App/b")
    service.status("GET", f"/ImageStore/None?{V}")

    assert len(store.journal(**query)) == found


@pytest.mark.parametrize("query", [{"status": "ok"}, {"colour": "red"}, {"range": "all"}, {"client": "nobody"}])
def test_a_question_that_makes_no_sense_is_refused(store: Control, query: dict[str, object]) -> None:
    with pytest.raises(ControlError) as refusal:
        store.journal(**query)

    assert refusal.value.status == 400


def test_what_was_expected_is_verified_and_what_is_not_so_is_named(store: Control, service: Service) -> None:
    service.upload("App/a")
    service.upload("App/a")
    service.status("DELETE", f"/ImageStore/App/a?{V}")

    store.verify({"operation": "UploadFile", "count": 2}, {"operation": "Delete*"}, nothing_else=True)
    store.verify(order=[{"operation": "UploadFile"}, {"operation": "UploadFile"}, {"operation": "Delete*"}])
    with pytest.raises(AssertionError, match=r"operation=UploadFile: exactly 3 expected, 2 found"):
        store.verify({"operation": "UploadFile", "count": 3})
    with pytest.raises(AssertionError, match="at most 1 expected, 2 found"):
        store.verify({"operation": "UploadFile", "at_most": 1})
    with pytest.raises(AssertionError, match="at least 1 expected, 0 found"):
        store.verify({"operation": "CopyImageStoreContent"})
    with pytest.raises(AssertionError, match="step 2 of the order"):
        store.verify(order=[{"operation": "Delete*"}, {"operation": "UploadFile"}])
    with pytest.raises(AssertionError, match="unexpected: DELETE"):
        store.verify({"operation": "UploadFile"}, nothing_else=True)


def test_one_waits_for_a_request_that_is_still_to_come(store: Control, service: Service) -> None:
    found: list[dict[str, object]] = []
    waiting = threading.Thread(target=lambda: found.extend(store.wait(2, "60s", operation="UploadFile")))
    waiting.start()
    service.upload("App/a")
    service.status("GET", TARGET)
    service.upload("App/b")
    waiting.join(30)

    assert [entry["path"] for entry in found] == ["App/a", "App/b"]


def test_what_does_not_come_in_time_is_a_time_out(store: Control) -> None:
    with pytest.raises(TimeoutError, match="did not come within 10ms"):
        store.wait(1, "10ms", operation="UploadFile")


def test_one_can_follow_requests_as_they_end(store: Control, service: Service) -> None:
    service.upload("App/before")
    followed: list[str] = []

    def follow() -> None:
        for entry in store.follow(operation="UploadFile"):
            followed.append(str(entry["path"]))
            if entry["path"] == "App/last":
                return

    following = threading.Thread(target=follow)
    following.start()
    eventually(lambda: followed, "it shows what was there before")
    service.upload("App/after")
    service.upload("App/last")
    following.join(30)

    assert followed == ["App/before", "App/after", "App/last"]


def test_an_entry_printed_as_curl_is_the_same_request(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("App/it's", session, 0, b"12345", 10)

    (command,) = store.curl().splitlines()

    assert command == (
        "curl -sS -i --globoff --path-as-is -X PUT -H 'Content-Range: bytes 0-4/10' --data-binary @5-bytes "
        f"'{store.endpoint}/ImageStore/App/it'\"'\"'s/$/UploadChunk?{V}&session-id={session}'"
    )


def test_only_the_last_requests_are_kept_and_numbers_go_on() -> None:
    with EmulatorThread(journal=3) as server:
        control, service = Control(server.endpoint), Service(server.endpoint)
        for name in "abcde":
            service.upload(f"App/{name}")
        assert [(entry["number"], entry["path"]) for entry in control.journal()] == [
            (3, "App/c"),
            (4, "App/d"),
            (5, "App/e"),
        ]
        control.clear_journal()
        service.upload("App/f")
        assert [entry["number"] for entry in control.journal()] == [6]


def test_without_a_journal_everything_else_works() -> None:
    with EmulatorThread(journal=0) as server:
        control, service = Control(server.endpoint), Service(server.endpoint)
        control.add_fault("times=1 error=FABRIC_E_TIMEOUT")
        assert [service.upload("App/a"), service.upload("App/a")] == [504, 200]
        assert control.journal() == []


def test_a_request_that_is_under_way_is_shown_as_running(store: Control, service: Service) -> None:
    store.freeze()
    store.add_fault("operation=UploadFile delay=1m")
    uploading = threading.Thread(target=service.upload, args=["App/slow", b"1"])
    uploading.start()

    def running() -> list[dict[str, object]]:
        return list(store._ask("GET", "/journal/running"))

    eventually(running, "it runs")
    assert [(entry["path"], entry["status"]) for entry in running()] == [("App/slow", None)]
    store.advance("1m")
    uploading.join(30)
    assert running() == []
    assert [entry["status"] for entry in store.journal()] == [200]


def test_who_follows_is_told_that_the_store_was_dropped(server: EmulatorThread) -> None:
    store = server.store.make_store("followed")
    Service(store.endpoint).upload("file", b"x")
    events = store.follow()
    assert next(events)["path"] == "file"
    store.drop()

    assert list(events) == []


def test_who_follows_does_not_keep_the_emulator_from_stopping() -> None:
    with EmulatorThread(shutdown_timeout=timedelta(hours=1)) as server:
        Service(server.endpoint).upload("file", b"x")
        events = server.store.follow()
        assert next(events)["path"] == "file"
    assert list(events) == []
