"""Tests of an upload with unittest: one server for the class, a fresh store for each test.

Run it with ``python -m unittest with_unittest.py``.
"""

import unittest
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from emulator.testing import EmulatorThread, ImageStore

V = "api-version=6.0"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
CONTENT = b"image store " * 20_000
CHUNK = 100_000


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


def upload_chunk(endpoint: str, start: int) -> int:
    piece = CONTENT[start : start + CHUNK]
    part = {"Content-Range": f"bytes {start}-{start + len(piece) - 1}/{len(CONTENT)}"}
    return send("PUT", f"{endpoint}/ImageStore/App/big/$/UploadChunk?{V}&session-id={SESSION}", piece, part)


def commit(endpoint: str) -> int:
    return send("POST", f"{endpoint}/ImageStore/$/CommitUploadSession?{V}&session-id={SESSION}", b"")


class UploadTest(unittest.TestCase):
    server: EmulatorThread
    store: ImageStore

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = cls.enterClassContext(EmulatorThread())

    def setUp(self) -> None:
        self.store = self.enterContext(self.server.store.fresh())

    def test_a_session_expires_half_an_hour_after_its_last_chunk(self) -> None:
        upload_chunk(self.store.endpoint, 0)

        expired = self.store.advance("31m")

        self.assertEqual([session["path"] for session in expired], ["App/big"])
        self.assertEqual(commit(self.store.endpoint), 400)

    def test_a_chunk_is_sent_again_after_its_connection_was_cut(self) -> None:
        self.store.add_fault("preset=cut-chunk")

        statuses = [upload_chunk(self.store.endpoint, start) for start in range(0, len(CONTENT), CHUNK)]

        self.assertEqual([*statuses, commit(self.store.endpoint)], [200, 200, 200, 200])
        self.store.verify(operation="UploadFileChunk", count=4)
        self.assertEqual(self.store.read("App/big"), CONTENT)

    def test_a_commit_whose_answer_was_lost_is_sent_again(self) -> None:
        self.store.add_fault("preset=lost-commit-reply")
        for start in range(0, len(CONTENT), CHUNK):
            upload_chunk(self.store.endpoint, start)

        self.assertEqual(commit(self.store.endpoint), 200)

        self.store.verify(operation="CommitImageStoreUploadSession", count=2)
        self.assertEqual(self.store.read("App/big"), CONTENT)


if __name__ == "__main__":
    unittest.main()
