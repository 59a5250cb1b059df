"""The fixture ``image_store``, as the tests of a user of pytest meet it."""

from pathlib import Path

import pytest

from emulator.client import Control
from tests.support.emulator import InProcessEmulator
from tests.testing.session import run_pytest

CLIENT = """
import urllib.request

def put(store, path, body):
    request = urllib.request.Request(f"{store.endpoint}/ImageStore/{path}?api-version=6.0", body, method="PUT")
    urllib.request.urlopen(request).close()
"""

TWO_TESTS = f"""{CLIENT}
def test_one(image_store):
    assert image_store.files() == {{}}
    put(image_store, "App/file", b"one")
    image_store.advance("1h")
    image_store.add_fault("preset=lost-chunk")
    assert image_store.read("App/file") == b"one"

def test_another(image_store):
    assert (image_store.files(), image_store.faults(), image_store.journal()) == ({{}}, [], [])
    assert image_store.clock()["mode"] == "real"
    assert [each["name"] for each in image_store.stores()] == ["default", image_store.store]
"""


def test_each_test_has_a_store_of_its_own_which_is_gone_afterwards(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, TWO_TESTS)

    assert run.outcomes == {"passed": 2}, run.output


def test_a_server_that_runs_already_is_used_and_left_as_it_was(emulator: InProcessEmulator, tmp_path: Path) -> None:
    endpoint = emulator.endpoint

    run = run_pytest(
        tmp_path,
        TWO_TESTS + f"    assert image_store.endpoint.startswith('{endpoint}/_emulator/on/')\n",
        variables={"IMAGESTORE_ENDPOINT": endpoint},
    )

    assert run.outcomes == {"passed": 2}, run.output
    assert [store["name"] for store in Control(endpoint).stores()] == ["default"]
    assert Control(endpoint).files() == {}


def test_a_server_with_a_control_token_is_used_with_that_token(tmp_path: Path) -> None:
    with InProcessEmulator(tmp_path / "data", control_token="secret") as emulator:
        variables = {
            "IMAGESTORE_ENDPOINT": emulator.endpoint,
            "IMAGESTORE_CONTROL_TOKEN": "secret",
        }

        run = run_pytest(tmp_path, TWO_TESTS, variables=variables)

        assert run.outcomes == {"passed": 2}, run.output


def test_a_server_of_the_runs_own_takes_its_settings_from_the_environment(tmp_path: Path) -> None:
    variables = {"IMAGESTORE_CONTROL_TOKEN": "secret", "IMAGESTORE_RUNTIME_VERSION": "6.4", "IMAGESTORE_WORKERS": "2"}
    module = """
import urllib.request

def test_it_is_an_old_runtime(image_store):
    with urllib.request.urlopen(f"{image_store.endpoint}/$/GetClusterVersion?api-version=6.4") as answer:
        assert b'"6.4' in answer.read()
"""

    run = run_pytest(tmp_path, module, variables=variables)

    assert run.outcomes == {"passed": 1}, run.output


def test_a_project_can_put_a_server_of_its_own_in_the_place_of_the_plugins(tmp_path: Path) -> None:
    conftest = """
import pytest
from emulator.testing import EmulatorThread

@pytest.fixture(scope="session")
def image_store_server():
    with EmulatorThread(session_timeout="5m") as server:
        yield server.endpoint
"""
    module = """
import urllib.request

SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"

def test_sessions_live_five_minutes(image_store):
    target = f"{image_store.endpoint}/ImageStore/big/$/UploadChunk?api-version=6.0&session-id={SESSION}"
    headers = {"Content-Range": "bytes 0-3/8"}
    urllib.request.urlopen(urllib.request.Request(target, b"half", headers, method="PUT")).close()
    assert [each["session"] for each in image_store.advance("6m")] == [SESSION]
"""

    run = run_pytest(tmp_path, module, conftest=conftest)

    assert run.outcomes == {"passed": 1}, run.output


def test_a_server_that_does_not_run_is_named_in_a_line(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, TWO_TESTS, variables={"IMAGESTORE_ENDPOINT": "http://127.0.0.1:1"})

    assert run.outcomes == {"error": 2}, run.output
    assert "no emulator answers at http://127.0.0.1:1" in run.output
    assert "Traceback" not in run.output
    assert "client.py" not in run.output


@pytest.mark.parametrize("options", [(), ("-n", "4")], ids=["alone", "under xdist"])
def test_plain_tests_unittest_cases_and_coroutines_all_can_have_a_store(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    module = f"""{CLIENT}
import asyncio
import unittest
import pytest

@pytest.fixture
def package(image_store):
    put(image_store, "App/file", b"by a fixture")
    return image_store

def test_plain(package, image_store):
    assert package is image_store
    assert image_store.files() == {{"App/file": 12}}

@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
@pytest.mark.parametrize("number", range(6))
async def test_coroutine(image_store, number):
    async def upload():
        await asyncio.to_thread(put, image_store, "App/file", b"x" * number)

    waiting = asyncio.create_task(asyncio.to_thread(image_store.wait, operation="UploadFile"))
    await asyncio.gather(waiting, upload())
    assert image_store.files() == {{"App/file": number}}

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _store(self, image_store):
        self.store = image_store

    def test_case(self):
        put(self.store, "App/file", b"case")
        self.assertEqual(self.store.files(), {{"App/file": 4}})
"""

    run = run_pytest(tmp_path, module, *options)

    assert run.outcomes == {"passed": 8}, run.output


def test_tests_that_ask_for_no_store_pay_for_none(tmp_path: Path) -> None:
    module = """
import sys
import threading

def test_something_else():
    assert not {"fastapi", "pydantic", "sqlalchemy", "uvicorn"} & set(sys.modules)
    assert threading.active_count() == 1
"""

    run = run_pytest(tmp_path, module)

    assert run.outcomes == {"passed": 1}, run.output
