"""Many stores in one process, none of which knows of another."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emulator.client import Control, ControlError
from emulator.testing import EmulatorThread
from tests.control.service import NO_ANSWER, Service, V, new_session
from tests.durability.servers import open_files_of
from tests.support.waiting import eventually
from tests.support.wire import Wire


def test_stores_share_nothing(store: Control, service: Service) -> None:
    other = store.on("other-one")
    session = new_session()
    service.upload("App/file", b"mine")
    service.chunk("App/big", session, 0, b"1234", 10)
    store.add_fault("error=FABRIC_E_TIMEOUT")
    store.freeze()

    assert other.files() == {}
    assert other.sessions() == []
    assert Service(other.endpoint).find_session(session) == 204
    assert Service(other.endpoint).upload("App/file", b"theirs") == 200
    assert (other.faults(), other.clock()["mode"]) == ([], "real")
    assert [entry["path"] for entry in other.journal()] == ["", "App/file"]
    assert store.read("App/file") == b"mine"
    other.drop()


def test_path_header_and_host_name_select_the_same_store(server: EmulatorThread) -> None:
    wire = Wire("127.0.0.1", server.port)
    target = f"/ImageStore/file?{V}"
    assert wire.put(f"/_emulator/on/three-ways{target}", b"1").status == 200

    by_header = wire.get(target, headers={"X-Emulator-Store": "three-ways"})
    by_host = wire.send("GET", target, headers={"Host": f"three-ways.localhost:{server.port}"})
    by_case = wire.get(f"/_emulator/on/Three-Ways{target}")

    assert [each.status for each in (by_header, by_host, by_case)] == [200, 200, 200]
    assert wire.get(target).status == 404
    control = wire.get("/_emulator/journal", headers={"X-Emulator-Store": "three-ways"})
    assert len(control.json()) == 4


def test_whoever_only_wants_a_store_that_is_there_makes_none(store: Control, server: EmulatorThread) -> None:
    wire = Wire("127.0.0.1", server.port)
    carefully = {"X-Emulator-Make-Store": "no"}
    here = f"/_emulator/on/{store.store}"
    for target in (f"/ImageStore?{V}", "/_emulator/journal", "/Explorer/"):
        assert wire.get(f"/_emulator/on/not-there{target}", headers=carefully).status == 404
    assert wire.get(f"{here}/_emulator/journal", headers=carefully).status == 200
    assert "not-there" not in [each["name"] for each in store.stores()]
    refused = wire.get("/_emulator/on/No!/_emulator/journal", headers=carefully)
    assert refused.status == 400


@pytest.mark.parametrize("name", ["-a", "a-", "%C3%BC", "a.b", "a" * 64, "a%2Fb", "..", "format", "tls", "identity"])
def test_what_can_be_no_name_is_refused_and_makes_nothing(server: EmulatorThread, data: Path, name: str) -> None:
    before = sorted(data.iterdir())

    reply = Wire("127.0.0.1", server.port).put(
        f"/_emulator/on/{name.encode('latin-1').decode('latin-1')}/ImageStore/a?{V}"
    )

    assert reply.status == 400
    assert "names no store" in reply.body.decode()
    assert sorted(data.iterdir()) == before


def test_a_dropped_store_is_gone_and_its_name_begins_anew(store: Control, data: Path) -> None:
    other = store.make_store("short-lived")
    session = new_session()
    Service(other.endpoint).upload("App/file", b"1")
    Service(other.endpoint).chunk("App/big", session, 0, b"1234", 10)

    other.drop()

    assert "short-lived" not in {each["name"] for each in store.stores()}
    assert not (data / "short-lived").exists()
    assert (other.files(), other.sessions()) == ({}, [])
    other.drop()
    with pytest.raises(ControlError) as refusal:
        other.drop()
    assert refusal.value.status == 404


def test_a_request_in_a_store_that_is_dropped_ends_and_leaves_nothing(store: Control, data: Path) -> None:
    other = store.make_store("busy")
    other.freeze()
    other.add_fault("operation=UploadFile path=stalled stall=1h")
    other.add_fault("operation=UploadFile path=delayed delay=1h when=after")
    service = Service(other.endpoint)
    statuses: list[int] = []
    requests = [
        threading.Thread(target=lambda path=path: statuses.append(service.upload(path, bytes(100_000))))
        for path in ("stalled", "delayed")
    ]
    for request in requests:
        request.start()
    eventually(lambda: len(other._ask("GET", "/journal/running")) == 2, "both are under way")

    other.drop()
    for request in requests:
        request.join(30)

    assert set(statuses) <= {503, NO_ANSWER}
    assert not (data / "busy").exists()
    assert store.on("busy").files() == {}
    store.on("busy").drop()


def test_whoever_follows_a_store_that_is_dropped_is_told_the_end(store: Control) -> None:
    other = store.make_store("followed")
    Service(other.endpoint).upload("App/file")
    followed: list[str] = []
    following = threading.Thread(target=lambda: followed.extend(entry["path"] for entry in other.follow()))
    following.start()
    eventually(lambda: followed or not following.is_alive(), "it follows")

    other.drop()
    following.join(30)

    assert not following.is_alive()
    assert followed == ["App/file"]


def test_a_server_that_stops_does_not_wait_for_those_who_only_watch(tmp_path: Path) -> None:
    with EmulatorThread(tmp_path / "data", shutdown_timeout="1h") as server:
        control = Control(server.endpoint)
        watching = [threading.Thread(target=lambda: list(control.follow())) for _ in range(2)]
        for each in watching:
            each.start()
        Service(server.endpoint).upload("App/file")
        control.wait(1)
    for each in watching:
        each.join(30)
        assert not each.is_alive()


def test_a_reset_store_is_as_new_while_its_neighbours_run_on(store: Control, service: Service) -> None:
    neighbour = store.make_store("neighbour")
    Service(neighbour.endpoint).upload("App/file", b"1")
    service.upload("App/file", b"1")
    service.chunk("App/big", new_session(), 0, b"1234", 10)
    store.freeze()
    store.add_fault("error=FABRIC_E_TIMEOUT")

    store.reset()

    assert (store.files(), store.sessions(), store.faults(), store.journal()) == ({}, [], [], [])
    assert store.clock()["mode"] == "real"
    assert neighbour.files() == {"App/file": 1}
    assert service.upload("App/again", b"1") == 200
    neighbour.drop()


def test_the_default_store_can_be_reset_too(tmp_path: Path) -> None:
    with EmulatorThread(tmp_path / "data") as server:
        control, service = Control(server.endpoint), Service(server.endpoint)
        service.upload("App/file", b"1")
        control.reset()
        assert control.files() == {}
        assert service.upload("App/file", b"2") == 200
        assert (tmp_path / "data/default/content/App/file").read_bytes() == b"2"
        eventually(lambda: not list((tmp_path / "data/.trash").iterdir()), "nothing of it is kept")


def test_stores_are_still_there_after_a_restart(tmp_path: Path) -> None:
    session = new_session()
    with EmulatorThread(tmp_path / "data") as server:
        other = Control(server.endpoint).make_store("kept")
        Service(other.endpoint).upload("App/file", b"1")
        Service(other.endpoint).chunk("App/big", session, 0, b"1234", 10)
    with EmulatorThread(tmp_path / "data") as server:
        control = Control(server.endpoint)
        assert [each["name"] for each in control.stores()] == ["default", "kept"]
        assert control.on("kept").files() == {"App/file": 1}
        assert [each["session"] for each in control.on("kept").sessions()] == [session]


def test_many_stores_made_at_once_by_their_first_requests_are_each_made_once(server: EmulatorThread) -> None:
    names = [f"rush{number % 5}" for number in range(60)]

    def use(job: tuple[int, str]) -> int:
        number, name = job
        return Service(f"{server.endpoint}/_emulator/on/{name}").upload(f"App/{number}", b"1")

    with ThreadPoolExecutor(12) as clients:
        assert set(clients.map(use, enumerate(names))) == {200}

    control = Control(server.endpoint)
    for name in set(names):
        assert len(control.on(name).files()) == 12
        control.drop_store(name)


def test_dropped_stores_leave_no_open_files(tmp_path: Path) -> None:
    with EmulatorThread(tmp_path / "data") as server:
        control = Control(server.endpoint)

        def use(number: int) -> None:
            store = control.make_store(f"store{number}")
            Service(store.endpoint).upload("App/file", b"1")
            store.drop()

        use(0)
        before = open_files_of_this_process()
        for number in range(1, 30):
            use(number)
        eventually(lambda: open_files_of_this_process() <= before + 3, "files are closed")


def open_files_of_this_process() -> int:
    import os

    return open_files_of(os.getpid())


def test_two_servers_on_one_directory_may_not_replace_stores_under_each_other(tmp_path: Path) -> None:
    with EmulatorThread(tmp_path / "data") as one, EmulatorThread(tmp_path / "data") as other:
        Service(one.endpoint).upload("App/file", b"1")
        with pytest.raises(ControlError) as refusal:
            Control(other.endpoint).reset()
        assert refusal.value.status == 409
        assert Control(other.endpoint).files() == {"App/file": 1}
        assert Service(other.endpoint).upload("App/file", b"2") == 200


def test_a_group_of_workers_refuses_what_lives_in_one_process(tmp_path: Path) -> None:
    from tests.durability.servers import DurableServer

    with DurableServer(tmp_path / "data", "--workers", "2") as server:
        eventually(server.is_ready, "it is ready")
        reply = server.get("/_emulator/clock")
        assert reply.status == 409
        assert "--workers 1" in reply.json()["error"]
        assert server.put(f"/_emulator/on/other/ImageStore/App/file?{V}", b"1").status == 200
