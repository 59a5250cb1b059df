"""The recipes work as they are: each is a file to copy, run here by the tool it is for."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.emulator import InProcessEmulator

NOTHING: Final[Mapping[str, str]] = {}
HERE: Final = Path(__file__).parent
PROGRAMS: Final = Path(sys.executable).parent


def run(folder: Path, *command: str | Path, variables: Mapping[str, str] = NOTHING) -> str:
    """Run a command in a folder that holds nothing but a copy of the recipe, and answer with all it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGESTORE_", "PYTEST_"))}
    path = os.pathsep.join([str(PROGRAMS), kept.get("PATH", os.defpath)])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, "PATH": path, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def copy(recipe: str, folder: Path) -> str:
    shutil.copy(HERE / recipe, folder)
    return recipe


def program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def test_unittest(tmp_path: Path) -> None:
    printed = run(tmp_path, sys.executable, "-m", "unittest", copy("with_unittest.py", tmp_path))

    assert "Ran 3 tests in " in printed
    assert printed.endswith("\nOK\n")


def test_curl_and_the_command_line_in_a_shell_script(emulator: InProcessEmulator, tmp_path: Path) -> None:
    program("curl")
    recipe = copy("with_curl.sh", tmp_path)

    printed = run(tmp_path, "sh", recipe, variables={"IMAGESTORE_ENDPOINT": emulator.endpoint})

    session = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
    assert [line for line in printed.splitlines() if not line.startswith("curl: ")] == [
        *("expiry:", "200", f"expired: session {session} for App/big", "400"),
        *("cut:", "1: operation=UploadFileChunk times=1 cut=51200", "000", "200", "200"),
        *("lost reply:", "2: lost-commit-reply", "000", "200"),
    ]
    assert emulator.get("/_emulator/stores").json() == [{"name": "default", "endpoint": emulator.endpoint}]


def test_javascript(emulator: InProcessEmulator, tmp_path: Path) -> None:
    node = program("node")
    recipe = copy("with_javascript.mjs", tmp_path)

    printed = run(tmp_path, node, "--test", recipe, variables={"IMAGESTORE_ENDPOINT": emulator.endpoint})

    assert "# pass 3\n# fail 0\n" in printed or "ℹ pass 3\nℹ fail 0\n" in printed  # noqa: RUF001
    assert emulator.get("/_emulator/stores").json() == [{"name": "default", "endpoint": emulator.endpoint}]


def test_testcontainers(tmp_path: Path) -> None:
    pytest.importorskip("testcontainers", reason="testcontainers is not installed")
    image = os.environ.get("IMAGESTORE_IMAGE")
    if not image:
        pytest.skip("IMAGESTORE_IMAGE names no image of the emulator")
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode:
        pytest.skip(f"no Docker engine has the image {image}")
    recipe = copy("with_testcontainers.py", tmp_path)

    printed = run(
        tmp_path,
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", recipe),
        # The engine need not fetch another image that cleans up after tests that were killed.
        variables={"IMAGESTORE_IMAGE": image, "TESTCONTAINERS_RYUK_DISABLED": "true"},
    )

    assert "3 passed" in printed
