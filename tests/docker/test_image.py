"""The image, run by a real engine in the ways people run it."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from emulator import __version__
from tests.clients.environments import environment
from tests.clients.package import build_package, read_tree, with_markers
from tests.clients.sfctl import Sfctl
from tests.docker.engine import ROOT, Container, docker
from tests.support.waiting import eventually
from tests.support.wire import head

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("engine")]

Start = Callable[..., Container]

V: Final = "api-version=6.0"
G: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
MIB: Final = 1024 * 1024
PUBLISHED: Final = ("--publish", "127.0.0.1::19080")
BARE: Final = ("--user", "6666", "--read-only", "--network", "none", "--cap-drop", "ALL")
STAGED: Final = """
import os
print(sum(os.stat(os.path.join(root, name)).st_blocks * 512 for root, _, names in os.walk("/data/default/staging")
          for name in names))
"""
UPLOAD: Final = """
import http.client
service = http.client.HTTPConnection("127.0.0.1", 19080)
service.request("PUT", "/ImageStore/file?api-version=6.0", b"bytes")
print(service.getresponse().status)
"""

LOADING: Final = """
import sys, time
from emulator.__main__ import main

class SlowDisk:
    def find_spec(self, name, path, target=None):
        print("loading", name, flush=True)
        time.sleep(3600)

sys.meta_path.insert(0, SlowDisk())
sys.argv = ["imagestore-emulator"]
raise SystemExit(main())
"""


# --- what it is -------------------------------------------------------------------------------------------------------


def test_it_says_what_it_is_and_runs_as_nobody_in_particular(image: str) -> None:
    """Labels with the version of the package, no root, no anonymous volumes, a command that takes options."""
    config = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", image))
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert (labels["title"], labels["version"], labels["licenses"]) == ("Image Store emulator", __version__, "MIT")
    assert config["User"] == "10001:10001"
    assert not config.get("Volumes")
    assert config["Entrypoint"] == ["imagestore-emulator"]
    assert config["Healthcheck"]["Test"] == ["CMD", "imagestore-emulator", "healthcheck"]


def test_it_adds_less_than_80_mb_to_its_base(image: str) -> None:
    """The label is the first thing that the Dockerfile puts on the base."""
    history = docker("history", "--no-trunc", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", image)
    ours, first, _ = history.partition("LABEL org.opencontainers.image.title")
    assert first
    sizes = [line.partition(" ")[0] for line in ours.splitlines()]
    assert sum(int(size) for size in sizes if size.isdigit()) < 80_000_000


def test_nothing_that_only_builds_or_tests_it_is_inside(image: str) -> None:
    listed = docker("run", "--rm", "--entrypoint", "find", image, "/opt/imagestore-emulator", "-name", "*.dist-info")
    names = {Path(line).name.partition("-")[0] for line in listed.splitlines()}
    assert {"imagestore_emulator", "fastapi", "uvloop"} <= names
    assert not names & {"pip", "pytest", "hatchling", "ruff", "mypy", "uv", "hypothesis"}


def test_the_command_of_the_readme_lists_every_package_inside_for_a_bill_of_materials(image: str) -> None:
    (arguments,) = re.findall(r"docker (run [^$]*cyclonedx-py[^>]*)> sbom.json", (ROOT / "README.md").read_text())
    words = shlex.split(arguments.replace("\\\n", ""))
    bill = json.loads(docker(*(image if word == "imagestore-emulator" else word for word in words)))
    listed = docker("run", "--rm", "--entrypoint", "find", image, "/opt/imagestore-emulator", "-name", "*.dist-info")
    inside = {Path(line).name.removesuffix(".dist-info") for line in listed.splitlines()}
    told = {f"{each['name'].replace('-', '_')}-{each['version']}" for each in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert {each.lower() for each in told} == {each.lower() for each in inside}
    assert f"imagestore_emulator-{__version__}" in told


# --- what it does -----------------------------------------------------------------------------------------------------


def test_it_becomes_healthy_and_stores_what_comes_through_the_published_port(start: Start) -> None:
    container = start(*PUBLISHED)
    container.wait_until_healthy()
    wire = container.wire()
    assert wire.put(f"/ImageStore/App/file?{V}", b"bytes").status == 200
    assert wire.get(f"/ImageStore/App?{V}").json()["StoreFiles"][0]["FileSize"] == "5"


@pytest.mark.clients
def test_sfctl_uploads_a_package_through_the_published_port(start: Start, volume: str, tmp_path: Path) -> None:
    container = start(*PUBLISHED, "--volume", f"{volume}:/data")
    container.wait_until_healthy()
    wire = container.wire()
    sfctl = Sfctl(environment("sfctl"), tmp_path)
    package = build_package(tmp_path / "plain" / "CalcApp", "CalcType")

    assert sfctl("cluster", "select", "--endpoint", f"http://{wire.host}:{wire.port}").code == 0
    uploaded = sfctl("application", "upload", "--path", package)

    assert uploaded.code == 0, uploaded.errors
    docker("cp", f"{container.name}:/data/default/content/CalcApp", tmp_path / "stored")
    assert read_tree(tmp_path / "stored") == with_markers(read_tree(package))


def test_words_after_the_image_are_options_of_the_emulator(start: Start) -> None:
    """And it still listens where the published port leads."""
    container = start(*PUBLISHED, command=("--runtime-version", "6.5", "--platform", "linux"))
    container.wait_until_healthy()
    assert "(Service Fabric 6.5, linux)" in container.log
    assert container.wire().get(f"/ImageStore/none?{V}").status == 404


def test_server_and_health_check_read_the_same_variables(start: Start) -> None:
    container = start("--env", "IMAGESTORE_PORT=9000", "--env", "IMAGESTORE_HOST=127.0.0.1")
    container.wait_until_healthy()
    assert "listening on http://127.0.0.1:9000 " in container.log


def test_it_needs_neither_a_known_user_nor_a_writable_file_system_nor_a_network(start: Start) -> None:
    container = start(*BARE)
    container.wait_until_healthy()
    assert container.run("imagestore-emulator", "healthcheck") == ""
    assert container.run("python", "-c", UPLOAD) == "200"
    assert container.run("id", "--user") == "6666"
    assert container.stop() == 0


# --- where data goes --------------------------------------------------------------------------------------------------


def test_without_a_volume_it_says_that_data_is_in_memory(start: Start) -> None:
    container = start()
    container.wait_until_healthy()
    assert "data in memory: nothing is mounted at /data\n" in container.log


def test_a_volume_keeps_data_over_a_restart_and_for_the_next_container(start: Start, volume: str) -> None:
    mount = (*PUBLISHED, "--volume", f"{volume}:/data")
    container = start(*mount)
    container.wait_until_healthy()
    assert "data in /data\n" in container.log
    assert container.wire().put(f"/ImageStore/App/file?{V}", b"bytes").status == 200
    container.stop()

    container.start()
    container.wait_until_healthy()
    assert container.wire().get(f"/ImageStore/App/file?{V}").status == 200
    container.remove()

    another = start(*mount)
    another.wait_until_healthy()
    assert another.wire().get(f"/ImageStore/App/file?{V}").status == 200


def test_any_user_may_write_to_a_new_volume_and_nothing_else_is_changed(start: Start, volume: str) -> None:
    container = start(*PUBLISHED, "--user", "6666", "--volume", f"{volume}:/data")
    container.wait_until_healthy()
    assert container.wire().put(f"/ImageStore/App/file?{V}", b"bytes").status == 200
    assert container.run("cat", "/data/default/content/App/file") == "bytes"
    assert docker("diff", container.name) == ""


def test_a_volume_it_cannot_write_stops_it_with_a_sentence(start: Start, volume: str) -> None:
    """Data that was meant for a volume must not end up in memory."""
    mount = ("--volume", f"{volume}:/data")
    script = "chmod 755 /data; touch /data/by-root"  # an empty volume would get the image's mode again
    assert start(*mount, "--user", "0", "--entrypoint", "sh", command=("-c", script)).exit_code == 0
    container = start(*mount)
    assert container.exit_code == 4
    assert "cannot use the data directory /data: Permission denied" in container.log
    assert "Traceback" not in container.log


def test_a_kill_in_the_middle_of_a_chunk_loses_that_chunk_only(start: Start, volume: str, tmp_path: Path) -> None:
    """After the restart the session goes on where it was, and commits to the exact bytes."""
    content = bytes(range(256)) * (6 * MIB // 256)
    container = start(*PUBLISHED, "--volume", f"{volume}:/data")
    container.wait_until_healthy()

    def put_chunk(begin: int, end: int) -> int:
        range_ = {"Content-Range": f"bytes {begin}-{end - 1}/{len(content)}"}
        return container.wire().put(target, content[begin:end], headers=range_).status

    target = f"/ImageStore/App/big/$/UploadChunk?{V}&session-id={G}"
    assert put_chunk(0, 2 * MIB) == 200
    fields = [
        ("Host", "localhost"),
        ("Content-Length", str(2 * MIB)),
        ("Content-Range", f"bytes {2 * MIB}-{4 * MIB - 1}/{len(content)}"),
    ]
    with container.wire().connect() as connection:
        connection.sendall(head("PUT", target, fields) + content[2 * MIB : 4 * MIB - 100])
        eventually(lambda: int(container.run("python", "-c", STAGED)) > 2.5 * MIB, "bytes of it are on disk")
        container.kill()

    container.start()
    container.wait_until_healthy()
    (session,) = container.wire().get(f"/ImageStore/$/GetUploadSession?{V}&session-id={G}").json()["UploadSessions"]
    assert session["ExpectedRanges"] == [{"StartPosition": str(2 * MIB), "EndPosition": str(len(content) - 1)}]
    assert put_chunk(2 * MIB, len(content)) == 200
    assert container.wire().post(f"/ImageStore/$/CommitUploadSession?{V}&session-id={G}").status == 200
    docker("cp", f"{container.name}:/data/default/content/App/big", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == content


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_docker_stop_ends_it_with_0(start: Start) -> None:
    container = start()
    container.wait_until_healthy()
    assert container.stop() == 0


def test_docker_stop_ends_it_with_0_while_it_is_still_loading(start: Start) -> None:
    """The first process of a container does not die of a signal that it has no handler for."""
    container = start("--entrypoint", "python", command=("-c", LOADING))
    eventually(lambda: "loading" in container.log, "it loads")
    assert container.stop() == 0


def test_docker_stop_ends_it_with_0_although_an_upload_stalls(start: Start) -> None:
    """It gives up before the engine would kill it."""
    container = start(*PUBLISHED)
    container.wait_until_healthy()
    with container.wire().connect() as stalled:
        fields = [("Host", "localhost"), ("Content-Length", "10"), ("Expect", "100-continue")]
        stalled.sendall(head("PUT", f"/ImageStore/half?{V}", fields))
        assert stalled.recv(1000).startswith(b"HTTP/1.1 100 ")
        assert container.stop() == 0
