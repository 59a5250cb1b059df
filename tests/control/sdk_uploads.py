# mypy: ignore-errors
"""Runs inside the environment of azure-servicefabric: uploads a folder's files to several stores, one after another.

It reads one JSON object from standard input: the ``folder``, a ``chunk_size``, and ``uploads``, each with an
``endpoint`` and whether it goes by ``chunks`` or file by file. It prints what each of them raised, or null.
"""

import json
import sys
import uuid
from pathlib import Path

from azure.servicefabric import ServiceFabricClientAPIs
from msrest.pipeline import Request, SansIOHTTPPolicy


class Body(SansIOHTTPPolicy):
    """Adds the next body to a request: the SDK's upload operations take none."""

    def __init__(self) -> None:
        self.next = b""

    def on_request(self, request: Request, **_options: object) -> None:
        """Put the waiting body into this request."""
        request.http_request.data, self.next = self.next, b""


def upload(endpoint: str, folder: Path, chunk_size: int, *, chunks: bool) -> None:
    """Every file of the folder, as the SDK's user would write it: whatever is raised ends it."""
    body = Body()
    client = ServiceFabricClientAPIs(body, base_url=endpoint)
    for file in sorted(folder.iterdir()):
        target, content = f"{folder.name}/{file.name}", file.read_bytes()
        if not chunks:
            body.next = content
            client.upload_file(target)
            continue
        session = str(uuid.uuid4())
        for start in range(0, len(content), chunk_size):
            body.next = content[start : start + chunk_size]
            part = f"bytes {start}-{start + len(body.next) - 1}/{len(content)}"
            client.upload_file_chunk(target, session, part)
        client.commit_image_store_upload_session(session)


def main() -> None:
    """Do all, and print what came of each."""
    task = json.load(sys.stdin)
    raised = []
    for each in task["uploads"]:
        try:
            upload(each["endpoint"], Path(task["folder"]), task["chunk_size"], chunks=each["chunks"])
            raised.append(None)
        except Exception as error:
            raised.append(repr(error))
    print(json.dumps(raised))


main()
