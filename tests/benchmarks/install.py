"""Fetches the peers into one directory, without touching the system: delete the directory and they are gone."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which

from tests.benchmarks.servers import azurite, nginx, tus


def install(peers: Path) -> int:
    """Fetch what is missing; answers with 1 if something could not be had."""
    peers.mkdir(parents=True, exist_ok=True)
    steps: dict[str, tuple[Callable[[Path], str | None], Callable[[Path], None]]] = {
        "nginx": (lambda place: None if nginx.find(place) else "not installed", _install_nginx),
        "Azurite": (azurite.fault, _install_azurite),
        "tuspyserver": (tus.fault, _install_tuspyserver),
    }
    for name, (fault, fetch) in steps.items():
        if fault(peers):
            print(f"{name}: installing", flush=True)
            try:
                fetch(peers)
            except (OSError, subprocess.CalledProcessError) as error:
                print(f"{name}: {error}", file=sys.stderr)
    missing = {name: fault(peers) for name, (fault, _) in steps.items() if fault(peers)}
    for name in steps:
        print(f"{name}: {missing.get(name) or versions(peers)[name]}")
    return 1 if missing else 0


def versions(peers: Path) -> dict[str, str]:
    """What is installed, by name."""
    found = {}
    program = nginx.find(peers)
    if program:
        found["nginx"] = nginx.version(program)
    if not azurite.fault(peers):
        found["Azurite"] = azurite.version(peers)
    if not tus.fault(peers):
        found["tuspyserver"] = tus.version(peers)
    return found


def _install_nginx(peers: Path) -> None:
    """Unpack Debian's package, which has the DAV module built in; installing it would start a system service."""
    if not (which("apt-get") and which("dpkg")):
        raise OSError("needs apt-get and dpkg, or an nginx on the PATH")
    with tempfile.TemporaryDirectory() as directory:
        try:
            _run(["apt-get", "download", "nginx"], directory)
        except subprocess.CalledProcessError:
            _run(["apt-get", "update", "--quiet"], directory)  # as root; the list of packages is out of date
            _run(["apt-get", "download", "nginx"], directory)
        package = next(Path(directory).glob("nginx_*.deb"))
        _run(["dpkg", "--extract", str(package), str(peers / "nginx")], directory)
    nginx.version(str(nginx.unpacked(peers)))


def _install_azurite(peers: Path) -> None:
    directory = peers / "azurite"
    directory.mkdir(exist_ok=True)
    (directory / "package.json").write_text('{"private": true}\n')
    _run(["npm", "install", "azurite@latest", "--no-audit", "--no-fund", "--loglevel=error"], directory)


def _install_tuspyserver(peers: Path) -> None:
    directory = peers / "tuspyserver"
    _run([sys.executable, "-m", "venv", str(directory)], peers)
    _run([str(tus.interpreter(peers)), "-m", "pip", "install", "--quiet", "tuspyserver", "uvicorn[standard]"], peers)


def _run(command: Sequence[str], directory: Path | str) -> None:
    subprocess.run(command, cwd=directory, check=True)
