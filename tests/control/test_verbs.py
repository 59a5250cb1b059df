"""The same from the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.client import Control
from tests.control.service import Service, new_session


class Shell:
    """Runs ``imagestore-emulator`` with the store's address in the environment."""

    def __init__(self, endpoint: str) -> None:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._environment = kept | {"IMAGESTORE_ENDPOINT": endpoint}

    def run(self, *arguments: str, code: int = 0) -> str:
        """What it prints, errors included; fails unless it ends with `code`."""
        ended = subprocess.run(
            [sys.executable, "-m", "emulator", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended.stdout
        assert "Traceback" not in ended.stdout
        return ended.stdout


@pytest.fixture
def shell(store: Control) -> Shell:
    """A shell with the store selected."""
    return Shell(store.endpoint)


def test_time_is_moved_and_what_ended_is_told(shell: Shell, service: Service) -> None:
    session = new_session()
    service.chunk("App/file", session, 0, b"0123", 10)
    assert "expects 4-9" in shell.run("sessions")

    output = shell.run("clock", "advance", "31m")

    assert f"expired: session {session} for App/file" in output
    assert "mode=offset" in output
    assert "mode=frozen" in shell.run("clock", "freeze", "--at", "2026-05-01T12:00:00Z")
    assert "now=2026-05-01T12:00:00Z" in shell.run("clock", "show")
    assert "expiry=swept" in shell.run("clock", "expiry", "swept")
    assert "mode=real" in shell.run("clock", "reset")
    assert "a duration is written 30m" in shell.run("clock", "advance", "soon", code=2)


def test_faults_are_set_listed_and_taken_back(shell: Shell, service: Service) -> None:
    shell.run("fault", "add", "operation=UploadFile", "path=my file", "error=FABRIC_E_TIMEOUT", "times=1")
    assert "1: lost-commit-reply" in shell.run("fault", "list") or shell.run("fault", "add", "preset=lost-commit-reply")
    assert [service.upload("my%20file"), service.upload("my%20file")] == [504, 200]
    listed = shell.run("fault", "list")
    assert "(over; 1 of 1 requests)" in listed
    assert "2: lost-commit-reply (set; 0 of 0 requests)" in listed
    shell.run("fault", "remove", "2")
    assert "lost-commit-reply" not in shell.run("fault", "list")
    shell.run("fault", "clear")
    assert shell.run("fault", "list") == ""
    assert "lost-chunk" in shell.run("fault", "presets")
    assert "no preset 'none'" in shell.run("fault", "add", "preset=none", code=2)


def test_the_journal_is_shown_verified_and_linted(shell: Shell, service: Service) -> None:
    service.upload("App/file", b"1")
    service.upload("App/other", b"1")

    shown = shell.run("journal", "path=App/file")
    assert "UploadFile" in shown
    assert "App/other" not in shown
    assert shell.run("journal", "--curl").count("curl -sS -i --globoff --path-as-is -X PUT") == 2
    assert len(shell.run("journal", "--json").splitlines()) == 2
    shell.run("journal", "operation=UploadFile", "--verify", "--count", "2")
    assert "exactly 3 expected, 2 found" in shell.run(
        "journal", "operation=UploadFile", "--verify", "--count", "3", code=1
    )
    shell.run("journal", "--in-order", "path=App/file", "path=App/other")
    shell.run("journal", "--in-order", "path=App/other", "path=App/file", code=1)
    shell.run("journal", "operation=UploadFile", "--wait", "2")
    shell.run("journal", "operation=UploadFile", "--wait", "3", "--timeout", "10ms", code=1)
    assert "folder-without-mark" in shell.run("lint", code=1)
    service.upload("App/_.dir")
    assert shell.run("lint") == ""
    shell.run("journal", "--clear")
    assert shell.run("journal") == ""


def test_state_is_seeded_put_aside_and_brought_back(shell: Shell, store: Control, tmp_path: Path) -> None:
    (tmp_path / "Pkg/Code").mkdir(parents=True)
    (tmp_path / "Pkg/Code/file").write_text("1")

    assert shell.run("seed", str(tmp_path / "Pkg"), "--into", "Mine") == "3 files\n"
    assert shell.run("snapshot", "save", "verbs") == "3 files\n"
    shell.run("reset")
    assert store.files() == {}
    shell.run("snapshot", "restore", "verbs")
    assert set(store.files()) == {"Mine/_.dir", "Mine/Code/_.dir", "Mine/Code/file"}
    assert "verbs" in shell.run("snapshot", "list").split()
    shell.run("snapshot", "delete", "verbs")
    assert "there is no" in shell.run("seed", str(tmp_path / "nothing"), code=2)


def test_stores_are_made_listed_selected_and_dropped(shell: Shell, store: Control) -> None:
    made = shell.run("store", "make", "by-hand").strip()
    assert made.endswith("/_emulator/on/by-hand")
    Service(made).upload("App/file", b"1")
    assert "App/file" in shell.run("journal", "--store", "by-hand")
    assert "by-hand" in shell.run("store", "list")
    shell.run("store", "drop", "by-hand")
    assert "by-hand" not in shell.run("store", "list")


def test_nobody_there_has_an_exit_code_of_its_own(store: Control) -> None:
    output = Shell("http://127.0.0.1:9").run("clock", "show", code=6)
    assert output.startswith("imagestore-emulator: no emulator answers at http://127.0.0.1:9")
