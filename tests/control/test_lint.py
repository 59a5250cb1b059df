"""Mistakes of clients that work here and hurt on a cluster."""

import pytest

from emulator.client import Control
from tests.control.service import Service, new_session


def rules(store: Control) -> list[str]:
    return [finding["rule"] for finding in store.lint()]


def test_a_client_that_does_all_right_has_no_findings(store: Control, service: Service) -> None:
    session = new_session()
    service.upload("App/Code/file", b"1")
    service.upload("App/Code/_.dir")
    service.chunk("App/big", session, 0, b"01234", 10)
    service.chunk("App/big", session, 5, b"56789", 10)
    service.commit(session)
    service.upload("App/_.dir")
    service.status("GET", "/ImageStore/App?api-version=6.2")

    assert store.lint() == []


def test_a_folder_that_was_never_marked_is_found_and_its_neighbour_is_not(store: Control, service: Service) -> None:
    service.upload("App/Code/file", b"1")
    service.upload("App/Data/file", b"1")
    service.upload("App/Data/_.dir")
    service.upload("App/_.dir")

    (finding,) = store.lint()

    assert finding["rule"] == "folder-without-mark"
    assert "App/Code" in finding["message"]
    assert finding["entries"] == [store.journal(path="App/Code/file")[0]["number"]]


def test_a_folder_of_marked_folders_needs_a_mark_of_its_own(store: Control, service: Service) -> None:
    service.upload("App/Code/file", b"1")
    service.upload("App/Code/_.dir")

    (finding,) = store.lint()

    assert "files were uploaded to App, which has no _.dir" in finding["message"]


def test_a_new_session_for_the_same_bytes_is_as_good_as_a_retry(store: Control, service: Service) -> None:
    first, second = new_session(), new_session()
    service.chunk("file", first, 0, b"01234", 5, x_emulator_fault="cut=before")
    service.chunk("file", second, 0, b"01234", 5)
    service.commit(second)

    assert rules(store) == []


def test_a_commit_whose_answer_was_lost_leaves_no_session_open(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("file", session, 0, b"01234", 5)
    service.commit(session, x_emulator_fault="cut=after")

    assert rules(store) == ["no-retry-after-cut"]


def test_a_commit_after_a_chunk_was_lost_is_one_with_a_gap(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("file", session, 0, b"01234", 10)
    service.chunk("file", session, 5, b"56789", 10, x_emulator_fault="forget=chunk")
    service.commit(session)
    service.delete_session(session)

    assert rules(store) == ["commit-with-gap"]


def test_a_folder_that_was_deleted_again_needs_no_mark(store: Control, service: Service) -> None:
    service.upload("App/file", b"1")
    service.status("DELETE", "/ImageStore/App?api-version=6.0")

    assert rules(store) == []


def test_a_commit_with_a_gap_is_found(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("file", session, 0, b"01234", 10)
    service.commit(session)
    service.delete_session(session)

    assert rules(store) == ["commit-with-gap"]


def test_a_commit_after_the_session_expired_is_no_gap(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("file", session, 0, b"01234", 5)
    store.advance("31m")
    service.commit(session)

    assert rules(store) == ["commit-too-late", "session-left-open"]


@pytest.mark.parametrize("cut", ["before", "after", "2"])
def test_a_cut_that_was_not_followed_by_another_try_is_found(store: Control, service: Service, cut: str) -> None:
    service.upload("file", b"12345", x_emulator_fault=f"cut={cut}")

    assert rules(store) == ["no-retry-after-cut"]
    service.upload("file", b"12345")
    assert rules(store) == []


def test_asking_what_a_session_expects_is_as_good_as_sending_the_chunk_again(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("file", session, 0, b"01234", 5, x_emulator_fault="cut=after")
    service.find_session(session)
    service.commit(session)

    assert rules(store) == []


def test_a_session_that_was_neither_committed_nor_deleted_is_found(store: Control, service: Service) -> None:
    left, deleted = new_session(), new_session()
    service.chunk("left", left, 0, b"01234", 10)
    service.chunk("deleted", deleted, 0, b"01234", 10)
    service.delete_session(deleted)

    (finding,) = store.lint()

    assert finding["rule"] == "session-left-open"
    assert left in finding["message"]


def test_an_api_version_that_older_runtimes_refuse_is_found_once(store: Control, service: Service) -> None:
    for _ in range(3):
        service.status("PUT", "/ImageStore/file?api-version=8.2")
    service.status("GET", "/ImageStore/$/Info?api-version=6.5")

    (finding,) = store.lint()

    assert finding["rule"] == "newer-api-version"
    assert "UploadFile was called with api-version 8.2, its contract is 6.0" in finding["message"]
    assert len(finding["entries"]) == 3
