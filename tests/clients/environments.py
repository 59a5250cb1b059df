"""One virtual environment per real client, made once from its pinned requirements and kept in ``.clients/``."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".clients"
COMPLETE = "complete"


def environment(client: str) -> Path:
    """The folder of the programs of a client's own environment, made first if it isn't there whole.

    Its name carries a hash of the requirements and of this Python, so that a change of either makes a new one.
    """
    requirements = HERE / f"requirements-{client}.txt"
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    root = CACHE / f"{client}-{key}"
    if not (root / COMPLETE).exists():
        CACHE.mkdir(exist_ok=True)
        with _alone(CACHE / f"{client}-{key}.lock"):
            if not (root / COMPLETE).exists():  # another process may have made it while this one waited
                _make(root, requirements)
    return root / "bin"


def _make(root: Path, requirements: Path) -> None:
    """Build from nothing; what an interrupted build left behind is thrown away."""
    shutil.rmtree(root, ignore_errors=True)
    _uv("venv", "--no-project", "--python", sys.executable, str(root))
    _uv("pip", "sync", "--compile-bytecode", "--python", str(root / "bin" / "python"), str(requirements))
    _uv("pip", "check", "--python", str(root / "bin" / "python"))
    (root / COMPLETE).touch()


def _uv(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"uv {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Only one process at a time is inside; the lock goes with the process, however that ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
