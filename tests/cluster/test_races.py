"""Requests about one type at the same time, requests that are answered before they are done, large packages."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulator.client import Control
from emulator.operations.path_locks import changing
from emulator.protocol.content_path import PathRules
from emulator.protocol.profile import Profile
from emulator.storage.locks import NamedLocks
from tests.clients.package import read_tree
from tests.support.application import V, package, provision, register, types, unprovision, upload
from tests.support.emulator import EmulatorProcess, InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Wire

RULES = PathRules(Profile())
AVAILABLE = [("Calc", "1.0", "Available")]


@contextmanager
def busy(data: Path, path: str) -> Iterator[None]:
    """Inside, another process is changing this path of the image store."""
    locks = NamedLocks(data / "default" / "staging" / "locks")
    with changing(locks, RULES.parse(path), timeout=10):
        yield
    locks.close()


def test_async_is_accepted_at_once_and_done_later(emulator: InProcessEmulator) -> None:
    upload(emulator, "Pkg", package())
    with busy(emulator.data, "Store\\Calc"):
        reply = provision(emulator, Async=True)
        assert (reply.status, reply.body) == (202, b"")
        (listed,) = emulator.get(f"/ApplicationTypes?{V}").json()["Items"]
        assert (listed["Status"], listed["StatusDetails"]) == ("Provisioning", "Running Image Builder process ...")
        assert not (emulator.data / "default/content/Store").exists()
    eventually(lambda: types(emulator) == AVAILABLE, "the type is available")

    with busy(emulator.data, "Store\\Calc"):
        assert unprovision(emulator, Async=True).status == 202
        assert types(emulator) == [("Calc", "1.0", "Unprovisioning")]
    eventually(lambda: types(emulator) == [], "the type is gone")


def test_async_is_refused_at_once_for_what_can_be_seen_at_once(emulator: InProcessEmulator) -> None:
    assert provision(emulator, Async=True).status == 404
    upload(emulator, "Pkg", package() | {"ApplicationManifest.xml": b"no"})
    assert provision(emulator, Async=True).status == 400
    register(emulator, package(), "Other")
    upload(emulator, "Other", package())
    assert provision(emulator, "Other", Async=True).status == 409
    assert unprovision(emulator, version="9", Async=True).status == 404


def test_a_failure_after_the_answer_shows_in_the_list_until_it_is_tried_again_or_unprovisioned(
    emulator: InProcessEmulator,
) -> None:
    def failed() -> bool:
        return types(emulator) == [("Calc", "1.0", "Failed")]

    files = package()
    broken = {path: each for path, each in files.items() if not path.startswith("Web/Code")}
    upload(emulator, "Pkg", broken)
    assert provision(emulator, Async=True).status == 202
    eventually(failed, "the failure shows")
    (listed,) = emulator.get(f"/ApplicationTypes?{V}").json()["Items"]
    assert listed["StatusDetails"] == (
        "FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR: The BuildLayout of the application in Pkg is invalid. "
        "Code is missing for service Web."
    )

    assert unprovision(emulator).status == 200
    assert types(emulator) == []
    assert provision(emulator, Async=True).status == 202
    eventually(failed, "the failure shows again")
    register(emulator, files)
    assert types(emulator) == AVAILABLE


def test_another_version_of_a_type_that_is_under_way_waits_and_other_types_do_not(emulator: InProcessEmulator) -> None:
    for name, folder, version in (("Calc", "One", "1.0"), ("CALC", "Two", "2.0"), ("Other", "Three", "1.0")):
        upload(emulator, folder, package(name, version))
    with busy(emulator.data, "Store\\Calc"):
        assert provision(emulator, "One", Async=True).status == 202
        assert provision(emulator, "Two", query=f"{V}&timeout=1").error[:2] == (504, "FABRIC_E_TIMEOUT")
        assert unprovision(emulator, query=f"{V}&timeout=1").error[:2] == (504, "FABRIC_E_TIMEOUT")
        assert provision(emulator, "Three").status == 200
    assert provision(emulator, "Two").status == 200
    assert types(emulator) == [("CALC", "2.0", "Available"), *AVAILABLE, ("Other", "1.0", "Available")]


def test_of_many_who_register_one_version_at_once_one_does(emulator: InProcessEmulator) -> None:
    """The others hear that it exists, or that the package is gone: it was cleaned up."""
    for folder in ("A", "B", "C", "D"):
        upload(emulator, folder, package())
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda folder: provision(emulator, folder), ["A", "B", "C", "D"] * 2))

    assert sum(reply.status == 200 for reply in replies) == 1
    assert {reply.error[:2] for reply in replies if reply.status != 200} <= {
        (409, "FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS"),
        (404, "FABRIC_E_DIRECTORY_NOT_FOUND"),
        (404, "FABRIC_E_FILE_NOT_FOUND"),
    }
    assert types(emulator) == AVAILABLE


def test_versions_that_come_and_go_at_once_leave_each_other_whole(emulator: InProcessEmulator) -> None:
    register(emulator, package())
    before = read_tree(emulator.data / "default/content")

    def come_and_go(number: int) -> None:
        for round_ in range(3):
            name = f"2.{number}.{round_}"
            upload(emulator, f"P{number}", package(version=name))
            assert provision(emulator, f"P{number}").status == 200
            assert unprovision(emulator, version=name).status == 200

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))

    assert types(emulator) == AVAILABLE
    assert read_tree(emulator.data / "default/content") == before


def test_a_package_that_is_deleted_meanwhile_is_registered_whole_or_not_at_all(emulator: InProcessEmulator) -> None:
    files = package(code=bytes(1024 * 1024))
    expected = set()
    for _ in range(12):
        upload(emulator, "Pkg", files)
        started = threading.Barrier(2)

        def delete(started: threading.Barrier = started) -> None:
            started.wait()
            for path in ("Web/Config", "Web", ""):
                assert emulator.delete(f"/ImageStore/Pkg/{path}?{V}").status == 200

        deleting = threading.Thread(target=delete)
        deleting.start()
        started.wait()
        reply = provision(emulator)
        deleting.join()
        if reply.status == 200:
            assert types(emulator) == AVAILABLE
            stored = read_tree(emulator.data / "default/content/Store/Calc")
            assert stored["Web.Code.1.0/run.exe"] == bytes(1024 * 1024)
            assert "Web.Config.1.0/Settings.xml" in stored
            assert unprovision(emulator).status == 200
        else:
            expected.add(reply.error[1])
            assert types(emulator) == []
        assert read_tree(emulator.data / "default/content") == {}
    assert expected <= {
        "FABRIC_E_DIRECTORY_NOT_FOUND",
        "FABRIC_E_FILE_NOT_FOUND",
        "FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR",
    }


def test_a_reset_waits_for_what_is_under_way_and_nothing_of_it_comes_after(emulator: InProcessEmulator) -> None:
    upload(emulator, "Pkg", package(code=bytes(30 * 1024 * 1024)))
    assert provision(emulator, Async=True).status == 202

    Control(f"http://{emulator.host}:{emulator.port}").reset()

    assert types(emulator) == []
    assert read_tree(emulator.data / "default/content") == {}
    register(emulator, package())
    assert types(emulator) == AVAILABLE


def test_a_large_package_is_registered_byte_for_byte_while_others_are_served(emulator: InProcessEmulator) -> None:
    """200 MiB in 1001 files."""
    code = bytes(range(256)) * 4096
    files = package(code=code * 100)
    files |= {f"Web/Code/lib/{number}.bin": code[:100_000] + str(number).encode() for number in range(1000)}
    files["Web/Code/lib/_.dir"] = b""
    for path, content in files.items():
        assert emulator.put(f"/ImageStore/Pkg/{path}?{V}", content).status == 200
    with ThreadPoolExecutor(1) as pool:
        registering = pool.submit(lambda: provision(Wire(emulator.host, emulator.port, timeout=120)))
        while not registering.done():
            assert emulator.get(f"/Nodes?{V}").status == 200
        assert registering.result().status == 200

    stored = read_tree(emulator.data / "default/content/Store/Calc/Web.Code.1.0")
    assert stored == {path.removeprefix("Web/Code/"): each for path, each in files.items() if "Web/Code/" in path}
    assert not (emulator.data / "default/content/Pkg").exists()


def test_killed_while_registering_an_emulator_has_the_type_whole_or_not(tmp_path: Path) -> None:
    files = package(code=bytes(20 * 1024 * 1024))
    with EmulatorProcess(tmp_path / "data") as emulator:
        upload(emulator, "Pkg", files)
        assert provision(emulator, Async=True).status == 202
        emulator.kill()
    with EmulatorProcess(tmp_path / "data") as emulator:
        if types(emulator) == []:
            assert provision(emulator).status == 200
        stored = read_tree(tmp_path / "data/default/content/Store/Calc")
        assert stored["Web.Code.1.0/run.exe"] == files["Web/Code/run.exe"]
        assert "Web.Config.1.0/Settings.xml" in stored
        assert types(emulator) == AVAILABLE


@pytest.mark.parametrize("requests", [16])
def test_several_server_processes_register_one_version_once(tmp_path: Path, requests: int) -> None:
    with EmulatorProcess(tmp_path / "data", "--workers", "2") as emulator:
        upload(emulator, "Pkg", package())
        with ThreadPoolExecutor(requests) as pool:
            policy = {"ApplicationPackageCleanupPolicy": "Manual"}
            replies = list(pool.map(lambda _: provision(emulator, **policy), range(requests)))
        assert sorted(reply.status for reply in replies) == [200] + [409] * (requests - 1)
        assert types(emulator) == AVAILABLE
