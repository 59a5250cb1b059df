"""Runs sfctl, the command line client."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Printed:
    """What a command left behind: exit code, standard output, standard error."""

    code: int
    output: str
    errors: str

    def json(self) -> Any:
        """The output of a command that succeeded."""
        assert self.code == 0, self.errors
        return json.loads(self.output)


class Sfctl:
    """Runs sfctl with a configuration of its own, without telemetry."""

    def __init__(self, programs: Path, home: Path, **environment: str) -> None:
        self._program = programs / "sfctl"
        self._environment = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "NO_PROXY": "*",
            "PATH": os.defpath,
            "SFCTL_CONFIG_DIR": str(home / "sfctl"),
            "SFCTL_SERVICEFABRIC_USE_TELEMETRY": "false",
            "TMPDIR": str(home),
            **environment,
        }

    def __call__(self, *arguments: str | Path) -> Printed:
        """Run one command; a question it asks finds nobody to answer."""
        done = subprocess.run(
            [self._program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            env=self._environment,
            timeout=120,
        )
        return Printed(done.returncode, done.stdout, done.stderr)
