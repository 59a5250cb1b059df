"""Copying inside the store (gateway 7.6 and 10.82-93; store 4 and 11.32-40)."""

from collections.abc import Sequence
from typing import Final

from tests.conformance.case import (
    BODY_TOO_LARGE,
    CERTAIN,
    DECISION,
    E400,
    EMPTY_STORE,
    MIB,
    MINUTE,
    NEW,
    NO_FILE,
    OK0,
    OLD,
    RESERVED,
    Advance,
    Case,
    all_of,
    copy,
    date,
    files,
    given,
    listed,
    number,
    upload,
)
from tests.support.wire import Reply

BOTH: Final = (OLD, NEW)
PKG: Final = given("pkg/_.dir", "pkg/x")
TO_PKG2: Final = copy('{"RemoteSource":"pkg","RemoteDestination":"pkg2"}')
APP: Final = given("App/_.dir", "App/a.txt", "App/Sub/a.txt", "App/Sub/b.txt")
APP_TO_B: Final = copy('{"RemoteSource":"App","RemoteDestination":"B"}')


def same_date_other_version(replies: Sequence[Reply]) -> None:
    """A copy has the date of its source and a number of its own."""
    source, copied = (reply for reply in replies if reply.body)
    assert date(copied) == date(source)
    assert number(copied) > number(source)


def a_new_version(replies: Sequence[Reply]) -> None:
    """The second listing shows a larger version number."""
    before, after = (reply for reply in replies if reply.body)
    assert number(after) > number(before)


def same_answer(replies: Sequence[Reply]) -> None:
    """Both listings are the same to the byte: nothing was touched."""
    before, after = (reply for reply in replies if reply.status == 200 and reply.body)
    assert before.body == after.body


GATEWAY: Final = (
    Case(
        "gateway 10.82",
        CERTAIN,
        "A folder with a mark file is copied as a whole.",
        ((TO_PKG2, OK0), (listed("pkg2"), files((r"pkg2\_.dir", 0), r"pkg2\x"))),
        given=PKG,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.83",
        CERTAIN,
        "A folder without one isn't.",
        ((TO_PKG2, NO_FILE), (listed(), files(folders={"pkg": 1}))),
        given=given("pkg/x"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.84",
        CERTAIN,
        "A source has to be there, and to be named.",
        all_of(NO_FILE, copy('{"RemoteSource":"nope","RemoteDestination":"d"}'), copy("{}")),
        given=given("a"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.85",
        CERTAIN,
        "A destination has to be named.",
        all_of(E400, copy('{"RemoteSource":"a.txt"}'), copy('{"RemoteSource":"a.txt","RemoteDestination":""}')),
        given=given("a.txt"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.86",
        CERTAIN,
        "A nested source is written with backslashes.",
        ((copy(r'{"RemoteSource":"pkg\\sub\\x","RemoteDestination":"y"}'), OK0), (listed("y"), files("y"))),
        given=given("pkg/sub/x"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.87",
        CERTAIN,
        "With slashes Windows does not find it.",
        ((copy('{"RemoteSource":"pkg/sub/x","RemoteDestination":"y"}'), NO_FILE),),
        given=given("pkg/sub/x"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.87",
        CERTAIN,
        "Linux does.",
        all_of(
            OK0,
            copy('{"RemoteSource":"pkg/sub/x","RemoteDestination":"y"}'),
            copy(r'{"RemoteSource":"pkg\\sub\\x","RemoteDestination":"z"}'),
        )
        + all_of(files("y", "z", folders={"pkg": 1}), listed()),
        given=given("pkg/sub/x"),
        variant="linux",
        runtimes=(OLD,),
        settings={"platform": "linux"},
    ),
    Case(
        "gateway 10.88",
        CERTAIN,
        "Files to skip are named without regard to case.",
        (
            (copy('{"RemoteSource":"pkg","RemoteDestination":"pkg2","SkipFiles":["X"]}'), OK0),
            (listed("pkg2"), files((r"pkg2\_.dir", 0))),
        ),
        given=PKG,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.89",
        CERTAIN,
        "Echo leaves a file that is there as it is.",
        (
            (listed("b"), files(("b", 5))),
            (copy('{"RemoteSource":"a","RemoteDestination":"b","CopyFlag":1}'), OK0),
            (listed("b"), files(("b", 5))),
        ),
        given=(upload("a"), upload("b", b"other")),
        check=same_answer,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.90",
        CERTAIN,
        "The name of a flag is case-sensitive.",
        ((copy('{"RemoteSource":"a","RemoteDestination":"b","CopyFlag":"overwrite"}'), E400),),
        given=(upload("a"), upload("b", b"other")),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.91",
        CERTAIN,
        "Unknown members and nulls are skipped.",
        (
            (
                copy(
                    '{"RemoteSource":"pkg","Nonsense":{"a":[1,2.5e3,null]},"RemoteDestination":"pkg2",'
                    '"CheckMarkFile":null}'
                ),
                OK0,
            ),
            (listed("pkg2"), files((r"pkg2\_.dir", 0), r"pkg2\x")),
        ),
        given=PKG,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.92",
        CERTAIN,
        "What is no description of a copy is a bad argument.",
        all_of(
            E400,
            copy(""),
            copy("[]"),
            copy('{"RemoteSource":'),
            copy('{"RemoteSource":"pkg","RemoteDestination":"pkg2","CheckMarkFile":"true"}'),
        )
        + all_of(files(folders={"pkg": 2}), listed()),
        given=PKG,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.93",
        CERTAIN,
        "The description has a limit of 4 MiB.",
        ((copy('{"RemoteSource":"' + "a" * (5 * MIB) + '"}'), BODY_TOO_LARGE),),
        given=PKG,
        runtimes=BOTH,
    ),
)

STORE: Final = (
    Case(
        "store 11.32",
        CERTAIN,
        "A copied file has a version of its own and the date of its source.",
        (
            (listed("App/a.txt"), files(r"App\a.txt")),
            Advance(MINUTE),
            (copy(r'{"RemoteSource":"App\\a.txt","RemoteDestination":"B\\a.txt"}'), OK0),
            (listed("B/a.txt"), files(r"B\a.txt")),
        ),
        given=given("App/a.txt"),
        check=same_date_other_version,
    ),
    Case(
        "store 11.33",
        CERTAIN,
        "A folder without a mark file isn't copied, whatever CheckMarkFile says.",
        all_of(
            NO_FILE,
            APP_TO_B,
            copy('{"RemoteSource":"App","RemoteDestination":"B","CheckMarkFile":false}'),
            copy('{"RemoteSource":"App","RemoteDestination":"B","CheckMarkFile":true}'),
        )
        + all_of(files(folders={"App": 1}), listed()),
        given=given("App/a.txt"),
    ),
    Case(
        "store 11.34",
        CERTAIN,
        "What was only in the destination is gone.",
        (
            (APP_TO_B, OK0),
            (listed("B"), files((r"B\_.dir", 0), r"B\a.txt", folders={r"B\Sub": 2})),
            (listed("B/Sub"), files(r"B\Sub\a.txt", r"B\Sub\b.txt")),
            (listed("App"), files((r"App\_.dir", 0), r"App\a.txt", folders={r"App\Sub": 2})),
        ),
        given=(*APP, *given("B/old.txt", "B/Old/x")),
    ),
    Case(
        "store 11.35",
        CERTAIN,
        "Files to skip are skipped at any depth; the mark file of the folder itself is copied all the same.",
        (
            (copy('{"RemoteSource":"App","RemoteDestination":"B","SkipFiles":["A.txt","_.dir"]}'), OK0),
            (listed("B"), files((r"B\_.dir", 0), folders={r"B\Sub": 1})),
            (listed("B/Sub"), files(r"B\Sub\b.txt")),
        ),
        given=(*APP, *given("App/Sub/_.dir")),
    ),
    Case(
        "store 11.36",
        CERTAIN,
        "Echo leaves a complete folder as it is.",
        (
            (listed("B"), files((r"B\_.dir", 0), r"B\old.txt")),
            (copy('{"RemoteSource":"App","RemoteDestination":"B","CopyFlag":"Echo"}'), OK0),
            (listed("B"), files((r"B\_.dir", 0), r"B\old.txt")),
        ),
        given=(*APP, *given("B/_.dir", "B/old.txt")),
        check=same_answer,
    ),
    Case(
        "store 11.36",
        CERTAIN,
        "Echo replaces a folder without a mark file.",
        (
            (copy('{"RemoteSource":"App","RemoteDestination":"B","CopyFlag":"Echo"}'), OK0),
            (listed("B"), files((r"B\_.dir", 0), r"B\a.txt", folders={r"B\Sub": 2})),
        ),
        given=(*APP, *given("B/old.txt")),
        variant="incomplete",
    ),
    Case(
        "store 11.37",
        CERTAIN,
        "A source that isn't there does the destination no harm.",
        (
            (listed("B"), files((r"B\_.dir", 0), r"B\old.txt")),
            (copy('{"RemoteSource":"Nope","RemoteDestination":"B"}'), NO_FILE),
            (listed("B"), files((r"B\_.dir", 0), r"B\old.txt")),
        ),
        given=given("B/_.dir", "B/old.txt"),
        check=same_answer,
    ),
    Case(
        "store 11.38",
        CERTAIN,
        "A destination has to be named, and the body has to be JSON.",
        all_of(E400, copy('{"RemoteSource":"a.txt","RemoteDestination":""}'), copy("RemoteSource=a.txt"), copy("{")),
        given=given("a.txt"),
    ),
    Case(
        "store 11.39",
        CERTAIN,
        "A file may be copied onto itself and gets a new version (for folders see the deviations).",
        (
            (listed("a.txt"), files("a.txt")),
            (copy('{"RemoteSource":"a.txt","RemoteDestination":"a.txt"}'), OK0),
            (listed("a.txt"), files("a.txt")),
        ),
        given=given("a.txt"),
        check=a_new_version,
    ),
    Case(
        "store 11.40",
        CERTAIN,
        "A folder may be copied into itself once (for the second time see the deviations).",
        (
            (copy(r'{"RemoteSource":"App","RemoteDestination":"App\\Inner"}'), OK0),
            (listed("App/Inner"), files((r"App\Inner\_.dir", 0), r"App\Inner\a.txt", folders={r"App\Inner\Sub": 2})),
            (listed("App"), files((r"App\_.dir", 0), r"App\a.txt", folders={r"App\Inner": 4, r"App\Sub": 2})),
        ),
        given=APP,
    ),
)

MORE: Final = (
    Case(
        "gateway 7.6",
        CERTAIN,
        "The source is compared as it is written, except for its case; the destination is normalised.",
        all_of(
            NO_FILE,
            copy(r'{"RemoteSource":"\\pkg\\x","RemoteDestination":"y"}'),
            copy(r'{"RemoteSource":"/pkg","RemoteDestination":"y"}'),
            copy('{"RemoteSource":"","RemoteDestination":"y"}'),
        )
        + all_of(
            OK0,
            copy(r'{"RemoteSource":"PKG\\X","RemoteDestination":"d/e/f"}'),
            copy(r'{"RemoteSource":"PKG\\X","RemoteDestination":"\\d\\g\\"}'),
        )
        + all_of(files(r"d\e\f"), listed("d/e"))
        + all_of(files(r"d\g", folders={r"d\e": 1}), listed("d")),
        given=PKG,
        runtimes=BOTH,
    ),
    Case(
        "gateway 7.6",
        CERTAIN,
        "Every flag but 2 is Echo; a flag may be a number, a name or a number in a string.",
        all_of(
            OK0,
            *(
                copy(f'{{"RemoteSource":"a","RemoteDestination":"b","CopyFlag":{flag}}}')
                for flag in ("0", "1", "99", "1.9", '"Echo"', '"Invalid"', '"1"', '"0x1"')
            ),
        )
        + all_of(files(("b", 5)), listed("b"))
        + all_of(
            E400,
            *(
                copy(f'{{"RemoteSource":"a","RemoteDestination":"b","CopyFlag":{flag}}}')
                for flag in ('"echo"', '"Atomic"', '""', "true", "[]")
            ),
        )
        + all_of(OK0, copy('{"RemoteSource":"a","RemoteDestination":"b","CopyFlag":2.5}'))
        + all_of(files("b"), listed("b")),
        given=(upload("a"), upload("b", b"other")),
        variant="flags",
        runtimes=BOTH,
    ),
    Case(
        "gateway 7.6",
        CERTAIN,
        "Overwrite is a name, a number, a number in a string, and what holds without any.",
        (
            *(
                exchange
                for flag in ('"CopyFlag":"Overwrite"', '"CopyFlag":2', '"CopyFlag":"2"', '"CopyFlag":null')
                for exchange in (
                    (upload("b", b"other"), OK0),
                    (copy(f'{{"RemoteSource":"a","RemoteDestination":"b",{flag}}}'), OK0),
                    (listed("b"), files("b")),
                )
            ),
        ),
        given=given("a"),
        variant="overwrite",
        runtimes=BOTH,
    ),
    Case(
        "gateway 7.6",
        CERTAIN,
        "The reader is lenient about what it doesn't know, and strict about types.",
        all_of(
            OK0,
            copy('{"RemoteSource":"nope","RemoteSource":"a","RemoteDestination":"b"}'),
            copy('{"RemoteSource":"a","RemoteDestination":"b","SkipFiles":null}'),
            copy('{"RemoteSource":"a","RemoteDestination":"b"} and more'),
            copy('{"RemoteSource":"a","RemoteDestination":12}'),
            copy(' \r\n\t{ "RemoteSource" : "a" , "RemoteDestination" : "b" }'),
        )
        + all_of(files("12", "a", "b"), listed())
        + all_of(
            E400,
            copy('{"RemoteSource":"a","RemoteDestination":"b","SkipFiles":[null]}'),
            copy('{"RemoteSource":"a","RemoteDestination":"b","SkipFiles":"x"}'),
            copy('{"RemoteSource":["a"],"RemoteDestination":"b"}'),
            copy('{"RemoteSource":true,"RemoteDestination":"b"}'),
            copy('{"RemoteSource":"a","RemoteDestination":"b","CheckMarkFile":1}'),
            copy('\ufeff{"RemoteSource":"a","RemoteDestination":"b"}'),
            copy("null"),
            copy('"a"'),
        )
        + all_of(NO_FILE, copy('{"remotesource":"a","remotedestination":"b"}')),
        given=given("a"),
        variant="reader",
        runtimes=BOTH,
    ),
    Case(
        "gateway 7.7",
        CERTAIN,
        "A folder can't be copied over a reserved one, but may go beneath it.",
        (
            (copy('{"RemoteSource":"pkg","RemoteDestination":"Store"}'), RESERVED),
            (copy('{"RemoteSource":"pkg","RemoteDestination":"windowsfabricstore"}'), RESERVED),
            (copy(r'{"RemoteSource":"pkg","RemoteDestination":"Store\\T"}'), OK0),
            (listed("Store/T"), files((r"Store\T\_.dir", 0), r"Store\T\x")),
        ),
        given=PKG,
    ),
    Case(
        "store 1.5",
        DECISION,
        "Dots and what Windows can't have in a name are refused in a destination.",
        all_of(
            E400,
            *(
                copy(f'{{"RemoteSource":"a","RemoteDestination":"{path}"}}')
                for path in ("..", r"..\\b", r"b\\..\\c", "b/./c", "b|c", "b:c", "b?", "b*", r"b\u0001")
            ),
        )
        + all_of(files("a"), listed()),
        given=given("a"),
        variant="copy",
    ),
    Case(
        "store 1.5",
        DECISION,
        "Dots are refused in a source, too.",
        all_of(
            E400,
            copy(r'{"RemoteSource":"..\\a","RemoteDestination":"b"}'),
            copy(r'{"RemoteSource":"x\\..\\a","RemoteDestination":"b"}'),
        ),
        given=given("a"),
        variant="copy source",
    ),
    Case(
        "store 4.3",
        CERTAIN,
        "A file is copied without any mark file, with CheckMarkFile as well.",
        (
            (copy('{"RemoteSource":"a","RemoteDestination":"b","CheckMarkFile":true}'), OK0),
            (listed(), files("a", "b")),
        ),
        given=given("a"),
    ),
    Case(
        "store 4.2",
        CERTAIN,
        "An empty store has nothing to copy.",
        ((APP_TO_B, NO_FILE), (listed(), EMPTY_STORE)),
    ),
)

CASES: Final = GATEWAY + STORE + MORE
