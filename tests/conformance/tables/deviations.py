"""Where the emulator does something else than the reference says, with the reason and the cases that hold it to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.conformance.case import (
    DECISION,
    DENIED,
    E400,
    EMPTY_STORE,
    HALF_AN_HOUR,
    MINUTE,
    NO_METHOD,
    NONE,
    OK0,
    RESERVED,
    Advance,
    Case,
    Exchange,
    G,
    Step,
    V,
    all_of,
    chunk,
    commit,
    copy,
    delete,
    files,
    get,
    given,
    listed,
    number,
    refused_directory,
    session,
    sessions,
    upload,
)
from tests.conformance.tables.upload_sessions import INSTANT
from tests.support.wire import Reply


@dataclass(frozen=True, slots=True)
class Deviation:
    """A row, what it says, what the emulator does instead and why; `cases` assert the latter."""

    row: str
    reference: str
    instead: str
    reason: str
    cases: tuple[Case, ...]


def nothing_destroyed(*requests: str) -> tuple[Exchange, ...]:
    """Each of these copies is refused, and the folder is as it was."""
    whole = files((r"App\_.dir", 0), r"App\a", folders={r"App\Inner": 2})
    return (
        (listed("App"), whole),
        *(exchange for request in requests for exchange in ((copy(request), E400), (listed("App"), whole))),
        (listed("App/Inner"), files((r"App\Inner\_.dir", 0), r"App\Inner\b")),
    )


def identical_listings(replies: Sequence[Reply]) -> None:
    """Every listing of the folder is the same to the byte, versions and dates included."""
    bodies = [reply.body for reply in replies if reply.status == 200 and reply.body]
    assert len(set(bodies[:-1])) == 1


def status_line_is_honest(replies: Sequence[Reply]) -> None:
    """The reason phrase is that of HTTP for the status, or none."""
    assert [reply.reason for reply in replies] in (["Not Found", "Bad Request"], ["", ""])


def growing_numbers(replies: Sequence[Reply]) -> None:
    """Each listing shows a larger number than the one before."""
    numbers = [number(reply) for reply in replies if reply.body]
    assert numbers == sorted(set(numbers))


def copy_beside_its_source(replies: Sequence[Reply]) -> None:
    """The copy's number is another than its source's, within a millisecond of it, and below the one it replaced."""
    source, replaced, copied = (number(reply) for reply in replies if reply.body)
    assert 0 < abs(copied - source) < 1000 < replaced - copied


def only_one_files_numbers_grow(replies: Sequence[Reply]) -> None:
    """The file written after the clock was set back has the smallest number, the file written twice the largest."""
    before, other, after = (number(reply) for reply in replies if reply.body)
    assert other < before < after


NESTED: Final = given("App/_.dir", "App/a", "App/Inner/_.dir", "App/Inner/b")
ONE_NAME_REASON: Final = "One file tree holds the content, and in a file tree a name is a file or a folder."
NO_DAMAGE_REASON: Final = "The original deletes the destination first, and with it the source; no quirk destroys data."

DEVIATIONS: Final = (
    Deviation(
        "store 11.16",
        "A file X and a file X/y can both be stored; the root lists a file X and a folder X.",
        "The second of them is refused with 400 FABRIC_E_INVALID_DIRECTORY, which names the path.",
        ONE_NAME_REASON,
        (
            Case(
                "store 11.16",
                DECISION,
                "No folder where a file is.",
                (
                    (upload("X/y"), refused_directory("X")),
                    (upload("X/y/z"), refused_directory("X")),
                    (listed(), files("X")),
                ),
                given=given("X"),
            ),
            Case(
                "store 11.16",
                DECISION,
                "No file where a folder is.",
                ((upload("X"), refused_directory("X")), (listed(), files(folders={"X": 1}))),
                given=given("X/y"),
                variant="other way round",
            ),
            Case(
                "store 11.16",
                DECISION,
                "A copy and a commit are refused for the same reason.",
                (
                    (copy(r'{"RemoteSource":"a","RemoteDestination":"X"}'), refused_directory("X")),
                    (chunk("X", G, "0-2/3"), OK0),
                    (commit(G), refused_directory("X")),
                    (session(G), sessions(("X", G, 3, []))),
                    (listed(), files("a", folders={"X": 1})),
                    (delete(f"/ImageStore/X?{V}"), OK0),
                    (commit(G), OK0),
                    (listed(), files("a", "X")),
                ),
                given=given("X/y", "a"),
                variant="copy and commit",
            ),
        ),
    ),
    Deviation(
        "store 11.30",
        "With a file X and a folder X, a first DELETE removes the folder and a second one the file.",
        "There is only one of them, and one DELETE removes it.",
        ONE_NAME_REASON,
        (
            Case(
                "store 11.30",
                DECISION,
                "One delete is enough.",
                (
                    (upload("X/y"), refused_directory("X")),
                    (delete(f"/ImageStore/X?{V}"), OK0),
                    (upload("X/y"), OK0),
                    (listed(), files(folders={"X": 1})),
                    (delete(f"/ImageStore/X?{V}"), OK0),
                    (upload("X"), OK0),
                    (listed(), files("X")),
                ),
                given=given("X"),
            ),
        ),
    ),
    Deviation(
        "store 11.39",
        "A folder copied onto itself is lost, and the answer is 404.",
        "It is refused with 400 E_INVALIDARG. (A file copied onto itself is as in the reference.)",
        NO_DAMAGE_REASON,
        (
            Case(
                "store 11.39",
                DECISION,
                "A folder is not copied onto itself or onto a folder it is in.",
                nothing_destroyed(
                    '{"RemoteSource":"App","RemoteDestination":"App"}',
                    '{"RemoteSource":"App","RemoteDestination":"APP"}',
                    '{"RemoteSource":"App","RemoteDestination":"/App/"}',
                    r'{"RemoteSource":"App\\Inner","RemoteDestination":"App"}',
                ),
                given=NESTED,
                check=identical_listings,
                variant="folder",
            ),
        ),
    ),
    Deviation(
        "store 11.40",
        "A folder copied a second time onto a folder inside it leaves that one incomplete, and the answer is 404.",
        "The second time is refused with 400 E_INVALIDARG. (The first time is as in the reference.)",
        NO_DAMAGE_REASON,
        (
            Case(
                "store 11.40",
                DECISION,
                "A folder is not copied onto a folder that is in it.",
                nothing_destroyed(r'{"RemoteSource":"App","RemoteDestination":"App\\Inner"}'),
                given=NESTED,
                check=identical_listings,
                variant="again",
            ),
        ),
    ),
    Deviation(
        "store 11.19",
        "PUT a/%2E%2E/b is a bad argument.",
        "It is PUT b, as http.sys resolves the dots before the service sees them. (Above the root there is nothing.)",
        "The pages disagree (gateway 1.5), both by inference; the emulator follows the one that describes http.sys.",
        (
            Case(
                "store 11.19",
                DECISION,
                "Dots inside a URL are resolved.",
                ((upload("a/%2E%2E/b"), OK0), (listed(), files("b"))),
                variant="inside",
            ),
        ),
    ),
    Deviation(
        "store 6.10",
        "An expired session goes with the next sweep, up to five minutes late.",
        "It is gone the moment its time is over.",
        "It can't be told apart outside those five minutes, and a test can rely on it.",
        (
            Case(
                "store 6.10",
                DECISION,
                "A session of exactly its age limit is unknown.",
                (
                    Advance(HALF_AN_HOUR - INSTANT),
                    (session(G), sessions(("P", G, 10, [(4, 9)]))),
                    Advance(INSTANT),
                    (session(G), NONE),
                    (commit(G), E400),
                ),
                given=(chunk("P", G, "0-3/10"),),
                variant="exact",
            ),
        ),
    ),
    Deviation(
        "gateway 5.4",
        "Chunks of wrong lengths that are right in total make a file.",
        "They do not: the commit is refused with 400 E_INVALIDARG.",
        "Each chunk is kept at its place in the file, and a file with its bytes in the wrong places helps nobody.",
        (
            Case(
                "gateway 5.4",
                DECISION,
                "Wrong lengths that cancel out are noticed.",
                (
                    (chunk("P", G, "bytes 0-4/10", b"0123"), OK0),
                    (chunk("P", G, "bytes 5-9/10", b"456789"), OK0),
                    (commit(G), E400),
                    (listed(), EMPTY_STORE),
                ),
                variant="cancel out",
            ),
        ),
    ),
    Deviation(
        "store 2.2",
        "One counter numbers all writes since the primary started: 1, 2, 3.",
        "The number is the modification time in microseconds. It grows with every upload and commit of any file; a "
        "copy's is next to that of its source, since it keeps the date, and a clock set back is followed.",
        "A number has to grow over restarts, too, where the original has its epochs for that, and needs no table.",
        (
            Case(
                "store 2.2",
                DECISION,
                "Uploads and commits at the same instant, of any file, have ever larger numbers.",
                (
                    (upload("a"), OK0),
                    (listed("a"), files("a")),
                    (upload("a"), OK0),
                    (listed("a"), files("a")),
                    (upload("b"), OK0),
                    (listed("b"), files("b")),
                    (delete(f"/ImageStore/a?{V}"), OK0),
                    (upload("a"), OK0),
                    (listed("a"), files("a")),
                    (chunk("c", G, "0-2/3"), OK0),
                    (commit(G), OK0),
                    (listed("c"), files("c")),
                    (delete(f"/ImageStore/c?{V}"), OK0),
                    (commit(G), OK0),
                    (listed("c"), files("c")),
                ),
                check=growing_numbers,
            ),
            Case(
                "store 2.2",
                DECISION,
                "A copy has a number of its own beside that of its source, even over a newer file.",
                (
                    (listed("a"), files("a")),
                    Advance(MINUTE),
                    (upload("b"), OK0),
                    (listed("b"), files("b")),
                    (copy('{"RemoteSource":"a","RemoteDestination":"b"}'), OK0),
                    (listed("b"), files("b")),
                ),
                given=given("a"),
                check=copy_beside_its_source,
                variant="copy",
            ),
            Case(
                "store 2.2",
                DECISION,
                "After a clock was set back numbers are smaller, but never those of one file.",
                (
                    (listed("a"), files("a")),
                    Advance(-MINUTE),
                    (upload("b"), OK0),
                    (listed("b"), files("b")),
                    (upload("a"), OK0),
                    (listed("a"), files("a")),
                ),
                given=given("a"),
                check=only_one_files_numbers_grow,
                variant="clock set back",
            ),
        ),
    ),
    Deviation(
        "store 1.6",
        "The reserved names are looked for before a path is normalised, so %20Store can be deleted.",
        "They are looked for afterwards.",
        "The page itself recommends it: a plain bug that could cost the registered packages.",
        (
            Case(
                "store 1.6",
                DECISION,
                "No spelling of a reserved name can be deleted.",
                all_of(
                    RESERVED,
                    *(delete(f"/ImageStore/{path}?{V}") for path in ("%20Store", "Store%20", "%2FStore", "store%5C")),
                )
                + all_of(files(folders={"Store": 1}), listed()),
                given=given("Store/T/x"),
            ),
        ),
    ),
    Deviation(
        "store 3.3",
        "Folders that were uploaded in different cases are listed as several.",
        "They are listed as the one they are, in the spelling of one of them.",
        "A plain bug by the page's own advice, and a file tree has one folder.",
        (
            Case(
                "store 3.3",
                DECISION,
                "One folder is one entry.",
                ((listed(), files(folders={"App": 2})),),
                given=given("App/a", "app/b"),
            ),
        ),
    ),
    Deviation(
        "store 3.5",
        "The token of a folder is its path, so a file whose name goes on where the folder's ends can be shown twice.",
        "The token of a folder ends with a separator, and no entry is shown twice.",
        "The page calls it a quirk not to mirror.",
        (
            Case(
                "store 3.5",
                DECISION,
                "The page after a folder's token starts with the folder.",
                (
                    (listed(), files("sub-x", token="sub%5C")),
                    (get(f"/ImageStore?{V}&ContinuationToken=sub%5C"), files(folders={"sub": 1})),
                ),
                given=given("sub-x", "sub/x"),
                settings={"page_size": 80},
            ),
        ),
    ),
    Deviation(
        "gateway 4.1",
        "The escaper of Windows leaves & and = alone, so a token with one of them does not survive the query.",
        "Everything but unreserved characters is escaped.",
        "How far the escaper goes is inferred, and a listing nobody can read to its end helps nobody.",
        (
            Case(
                "gateway 4.1",
                DECISION,
                "A token works whatever the name it stands for.",
                (
                    (listed(), files("a&b=1", token="a%26c%3D2")),
                    (get(f"/ImageStore?{V}&ContinuationToken=a%26c%3D2"), files("a&c=2")),
                ),
                given=given("a&b=1", "a&c=2"),
                settings={"page_size": 100},
                variant="escaped",
            ),
        ),
    ),
    Deviation(
        "store 1.5",
        "Since 6.5 CU2 a name with a forbidden character is refused by upload, commit and delete; not by a chunk.",
        "A chunk for such a name is refused, too, with 400 E_INVALIDARG.",
        "Nothing could become of the session, and the sooner a client knows the better.",
        (
            Case(
                "store 1.5",
                DECISION,
                "A chunk for a name that can't be starts no session.",
                ((chunk("a%7Cb", G, "0-2/3"), E400), (session(G), NONE)),
                variant="chunk",
            ),
        ),
    ),
    Deviation(
        "store 1.2",
        "Doubled separators inside a path are kept by the store; only the gateway drops them from URLs.",
        "They are dropped from the destination of a copy as well.",
        "A file tree has no folder without a name.",
        (
            Case(
                "store 1.2",
                DECISION,
                "Doubled separators in a destination are one.",
                (
                    (copy(r'{"RemoteSource":"a","RemoteDestination":"b\\\\c"}'), OK0),
                    (listed("b"), files(r"b\c")),
                ),
                given=given("a"),
            ),
        ),
    ),
    Deviation(
        "store 4.2",
        "A folder whose mark file is not on the first page of its listing is not found by a copy.",
        "It is copied, whatever its size.",
        "A plain bug by the page's own advice.",
        (
            Case(
                "store 4.2",
                DECISION,
                "A folder of several pages is copied.",
                (
                    (copy('{"RemoteSource":"App","RemoteDestination":"B"}'), OK0),
                    (listed("App"), files(r"App\0", token="App%5C1")),
                    (listed(), files(folders={"App": 4, "B": 4})),
                ),
                given=given("App/0", "App/1", "App/2", "App/_.dir"),
                settings={"page_size": 100},
                variant="several pages",
            ),
        ),
    ),
    Deviation(
        "gateway 8",
        "On Windows the name of the ClusterId header is looked for in exactly that case.",
        "It is found in any case.",
        "HTTP says so, and an ASGI application gets the names in lower case.",
        (
            Case(
                "gateway 8",
                DECISION,
                "The case of a header's name does not matter.",
                all_of(DENIED, get(f"/ImageStore?{V}", clusterid="x"), get(f"/ImageStore?{V}", CLUSTERID="x")),
                given=given("a"),
                settings={"cluster_id": "y"},
                variant="header name",
            ),
        ),
    ),
    Deviation(
        "gateway 6.1",
        "The reason phrase of an error is its code.",
        "It is that of HTTP.",
        "An ASGI application can't set it; the page advises clients not to depend on it.",
        (
            Case(
                "gateway 6.1",
                DECISION,
                "The reason phrase says nothing of its own.",
                ((listed(), EMPTY_STORE), (get("/ImageStore"), E400)),
                check=status_line_is_honest,
            ),
        ),
    ),
    Deviation(
        "gateway 1.3",
        "An invented verb, and a known one in lower case, match no template: 400 E_INVALIDARG.",
        "400 with a line of text.",
        "The HTTP parser refuses a word that is no method before the emulator sees the request.",
        (
            Case(
                "gateway 1.3",
                DECISION,
                "A word that is no method is a bad request.",
                all_of(NO_METHOD, Step("get", f"/ImageStore?{V}"), Step("FROBNICATE", f"/ImageStore?{V}")),
                variant="no method",
            ),
        ),
    ),
)

CASES: Final = tuple(case for deviation in DEVIATIONS for case in deviation.cases)
