"""``imagestore-emulator healthcheck`` as a container engine runs it: real processes, exit codes."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from emulator.command import healthcheck
from emulator.settings import Settings
from tests.support.emulator import EmulatorProcess, InProcessEmulator
from tests.support.waiting import eventually

CHECK: Final = [sys.executable, "-m", "emulator", "healthcheck"]
HEAVY: Final = {"fastapi", "starlette", "pydantic", "pydantic_settings", "sqlalchemy", "uvicorn", "argparse", "asyncio"}


def check(*arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run the health check with these settings in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGESTORE_")}
    settings = {f"IMAGESTORE_{name.upper()}": str(value) for name, value in variables.items()}
    command = [*CHECK, *arguments]
    return subprocess.run(command, env=kept | settings, capture_output=True, text=True, timeout=60, check=False)


def test_a_ready_emulator_is_healthy_and_nothing_is_said(emulator: InProcessEmulator) -> None:
    ended = check(port=emulator.port)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost", ""])
def test_an_emulator_is_found_by_the_host_it_was_told_to_listen_on(host: str, emulator: InProcessEmulator) -> None:
    """An address that stands for every interface is asked on the loopback, without looking up a name."""
    assert check(host=host, port=emulator.port).returncode == 0


def test_another_host_or_port_than_that_of_the_settings_is_not_asked(emulator: InProcessEmulator) -> None:
    assert check(host="127.0.0.2", port=emulator.port).returncode == 1


def test_an_emulator_on_ipv6_is_found(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with EmulatorProcess(tmp_path / "data", "--host", "::") as process:
        assert check(host="::", port=process.port).returncode == 0


def test_without_settings_it_asks_where_the_emulator_listens_by_default() -> None:
    assert Settings.model_fields["host"].default == healthcheck.DEFAULT_HOST
    assert str(Settings.model_fields["port"].default) == healthcheck.DEFAULT_PORT


def test_where_nothing_listens_it_ends_with_1_and_says_where_it_asked() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        ended = check(port=port)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"imagestore-emulator: no answer from 127.0.0.1:{port}: ")


@pytest.mark.parametrize("port", ["0", "seventy", "70000", "-1"])
def test_a_port_that_cannot_be_asked_is_unhealthy_without_a_traceback(port: str) -> None:
    ended = check(port=port)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_an_emulator_that_lost_its_data_is_unhealthy_and_the_reason_is_shown(emulator: InProcessEmulator) -> None:
    shutil.rmtree(emulator.data)
    ended = check(port=emulator.port)
    assert ended.returncode == 1
    assert "not ready" in ended.stderr


def test_a_server_that_hangs_up_is_unhealthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = subprocess.Popen(
            CHECK, env={**os.environ, "IMAGESTORE_PORT": str(listener.getsockname()[1])}, stderr=subprocess.PIPE
        )
        listener.accept()[0].close()
        asked.communicate(timeout=60)
    assert asked.returncode == 1


def test_it_takes_no_options_and_is_in_the_help() -> None:
    assert check("--port", "1").returncode == 2
    assert "IMAGESTORE_PORT" in check("--help").stdout


def test_it_loads_none_of_what_makes_the_emulator_big(emulator: InProcessEmulator) -> None:
    """It runs every few seconds for as long as a container lives."""
    program = (
        "import sys; sys.argv = ['imagestore-emulator', 'healthcheck']\n"
        "from emulator.__main__ import main; print(main(), *sys.modules)"
    )
    environment = {**os.environ, "IMAGESTORE_PORT": str(emulator.port)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    code, *modules = ended.stdout.split()
    assert code == "0"
    assert "emulator.command.healthcheck" in modules
    assert not HEAVY & set(modules)


def test_a_health_check_that_succeeds_leaves_no_line_in_the_log(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "data") as process:
        assert check(port=process.port).returncode == 0
        assert process.get("/ImageStore?api-version=6.0").status == 404
        eventually(lambda: any("/ImageStore" in line for line in process.output), "the later request is logged")
        assert not any("/_emulator/health" in line for line in process.output)
