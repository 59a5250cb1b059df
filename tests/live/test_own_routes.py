"""What is the emulator's own, and how connections behave: over a real socket, written by hand."""

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from emulator import __version__
from tests.support.databases import looks_into_sqlite
from tests.support.emulator import InProcessEmulator
from tests.support.wire import Connection, Reply, head, read_reply

V: Final = "api-version=6.0"
HOST: Final = ("Host", "localhost")
OPERATIONS: Final = {
    "GetImageStoreRootContent": ("get", "/ImageStore"),
    "GetImageStoreContent": ("get", "/ImageStore/{content_path}"),
    "UploadFile": ("put", "/ImageStore/{content_path}"),
    "DeleteImageStoreContent": ("delete", "/ImageStore/{content_path}"),
    "CopyImageStoreContent": ("post", "/ImageStore/$/Copy"),
    "UploadFileChunk": ("put", "/ImageStore/{content_path}/$/UploadChunk"),
    "GetImageStoreUploadSessionById": ("get", "/ImageStore/$/GetUploadSession"),
    "GetImageStoreUploadSessionByPath": ("get", "/ImageStore/{content_path}/$/GetUploadSession"),
    "DeleteImageStoreUploadSession": ("delete", "/ImageStore/$/DeleteUploadSession"),
    "CommitImageStoreUploadSession": ("post", "/ImageStore/$/CommitUploadSession"),
    "GetImageStoreRootFolderSize": ("get", "/ImageStore/$/FolderSize"),
    "GetImageStoreFolderSize": ("get", "/ImageStore/{content_path}/$/FolderSize"),
    "GetImageStoreInfo": ("get", "/ImageStore/$/Info"),
    "GetClusterVersion": ("get", "/$/GetClusterVersion"),
    "GetClusterManifest": ("get", "/$/GetClusterManifest"),
    "GetClusterHealth": ("get", "/$/GetClusterHealth"),
    "GetClusterHealthUsingPolicy": ("post", "/$/GetClusterHealth"),
    "GetClusterHealthChunk": ("get", "/$/GetClusterHealthChunk"),
    "GetClusterHealthChunkUsingPolicyAndAdvancedFilters": ("post", "/$/GetClusterHealthChunk"),
    "GetClusterUpgradeProgress": ("get", "/$/GetUpgradeProgress"),
    "GetClusterLoad": ("get", "/$/GetLoadInformation"),
    "GetAadMetadata": ("get", "/$/GetAadMetadata"),
    "GetNodeInfoList": ("get", "/Nodes"),
    "GetNodeInfo": ("get", "/Nodes/{node_name}"),
    "GetNodeHealth": ("get", "/Nodes/{node_name}/$/GetHealth"),
    "GetNodeHealthUsingPolicy": ("post", "/Nodes/{node_name}/$/GetHealth"),
    "GetNodeLoadInfo": ("get", "/Nodes/{node_name}/$/GetLoadInformation"),
    "GetApplicationTypeInfoList": ("get", "/ApplicationTypes"),
    "GetApplicationTypeInfoListByName": ("get", "/ApplicationTypes/{application_type_name}"),
    "ProvisionApplicationType": ("post", "/ApplicationTypes/$/Provision"),
    "UnprovisionApplicationType": ("post", "/ApplicationTypes/{application_type_name}/$/Unprovision"),
    "GetServiceTypeInfoList": ("get", "/ApplicationTypes/{application_type_name}/$/GetServiceTypes"),
    "GetServiceTypeInfoByName": (
        "get",
        "/ApplicationTypes/{application_type_name}/$/GetServiceTypes/{service_type_name}",
    ),
    "GetServiceManifest": ("get", "/ApplicationTypes/{application_type_name}/$/GetServiceManifest"),
    "GetApplicationManifest": ("get", "/ApplicationTypes/{application_type_name}/$/GetApplicationManifest"),
    "GetApplicationInfoList": ("get", "/Applications"),
    "GetApplicationInfo": ("get", "/Applications/{application_id}"),
    "GetServiceInfoList": ("get", "/Applications/{application_id}/$/GetServices"),
    "GetDeployedApplicationInfoList": ("get", "/Nodes/{node_name}/$/GetApplications"),
    "GetComposeDeploymentStatusList": ("get", "/ComposeDeployments"),
}


# --- health -----------------------------------------------------------------------------------------------------------


def health(emulator: InProcessEmulator, kind: str) -> tuple[int, dict[str, str]]:
    """Status and body of a health answer."""
    reply = emulator.get(f"/_emulator/health/{kind}")
    assert reply.headers["content-type"].startswith("application/json")
    return reply.status, reply.json()


def test_a_fresh_emulator_is_live_and_ready(emulator: InProcessEmulator) -> None:
    """Both answer 200."""
    assert health(emulator, "live") == (200, {"status": "live"})
    assert health(emulator, "ready") == (200, {"status": "ready"})


@contextmanager
def away(place: Path) -> Iterator[None]:
    """A file or folder is elsewhere for a while."""
    hidden = place.with_name(place.name + ".away")
    os.rename(place, hidden)
    yield
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    os.rename(hidden, place)


@pytest.mark.parametrize(
    "what", [".", "default", "default/content", pytest.param("emulator.db", marks=looks_into_sqlite)]
)
def test_it_is_not_ready_while_its_data_is_gone(what: str, emulator: InProcessEmulator) -> None:
    """503 with the reason, for as long as content or sessions cannot be reached; alive it is all the time."""
    with away((emulator.data / what).resolve()):
        status, body = health(emulator, "ready")
        assert (status, body["status"]) == (503, "not ready")
        assert body["reason"]
        assert health(emulator, "live")[0] == 200
    assert health(emulator, "ready") == (200, {"status": "ready"})


@looks_into_sqlite
@pytest.mark.parametrize("instead", ["rubbish", "a folder"])
def test_it_is_not_ready_when_something_else_is_in_place_of_the_database(
    instead: str, emulator: InProcessEmulator
) -> None:
    """A replaced file would lose every session written from now on, so that is told."""
    database = emulator.data / "emulator.db"
    with away(database):
        if instead == "rubbish":
            database.write_bytes(b"no database " * 1000)
        else:
            database.mkdir()
        status, body = health(emulator, "ready")
        assert (status, body["status"]) == (503, "not ready")


def test_health_needs_no_api_version_and_no_cluster_id(tmp_path: Path) -> None:
    """Probes know nothing of the service."""
    with InProcessEmulator(tmp_path / "data", cluster_id="mine") as emulator:
        for kind in ("live", "ready"):
            assert emulator.get(f"/_emulator/health/{kind}?x=%zz", headers={"ClusterId": "other"}).status == 200


# --- pages ------------------------------------------------------------------------------------------------------------


def operations_of(emulator: InProcessEmulator) -> dict[str, tuple[str, str]]:
    """The operations of the OpenAPI document with verb and path, without the kinds of path parameters."""
    document: dict[str, Any] = emulator.get("/_emulator/openapi.json").json()
    return {
        operation["operationId"]: (verb, path)
        for path, verbs in document["paths"].items()
        if not path.startswith("/_emulator")
        for verb, operation in verbs.items()
    }


def test_the_openapi_document_lists_every_operation(emulator: InProcessEmulator) -> None:
    """The 13 of the Image Store and those of the fake cluster, by the names of the published contract."""
    assert operations_of(emulator) == OPERATIONS


def test_the_openapi_document_lists_what_the_runtime_has(tmp_path: Path) -> None:
    """No upload sessions on Linux, no sizes before 6.5."""
    with InProcessEmulator(tmp_path / "data", platform="linux", runtime_version="6.4") as emulator:
        missing = {name for name in OPERATIONS if "Session" in name or "Size" in name or "StoreInfo" in name}
        assert operations_of(emulator).keys() == OPERATIONS.keys() - missing - {"UploadFileChunk"}


def test_the_openapi_document_says_what_it_describes(emulator: InProcessEmulator) -> None:
    """Its version is the emulator's, and each operation declares api-version and says what it does."""
    document = emulator.get("/_emulator/openapi.json").json()
    assert document["info"]["version"] == __version__
    for path, verbs in document["paths"].items():
        for operation in verbs.values():
            if not path.startswith("/_emulator"):
                assert operation["summary"]
                assert "api-version" in [parameter["name"] for parameter in operation["parameters"]]


def test_the_docs_page_shows_the_openapi_document(emulator: InProcessEmulator) -> None:
    """HTML that points to the document of this server."""
    reply = emulator.get("/_emulator/docs")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert b"openapi.json" in reply.body


def test_the_root_says_what_this_is(emulator: InProcessEmulator) -> None:
    """``GET /`` is where clients and people look first: 200, and the way to the docs."""
    reply = emulator.get("/")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert b"/_emulator/docs" in reply.body


@pytest.mark.parametrize("target", ["/_emulator", "/_emulator/", "/_emulator/none", "/_emulator/ImageStore?" + V])
def test_an_unknown_path_of_the_emulators_own_is_404(target: str, emulator: InProcessEmulator) -> None:
    """In JSON, but not as the service's error, which has no 404 for a route."""
    reply = emulator.get(target)
    assert reply.status == 404
    assert reply.headers["content-type"].startswith("application/json")
    assert "Error" not in reply.json()


def test_a_wrong_verb_on_the_emulators_own_is_405(emulator: InProcessEmulator) -> None:
    """With the verbs that are allowed."""
    reply = emulator.put("/_emulator/health/live", b"")
    assert (reply.status, reply.headers["allow"]) == (405, "GET")
    assert "Error" not in reply.json()


@pytest.mark.parametrize(
    "target",
    [
        "/docs",
        "/docs/oauth2-redirect",
        "/redoc",
        "/openapi.json",
        "/health",
        "/health/live",
        "/_emulatorx",
        "/favicon.ico",
        "/none",
    ],
)
def test_nothing_of_the_emulators_own_is_outside_its_prefix(target: str, emulator: InProcessEmulator) -> None:
    """Every other path is the service's to answer: a bad argument."""
    assert emulator.get(target).error == (400, "E_INVALIDARG", "Invalid argument")


def test_no_request_id_is_echoed(emulator: InProcessEmulator) -> None:
    """``X-ServiceFabricRequestId`` is for the service's traces only (gateway 6.1)."""
    reply = emulator.get(f"/ImageStore?{V}", headers={"X-ServiceFabricRequestId": "a-request", "x-request-id": "b"})
    assert not [name for name in reply.headers if "request" in name]
    assert "a-request" not in str(reply.headers)


# --- connections ------------------------------------------------------------------------------------------------------


def put(target: str, body: bytes, *headers: tuple[str, str]) -> bytes:
    """A whole PUT as bytes."""
    return head("PUT", target, [HOST, ("Content-Length", str(len(body))), *headers]) + body


def get(target: str) -> bytes:
    """A whole GET as bytes."""
    return head("GET", target, [HOST])


class Replies:
    """Answers off a socket, one after the other, however they are packed."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""

    def next(self) -> Reply:
        """The next answer; its length must be declared."""
        while b"\r\n\r\n" not in self._received:
            self._read_on()
        top, _, self._received = self._received.partition(b"\r\n\r\n")
        status_line, *lines = top.decode("latin-1").split("\r\n")
        assert status_line.startswith("HTTP/1.1 "), status_line
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._received) < length:
            self._read_on()
        body, self._received = self._received[:length], self._received[length:]
        return Reply(int(status_line.split()[1]), headers, body)

    def _read_on(self) -> None:
        piece = self._connection.recv(65536)
        assert piece, f"the server hung up after {self._received!r}"
        self._received += piece


def test_one_connection_serves_many_requests(emulator: InProcessEmulator) -> None:
    """Answers with and without body, good and bad, leave it open."""
    connection = Connection(emulator)
    try:
        for number in range(40):
            assert connection.send("PUT", f"/ImageStore/f{number}?{V}", body=b"x" * number).status == 200
            assert connection.send("GET", f"/ImageStore/f{number}?{V}").json()["StoreFiles"][0]["FileSize"] == str(
                number
            )
            assert connection.send("GET", "/ImageStore/missing?api-version=6.2").status == 404
            assert connection.send("GET", "/ImageStore").status == 400
            assert connection.send("DELETE", f"/ImageStore/f{number}?{V}").status == 200
    finally:
        connection.close()


def test_http_1_0_gets_an_answer_and_a_closed_connection(emulator: InProcessEmulator) -> None:
    """Its clients wait for the end of the connection."""
    with emulator.connect() as connection:
        connection.sendall(f"GET /ImageStore?{V} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        assert read_reply(connection).status == 404
        assert connection.recv(1) == b""


def test_expect_100_continue_is_answered_before_the_body(emulator: InProcessEmulator) -> None:
    """A client that waits for leave to send its body gets it."""
    with emulator.connect() as connection:
        target, fields = f"/ImageStore/file?{V}", [HOST, ("Content-Length", "5"), ("Expect", "100-continue")]
        connection.sendall(head("PUT", target, fields))
        replies = Replies(connection)
        assert replies.next().status == 100
        connection.sendall(b"hello")
        assert replies.next().status == 200
        connection.sendall(get(target))
        assert replies.next().json()["StoreFiles"][0]["FileSize"] == "5"


def test_a_refused_request_gets_no_leave_to_send_its_body(emulator: InProcessEmulator) -> None:
    """The refusal comes instead of the 100, so that the client can spare itself the body (gateway 0)."""
    with emulator.connect() as connection:
        fields = [HOST, ("Content-Length", "5000000"), ("Expect", "100-continue")]
        connection.sendall(head("PUT", "/ImageStore/file", fields))
        assert Replies(connection).next().status == 400


def test_pipelined_requests_are_answered_in_order(emulator: InProcessEmulator) -> None:
    """Sent in one go, each is carried out after the one before."""
    requests = [
        put(f"/ImageStore/a?{V}", b"1"),
        put(f"/ImageStore/b?{V}", b"22"),
        get(f"/ImageStore?{V}"),
        get("/ImageStore"),
        head("DELETE", f"/ImageStore/a?{V}", [HOST]),
        get(f"/ImageStore?{V}"),
    ]
    with emulator.connect() as connection:
        connection.sendall(b"".join(requests))
        replies = Replies(connection)
        answers = [replies.next() for _ in requests]
    assert [answer.status for answer in answers] == [200, 200, 200, 400, 200, 200]
    assert [len(json.loads(answers[number].body)["StoreFiles"]) for number in (2, 5)] == [2, 1]


@pytest.mark.parametrize("size", [1_000_000, 5_000_000])
def test_a_request_right_behind_a_large_body_is_answered(size: int, emulator: InProcessEmulator) -> None:
    """However the body is taken off the socket, it ends where its length says, and nothing behind it is lost."""
    body = b"GET / HTTP/1.1\r\n\r\n" * (size // 18)
    with emulator.connect() as connection:
        replies = Replies(connection)
        for _ in range(3):
            connection.sendall(put(f"/ImageStore/large?{V}", body) + get(f"/ImageStore/large?{V}") + get("/ImageStore"))
            assert replies.next().status == 200
            assert replies.next().json()["StoreFiles"][0]["FileSize"] == str(len(body))
            assert replies.next().status == 400
    assert (emulator.data / "default/content/large").read_bytes() == body


@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
def test_after_a_request_whose_body_was_not_read_the_connection_serves_the_next(
    size: int, emulator: InProcessEmulator
) -> None:
    """A refused PUT, an unknown route and a GET with a body: what they sent isn't taken for a request."""
    body = b"GET / HTTP/1.1\r\n\r\n" * (size // 18 + 1)
    with emulator.connect() as connection:
        replies = Replies(connection)
        for refused in (
            put("/ImageStore/file", body),
            put(f"/ImageStore/file?{V}", body, ("Content-Range", "rubbish")),
            put("/none", body),
            head("GET", "/ImageStore", [HOST, ("Content-Length", str(len(body)))]) + body,
        ):
            connection.sendall(refused)
            assert replies.next().status == 400
            connection.sendall(get(f"/ImageStore/missing?{V}"))
            assert replies.next().status == 404
    assert emulator.get(f"/ImageStore?{V}").status == 404


def test_an_offer_to_upgrade_is_ignored(emulator: InProcessEmulator) -> None:
    """Java's and curl's clients offer HTTP/2 with their first request; they get HTTP/1.1, and the body is taken."""
    offer = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
    with emulator.connect() as connection:
        replies = Replies(connection)
        connection.sendall(put(f"/ImageStore/file?{V}", b"hello", *offer))
        assert replies.next().status == 200
        connection.sendall(head("GET", f"/ImageStore/file?{V}", [HOST, *offer]))
        assert replies.next().json()["StoreFiles"][0]["FileSize"] == "5"
        connection.sendall(get(f"/ImageStore/file?{V}"))
        assert replies.next().status == 200


def test_a_client_that_hangs_up_half_way_leaves_nothing(emulator: InProcessEmulator) -> None:
    """Neither content nor a session, and the server goes on."""
    for target in (
        f"/ImageStore/a?{V}",
        f"/ImageStore/a/$/UploadChunk?{V}&session-id={'1' * 8}-1111-1111-1111-{'1' * 12}",
    ):
        with emulator.connect() as connection:
            fields = [HOST, ("Content-Length", "10"), ("Content-Range", "bytes 0-9/10")]
            connection.sendall(head("PUT", target, fields) + b"half")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1000) == b""
    assert emulator.get(f"/ImageStore?{V}").status == 404
    assert emulator.get(f"/ImageStore/a/$/GetUploadSession?{V}").status == 204
