"""A store put aside and brought back: content, open sessions, the time."""

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from emulator.client import Control, ControlError
from emulator.control import snapshots
from emulator.storage.snapshots import save
from emulator.testing import EmulatorThread
from tests.control.service import Service, new_session


def blocks_of(folder: Path) -> int:
    """Bytes of disk that a folder takes, a file with several names counted once."""
    found = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # on its way out
                status = os.lstat(f"{directory}/{name}")
                found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())


def test_a_restored_store_is_as_it_was(store: Control, service: Service) -> None:
    service.upload("App/kept", b"kept")
    service.upload("App/changed", b"before")
    assert store.snapshot("as-it-was") == 2
    service.upload("App/changed", b"after")
    service.upload("App/new", b"new")
    service.status("DELETE", "/ImageStore/App/kept?api-version=6.0")

    assert store.restore("as-it-was") > 0

    assert store.files() == {"App/changed": 6, "App/kept": 4}
    assert (store.read("App/kept"), store.read("App/changed")) == (b"kept", b"before")


def test_an_open_session_goes_on_from_where_it_was_as_often_as_one_likes(store: Control, service: Service) -> None:
    session = new_session()
    service.chunk("App/big", session, 0, b"01234", 15)
    service.chunk("App/big", session, 10, b"abcde", 15)
    store.snapshot("half-way")

    for middle in (b"FIRST", b"AGAIN", b"THIRD"):
        assert service.chunk("App/big", session, 5, middle, 15) == 200
        assert service.commit(session) == 200
        assert store.read("App/big") == b"01234" + middle + b"abcde"
        store.restore("half-way")
        assert store.files() == {}
        (open_one,) = store.sessions()
        assert open_one["expected"] == [{"start": 5, "end": 9}]


def test_one_snapshot_restored_into_two_stores_makes_two_stores(store: Control, service: Service) -> None:
    session = new_session()
    service.upload("App/file", b"same")
    service.chunk("App/big", session, 0, b"01234", 10)
    store.snapshot("for-two")
    others = [store.make_store(name) for name in ("one", "two")]
    for other, rest in zip(others, (b"_one_", b"_two_"), strict=True):
        other.restore("for-two")
        assert Service(other.endpoint).chunk("App/big", session, 5, rest, 10) == 200
    for other in others:
        assert Service(other.endpoint).commit(session) == 200

    assert [other.read("App/big") for other in others] == [b"01234_one_", b"01234_two_"]
    assert (store.files(), len(store.sessions())) == ({"App/file": 4}, 1)
    Service(others[0].endpoint).upload("App/file", b"other")
    assert [each.read("App/file") for each in (store, others[1])] == [b"same", b"same"]
    for other in others:
        other.drop()


def test_time_goes_on_from_the_moment_of_the_snapshot_so_sessions_in_it_are_alive(
    store: Control, service: Service
) -> None:
    session = new_session()
    service.chunk("App/big", session, 0, b"01234", 10)
    store.advance("25m")
    before = store.now()
    store.snapshot("late")
    store.advance("6m")
    assert store.sessions() == []

    store.restore("late")

    assert abs((store.now() - before).total_seconds()) < 60
    assert service.find_session(session) == 200
    assert [each["session"] for each in store.advance("6m")] == [session]


def test_a_committed_session_is_still_committed_after_snapshot_and_restore(store: Control, service: Service) -> None:
    """Committing once more makes no new version: the file is still the one that the first commit made."""

    def version() -> str:
        page = service.send("GET", "/ImageStore/App?api-version=6.0").json()
        return str(page["StoreFiles"][0]["FileVersion"]["VersionNumber"])

    session = new_session()
    service.chunk("App/big", session, 0, b"01234", 5)
    service.commit(session)
    first = version()
    store.snapshot("committed")
    assert service.commit(session) == 200
    assert version() == first

    store.restore("committed")
    assert service.commit(session) == 200
    assert version() == first
    assert store.read("App/big") == b"01234"


def test_a_session_published_again_does_not_change_what_a_snapshot_holds(
    store: Control, service: Service, data: Path
) -> None:
    session = new_session()
    service.chunk("App/big", session, 0, b"01234", 5)
    service.commit(session)
    store.snapshot("untouched")
    held = data / ".snapshots/untouched/content/App/big"
    before = (held.read_bytes(), held.stat().st_mtime_ns)

    service.upload("App/big", b"in its place")
    assert service.commit(session) == 200

    assert store.read("App/big") == b"01234"
    assert (held.read_bytes(), held.stat().st_mtime_ns) == before


def test_a_snapshot_takes_no_disk_for_what_is_in_its_files(store: Control, service: Service, data: Path) -> None:
    for number in range(4):
        service.upload(f"App/{number}", os.urandom(1_000_000))
    session = new_session()
    service.chunk("App/big", session, 0, os.urandom(1_000_000), 1_000_000)
    service.commit(session)
    before = blocks_of(data)

    store.snapshot("cheap")
    store.restore("cheap")

    assert blocks_of(data) - before < 500_000


def test_a_snapshot_of_that_name_is_replaced_and_can_be_deleted(store: Control, service: Service) -> None:
    service.upload("App/one")
    store.snapshot("twice")
    service.upload("App/two")
    store.snapshot("twice")
    store.reset()
    store.restore("twice")
    assert set(store.files()) == {"App/one", "App/two"}

    assert "twice" in store.snapshots()
    store.delete_snapshot("twice")
    assert "twice" not in store.snapshots()
    for use in (store.restore, store.delete_snapshot):
        with pytest.raises(ControlError, match="no snapshot 'twice'"):
            use("twice")
    assert set(store.files()) == {"App/one", "App/two"}, "a restore that fails changes nothing"


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "x" * 101, "%2e%2e", "a/b", "../b"])
def test_what_can_name_no_snapshot_is_refused(store: Control, name: str) -> None:
    with pytest.raises(ControlError, match="names no snapshot") as refusal:
        store.snapshot(name)

    assert refusal.value.status == 400


def test_a_snapshot_of_a_newer_emulator_is_refused_by_name(store: Control, data: Path) -> None:
    store.snapshot("from-the-future")
    state = data / ".snapshots/from-the-future/state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"format": 99}))

    with pytest.raises(ControlError, match="from-the-future has format 99"):
        store.restore("from-the-future")


def test_snapshots_outlive_the_server(tmp_path: Path) -> None:
    with EmulatorThread(tmp_path / "data") as server:
        Service(server.endpoint).upload("App/file", b"1")
        Control(server.endpoint).snapshot("kept")
        Control(server.endpoint).reset()
    with EmulatorThread(tmp_path / "data") as server:
        Control(server.endpoint).restore("kept")
        assert Control(server.endpoint).files() == {"App/file": 1}


def test_files_that_change_while_a_snapshot_is_taken_are_whole_in_it(store: Control, service: Service) -> None:
    contents = {bytes([letter]) * 300_000 for letter in b"abcdef"}
    stop = threading.Event()

    def overwrite() -> None:
        while not stop.is_set():
            for content in sorted(contents):
                service.upload("App/file", content)

    service.upload("App/file", b"a" * 300_000)
    writing = threading.Thread(target=overwrite)
    writing.start()
    for number in range(5):
        store.snapshot(f"busy{number}")
    stop.set()
    writing.join(60)
    for number in range(5):
        store.restore(f"busy{number}")
        assert store.read("App/file") in contents


def test_progress_is_told_while_it_is_made(store: Control, service: Service) -> None:
    for number in range(20):
        service.upload(f"App/{number}")
    seen: list[tuple[int, int]] = []

    store.snapshot("told", on_progress=lambda done, total: seen.append((done, total)))

    assert seen
    assert all(done <= total for done, total in seen)


CRASH = """
import os, sys
from pathlib import Path
from emulator.control import stores
from emulator.client import Control
from emulator.testing import EmulatorThread

real = stores.exchange
def exchange_and_die(one, other):
    real(one, other)
    os._exit(9)

with EmulatorThread(Path(sys.argv[1])) as server:
    stores.exchange = exchange_and_die
    getattr(Control(server.endpoint), sys.argv[2])(*sys.argv[3:])
"""


@pytest.mark.parametrize("change", [["restore", "half"], ["reset"]])
def test_a_store_that_dies_while_it_is_replaced_is_wholly_the_new_one_afterwards(
    tmp_path: Path, change: list[str]
) -> None:
    session, later = new_session(), new_session()
    with EmulatorThread(tmp_path / "data") as server:
        service = Service(server.endpoint)
        service.chunk("big", session, 0, b"hello", 10)
        Control(server.endpoint).snapshot("half")
        service.chunk("big", session, 5, b"world", 10)
        service.chunk("other", later, 0, b"1", 2)

    died = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path / "data"), *change], check=False, timeout=60)
    assert died.returncode == 9

    with EmulatorThread(tmp_path / "data") as server:
        control, service = Control(server.endpoint), Service(server.endpoint)
        if change == ["reset"]:
            assert (control.sessions(), control.files()) == ([], {})
            assert service.chunk("big", session, 0, b"anew", 4) == 200
            return
        (open_one,) = control.sessions()
        assert open_one["expected"] == [{"start": 5, "end": 9}]
        assert service.commit(session) == 400
        assert service.chunk("big", session, 5, b"again", 10) == 200
        assert service.commit(session) == 200
        assert control.read("big") == b"helloagain"


def test_a_store_made_anew_by_hand_has_no_sessions_of_the_one_before(tmp_path: Path) -> None:
    session = new_session()
    with EmulatorThread(tmp_path / "data") as server:
        other = Control(server.endpoint).make_store("other")
        Service(other.endpoint).chunk("big", session, 0, b"1", 2)
    shutil.rmtree(tmp_path / "data/other")
    with EmulatorThread(tmp_path / "data") as server:
        assert Control(server.endpoint).on("other").sessions() == []


def test_saves_restores_and_deletions_of_one_snapshot_at_once_never_mix(store: Control, service: Service) -> None:
    """A restored store has all files of one snapshot, or the snapshot was gone."""
    for number in range(40):
        service.upload(f"App/{number}", b"old")
    store.snapshot("raced")
    others = [store.make_store(f"raced{number}") for number in range(2)]

    def overwrite() -> None:
        for number in range(40):
            service.upload(f"App/{number}", b"newer")
        store.snapshot("raced")

    with ThreadPoolExecutor(3) as running:
        works = [running.submit(other.restore, "raced") for other in others] + [running.submit(overwrite)]
        for work in works:
            work.result()

    for other in others:
        assert set(other.files().values()) in ({3}, {5})
        assert len(other.files()) == 40
        other.drop()


def test_a_store_that_is_reset_while_its_snapshot_is_taken_has_no_snapshot(
    store: Control, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part of it would be of one store, part of another."""
    service.upload("App/file", b"1")
    saving, was_reset = threading.Event(), threading.Event()

    def save_slowly(*arguments: Any) -> int:
        saving.set()
        assert was_reset.wait(30)
        return save(*arguments)

    monkeypatch.setattr(snapshots, "save", save_slowly)
    with ThreadPoolExecutor(1) as running:
        snapshot = running.submit(store.snapshot, "torn")
        assert saving.wait(30)
        store.reset()
        was_reset.set()
        with pytest.raises(ControlError, match="was replaced while its snapshot was taken"):
            snapshot.result()
    assert "torn" not in store.snapshots()
    assert store.clock()["mode"] == "real", "and the server goes on"


def test_how_a_clock_runs_and_when_sessions_end_is_part_of_a_snapshot(store: Control) -> None:
    store.freeze("2026-05-01T12:00:00Z")
    store.set_expiry("swept")
    store.snapshot("frozen")
    store.reset_clock()
    store.set_expiry("exact")

    store.restore("frozen")

    clock = store.clock()
    assert (clock["now"], clock["mode"], clock["expiry"]) == ("2026-05-01T12:00:00Z", "frozen", "swept")
