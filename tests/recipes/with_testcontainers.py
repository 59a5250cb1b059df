"""Tests of an upload against the emulator's container, which Testcontainers starts and removes.

Run it with ``pytest with_testcontainers.py``; ``IMAGESTORE_IMAGE`` in the environment is the name of the image.
"""

import os
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from emulator.testing import ImageStore

PORT = 19080
V = "api-version=6.0"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"


@pytest.fixture(scope="session")
def image_store_server() -> Iterator[str]:
    """Takes the place of the plugin's server, so that every `image_store` is in the container."""
    ready = HttpWaitStrategy(PORT, "/_emulator/health/ready").for_status_code(200)
    container = DockerContainer(os.environ["IMAGESTORE_IMAGE"]).with_exposed_ports(PORT).waiting_for(ready)
    with container as started:
        yield f"http://{started.get_container_host_ip()}:{started.get_exposed_port(PORT)}"


def send(verb: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    """One request of the client under test, sent once more if its connection breaks before the answer."""
    request = Request(url, body, headers or {}, method=verb)
    try:
        try:
            return int(urlopen(request).status)
        except ConnectionError:
            return int(urlopen(request).status)
    except HTTPError as error:
        return error.code


def upload(endpoint: str) -> int:
    chunk = f"{endpoint}/ImageStore/App/big/$/UploadChunk?{V}&session-id={SESSION}"
    return send("PUT", chunk, b"everything", {"Content-Range": "bytes 0-9/10"})


def commit(endpoint: str) -> int:
    return send("POST", f"{endpoint}/ImageStore/$/CommitUploadSession?{V}&session-id={SESSION}", b"")


def test_a_session_expires_half_an_hour_after_its_last_chunk(image_store: ImageStore) -> None:
    upload(image_store.endpoint)

    assert [session["path"] for session in image_store.advance("31m")] == ["App/big"]
    assert commit(image_store.endpoint) == 400


@pytest.mark.image_store(faults="operation=UploadFileChunk cut=5 times=1")
def test_a_chunk_is_sent_again_after_its_connection_was_cut(image_store: ImageStore) -> None:
    assert (upload(image_store.endpoint), commit(image_store.endpoint)) == (200, 200)

    image_store.verify(operation="UploadFileChunk", count=2)
    assert image_store.read("App/big") == b"everything"


@pytest.mark.image_store(faults="preset=lost-commit-reply")
def test_a_commit_whose_answer_was_lost_is_sent_again(image_store: ImageStore) -> None:
    assert (upload(image_store.endpoint), commit(image_store.endpoint)) == (200, 200)

    image_store.verify(operation="CommitImageStoreUploadSession", count=2)
