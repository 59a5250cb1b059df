"""Every error says in a header why it was given; body and status are the service's own."""

import json

import pytest

from emulator.client import Control
from tests.control.service import Service, V, new_session

SESSION = "11111111-2222-3333-4444-555555555555"
WRONG = [
    ("GET", "/ImageStore/a", {}, "api-version is missing"),
    ("GET", "/ImageStore/a?api-version=99", {}, "api-version '99': GetImageStoreContent exists from 1.0 to"),
    ("PATCH", f"/ImageStore/a?{V}", {}, "no operation of this runtime is a PATCH"),
    ("GET", f"/ImageStore/%zz?{V}", {}, "without two hexadecimal digits"),
    ("GET", f"/ImageStore/a?{V}&timeout=0", {}, "timeout=0"),
    ("PUT", f"/ImageStore/a%3Ab?{V}", {}, "a character that no file name has"),
    ("DELETE", f"/ImageStore/Store?{V}", {}, "the cluster keeps Store for itself"),
    ("GET", f"/ImageStore/$/GetUploadSession?{V}&session-id=1", {}, "not a GUID"),
    ("POST", f"/ImageStore/$/CommitUploadSession?{V}&session-id={SESSION}", {}, "there is no session"),
    ("DELETE", f"/ImageStore/$/DeleteUploadSession?{V}&session-id={SESSION}", {}, "30m and expired"),
    ("PUT", f"/ImageStore/a?{V}", {"Content_Range": "bytes 9-1/10"}, "no two numbers in order"),
    ("POST", f"/ImageStore/$/Copy?{V}", {}, "the body is not JSON"),
    ("GET", "/ImageStore/none/$/FolderSize?api-version=6.5", {}, "nothing is stored there"),
]


@pytest.mark.parametrize("case", WRONG, ids=[each[3] for each in WRONG])
def test_an_error_says_why(store: Control, service: Service, case: tuple[str, str, dict[str, str], str]) -> None:
    method, target, headers, why = case
    reply = service.send(method, target, b"", **headers)

    assert why in reply.headers["x-emulator-why"]
    assert set(json.loads(reply.body)) == {"Error"}
    assert store.journal()[-1]["why"] == reply.headers["x-emulator-why"]


def test_a_refused_chunk_is_told_what_is_expected_and_when_the_last_one_came(store: Control, service: Service) -> None:
    session = new_session()
    store.freeze("2026-05-01T12:00:00Z")
    service.chunk("file", session, 0, b"01234", 20)
    service.chunk("file", session, 10, b"01234", 20)
    target = f"/ImageStore/file/$/UploadChunk?{V}&session-id={session}"

    reply = service.send("PUT", target, b"56", Content_Range="bytes 4-5/20")

    assert reply.headers["x-emulator-why"] == (
        "bytes 4-5 do not lie inside one gap of the session, which expects 5-9, 15-19 of 20 bytes; "
        "the last new chunk came at 2026-05-01T12:00:00.000000Z"
    )


def test_a_commit_with_gaps_is_told_which(store: Control, service: Service) -> None:
    session = new_session()
    for start in range(0, 40, 4):
        service.chunk("file", session, start, b"01", 40)

    reply = service.send("POST", f"/ImageStore/$/CommitUploadSession?{V}&session-id={session}")

    assert "still expects 2-3, 6-7, 10-11, 14-15, 18-19 and 5 more of 40 bytes" in reply.headers["x-emulator-why"]


def test_names_that_are_no_ascii_are_told_in_a_header_all_the_same(store: Control, service: Service) -> None:
    reply = service.send("PUT", f"/ImageStore/%C3%BC%3A?{V}", b"")

    assert reply.status == 400
    assert "\\xfc" in reply.headers["x-emulator-why"]


def test_success_has_no_hint(store: Control, service: Service) -> None:
    assert "x-emulator-why" not in service.send("PUT", f"/ImageStore/a?{V}", b"1").headers
