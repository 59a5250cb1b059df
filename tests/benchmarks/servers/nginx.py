"""nginx with DAV PUT, on its own configuration file; the system's service and configuration are not touched."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from typing import Final

from tests.benchmarks.client import Request, request
from tests.benchmarks.payload import Slice
from tests.benchmarks.servers.base import Server

_CONFIGURATION: Final = """
{user}
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {more}
    server {{
        listen 127.0.0.1:{port};
        root {directory}/root;
        location / {{
            dav_methods PUT DELETE;
            create_full_put_path on;
        }}
    }}
}}
"""


def unpacked(peers: Path) -> Path:
    """The program as `install` unpacks it."""
    return peers / "nginx" / "usr" / "sbin" / "nginx"


def find(peers: Path) -> str | None:
    """The nginx to use: the one `install` unpacked, or the system's."""
    program = unpacked(peers)
    return str(program) if program.exists() else which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def version(program: str) -> str:
    """``nginx/1.22.1``."""
    shown = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    return shown.stderr.strip().rpartition(" ")[2]


class Nginx(Server):
    """One worker process; `more` is added to the ``http`` block."""

    def __init__(self, directory: Path, program: str, more: str = "") -> None:
        super().__init__(directory)
        self._program = program
        self._more = more

    def command(self) -> Sequence[str]:
        user = "user root;" if os.geteuid() == 0 else ""
        (self.directory / "root").mkdir(exist_ok=True)
        configuration = self.directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(user=user, directory=self.directory, port=self.port, more=self._more)
        )
        error_log = str(self.directory / "error.log")
        return [self._program, "-p", str(self.directory), "-c", str(configuration), "-e", error_log]

    def upload_request(self, name: str, body: Slice | bytes) -> Request:
        return request("PUT", f"/{name}", body, expected=(201, 204))

    def delete_request(self, name: str) -> Request:
        return request("DELETE", f"/{name}", expected=(204,))
