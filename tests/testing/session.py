"""A pytest run as a user starts it: a process of its own on a test module of theirs, with the installed plugin."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NOT_OURS: Final = ("cacheprovider", "randomly", "schemathesis", "hypothesispytest")
"""Plugins of this project's own tests: blocked to save half of a run's time."""

_OURS: Final = re.compile("IMAGESTORE_|PYTEST_|COV_|PYTHONDONTWRITEBYTECODE")
_LINES: Final = re.DOTALL | re.MULTILINE
NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True)
class Session:
    """What a run left behind."""

    code: int
    output: str

    @property
    def outcomes(self) -> dict[str, int]:
        """Passed, failed, errors, ..., as the last line counts them."""
        counted = re.findall(r"(\d+) (passed|failed|errors?|skipped)", self.output.rstrip().rpartition("\n")[2])
        assert counted, self.output
        return {outcome.rstrip("s"): int(count) for count, outcome in counted}

    def section(self, test: str, title: str) -> str:
        """What the report of a test that failed says below a line with that title."""
        of_test = re.search(rf"^_+ {test} _+\n(.*?)(?=^_{{5}}|\Z)", self.output, _LINES)
        found = re.search(rf"^-+ {title} -+\n(.*?)(?=^[-=_]{{5}}|\Z)", of_test[1] if of_test else "", _LINES)
        assert found, self.output
        return found[1]


def run_pytest(
    folder: Path, module: str, *options: str, variables: Mapping[str, str] = NOTHING, conftest: str = ""
) -> Session:
    """Run the tests of one module in an otherwise empty project."""
    (folder / "test_users.py").write_text(module)
    (folder / "empty.ini").touch()
    if conftest:
        (folder / "conftest.py").write_text(conftest)
    blocked = [option for plugin in _NOT_OURS for option in ("-p", f"no:{plugin}")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "empty.ini", "--strict-markers", *blocked, *options],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not _OURS.match(name)} | dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Session(done.returncode, done.stdout)
