"""The profile `cluster` of compose.yaml: replicas behind a real load balancer, on one volume and one real database.

No registry is needed: stand-ins for the two official images are made from Debian's packages.
"""

import hashlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.environments import environment
from tests.clients.package import build_package, read_tree, with_markers
from tests.clients.sfctl import Sfctl
from tests.docker.engine import ROOT, docker, log_of, unique
from tests.support.waiting import eventually
from tests.support.wire import Reply, Wire, head, read_reply

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("engine")]

V: Final = "api-version=6.0"
G: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
SESSION: Final = f"/ImageStore/$/GetUploadSession?{V}&session-id={G}"
LOST: Final = [("Host", "localhost"), ("X-Emulator-Fault", "cut=after")]
"""Headers of a request that is done, and whose answer never comes."""

MIB: Final = 1024 * 1024
OVERRIDE: Final = """
services:
  emulator:
    image: {image}
    ports: !override
      - 127.0.0.1::19080
  replica:
    image: {image}
  database:
    image: {database}
  balancer:
    image: {balancer}
    ports: !override
      - 127.0.0.1::8080
"""
"""The images of the tests, and free ports; all else is as it is given to people."""

RUNNING: Final = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:19080/_emulator/journal/running").read().decode())
"""


class Cluster:
    """One that runs, and a client of its balancer."""

    def __init__(self, files: Path, **images: str) -> None:
        (files / "override.yaml").write_text(OVERRIDE.format(**images))
        names = ("--file", ROOT / "compose.yaml", "--file", files / "override.yaml")
        self._compose = ("compose", "--project-name", unique("cluster"), *names, "--profile", "cluster")

    def up(self) -> None:
        """Start whatever does not run, and wait until all of it is healthy."""
        docker(*self._compose, "up", "--wait", "--no-build")
        address = docker(*self._compose, "port", "balancer", "8080")
        self.wire = Wire("127.0.0.1", int(address.rpartition(":")[2]), timeout=60)

    def down(self) -> None:
        """Away with all of it."""
        docker(*self._compose, "down", "--volumes")

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """What the engine says of those there are, running or not."""
        listed = docker(*self._compose, "ps", "--all", "--format", "json", *([service] if service else []))
        return [json.loads(line) for line in listed.splitlines()]

    def replicas(self) -> list[str]:
        """Their containers' names."""
        return sorted(each["Name"] for each in self.containers("replica"))

    def received_by(self, path: str) -> list[str]:
        """The replicas that a request about this path runs in."""
        return [each for each in self.replicas() if path in docker("exec", each, "python", "-c", RUNNING)]

    def asked(self, replica: str) -> list[str]:
        """The targets of all requests that a replica's log tells of."""
        lines = [json.loads(line) for line in log_of(replica).splitlines() if line.startswith("{")]
        return [line["target"] for line in lines if "target" in line]

    def times_asked(self, target: str) -> int:
        """How many requests of all replicas had this target."""
        return sum(self.asked(replica).count(target) for replica in self.replicas())


@pytest.fixture(scope="module")
def cluster(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster, healthy."""
    stand_ins = {part: unique(part) for part in ("balancer", "database")}
    for part, name in stand_ins.items():
        docker("build", "--tag", name, "--target", part, "tests/docker/stand_ins")
    running = Cluster(tmp_path_factory.mktemp("cluster"), image=image, **stand_ins)
    try:
        running.up()
        yield running
    finally:
        running.down()
        docker("image", "rm", *stand_ins.values())


def session_of(wire: Wire) -> Reply:
    """What is known of the session."""
    return wire.get(SESSION)


def missing_ranges(wire: Wire) -> list[tuple[int, int]]:
    """What a session still lacks: from where, and up to where."""
    (session,) = session_of(wire).json()["UploadSessions"]
    return [(int(each["StartPosition"]), int(each["EndPosition"]) + 1) for each in session["ExpectedRanges"]]


def put_chunk(wire: Wire, path: str, content: bytes, begin: int, end: int) -> int:
    """The status of one chunk; 0 if the connection broke."""
    fields = {"Content-Range": f"bytes {begin}-{end - 1}/{len(content)}"}
    try:
        return wire.put(
            f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={G}", content[begin:end], headers=fields
        ).status
    except (OSError, http.client.HTTPException):
        return 0


def forget(wire: Wire) -> None:
    """Delete the session."""
    assert wire.delete(f"/ImageStore/$/DeleteUploadSession?{V}&session-id={G}").status == 200


def test_all_of_it_becomes_healthy_and_only_this_machine_can_reach_it(cluster: Cluster) -> None:
    states = {each["Name"]: each["Health"] for each in cluster.containers()}
    assert len(states) == 5
    assert set(states.values()) == {"healthy"}
    shown = json.loads(
        docker("compose", "--file", ROOT / "compose.yaml", "--profile", "cluster", "config", "--format=json")
    )
    published = {name: service["ports"] for name, service in shown["services"].items() if "ports" in service}
    assert published.keys() == {"emulator", "balancer"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_replicas_share_sessions_and_content(cluster: Cluster) -> None:
    """Whichever is asked: what one took in, all tell."""
    content = b"0123456789"
    assert put_chunk(cluster.wire, "App/shared", content, 0, 5) == 200
    assert {session_of(cluster.wire).body for _ in range(32)} == {session_of(cluster.wire).body}
    assert missing_ranges(cluster.wire) == [(5, 10)]
    for replica in cluster.replicas():
        eventually(lambda: SESSION in cluster.asked(replica), "it was asked")  # noqa: B023
    assert put_chunk(cluster.wire, "App/shared", content, 5, 10) == 200
    assert cluster.wire.post(f"/ImageStore/$/CommitUploadSession?{V}&session-id={G}").status == 200
    listings = [cluster.wire.get(f"/ImageStore/App?{V}").body for _ in range(8)]
    assert len(set(listings)) == 1
    assert b"App\\\\shared" in listings[0]
    forget(cluster.wire)


@pytest.mark.clients
def test_sfctl_uploads_a_package_through_the_balancer(cluster: Cluster, tmp_path: Path) -> None:
    sfctl = Sfctl(environment("sfctl"), tmp_path)
    package = build_package(tmp_path / "plain" / "CalcApp", "CalcType")
    assert sfctl("cluster", "select", "--endpoint", f"http://127.0.0.1:{cluster.wire.port}").code == 0
    uploaded = sfctl("application", "upload", "--path", package)
    assert uploaded.code == 0, uploaded.errors
    docker("cp", f"{cluster.replicas()[0]}:/data/default/content/CalcApp", tmp_path / "stored")
    assert read_tree(tmp_path / "stored") == with_markers(read_tree(package))


def test_large_bodies_go_through_as_they_come(cluster: Cluster) -> None:
    """Of any size, and before they are complete: the balancer keeps none of them."""
    with cluster.wire.connect() as connection:
        fields = [("Host", "localhost"), ("Content-Length", str(3 << 30))]
        connection.sendall(head("PUT", f"/ImageStore/endless?{V}", fields) + b"x" * 3 * MIB)
        eventually(lambda: cluster.received_by("/endless"), "a replica has it")
    eventually(lambda: not cluster.received_by("/endless"), "and lets go of it")


@pytest.mark.parametrize("size", [5, 3 * MIB])
def test_a_chunk_whose_answer_is_lost_is_not_sent_to_another_replica(size: int, cluster: Cluster) -> None:
    """That one would call it an overlap. The client is told that something went wrong, and asks what counts."""
    path = f"App/lost-{size}"
    fields = [*LOST, ("Content-Length", str(size)), ("Content-Range", f"bytes 0-{size - 1}/{2 * size}")]
    target = f"/ImageStore/{path}/$/UploadChunk?{V}&session-id={G}"
    with cluster.wire.connect() as connection:
        connection.sendall(head("PUT", target, fields) + b"x" * size)  # in one go, so that it could be sent again
        assert read_reply(connection, "PUT").status == 502
    assert missing_ranges(cluster.wire) == [(size, 2 * size)]
    assert cluster.times_asked(target) == 1
    target = f"/ImageStore/$/DeleteUploadSession?{V}&session-id={G}&for={size}"
    assert cluster.wire.delete(target, headers=dict(LOST)).status == 502
    assert session_of(cluster.wire).status == 204
    assert cluster.times_asked(target) == 1


def test_a_question_whose_answer_is_lost_is_asked_again_elsewhere(cluster: Cluster) -> None:
    target = f"/ImageStore/asked/everywhere?{V}"
    assert cluster.wire.get(target, headers=dict(LOST)).status == 502
    assert cluster.times_asked(target) == 2


def test_a_replica_that_is_killed_in_the_middle_of_a_chunk_costs_that_chunk_only(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The client asks what is missing, sends that through the same address, and gets the exact bytes."""
    size = 4 * MIB
    content = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(5 * size // 32))
    for begin in (0, 3 * size):
        assert put_chunk(cluster.wire, "App/big", content, begin, begin + size) == 200
    with cluster.wire.connect() as connection:
        fields = [
            ("Host", "localhost"),
            ("Content-Length", str(size)),
            ("Content-Range", f"bytes {size}-{2 * size - 1}/{len(content)}"),
        ]
        request = head("PUT", f"/ImageStore/App/big/$/UploadChunk?{V}&session-id={G}", fields)
        connection.sendall(request + content[size : size + size // 2])
        eventually(lambda: cluster.received_by("/App/big"), "a replica has half of it")
        (victim,) = cluster.received_by("/App/big")
        docker("kill", "--signal", "KILL", victim)
        assert not connection.recv(65536).startswith(b"HTTP/1.1 2")

    assert {cluster.wire.get(f"/ImageStore?{V}").status for _ in range(16)} <= {200, 404}, "nobody notices"
    assert missing_ranges(cluster.wire) == [(size, 3 * size), (4 * size, 5 * size)]
    for begin in (size, 2 * size, 4 * size):
        eventually(
            lambda: put_chunk(cluster.wire, "App/big", content, begin, begin + size) == 200,  # noqa: B023
            "the chunk counts",
        )
    assert cluster.wire.post(f"/ImageStore/$/CommitUploadSession?{V}&session-id={G}").status == 200
    (survivor,) = set(cluster.replicas()) - {victim}
    docker("cp", f"{survivor}:/data/default/content/App/big", tmp_path / "stored")
    assert (tmp_path / "stored").read_bytes() == content
    forget(cluster.wire)

    cluster.up()
    assert {each["Health"] for each in cluster.containers("replica")} == {"healthy"}
    staged = docker("exec", victim, "find", "/data/default/staging/workers", "-type", "f", "!", "-name", "*.lock")
    assert staged == "", "what the dead one had received is swept"
