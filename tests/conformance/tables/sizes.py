"""Folder sizes and the usage of the store, new in 6.5 (gateway 9.2; store 10.1 and 11.61-64)."""

from collections.abc import Sequence
from typing import Any, Final

from tests.conformance.case import (
    ANY,
    DECISION,
    DOCS,
    E400,
    G2,
    HALF_AN_HOUR,
    INFERRED,
    NEW,
    NO_FILE,
    OK0,
    V65,
    Advance,
    Case,
    G,
    Step,
    V,
    all_of,
    chunk,
    delete,
    drop,
    get,
    post,
    size,
    upload,
)
from tests.support.wire import Reply

SINCE_6_5: Final = ("6.5", NEW)
TREE: Final = (
    upload("App/a.txt", b"12345"),
    upload("App/Sub/Deep/b", b"1234567"),
    upload("App/_.dir", b""),
    upload("other", b"123"),
)
INFO: Final = get(f"/ImageStore/$/Info?{V65}")


def folder_size(path: str = "") -> Step:
    """The size of a folder, of the root without a path."""
    return get(f"/ImageStore/{path}{'/' if path else ''}$/FolderSize?{V65}")


def used(replies: Sequence[Reply], category: str) -> list[tuple[int, int]]:
    """Bytes and files of one category, in each answer that tells."""
    told: list[dict[str, Any]] = [reply.json()[category] for reply in replies if b'"DiskInfo"' in reply.body]
    return [(int(usage["UsedSpace"]), int(usage["FileCount"])) for usage in told]


def staging_grows_and_falls(replies: Sequence[Reply]) -> None:
    """Each chunk adds its bytes; a deleted session and an expired one give theirs back."""
    space = [usage[0] for usage in used(replies, "UsedByStaging")]
    assert space == [0, 4, 10, 13, 3, 0]


def copy_grows(replies: Sequence[Reply]) -> None:
    """An upload counts as a copied package, a mark file as a file of no bytes, a delete gives back."""
    assert used(replies, "UsedByCopy") == [(0, 0), (5, 1), (5, 2), (0, 0)]
    assert used(replies, "UsedByRegister") == [(0, 0)] * 4


def register_grows(replies: Sequence[Reply]) -> None:
    """What lives in either reserved folder counts as registered."""
    assert used(replies, "UsedByRegister") == [(0, 0), (5, 1), (12, 2)]
    assert used(replies, "UsedByCopy") == [(0, 0)] * 3


def disk_is_plausible(replies: Sequence[Reply]) -> None:
    """A disk has no more room than its capacity."""
    disk = replies[0].json()["DiskInfo"]
    assert 0 <= int(disk["AvailableSpace"]) <= int(disk["Capacity"])
    assert int(disk["Capacity"]) > 0


CASES: Final = (
    Case(
        "store 11.61",
        DOCS,
        "The size of a folder is that of all files beneath.",
        all_of(size("App", 12), folder_size("App")),
        given=TREE,
        runtimes=SINCE_6_5,
    ),
    Case(
        "store 11.61",
        DOCS,
        "A nested folder is named with backslashes.",
        all_of(size(r"App\Sub", 7), folder_size("App/Sub"), folder_size("App%2FSub"), folder_size("App//Sub")),
        given=TREE,
        variant="nested",
        runtimes=SINCE_6_5,
    ),
    Case(
        "store 11.62",
        DOCS,
        "The size of the root is that of all files.",
        all_of(size("", 15), folder_size()),
        given=TREE,
        runtimes=SINCE_6_5,
    ),
    Case(
        "store 11.62",
        INFERRED,
        "An empty store has no bytes.",
        all_of(size("", 0), folder_size()),
        variant="empty",
        runtimes=SINCE_6_5,
    ),
    Case(
        "store 11.63",
        INFERRED,
        "A folder that isn't there has no size.",
        all_of(NO_FILE, folder_size("Nope"), folder_size("Ap")),
        given=TREE,
        runtimes=SINCE_6_5,
    ),
    Case(
        "store 11.64",
        INFERRED,
        "Staging grows with each chunk and falls when a session is deleted or expires.",
        (
            (INFO, ANY),
            (chunk("P", G, "0-3/20"), OK0),
            (INFO, ANY),
            (chunk("P", G, "10-15/20"), OK0),
            (INFO, ANY),
            (chunk("Q", G2, "0-2/3"), OK0),
            (INFO, ANY),
            (drop(G), OK0),
            (INFO, ANY),
            Advance(HALF_AN_HOUR),
            (INFO, ANY),
        ),
        check=staging_grows_and_falls,
    ),
    Case(
        "store 11.64",
        INFERRED,
        "Content counts as copied.",
        (
            (INFO, ANY),
            (upload("App/a.txt", b"12345"), OK0),
            (INFO, ANY),
            (upload("App/_.dir", b""), OK0),
            (INFO, ANY),
            (delete(f"/ImageStore/App?{V}"), OK0),
            (INFO, ANY),
        ),
        check=copy_grows,
        variant="copied",
    ),
    Case(
        "store 11.64",
        INFERRED,
        "Content of the reserved folders counts as registered.",
        (
            (INFO, ANY),
            (upload("Store/T/a", b"12345"), OK0),
            (INFO, ANY),
            (upload("WindowsFabricStore/x", b"1234567"), OK0),
            (INFO, ANY),
        ),
        check=register_grows,
        variant="registered",
    ),
    Case(
        "store 11.64",
        INFERRED,
        "The disk is told about.",
        ((INFO, ANY),),
        check=disk_is_plausible,
        variant="disk",
        runtimes=SINCE_6_5,
    ),
    Case(
        "store 10.1",
        DECISION,
        "A file has the size it has.",
        all_of(size(r"App\a.txt", 5), folder_size("App/a.txt")),
        given=TREE,
    ),
    Case(
        "store 10.1",
        DECISION,
        "A folder is found without regard to case.",
        all_of(ANY, folder_size("APP")),
        given=TREE,
        variant="case",
    ),
    Case(
        "gateway 9.2",
        INFERRED,
        "Both take an api-version of 6.5 at least, and no other verb.",
        all_of(
            E400,
            get("/ImageStore/$/FolderSize?api-version=6.4"),
            get("/ImageStore/App/$/FolderSize?api-version=6.0"),
            get("/ImageStore/$/Info?api-version=6.2"),
            get(f"/ImageStore/App/$/Info?{V65}"),
            get(f"/ImageStore/$/foldersize?{V65}"),
            post(f"/ImageStore/$/Info?{V65}"),
            delete(f"/ImageStore/App/$/FolderSize?{V65}"),
        ),
        given=TREE,
        runtimes=SINCE_6_5,
    ),
)
