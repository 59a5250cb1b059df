"""Uploads a file in chunks and commits it: what one writes first. Whatever goes wrong on the way ends it.

::

    python naive.py http://127.0.0.1:19080 movie.bin MyApp/movie.bin
"""

import sys
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import quote


def upload(endpoint: str, file: Path, target: str, chunk_size: int = 4 * 1024 * 1024) -> None:
    """Store `file` at the path `target`; raises `OSError` for everything that is not 200."""
    content = file.read_bytes()
    session = f"api-version=6.0&session-id={uuid.uuid4()}"
    for start in range(0, len(content), chunk_size):
        chunk = content[start : start + chunk_size]
        part = f"bytes {start}-{start + len(chunk) - 1}/{len(content)}"
        address = f"{endpoint}/ImageStore/{quote(target)}/$/UploadChunk?{session}"
        urllib.request.urlopen(urllib.request.Request(address, chunk, {"Content-Range": part}, method="PUT")).close()
    address = f"{endpoint}/ImageStore/$/CommitUploadSession?{session}"
    urllib.request.urlopen(urllib.request.Request(address, b"", method="POST")).close()


if __name__ == "__main__":
    upload(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
