"""Storing and deleting files (gateway 7.7 and 10.45-55; store 2, 5 and 11.17-31)."""

from collections.abc import Sequence
from typing import Final

from tests.conformance.case import (
    BODY_TOO_LARGE,
    CERTAIN,
    DECISION,
    DOCS,
    E400,
    EMPTY_STORE,
    ERNG,
    INFERRED,
    LENGTH_REQUIRED,
    MIB,
    MISSING,
    NEW,
    OK0,
    OLD,
    RESERVED,
    Case,
    Step,
    V,
    all_of,
    delete,
    files,
    given,
    listed,
    number,
    post,
    put,
    upload,
)
from tests.support.wire import Reply

BOTH: Final = (OLD, NEW)


def another_version(replies: Sequence[Reply]) -> None:
    """The two listings show different version numbers."""
    before, after = (reply for reply in replies if reply.body)
    assert number(after) > number(before)


def same_version(replies: Sequence[Reply]) -> None:
    """The two listings show the very same file."""
    before, after = (reply for reply in replies if reply.status == 200)
    assert before.body == after.body


UPLOAD: Final = (
    Case(
        "gateway 10.45",
        CERTAIN,
        "What is put is listed.",
        ((put(f"/ImageStore/a/b.txt?{V}", b"hello"), OK0), (listed("a"), files((r"a\b.txt", 5)))),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.46",
        CERTAIN,
        "What is put again replaces it, under another version.",
        (
            (listed("a"), files((r"a\b.txt", 5))),
            (put(f"/ImageStore/a/b.txt?{V}", b"bye"), OK0),
            (listed("a"), files((r"a\b.txt", 3))),
        ),
        given=(upload("a/b.txt", b"hello"),),
        check=another_version,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.47",
        CERTAIN,
        "A mark file is a put of nothing.",
        ((put(f"/ImageStore/a/_.dir?{V}"), OK0), (listed("a"), files((r"a\_.dir", 0)))),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.48",
        CERTAIN,
        "A plain put takes a good Content-Range and ignores it.",
        ((upload("a.txt", b"1234567", "bytes 0-4/5"), OK0), (listed(), files(("a.txt", 7)))),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.49",
        CERTAIN,
        "A plain put with a bad Content-Range stores nothing.",
        (
            (listed(), files("a.txt")),
            (upload("a.txt", b"12345", "bytes=0-4/5"), ERNG),
            (listed(), files("a.txt")),
        ),
        given=given("a.txt"),
        check=same_version,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.50",
        CERTAIN,
        "A put may come in transfer chunks, without a length.",
        (
            (
                Step(
                    "PUT",
                    f"/ImageStore/a.txt?{V}",
                    b"5\r\nhello\r\n4\r\n you\r\n0\r\n\r\n",
                    {"Transfer-Encoding": "chunked"},
                    content_length=False,
                ),
                OK0,
            ),
            (listed(), files(("a.txt", 9))),
        ),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.51",
        CERTAIN,
        "A put without a version stores nothing, however much it sends.",
        ((put("/ImageStore/a.txt", b"x" * (2 * MIB)), E400), (listed(), EMPTY_STORE)),
        runtimes=BOTH,
    ),
    Case(
        "store 11.17",
        CERTAIN,
        "An empty file is a file.",
        ((upload("Z", b""), OK0), (listed("Z"), files(("Z", 0)))),
    ),
    Case(
        "store 11.18",
        CERTAIN,
        "A plain put with a bad Content-Range stores nothing.",
        ((upload("Z", b"", "garbage"), ERNG), (listed("Z"), MISSING)),
    ),
    Case(
        "store 11.19",
        INFERRED,
        "Nothing can be stored above the root.",
        all_of(E400, put(f"/ImageStore/../x?{V}", b"abc")) + all_of(EMPTY_STORE, listed()),
    ),
    Case(
        "store 11.20",
        DOCS,
        "What Windows can't have in a name is refused.",
        all_of(
            E400,
            upload("a/b|c"),
            *(upload(f"a/b{escape}c") for escape in ("%7C", "%3C", "%3E", "%3A", "%22", "%2A", "%01", "%1F")),
        )
        + all_of(EMPTY_STORE, listed()),
    ),
    Case(
        "store 11.25",
        CERTAIN,
        "An upload may go where registered packages live.",
        ((upload("Store/MyType/x"), OK0), (listed("Store/MyType"), files(r"Store\MyType\x"))),
    ),
    Case(
        "gateway 8",
        INFERRED,
        "A put or a post has to say how long its body is.",
        all_of(
            LENGTH_REQUIRED,
            Step("PUT", f"/ImageStore/a?{V}", content_length=False),
            Step("POST", f"/ImageStore/$/Copy?{V}", content_length=False),
        )
        + all_of(EMPTY_STORE, listed()),
        variant="411",
        runtimes=BOTH,
    ),
    Case(
        "gateway 5.2",
        CERTAIN,
        "The Linux build ignores Content-Range.",
        ((upload("a", b"abc", "garbage"), OK0), (listed(), files("a"))),
        runtimes=(OLD,),
        settings={"platform": "linux"},
    ),
)

DELETE: Final = (
    Case(
        "gateway 10.52",
        CERTAIN,
        "A folder is deleted with all in it, and its neighbour stays.",
        ((delete(f"/ImageStore/a?{V}"), OK0), (listed(), files("ab"))),
        given=given("a/b", "a/c/d", "ab"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.53",
        CERTAIN,
        "Deleting nothing succeeds.",
        ((delete(f"/ImageStore/missing?{V}"), OK0),),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.54",
        CERTAIN,
        "The folders of registered packages can't be deleted.",
        all_of(RESERVED, delete(f"/ImageStore/store?{V}"), delete(f"/ImageStore/WindowsFabricStore/?{V}"))
        + all_of(files(folders={"Store": 1}), listed()),
        given=given("Store/T/x"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.55",
        CERTAIN,
        "The body of a delete has a limit of 4 MiB.",
        ((delete(f"/ImageStore/a?{V}", b"x" * (5 * MIB)), BODY_TOO_LARGE), (listed(), files("a"))),
        given=given("a"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.55",
        CERTAIN,
        "A smaller one is read and discarded.",
        ((delete(f"/ImageStore/a?{V}", b"not even JSON"), OK0), (listed(), EMPTY_STORE)),
        given=given("a"),
        variant="small",
        runtimes=BOTH,
    ),
    Case(
        "gateway 8",
        CERTAIN,
        "The body of any post has the same limit.",
        ((post(f"/ImageStore/$/CommitUploadSession?{V}", b"x" * (5 * MIB)), BODY_TOO_LARGE),),
        variant="post limit",
        runtimes=BOTH,
    ),
    Case(
        "store 11.26",
        CERTAIN,
        "With the last file of a folder its parents are gone.",
        (
            (delete(f"/ImageStore/Top/App?{V}"), OK0),
            *all_of(MISSING, listed("Top/App"), listed("Top")),
            (listed(), files("other")),
        ),
        given=given("Top/App/a.txt", "Top/App/Sub/b", "other"),
    ),
    Case(
        "store 11.27",
        CERTAIN,
        "Deleting nothing succeeds.",
        ((delete(f"/ImageStore/Nope?{V}"), OK0), (listed(), files("a"))),
        given=given("a"),
    ),
    Case(
        "store 11.28",
        CERTAIN,
        "The reserved folders can't be deleted even where they aren't.",
        all_of(RESERVED, *(delete(f"/ImageStore/{name}?{V}") for name in ("Store", "store", "WindowsFabricStore"))),
    ),
    Case(
        "store 11.29",
        CERTAIN,
        "What is in a reserved folder can be deleted.",
        ((delete(f"/ImageStore/Store/MyType?{V}"), OK0), (listed(), EMPTY_STORE)),
        given=given("Store/MyType/x"),
    ),
    Case(
        "store 11.31",
        CERTAIN,
        "With its only file a folder is no longer listed.",
        ((delete(f"/ImageStore/App/a.txt?{V}"), OK0), (listed(), files("b"))),
        given=given("App/a.txt", "b"),
    ),
    Case(
        "store 11.31",
        CERTAIN,
        "With its last file the store has no root to list.",
        ((delete(f"/ImageStore/App/a.txt?{V}"), OK0), (listed(), EMPTY_STORE)),
        given=given("App/a.txt"),
        variant="last",
    ),
    Case(
        "store 1.3",
        CERTAIN,
        "A delete ignores case.",
        ((delete(f"/ImageStore/APP/A.txt?{V}"), OK0), (listed(), EMPTY_STORE)),
        given=given("App/a.txt"),
    ),
    Case(
        "store 1.5",
        DECISION,
        "A delete of a name that can't be is refused, too.",
        all_of(E400, delete(f"/ImageStore/a%7Cb?{V}"), delete(f"/ImageStore/a%3A?{V}")),
    ),
)

CASES: Final = UPLOAD + DELETE
