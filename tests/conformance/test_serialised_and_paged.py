"""The rows that a fixed list of requests can't express: writes at the same time, and following a token."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from tests.conformance.case import ANY, MIB, OK0, Exchange, files, get, listed, upload
from tests.conformance.conftest import Start
from tests.conformance.runner import exchange

COVERED: Final = ("store 11.21", "store 11.22")


def test_store_11_21_puts_at_the_same_time(start: Start) -> None:
    """Of several puts to one path at the same time all succeed, and one whole body is what is stored."""
    emulator = start()
    sizes = [MIB + step for step in range(6)]
    puts: list[Exchange] = [(upload("P", bytes([step]) * size), OK0) for step, size in enumerate(sizes)]
    with ThreadPoolExecutor(len(puts)) as pool:
        list(pool.map(lambda pair: exchange(emulator, pair), puts))
    listing = exchange(emulator, (listed(), ANY)).json()
    assert [entry["StoreRelativePath"] for entry in listing["StoreFiles"]] == ["P"]
    assert int(listing["StoreFiles"][0]["FileSize"]) in sizes
    stored = [file for file in emulator.data.rglob("*") if file.is_file() and file.stat().st_size >= MIB]
    for file in stored:
        content = file.read_bytes()
        assert content == content[:1] * len(content), "a mix of two bodies"


@pytest.mark.parametrize(("page_size", "most_pages"), [(400, 40), (700, 40), (100_000, 1)])
def test_store_11_22_following_the_token(start: Start, page_size: int, most_pages: int) -> None:
    """Page after page, each starting at the token inclusive, shows everything once and ends with an empty token."""
    names = [f"f{number:02}" for number in range(12)]
    folders = [f"d{number}" for number in range(5)]
    emulator = start(page_size=page_size)
    for path in [*(f"App/{name} é&x" for name in names), *(f"App/{name}/x" for name in folders)]:
        exchange(emulator, (upload(path.replace(" ", "%20").replace("é", "%C3%A9").replace("&", "%26")), OK0))
    pages: list[dict[str, Any]] = []
    token = ""
    while True:
        query = f"&ContinuationToken={token}" if token else ""
        target = f"/ImageStore/App?api-version=6.0{query}"
        pages.append(exchange(emulator, (get(target), ANY)).json())
        token = pages[-1]["ContinuationToken"]
        if not token:
            break
        assert pages[-1]["StoreFiles"] or pages[-1]["StoreFolders"], "a page without entries"
        assert " " not in token and "\\" not in token, "a token arrives escaped"
        assert len(pages) < most_pages, "the pages do not end"
    shown_files = [entry["StoreRelativePath"] for page in pages for entry in page["StoreFiles"]]
    shown_folders = [entry["StoreRelativePath"] for page in pages for entry in page["StoreFolders"]]
    assert shown_files == [f"App\\{name} é&x" for name in names]
    assert shown_folders == [f"App\\{name}" for name in folders]
    assert (len(pages) == 1) == (most_pages == 1)


def test_gateway_2_3_unpaged_listing_has_a_limit(start: Start) -> None:
    """An unpaged listing that is larger than a page is an error that names both sizes."""
    emulator = start(page_size=700)
    for number in range(12):
        exchange(emulator, (upload(f"f{number:02}"), OK0))
    reply = emulator.get("/ImageStore?api-version=3.0")
    status, code, message = reply.error
    assert (status, code) == (413, "FABRIC_E_VALUE_TOO_LARGE")
    stock, _, numbers = message.partition(": ")
    assert stock == "Entry is too large. Estimated size and maximum allowed size are"
    estimate, limit = map(int, numbers.split(" "))
    assert estimate >= limit == 700


def test_store_6_3_first_chunks_at_the_same_time(start: Start) -> None:
    """The first chunks of one session may all arrive at once: each succeeds, and together they are the file."""
    emulator = start()
    session = "33333333-aaaa-4bbb-8ccc-0123456789ab"
    part, parts = 64 * 1024, 10
    total = part * parts
    target = f"/ImageStore/big/$/UploadChunk?api-version=6.0&session-id={session}"

    def send(number: int) -> int:
        first = number * part
        content_range = f"bytes {first}-{first + part - 1}/{total}"
        return emulator.put(target, bytes([number]) * part, headers={"Content-Range": content_range}).status

    with ThreadPoolExecutor(parts) as pool:
        assert list(pool.map(send, range(parts))) == [200] * parts
    assert emulator.post(f"/ImageStore/$/CommitUploadSession?api-version=6.0&session-id={session}").status == 200
    exchange(emulator, (listed(), files(("big", total))))
