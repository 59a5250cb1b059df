"""The architecture as pyproject.toml states it, held against every import there is."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]


@pytest.mark.skipif(not (ROOT / "emulator").is_dir(), reason="needs the source tree")
def test_imports_keep_every_contract(tmp_path: Path) -> None:
    """Imports go down only, the rules know no framework, HTTP stays in the api, disk and database in the storage."""
    pytest.importorskip("importlinter", reason="one of the linters")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert contracts
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(cache_dir={!r}))"
    checked = subprocess.run(
        [sys.executable, "-c", program.format(str(tmp_path))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"Contracts: {len(contracts)} kept, 0 broken." in checked.stdout
