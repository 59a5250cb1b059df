"""Half an hour passes in a millisecond, and everything that tells time follows the clock."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from emulator.client import Control, ControlError
from tests.control.service import Service, new_session
from tests.support.waiting import eventually

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_thirty_one_minutes_end_a_session_at_once_and_are_answered_with_what_they_ended(
    store: Control, service: Service
) -> None:
    first, second = new_session(), new_session()
    service.chunk("App/first", first, 0, b"1234", 10)
    store.advance("20m")
    service.chunk("App/second", second, 0, b"1234", 10)

    (expired,) = store.advance("11m")

    assert (expired["session"], expired["path"]) == (first, "App/first")
    assert expired["expected"] == [{"start": 4, "end": 9}]
    assert (service.find_session(first), service.find_session(second)) == (204, 200)
    assert [each["session"] for each in store.sessions()] == [second]


def test_a_step_short_of_the_end_ends_nothing(store: Control, service: Service) -> None:
    session = new_session()
    store.freeze()
    service.chunk("App/file", session, 0, b"1234", 10)

    assert store.advance("29m") == []
    assert service.find_session(session) == 200
    assert [each["session"] for each in store.advance("1m")] == [session]


def test_a_frozen_clock_stands_still_and_dates_what_is_uploaded(store: Control, service: Service) -> None:
    assert store.freeze(NOON)["mode"] == "frozen"

    service.upload("App/file", b"1")

    assert store.now() == NOON
    assert service.send("GET", "/ImageStore/App?api-version=6.0").json()["StoreFiles"][0]["ModifiedDate"] == (
        "2026-05-01T12:00:00.000Z"
    )
    assert moment(store.journal()[0]["moment"]) == NOON


def test_a_clock_that_was_moved_goes_on_from_there_and_can_go_back_to_real_time(store: Control) -> None:
    assert store.clock()["mode"] == "real"
    assert store.set_clock(NOON)["mode"] == "offset"
    assert NOON <= store.now() < NOON + timedelta(minutes=5)
    store.advance("-2h")
    assert store.now() < NOON
    assert store.reset_clock()["mode"] == "real"
    assert abs(store.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_scaled_clock_lets_sessions_end_early(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("App/file", session, 0, b"1234", 10)

    assert store.set_clock(rate=1_000_000)["mode"] == "scaled"
    store.wait(1, operation="UploadFileChunk")  # any round trip will do: a millisecond is a quarter of an hour
    while service.find_session(session) == 200:
        pass

    assert service.find_session(session) == 204


def test_sessions_that_are_swept_live_on_until_the_real_service_would_look_for_them(
    store: Control, service: Service
) -> None:
    """The first sweep is half an hour after a session came into an empty store, then every five minutes."""
    store.freeze(NOON)
    assert store.set_expiry("swept")["expiry"] == "swept"
    first, second = new_session(), new_session()
    service.chunk("App/first", first, 0, b"1234", 10)
    store.advance("2m")
    service.chunk("App/second", second, 0, b"1234", 10)

    assert [each["session"] for each in store.advance("28m")] == [first]
    assert store.advance("4m") == []
    assert service.find_session(second) == 200, "its time is up, but nobody has looked"
    assert service.chunk("App/second", second, 4, b"567890", 10) == 200
    assert store.advance("25m") == []
    assert [each["session"] for each in store.advance("6m")] == [second]


def test_a_store_that_was_swept_empty_counts_anew_from_its_next_session(store: Control, service: Service) -> None:
    store.freeze(NOON)
    store.set_expiry("swept")
    service.chunk("App/first", new_session(), 0, b"1234", 10)
    store.advance("31m")
    later = new_session()
    service.chunk("App/later", later, 0, b"1234", 10)

    assert store.advance("29m") == []
    assert [each["session"] for each in store.advance("1m")] == [later]


def test_sweeping_begins_when_it_is_chosen_also_for_sessions_that_are_there(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("App/file", session, 0, b"1234", 10)
    store.set_expiry("swept")

    assert [each["session"] for each in store.advance("36m")] == [session]


def test_a_clock_that_went_back_does_not_keep_sessions_alive(store: Control, service: Service) -> None:
    store.set_expiry("swept")
    store.advance("5d")
    session = new_session()
    service.chunk("App/file", session, 0, b"1234", 10)
    store.reset_clock()
    store.advance("6d")

    assert service.find_session(session) == 204


def test_a_delay_ends_although_the_clock_went_back(store: Control, service: Service) -> None:
    store.advance("1h")
    asking = threading.Thread(target=service.upload, args=["file"], kwargs={"x_emulator_fault": "delay=1s"})
    asking.start()
    eventually(store.running, "it waits")
    store.reset_clock()
    store.advance("2s")
    asking.join(30)

    assert not asking.is_alive()


@pytest.mark.parametrize("moment", ["1969-12-31T23:59:59Z", "2300-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_a_moment_beyond_what_files_can_be_dated_is_refused(store: Control, moment: str) -> None:
    for change in ({"now": moment}, {"now": moment, "freeze": True}):
        with pytest.raises(ControlError) as refusal:
            store._ask("PUT", "/clock", change)
        assert refusal.value.status == 400
    assert store.clock()["mode"] == "real"


@pytest.mark.parametrize(
    "change",
    [{"freeze": True, "rate": 2}, {"rate": 0}, {"rate": -1}, {"now": "noon"}, {"expiry": "never"}, {"frezze": True}],
)
def test_what_no_clock_can_do_is_refused_with_a_reason_and_changes_nothing(store: Control, change: object) -> None:
    with pytest.raises(ControlError) as refusal:
        store._ask("PUT", "/clock", change)

    assert refusal.value.status == 400
    assert str(refusal.value)
    assert store.clock()["mode"] == "real"


@pytest.mark.parametrize("by", ["soon", "", "1e99d", "99999d"])
def test_a_step_that_is_no_duration_is_refused(store: Control, by: str) -> None:
    with pytest.raises(ControlError) as refusal:
        store.advance(by)

    assert refusal.value.status == 400
