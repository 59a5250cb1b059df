"""What a listing shows and in which order (gateway 7.3-7.5 and 10.38-44; store 3 and 11.2-11)."""

from collections.abc import Sequence
from typing import Final

from tests.conformance.case import (
    BARE_MISSING,
    CERTAIN,
    MISSING,
    NEW,
    OK0,
    OLD,
    Case,
    Expect,
    Holding,
    all_of,
    epochs,
    files,
    given,
    listed,
    number,
    upload,
)
from tests.support.wire import Reply

BOTH: Final = (OLD, NEW)
PACKAGE: Final = given("pkg/_.dir", "pkg/Code/x", "pkg/Code/y/z")


def newer_of_the_same_epoch(replies: Sequence[Reply]) -> None:
    """The second listing shows a larger version number and the same epochs."""
    before, after = (reply for reply in replies if reply.body)
    assert number(after) > number(before)
    assert epochs(after) == epochs(before)


CASES: Final = (
    Case(
        "gateway 10.38",
        CERTAIN,
        "From 6.2 on the 404 of a listing is bare.",
        all_of(BARE_MISSING, listed("missing", "6.2")),
        given=given("a"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.38",
        CERTAIN,
        "That holds for an empty store and for newer versions as well.",
        all_of(BARE_MISSING, listed("missing", "6.4")),
        variant="empty store",
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.39",
        CERTAIN,
        "Below 6.2 it carries the content headers of a body it doesn't have.",
        all_of(MISSING, listed("missing", "6.1"), listed("missing", "1.0"), listed("missing", "3.0")),
        given=given("a"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.40",
        CERTAIN,
        "A listing is one level deep; a folder counts all files beneath.",
        all_of(files((r"pkg\_.dir", 0), folders={r"pkg\Code": 2}), listed("pkg")),
        given=PACKAGE,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.41",
        CERTAIN,
        "Listing a file shows that file.",
        all_of(files(r"pkg\Code\x"), listed("pkg/Code/x")),
        given=PACKAGE,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.42",
        CERTAIN,
        "Look-up ignores case; what is shown keeps it.",
        all_of(files((r"pkg\_.dir", 0), folders={r"pkg\Code": 2}), listed("PKG"))
        + all_of(files(r"pkg\Code\x"), listed("PKG/code/X")),
        given=PACKAGE,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.43",
        CERTAIN,
        "The beginning of a name is not the name.",
        all_of(MISSING, listed("pk"), listed("pkg/Cod")),
        given=PACKAGE,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.44",
        CERTAIN,
        "Every number is a string, a date has three digits of a second, and properties keep their order.",
        all_of(
            Expect(
                200,
                Holding(
                    rb'^\{"StoreFiles":\[\{"StoreRelativePath":"pkg\\\\Code\\\\x",'
                    rb'"FileVersion":\{"EpochDataLossNumber":"[0-9]+","VersionNumber":"[0-9]+",'
                    rb'"EpochConfigurationNumber":"[0-9]+"\},"FileSize":"3",'
                    rb'"ModifiedDate":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"\}\],'
                    rb'"StoreFolders":\[\],"ContinuationToken":""\}$'
                ),
            ),
            listed("pkg/Code/x"),
        ),
        given=PACKAGE,
        runtimes=BOTH,
    ),
    Case(
        "store 11.2",
        CERTAIN,
        "The root shows the folder of the first upload.",
        ((upload("App/a.txt", b"hello"), OK0), (listed(), files(folders={"App": 1}))),
    ),
    Case(
        "store 11.3",
        CERTAIN,
        "The folder shows the file.",
        ((upload("App/a.txt", b"hello"), OK0), (listed("App"), files((r"App\a.txt", 5)))),
    ),
    Case(
        "store 11.4",
        CERTAIN,
        "An overwrite gives the file a larger version number of the same epochs.",
        (
            (upload("App/a.txt", b"hello"), OK0),
            (listed("App"), files((r"App\a.txt", 5))),
            (upload("App/a.txt", b"goodbye"), OK0),
            (listed("App"), files((r"App\a.txt", 7))),
        ),
        check=newer_of_the_same_epoch,
    ),
    Case(
        "store 11.5",
        CERTAIN,
        "An upload under another case overwrites, and the first spelling stays.",
        ((upload("app/A.TXT", b"shouting"), OK0), *all_of(files((r"App\a.txt", 8)), listed("App"), listed("APP"))),
        given=given("App/a.txt"),
    ),
    Case(
        "store 11.6",
        CERTAIN,
        "A mark file is listed and counted like any other.",
        (
            (upload("App/_.dir", b""), OK0),
            (listed("App"), files((r"App\_.dir", 0), r"App\a.txt")),
            (listed(), files(folders={"App": 2})),
        ),
        given=given("App/a.txt"),
    ),
    Case(
        "store 11.7",
        CERTAIN,
        "A file deep down counts for every folder above it, and only the nearest folder is shown.",
        (
            (listed(), files(folders={"App": 1})),
            (upload("App/Sub/Deep/x"), OK0),
            (listed(), files(folders={"App": 2})),
            (listed("App"), files(r"App\a.txt", folders={r"App\Sub": 1})),
        ),
        given=given("App/a.txt"),
    ),
    Case(
        "store 11.8",
        CERTAIN,
        "Listing a file shows that file and no folder.",
        all_of(files(r"App\a.txt"), listed("App/a.txt"), listed("App/a.txt/")),
        given=given("App/a.txt", "App/b.txt"),
    ),
    Case(
        "store 11.9",
        CERTAIN,
        "Listing nothing is a 404 without a body.",
        all_of(MISSING, listed("Nope")),
        given=given("App/a.txt"),
    ),
    Case(
        "store 11.10",
        CERTAIN,
        "A folder without a mark file can be listed.",
        all_of(files(folders={r"App\Sub\Deep": 1}), listed("App/Sub")),
        given=given("App/Sub/Deep/x"),
    ),
    Case(
        "gateway 7.4",
        CERTAIN,
        "Entries are in the order of their lower-cased paths: digits, underscore, letters.",
        all_of(
            files(
                r"p\1",
                (r"p\_.dir", 0),
                r"p\A",
                r"p\b",
                r"p\C",
                folders={r"p\0": 1, r"p\d": 2, r"p\E": 1},
            ),
            listed("p"),
        ),
        given=given("p/C", "p/b", "p/_.dir", "p/A", "p/1", "p/E/x", "p/d/x", "p/d/y", "p/0/x"),
    ),
    Case(
        "gateway 7.4",
        CERTAIN,
        "A folder doesn't show its neighbour with a longer name.",
        all_of(files(r"ab\x"), listed("ab")) + all_of(files(folders={"ab": 1, "abc": 1}), listed()),
        given=given("abc/x", "ab/x"),
        variant="neighbours",
    ),
    Case(
        "gateway 7.4",
        CERTAIN,
        "The folders of registered packages are shown like any others.",
        all_of(files(folders={"Store": 1, "WindowsFabricStore": 1}), listed()),
        given=given("WindowsFabricStore/x", "Store/T/x"),
        variant="system folders",
    ),
    Case(
        "gateway 9.1",
        CERTAIN,
        "The Linux build lists with slashes and minds the case.",
        all_of(files("App/a", "App/b"), listed("App"))
        + all_of(files(folders={"App": 2, "app": 1}), listed())
        + all_of(MISSING, listed("APP")),
        given=given("App/a", "App/b", "app/a"),
        runtimes=(OLD,),
        settings={"platform": "linux"},
    ),
)
