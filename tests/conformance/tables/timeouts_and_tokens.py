"""``timeout`` and ``ContinuationToken`` (gateway 3, 4.1 and 10.32-37; store 11.23-24)."""

from typing import Final

from tests.conformance.case import (
    BARE_MISSING,
    CERTAIN,
    E400,
    EMPTY,
    EMPTY_STORE,
    ERNG,
    ESID,
    INFERRED,
    MISSING,
    NEW,
    NONE,
    OLD,
    TIMED_OUT,
    TOKEN_TOO_LONG,
    Case,
    Expect,
    Step,
    V,
    all_of,
    delete,
    files,
    get,
    given,
    listed,
    post,
    put,
)

BOTH: Final = (OLD, NEW)
ABC: Final = given("a", "b", "c")

CASES: Final = (
    Case(
        "gateway 10.32",
        CERTAIN,
        "A timeout that is no whole number of 32 bits is silently replaced.",
        all_of(
            files("a.txt"),
            *(get(f"/ImageStore?{V}&timeout={text}") for text in ("abc", "-1", "1.5", "4294967296", "", "0x10")),
            *(get(f"/ImageStore?{V}&timeout={text}") for text in ("1", "60", "4294967295", "+5")),
        ),
        given=given("a.txt"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.33",
        INFERRED,
        "A timeout of zero has passed already.",
        all_of(TIMED_OUT, get(f"/ImageStore?{V}&timeout=0")),
        given=given("a.txt"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 3",
        INFERRED,
        "What has timed out has changed nothing.",
        all_of(
            TIMED_OUT,
            put(f"/ImageStore/b?{V}&timeout=0", b"abc"),
            delete(f"/ImageStore/a.txt?{V}&timeout=0"),
            post(f"/ImageStore/$/Copy?{V}&timeout=0", '{"RemoteSource":"a.txt","RemoteDestination":"b"}'),
        )
        + all_of(files("a.txt"), listed()),
        given=given("a.txt"),
    ),
    Case(
        "gateway 0",
        INFERRED,
        "What the gateway refuses by itself does not get as far as timing out.",
        (
            (Step("PUT", f"/ImageStore/b?{V}&timeout=0", b"abc", {"Content-Range": "nonsense"}), ERNG),
            (post(f"/ImageStore/$/Copy?{V}&timeout=0", "[]"), E400),
            (get(f"/ImageStore/$/GetUploadSession?{V}&timeout=0&session-id=abc"), ESID),
            (get("/ImageStore?timeout=0"), E400),
        ),
        given=given("a.txt"),
        variant="timeout",
    ),
    Case(
        "gateway 10.34",
        CERTAIN,
        "A token has at most 4096 characters.",
        all_of(TOKEN_TOO_LONG, get(f"/ImageStore?{V}&ContinuationToken={'a' * 4097}"))
        + all_of(files("b"), get(f"/ImageStore?{V}&ContinuationToken={'a' * 4096}")),
        given=given("b"),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.35",
        CERTAIN,
        "A page starts at the token, inclusive.",
        all_of(files("b", "c"), get(f"/ImageStore?{V}&ContinuationToken=b")),
        given=ABC,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.36",
        CERTAIN,
        "An empty token is none.",
        all_of(files("a", "b", "c"), get(f"/ImageStore?{V}&ContinuationToken=")),
        given=ABC,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.37",
        CERTAIN,
        "An unpaged listing ignores the token.",
        all_of(files("a", "b", "c", token=None), get("/ImageStore?api-version=3.0&ContinuationToken=b")),
        given=ABC,
        runtimes=BOTH,
    ),
    Case(
        "store 11.23",
        CERTAIN,
        "A token past the end of a folder with a mark file finds nothing, and that is no error.",
        all_of(NONE, get(f"/ImageStore/App?{V}&ContinuationToken=zzzz"))
        + all_of(Expect(204, EMPTY, "none"), get("/ImageStore/App?api-version=6.2&ContinuationToken=zzzz")),
        given=given("App/a", "App/_.dir"),
    ),
    Case(
        "store 11.23",
        CERTAIN,
        "Without a mark file the same folder does not exist.",
        all_of(MISSING, get(f"/ImageStore/App?{V}&ContinuationToken=zzzz"))
        + all_of(BARE_MISSING, get("/ImageStore/App?api-version=6.2&ContinuationToken=zzzz")),
        given=given("App/a"),
        variant="without mark file",
    ),
    Case(
        "store 11.24",
        CERTAIN,
        "An empty token is none.",
        all_of(files(r"App\a", r"App\b"), get(f"/ImageStore/App?{V}&ContinuationToken="), get(f"/ImageStore/App?{V}")),
        given=given("App/a", "App/b"),
    ),
    Case(
        "gateway 4.1",
        CERTAIN,
        "A token is decoded once, normalised like a path and compared without regard to case.",
        all_of(
            files(r"App\b c", r"App\d"),
            get(f"/ImageStore/App?{V}&ContinuationToken=App%5Cb%20c"),
            get(f"/ImageStore/App?{V}&ContinuationToken=App/b%20c"),
            get(f"/ImageStore/App?{V}&ContinuationToken=APP%5CB"),
        )
        + all_of(files(r"App\a", r"App\b c", r"App\d"), get(f"/ImageStore/App?{V}&ContinuationToken=0")),
        given=given("App/a", "App/b%20c", "App/d"),
    ),
    Case(
        "gateway 4.1",
        CERTAIN,
        "A token past the end of the root leaves a store that has no root to list.",
        all_of(EMPTY_STORE, get(f"/ImageStore?{V}&ContinuationToken=zzzz")),
        given=given("a"),
        variant="root",
    ),
    Case(
        "gateway 4.1",
        INFERRED,
        "A token for a path that isn't there is ignored (the original's undefined behaviour is not reproduced).",
        all_of(MISSING, get(f"/ImageStore/nope?{V}&ContinuationToken=a")),
        given=given("a"),
        variant="missing path",
    ),
)
