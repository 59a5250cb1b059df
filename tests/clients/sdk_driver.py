# mypy: ignore-errors
"""Runs inside the environment of azure-servicefabric: does all that it can do with an image store, prints what it got.

``python sdk_driver.py ENDPOINT`` prints one JSON object: the name of each step and its outcome, which is what the SDK
returned, or ``{"raised": …}`` with what it raised. It judges nothing; the tests do.
"""

import json
import random
import sys

from azure.servicefabric import ServiceFabricClientAPIs
from azure.servicefabric.models import FabricErrorException, ImageStoreCopyDescription
from msrest.pipeline import Request, Response, SansIOHTTPPolicy

VIDEO = bytes(range(256)) * 400 + b"the end"
SESSION = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
OTHER_SESSION = "0c2f3b64-52f4-4c39-8b9e-6f0d2b1f7a55"
UNKNOWN_SESSION = "11111111-2222-3333-4444-555555555555"


class Body(SansIOHTTPPolicy):
    """Adds the next body to a request: the SDK's upload operations say it "needs to be added", and take none.

    It also keeps the status of the last answer, which not every exception of the SDK carries.
    """

    def __init__(self) -> None:
        self.next = None
        self.status = None

    def on_request(self, request: Request, **_options: object) -> None:
        """Put the waiting body into this request."""
        if self.next is not None:
            request.http_request.data, self.next = self.next, None

    def on_response(self, _request: Request, response: Response, **_options: object) -> None:
        """Keep the status."""
        self.status = response.http_response.status_code


class Story:
    """The client, and the outcome of each step in order."""

    def __init__(self, endpoint: str) -> None:
        self.body = Body()
        self.client = ServiceFabricClientAPIs(self.body, base_url=endpoint)
        self.outcomes = {}

    def step(self, name: str, operation: str, *arguments: object, body: bytes | None = None) -> None:
        """Call one operation of the SDK and note what came of it."""
        assert name not in self.outcomes, name
        self.body.next = body
        try:
            result = getattr(self.client, operation)(*arguments)
            outcome = {"returned": None if result is None else result.as_dict()}
        except FabricErrorException as error:
            code, message = error.error.error.code, error.error.error.message
            outcome = {"raised": "FabricErrorException", "status": self.body.status, "code": code, "message": message}
        except TypeError as error:  # the SDK's own, where an answer that it takes for an error has no body
            outcome = {"raised": "TypeError", "status": self.body.status, "text": str(error)}
        self.outcomes[name] = outcome


def chunks(size: int, count: int) -> list[tuple[int, int]]:
    """Ranges of unequal length that cover ``size`` bytes."""
    cuts = sorted(random.Random(count).sample(range(1, size), count - 1))
    return list(zip([0, *cuts], [cut - 1 for cut in [*cuts, size]], strict=True))


def main(endpoint: str) -> None:
    """Every operation once where it succeeds, and the errors that a program has to cope with."""
    story = Story(endpoint)
    step = story.step
    has_info = hasattr(story.client, "get_image_store_info")

    step("cluster version", "get_cluster_version")
    step("root of an empty store", "get_image_store_root_content")
    step("content of a missing path", "get_image_store_content", "nothing/here")
    step("size of an empty store", "get_image_store_root_folder_size")

    step("upload file", "upload_file", "Calc/Service/Code/calc.exe", body=b"MZ first")
    step("content after the first upload", "get_image_store_content", "Calc/Service/Code/calc.exe")
    step("upload it again", "upload_file", "Calc/Service/Code/calc.exe", body=b"MZ second")
    step("content after the second upload", "get_image_store_content", "Calc/Service/Code/calc.exe")
    step("upload an empty file", "upload_file", "Calc/Service/Code/empty.cfg")
    step("upload a name with spaces and umlauts", "upload_file", "Calc/Größe & Maß.txt", body="Größe".encode())
    for folder in ("Calc/Service/Code", "Calc/Service", "Calc"):
        step(f"mark {folder}", "upload_file", f"{folder}/_.dir")

    step("root content", "get_image_store_root_content")
    step("folder content", "get_image_store_content", "Calc")
    step("nested folder content", "get_image_store_content", "Calc/Service/Code")
    step("content in other case", "get_image_store_content", "cALC/sERVICE/cODE/CALC.exe")
    step("size of the store", "get_image_store_root_folder_size")
    step("size of a folder", "get_image_store_folder_size", "Calc/Service")
    step("size of a missing folder", "get_image_store_folder_size", "Nope")

    ranges = chunks(len(VIDEO), 8)
    random.Random(4).shuffle(ranges)
    assert ranges != sorted(ranges)

    def send(name: str, path: str, session: str, first: int, last: int) -> None:
        where = f"bytes {first}-{last}/{len(VIDEO)}"
        step(name, "upload_file_chunk", path, session, where, body=VIDEO[first : last + 1])

    for number, (first, last) in enumerate(ranges[:4]):
        send(f"chunk {number}", "Calc/media/video.bin", SESSION, first, last)
    story.outcomes["sent"] = {"returned": {"size": len(VIDEO), "ranges": ranges[:4]}}
    step("session by id", "get_image_store_upload_session_by_id", SESSION)
    step("session by path", "get_image_store_upload_session_by_path", "Calc/media/video.bin")
    step("session by path in other case", "get_image_store_upload_session_by_path", "calc/MEDIA/video.bin")
    step("session by unknown id", "get_image_store_upload_session_by_id", UNKNOWN_SESSION)
    step("session by an id that is none", "get_image_store_upload_session_by_id", "no-guid")
    send("chunk sent twice", "Calc/media/video.bin", SESSION, *ranges[0])
    send("chunk for another path", "Calc/media/other.bin", SESSION, *ranges[4])
    step("chunk of another total", "upload_file_chunk", "Calc/media/video.bin", SESSION, "bytes 0-9/10", body=b"0" * 10)
    step("chunk without a total", "upload_file_chunk", "Calc/media/video.bin", SESSION, "bytes 0-9/*", body=b"0" * 10)
    step("commit too early", "commit_image_store_upload_session", SESSION)
    step("not there before the commit", "get_image_store_content", "Calc/media/video.bin")
    for number, (first, last) in enumerate(ranges[4:], start=4):
        send(f"chunk {number}", "Calc/media/video.bin", SESSION, first, last)
    step("session when complete", "get_image_store_upload_session_by_id", SESSION)
    step("commit", "commit_image_store_upload_session", SESSION)
    step("content after the commit", "get_image_store_content", "Calc/media/video.bin")
    step("session after the commit", "get_image_store_upload_session_by_id", SESSION)
    step("commit again", "commit_image_store_upload_session", SESSION)
    step("delete session", "delete_image_store_upload_session", SESSION)
    step("delete session again", "delete_image_store_upload_session", SESSION)
    step("session after the delete", "get_image_store_upload_session_by_id", SESSION)
    step("commit after the delete", "commit_image_store_upload_session", SESSION)
    step("content after the delete of the session", "get_image_store_content", "Calc/media/video.bin")

    send("chunk of a session to give up", "Calc/media/second.bin", OTHER_SESSION, *ranges[0])
    step("give up a session", "delete_image_store_upload_session", OTHER_SESSION)
    step("commit what was given up", "commit_image_store_upload_session", OTHER_SESSION)

    def copy(name: str, source: str, destination: str, **options: object) -> None:
        description = ImageStoreCopyDescription(remote_source=source, remote_destination=destination, **options)
        step(name, "copy_image_store_content", description)

    copy("copy a folder", "Calc", "Copies\\All")
    step("content of the copy", "get_image_store_content", "Copies/All")
    copy(
        "copy a folder but skip a file", "Calc\\Service", "Copies\\Some", skip_files=["CALC.EXE"], check_mark_file=True
    )
    step("content of the copy without the file", "get_image_store_content", "Copies/Some/Code")
    copy("copy a file", "Calc\\Service\\Code\\calc.exe", "Copies\\calc.exe")
    step("content of the copied file", "get_image_store_content", "Copies/calc.exe")
    copy("copy what is missing", "Nope", "Copies\\Nope")
    copy("copy a folder without a marker", "Calc\\media", "Copies\\media")
    copy("copy from a source with slashes", "Calc/Service/Code/calc.exe", "Copies\\slashes.exe")
    copy("copy to nowhere", "Calc", "")

    step("delete a folder", "delete_image_store_content", "Copies/Some")
    step("content after the delete", "get_image_store_content", "Copies/Some")
    step("delete what is missing", "delete_image_store_content", "Copies/Some")
    step("delete a reserved folder", "delete_image_store_content", "Store")

    if has_info:
        step("info", "get_image_store_info")
    print(json.dumps(story.outcomes))


main(sys.argv[1])
