"""Drives a real Docker engine by its command line; whatever is made has a name of its own."""

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any, Final

from tests.support.waiting import eventually
from tests.support.wire import Wire

ROOT: Final = Path(__file__).parents[2]
PORT: Final = "19080"
_PATIENCE: Final = 600.0


def unique(kind: str) -> str:
    """A name nobody else has."""
    return f"imagestore-test-{kind}-{uuid.uuid4().hex[:12]}"


def docker(*arguments: str | Path, check: bool = True) -> str:
    """Run a command and answer with its standard output; fails with what it wrote to standard error."""
    command = ["docker", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def why_no_engine() -> str | None:
    """Why there is no engine to test with, if there is none."""
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        return "docker is not installed"
    return None if asked.returncode == 0 else f"no Docker engine answers: {asked.stderr.strip().splitlines()[-1]}"


def log_of(container: str) -> str:
    """All that a container has written so far, to either output."""
    asked = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return asked.stdout + asked.stderr


class Container:
    """One container of an image."""

    def __init__(self, image: str, *options: str, command: tuple[str, ...] = ()) -> None:
        self.name = unique("container")
        docker("run", "--detach", "--name", self.name, *options, image, *command)

    @property
    def health(self) -> str:
        """What the engine says of its health."""
        return str(self._state()["Health"]["Status"])

    @property
    def exit_code(self) -> int:
        """What it ended with; waits for that."""
        eventually(lambda: not self._state()["Running"], "the container ends")
        return int(self._state()["ExitCode"])

    @property
    def log(self) -> str:
        """All it has written so far."""
        return log_of(self.name)

    def wait_until_healthy(self) -> None:
        """Until its own health check succeeds."""
        eventually(lambda: self.health == "healthy" or not self._state()["Running"], "the container is healthy or gone")
        assert self.health == "healthy", self.log

    def wire(self) -> Wire:
        """A client of the published port, which is another after each start."""
        return Wire("127.0.0.1", int(docker("port", self.name, PORT).splitlines()[0].rpartition(":")[2]))

    def run(self, *command: str) -> str:
        """The output of a command inside."""
        return docker("exec", self.name, *command)

    def start(self) -> None:
        """Start it again."""
        docker("start", self.name)

    def stop(self) -> int:
        """Stop it as ``docker stop`` does, and answer with its exit code."""
        docker("stop", self.name)
        return self.exit_code

    def kill(self) -> None:
        """``kill -9``."""
        docker("kill", "--signal", "KILL", self.name)
        assert self.exit_code == 137

    def remove(self) -> None:
        """Away with it, in whatever state it is."""
        docker("rm", "--force", self.name)

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .State}}", self.name))
        return state
