"""Behind a reverse proxy, below a prefix of its own; with a real nginx where there is one."""

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.clients.environments import environment
from tests.clients.sfctl import Sfctl
from tests.durability.servers import content_of
from tests.support.emulator import InProcessEmulator
from tests.support.waiting import eventually
from tests.support.wire import Wire, head, read_reply

V: Final = "api-version=6.0"
G: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
BASE: Final = "/team-a/image.store"
NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CONFIGURATION: Final = """
daemon off;
master_process off;
pid {place}/pid;
error_log {place}/log;
events {{ }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location {base}/ {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
        }}
    }}
}}
"""
"""As in the README: no path behind the address, so that URLs go through as they are."""


@pytest.fixture
def prefixed(tmp_path: Path) -> Iterator[InProcessEmulator]:
    """An emulator that knows the prefix."""
    with InProcessEmulator(tmp_path / "data", base_path=f"{BASE}/") as emulator:
        yield emulator


@pytest.fixture
def proxy(prefixed: InProcessEmulator, tmp_path: Path) -> Iterator[Wire]:
    """A real nginx before it."""
    if NGINX is None:
        pytest.skip("nginx isn't installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = tmp_path / "nginx"
    place.mkdir()
    text = CONFIGURATION.format(place=place, port=port, behind=prefixed.port, base=BASE)
    (place / "nginx.conf").write_text(text)
    process = subprocess.Popen([NGINX, "-p", place, "-e", place / "log", "-c", place / "nginx.conf"])
    wire = Wire("127.0.0.1", port)

    def answers() -> bool:
        assert process.poll() is None, (place / "log").read_text()
        try:
            wire.connect().close()
        except ConnectionRefusedError:
            return False
        return True

    try:
        eventually(answers, "nginx listens")
        yield wire
    finally:
        process.terminate()
        process.wait(30)


def test_requests_with_the_prefix_and_without_it_are_the_same(prefixed: InProcessEmulator) -> None:
    assert prefixed.put(f"{BASE}/ImageStore/App/file?{V}", b"bytes").status == 200
    assert prefixed.get(f"/ImageStore/App/file?{V}").json() == prefixed.get(f"{BASE}/ImageStore/App/file?{V}").json()
    assert prefixed.get(f"{BASE}/_emulator/health/ready").status == 200
    assert prefixed.get("/_emulator/health/ready").status == 200
    assert prefixed.get(BASE).status == prefixed.get(f"{BASE}/").status == 200
    assert prefixed.get(f"{BASE}x/ImageStore?{V}").status == 400
    assert prefixed.get(f"{BASE}{BASE}/ImageStore?{V}").status == 400


def test_stores_are_behind_the_prefix_and_addresses_begin_with_it(prefixed: InProcessEmulator) -> None:
    """So that a client can be given what the emulator tells, and a person can click it."""
    assert prefixed.put(f"{BASE}/_emulator/on/mine/ImageStore/file?{V}", b"bytes").status == 200
    assert (prefixed.data / "mine/content/file").read_bytes() == b"bytes"
    (mine,) = [each for each in prefixed.get(f"{BASE}/_emulator/stores").json() if each["name"] == "mine"]
    assert mine["endpoint"] == f"http://127.0.0.1:{prefixed.port}{BASE}/_emulator/on/mine"
    curl = prefixed.get(f"{BASE}/_emulator/on/mine/_emulator/journal/curl").body.decode()
    assert f"{mine['endpoint']}/ImageStore/file?{V}" in curl
    page = prefixed.get(f"{BASE}/").body.decode()
    assert f'href="{BASE}/_emulator/docs"' in page
    document = prefixed.get(f"{BASE}/_emulator/openapi.json").json()
    assert {"url": BASE} in document["servers"]


def test_without_a_prefix_nothing_is_taken_off(emulator: InProcessEmulator) -> None:
    assert emulator.get(f"{BASE}/ImageStore?{V}").status == 400
    assert 'href="/_emulator/docs"' in emulator.get("/").body.decode()


def test_hard_paths_chunks_and_bodies_of_unknown_length_pass_through_nginx(
    proxy: Wire, prefixed: InProcessEmulator
) -> None:
    """Escaped separators and dollars are what a proxy that decodes and encodes again would spoil."""
    assert proxy.put(f"{BASE}/ImageStore/A%20pp/%25%34%31/f%C3%A9%24?{V}", b"bytes").status == 200
    assert (prefixed.data / "default/content/A pp/A/fé$").read_bytes() == b"bytes"
    content = bytes(range(256)) * 20_000
    half = len(content) // 2
    target = f"{BASE}/ImageStore/big/%24/UploadChunk?{V}&session-id={G}"
    for begin, end in ((half, len(content)), (0, half)):
        headers = {"Content-Range": f"bytes {begin}-{end - 1}/{len(content)}"}
        assert proxy.put(target, content[begin:end], headers=headers).status == 200
    assert proxy.post(f"{BASE}/ImageStore/$/CommitUploadSession?{V}&session-id={G}").status == 200
    stored = (prefixed.data / "default/content/big").read_bytes()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(content).digest()
    with proxy.connect() as connection:
        fields = [("Host", "localhost"), ("Transfer-Encoding", "chunked")]
        connection.sendall(head("PUT", f"{BASE}/ImageStore/unknown?{V}", fields) + b"5\r\nbytes\r\n0\r\n\r\n")
        assert read_reply(connection, "PUT").status == 200
    assert (prefixed.data / "default/content/unknown").read_bytes() == b"bytes"


@pytest.mark.clients
def test_sfctl_works_through_nginx_below_the_prefix_but_for_its_upload(
    proxy: Wire, prefixed: InProcessEmulator, tmp_path: Path
) -> None:
    """`sfctl application upload` takes host and port from the endpoint and forgets its path, on a cluster as here."""
    sfctl = Sfctl(environment("sfctl"), tmp_path)
    assert prefixed.put(f"/ImageStore/App/file?{V}", b"bytes").status == 200
    assert sfctl("cluster", "select", "--endpoint", f"http://127.0.0.1:{proxy.port}{BASE}").code == 0
    (file,) = sfctl("store", "stat", "--content-path", "App").json()["storeFiles"]
    assert file["storeRelativePath"] == r"App\file"
    assert sfctl("store", "delete", "--content-path", "App").code == 0
    assert content_of(prefixed.data) == {}
