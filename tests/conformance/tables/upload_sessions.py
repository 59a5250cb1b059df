"""Uploading in chunks (gateway 4.2, 4.3, 5 and 10.56-81; store 6 and 11.41-60)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from tests.conformance.case import (
    CERTAIN,
    DECISION,
    E400,
    EMPTY_STORE,
    ERNG,
    ESID,
    G2,
    HALF_AN_HOUR,
    ID_CONFLICT,
    INFERRED,
    MINUTE,
    MISSING,
    NEW,
    NO_SESSION,
    NONE,
    OK0,
    OLD,
    Advance,
    Case,
    G,
    Step,
    V,
    Z,
    all_of,
    chunk,
    commit,
    delete,
    drop,
    files,
    get,
    given,
    listed,
    number,
    post,
    session,
    sessions,
    sessions_of,
    upload,
)
from tests.support.wire import Reply

BOTH: Final = (OLD, NEW)
INSTANT: Final = timedelta(microseconds=1)

FIRST: Final = chunk("big", G, "0-4/10")
REST: Final = chunk("big", G, "5-9/10")
HALF: Final = sessions(("big", G, 10, [(5, 9)]))
COMPLETE: Final = sessions(("big", G, 10, []))
FIRST_HALF: Final = (FIRST,)
ALL_OF_IT: Final = (FIRST, REST)
COMMITTED: Final = (FIRST, REST, commit(G))

BRACED: Final = f"{{{G}}}"
DIGITS_ONLY: Final = G.replace("-", "")
BAD_IDS: Final = ("", Z, DIGITS_ONLY, "abc", f"({G})", f"%20{G}", f"{G}0", G.replace("-", "_"))

S: Final = G
P_0_3: Final = chunk("P", S, "0-3/10")
P_4_7: Final = chunk("P", S, "4-7/10")
P_8_9: Final = chunk("P", S, "8-9/10")


def dates(replies: Sequence[Reply]) -> list[str]:
    """When the session was last modified, as each answer that shows one says."""
    shown = [reply.json() for reply in replies if reply.status == 200 and reply.body]
    return [answer["UploadSessions"][0]["ModifiedDate"] for answer in shown]


def only_the_accepted_chunk_counts(replies: Sequence[Reply]) -> None:
    """The date moves with a chunk that was accepted and with nothing else."""
    created, refused, accepted = dates(replies)
    assert created == refused < accepted


def a_new_version_each_time(replies: Sequence[Reply]) -> None:
    """Every listing of the file shows a larger version number than the one before."""
    numbers = [number(reply) for reply in replies if b'"StoreFiles"' in reply.body]
    assert len(numbers) > 1
    assert numbers == sorted(set(numbers))


def one_version(replies: Sequence[Reply]) -> None:
    """Every listing shows the same version number: nothing was published again."""
    numbers = {number(reply) for reply in replies if b'"StoreFiles"' in reply.body}
    assert len(numbers) == 1


GATEWAY: Final = (
    Case(
        "gateway 10.56",
        CERTAIN,
        "The first chunk with an unused id starts a session.",
        ((FIRST, OK0),),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.57",
        CERTAIN,
        "A session is found by its id.",
        ((session(G), HALF),),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.58",
        CERTAIN,
        "A session is found by its path.",
        ((sessions_of("big"), HALF),),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.59",
        CERTAIN,
        "The path of a session is compared case-sensitively.",
        ((sessions_of("BIG"), NONE),),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.60",
        CERTAIN,
        "An unknown session is no content, in every version.",
        all_of(NONE, session(G2), get(f"/ImageStore/$/GetUploadSession?api-version=6.4&session-id={G2}")),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.61",
        CERTAIN,
        "Asking for a session takes a well-formed id.",
        all_of(ESID, get(f"/ImageStore/$/GetUploadSession?{V}"), *(session(bad) for bad in BAD_IDS)),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.61",
        CERTAIN,
        "A GUID in braces is not a well-formed id.",
        ((session(BRACED), ESID),),
        given=FIRST_HALF,
        variant="braces",
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.62",
        CERTAIN,
        "A chunk takes a well-formed id.",
        all_of(
            ESID,
            Step("PUT", f"/ImageStore/big/$/UploadChunk?{V}", b"01234", {"Content-Range": "bytes 0-4/10"}),
            *(chunk("big", bad, "0-4/10") for bad in BAD_IDS),
        )
        + all_of(NONE, sessions_of("big")),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.63",
        CERTAIN,
        "The range is looked at before the id.",
        ((chunk("big", "bad", "nonsense", b"01234"), ERNG),),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.64",
        CERTAIN,
        "A chunk that was received already is refused.",
        ((FIRST, ERNG), (session(G), HALF)),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.65",
        CERTAIN,
        "A session belongs to one path.",
        ((chunk("other", G, "5-9/10"), ID_CONFLICT), (session(G), HALF), (sessions_of("other"), NONE)),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.66",
        CERTAIN,
        "A session has one size.",
        ((chunk("big", G, "5-9/11"), E400), (session(G), HALF)),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.67",
        CERTAIN,
        "A chunk that overlaps what was received is refused.",
        ((chunk("big", G, "3-6/10"), ERNG), (session(G), HALF)),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.68",
        CERTAIN,
        "A range that can't be is refused and starts nothing.",
        all_of(
            ERNG,
            *(
                chunk("big", G, f"{text}", b"0123456789")
                for text in (
                    "bytes 9-0/10",
                    "bytes 0-11/10",
                    "bytes 0-9/*",
                    "bytes 0-9",
                    "Bytes 0-9/10",
                    "bytes a-b/10",
                )
            ),
        )
        + all_of(NONE, session(G)),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.69",
        CERTAIN,
        "A chunk without a range starts a session of no bytes that expects one.",
        ((chunk("big", G2, None), OK0), (session(G2), sessions(("big", G2, 0, [(0, 0)])))),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.70",
        CERTAIN,
        "A session of no bytes can't be committed.",
        ((commit(G2), E400), (listed(), EMPTY_STORE)),
        given=(chunk("big", G2, None),),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.71",
        CERTAIN,
        "An incomplete session can't be committed.",
        ((commit(G), E400), (session(G), HALF), (listed(), EMPTY_STORE)),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.72",
        CERTAIN,
        "A complete session becomes a file when it is committed.",
        ((REST, OK0), (listed(), EMPTY_STORE), (commit(G), OK0), (listed(), files(("big", 10)))),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.73",
        CERTAIN,
        "A committed session stays, complete, and can be committed again.",
        ((session(G), COMPLETE), (commit(G), OK0)),
        given=COMMITTED,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.74",
        CERTAIN,
        "Deleting a session twice finds nothing the second time.",
        ((drop(G), OK0), (drop(G), NO_SESSION), (session(G), NONE), (listed(), files(("big", 10)))),
        given=(*COMMITTED, commit(G)),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.75",
        CERTAIN,
        "Every id that can't be committed is a bad argument.",
        all_of(
            E400,
            commit(G2),
            post(f"/ImageStore/$/CommitUploadSession?{V}"),
            *(commit(bad) for bad in BAD_IDS),
        ),
        given=ALL_OF_IT,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.76",
        CERTAIN,
        "An id that is none can't be deleted.",
        all_of(E400, delete(f"/ImageStore/$/DeleteUploadSession?{V}"), *(drop(bad) for bad in BAD_IDS)),
        given=FIRST_HALF,
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.77",
        CERTAIN,
        "A body shorter than its range is noticed at the commit.",
        (
            (chunk("big", G, "bytes 0-9/10", b"01234567"), OK0),
            (session(G), COMPLETE),
            (commit(G), E400),
            (listed(), EMPTY_STORE),
        ),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.78",
        CERTAIN,
        "A first chunk may end one byte too late, and then nothing can be committed.",
        (
            (chunk("big", G, "bytes 0-10/10", b"0123456789X"), OK0),
            (session(G), COMPLETE),
            (commit(G), E400),
            (listed(), EMPTY_STORE),
        ),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.79",
        CERTAIN,
        "Chunks may come in any order.",
        (
            (REST, OK0),
            (session(G), sessions(("big", G, 10, [(0, 4)]))),
            (FIRST, OK0),
            (commit(G), OK0),
            (listed(), files(("big", 10))),
        ),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.80",
        CERTAIN,
        "An id is one id in either case, and is shown in lower case.",
        ((chunk("big", G.upper(), "0-4/10"), OK0), *all_of(HALF, session(G), session(G.upper()))),
        runtimes=BOTH,
    ),
    Case(
        "gateway 10.81",
        CERTAIN,
        "The Linux build has no upload sessions.",
        all_of(
            E400,
            FIRST,
            chunk("big", G2, None),
            chunk("big", "bad", "nonsense"),
            session(G),
            session("abc"),
            sessions_of("big"),
            commit(G),
            drop(G),
        )
        + all_of(EMPTY_STORE, listed()),
        runtimes=(OLD,),
        settings={"platform": "linux"},
    ),
)

STORE: Final = (
    Case(
        "store 11.41",
        CERTAIN,
        "An unknown session is no content, asked for by id or by path.",
        all_of(NONE, session(S), sessions_of("P")),
    ),
    Case(
        "store 11.42",
        CERTAIN,
        "A chunk is not content.",
        ((P_0_3, OK0), (session(S), sessions(("P", S, 10, [(4, 9)]))), (listed(), EMPTY_STORE), (listed("P"), MISSING)),
    ),
    Case(
        "store 11.43",
        CERTAIN,
        "The gaps close one by one, and the complete file is committed.",
        (
            (P_8_9, OK0),
            (session(S), sessions(("P", S, 10, [(4, 7)]))),
            (P_4_7, OK0),
            (session(S), sessions(("P", S, 10, []))),
            (commit(S), OK0),
            (listed(), files(("P", 10))),
        ),
        given=(P_0_3,),
    ),
    Case(
        "store 11.44",
        CERTAIN,
        "No byte is taken twice.",
        all_of(ERNG, P_0_3, chunk("P", S, "2-5/10"), chunk("P", S, "3-3/10"))
        + all_of(sessions(("P", S, 10, [(4, 9)])), session(S)),
        given=(P_0_3,),
    ),
    Case(
        "store 11.45",
        CERTAIN,
        "A session has one path and one size.",
        ((chunk("Q", S, "4-9/10"), ID_CONFLICT), (chunk("P", S, "4-9/11"), E400)),
        given=(P_0_3,),
    ),
    Case(
        "store 11.46",
        CERTAIN,
        "A commit that came too early does no harm.",
        (
            (commit(S), E400),
            (session(S), sessions(("P", S, 10, [(4, 9)]))),
            *all_of(OK0, P_4_7, P_8_9, commit(S)),
            (listed(), files(("P", 10))),
        ),
        given=(P_0_3,),
    ),
    Case(
        "store 11.47",
        CERTAIN,
        "An unknown session can't be committed.",
        ((commit(S), E400),),
    ),
    Case(
        "store 11.48",
        CERTAIN,
        "A commit may be repeated, and publishes nothing new then.",
        (
            (listed("P"), files(("P", 10))),
            (commit(S), OK0),
            (session(S), sessions(("P", S, 10, []))),
            (listed("P"), files(("P", 10))),
        ),
        given=(P_0_3, P_4_7, P_8_9, commit(S)),
        check=one_version,
    ),
    Case(
        "store 11.49",
        CERTAIN,
        "A committed session takes no chunk until it is deleted.",
        (
            *all_of(ERNG, P_0_3, chunk("P", S, "9-9/10")),
            (drop(S), OK0),
            (P_0_3, OK0),
            (session(S), sessions(("P", S, 10, [(4, 9)]))),
            (listed("P"), files(("P", 10))),
        ),
        given=(P_0_3, P_4_7, P_8_9, commit(S)),
    ),
    Case(
        "store 11.50",
        CERTAIN,
        "A deleted session is unknown, and the file of its path is as it was.",
        ((drop(S), OK0), (drop(S), NO_SESSION), (session(S), NONE), (listed("P"), files("P"))),
        given=(upload("P"), P_0_3),
    ),
    Case(
        "store 11.51",
        CERTAIN,
        "A range that can't be starts no session.",
        all_of(
            ERNG,
            *(
                chunk("P", S, f"bytes {text}", b"0123456789")
                for text in ("5-2/10", "0-11/10", "0-3/x", "0-3", "0-3/10/1")
            ),
        )
        + all_of(NONE, session(S), sessions_of("P")),
    ),
    Case(
        "store 11.52",
        CERTAIN,
        "A first chunk may end one byte too late, and then nothing can be committed.",
        (
            (chunk("P", S, "bytes 0-10/10", b"0123456789X"), OK0),
            (session(S), sessions(("P", S, 10, []))),
            (commit(S), E400),
        ),
    ),
    Case(
        "store 11.53",
        CERTAIN,
        "A body shorter than its range is noticed at the commit.",
        ((chunk("P", S, "bytes 0-9/10", b"012"), OK0), (commit(S), E400), (listed(), EMPTY_STORE)),
    ),
    Case(
        "store 11.54",
        CERTAIN,
        "A bad id has two names: one for chunk and get, one for commit and delete.",
        all_of(ESID, *(step for bad in ("", Z, "abc") for step in (chunk("P", bad, "0-3/10"), session(bad))))
        + all_of(E400, *(step for bad in ("", Z, "abc") for step in (commit(bad), drop(bad)))),
    ),
    Case(
        "store 11.55",
        CERTAIN,
        "A chunk without a range starts a session of no bytes that can never be committed.",
        (
            (chunk("P", S, None), OK0),
            (session(S), sessions(("P", S, 0, [(0, 0)]))),
            *all_of(E400, commit(S), commit(S)),
            (chunk("P", S, "bytes 0-0/0"), OK0),
            (session(S), sessions(("P", S, 0, [(0, 0)]))),
            (commit(S), E400),
        ),
    ),
    Case(
        "store 11.56",
        CERTAIN,
        "Of two sessions of one path the one committed last is the file, also when it is committed again.",
        (
            (sessions_of("P"), sessions(("P", G, 10, []), ("P", G2, 12, []))),
            (commit(G), OK0),
            (listed("P"), files(("P", 10))),
            (commit(G2), OK0),
            (listed("P"), files(("P", 12))),
            (commit(G), OK0),
            (listed("P"), files(("P", 10))),
        ),
        given=(chunk("P", G2, "0-11/12"), chunk("P", G, "0-9/10")),
        check=a_new_version_each_time,
    ),
    Case(
        "store 11.57",
        CERTAIN,
        "Deleting content leaves a session of its path alone.",
        (
            (delete(f"/ImageStore/P?{V}"), OK0),
            (session(S), sessions(("P", S, 10, [(4, 9)]))),
            *all_of(OK0, P_4_7, P_8_9, commit(S)),
            (listed(), files(("P", 10))),
        ),
        given=(upload("P"), P_0_3),
    ),
    Case(
        "store 11.58",
        CERTAIN,
        "A session left alone for too long is unknown, and its id is free.",
        (
            Advance(HALF_AN_HOUR + 5 * MINUTE + INSTANT),
            *all_of(NONE, session(S), sessions_of("P")),
            (commit(S), E400),
            (drop(S), NO_SESSION),
            (P_8_9, OK0),
            (session(S), sessions(("P", S, 10, [(0, 7)]))),
        ),
        given=(P_0_3,),
    ),
    Case(
        "store 11.59",
        CERTAIN,
        "The path of a session is compared case-sensitively.",
        ((sessions_of("p"), NONE), (sessions_of("P"), sessions(("P", S, 10, [(4, 9)])))),
        given=(P_0_3,),
    ),
    Case(
        "store 11.60",
        CERTAIN,
        "Until the commit the old content is there, then the new version.",
        (
            (listed("P"), files("P")),
            *all_of(OK0, P_0_3, P_4_7, P_8_9),
            (listed("P"), files("P")),
            (commit(S), OK0),
            (listed("P"), files(("P", 10))),
        ),
        given=(upload("P"),),
    ),
)

MORE: Final = (
    *(
        Case(
            "gateway 5.1",
            CERTAIN,
            f"{text!r} reads as {start}-{end}/10.",
            (
                (chunk("P", S, text, b"0123456789"), OK0),
                (
                    session(S),
                    sessions(
                        ("P", S, 10, [gap for gap in ((0, start - 1), (end + 1, 9)) if gap[0] <= gap[1]]),
                    ),
                ),
            ),
            variant=repr(text),
        )
        for text, start, end in (
            ("bytes 0-9/10", 0, 9),
            ("bytes0-9/10", 0, 9),
            ("0-9/10 ", 0, 9),
            ("bytes   0 - 9 / 10", 0, 9),
            ("bytes 0-10/10", 0, 10),
            ("bytes 0x0-0x9/0xA", 0, 9),
            ("bytes -1-5/10", 1, 5),
            ("bytes 0-9/10/", 0, 9),
            ("bytes 0-9//10", 0, 9),
            ("bytes */10", 0, 0),
            ("bytes 5/10", 0, 0),
            ("bytes 5-/10", 0, 0),
            ("bytes -5/10", 0, 0),
            ("bytes 0-4-9/10", 0, 0),
        )
    ),
    Case(
        "gateway 5.1",
        CERTAIN,
        "Nothing of nothing reads as a session of no bytes.",
        all_of(OK0, chunk("P", G, "bytes 0-0/0"), chunk("Q", G2, "bytes */0"))
        + all_of(sessions(("P", G, 0, [(0, 0)])), session(G))
        + all_of(sessions(("Q", G2, 0, [(0, 0)])), session(G2)),
        variant="nothing",
    ),
    Case(
        "gateway 5.1",
        CERTAIN,
        "These are refused, on a chunk and on a plain put alike.",
        all_of(
            ERNG,
            *(
                step
                for text in (
                    "bytes=0-9/10",
                    "Bytes 0-9/10",
                    "BYTES 0-9/10",
                    "bytes 0-9/*",
                    "bytes 0-9",
                    "bytes",
                    "bytes a-b/10",
                    "bytes 0-9/abc",
                    "bytes 9-0/10",
                    "bytes 0-11/10",
                    "bytes 0-4/10, 5-9/10",
                    "bytes 0-9/18446744073709551616",
                    "bytes 0-9/-10",
                    "bytes 0-1.5/10",
                )
                for step in (chunk("P", S, text, b"0123456789"), upload("P", b"0123456789", text))
            ),
        )
        + all_of(NONE, session(S))
        + all_of(EMPTY_STORE, listed()),
        variant="refused",
    ),
    Case(
        "gateway 5.2",
        CERTAIN,
        "A chunk without a range does not fit a session that has bytes.",
        ((chunk("P", S, None), E400), (session(S), sessions(("P", S, 10, [(4, 9)])))),
        given=(P_0_3,),
        variant="no range",
    ),
    Case(
        "gateway 5.3",
        CERTAIN,
        "Path comes before size, and size before range.",
        ((chunk("Q", S, "0-3/11"), ID_CONFLICT), (chunk("P", S, "0-3/11"), E400), (P_0_3, ERNG)),
        given=(P_0_3,),
    ),
    Case(
        "gateway 5.3",
        CERTAIN,
        "The path of a session is the one that was sent: another case is another path.",
        ((chunk("p", S, "4-9/10"), ID_CONFLICT),),
        given=(P_0_3,),
        variant="case",
    ),
    Case(
        "gateway 5.3",
        CERTAIN,
        "Only the first chunk may end at the size: a later one has to lie in a gap.",
        ((chunk("P", S, "bytes 4-10/10", b"456789X"), ERNG), (session(S), sessions(("P", S, 10, [(4, 9)])))),
        given=(P_0_3,),
        variant="end",
    ),
    Case(
        "gateway 5.4",
        CERTAIN,
        "A body that is too long is noticed at the commit and does no harm to its neighbours.",
        (
            (chunk("P", G, "bytes 0-3/10", b"0123-and-more"), OK0),
            (chunk("P", G, "4-9/10"), OK0),
            (commit(G), E400),
            (listed(), EMPTY_STORE),
            *all_of(OK0, chunk("P", G2, "0-9/10"), commit(G2)),
            (listed(), files(("P", 10))),
        ),
    ),
    Case(
        "gateway 4.3",
        CERTAIN,
        "A session shows its path with slashes, as it was sent; the file it becomes is listed with backslashes.",
        (
            (chunk("A/b/C.bin", S, "0-9/10"), OK0),
            *all_of(
                sessions(("A/b/C.bin", S, 10, [])), session(S), sessions_of("A/b/C.bin"), sessions_of("A//b/C.bin")
            ),
            *all_of(NONE, sessions_of("A/B/C.bin"), sessions_of("A/b")),
            (commit(S), OK0),
            (listed("a/B"), files((r"A\b\C.bin", 10))),
        ),
    ),
    Case(
        "gateway 4.3",
        CERTAIN,
        "What was overwritten or deleted since the commit is published again by the next commit.",
        (
            (upload("P"), OK0),
            (commit(S), OK0),
            (listed("P"), files(("P", 10))),
            (delete(f"/ImageStore/P?{V}"), OK0),
            Advance(MINUTE),
            (commit(S), OK0),
            (listed("P"), files(("P", 10))),
        ),
        given=(P_0_3, P_4_7, P_8_9, commit(S)),
        check=a_new_version_each_time,
        variant="again",
    ),
    Case(
        "store 6.10",
        CERTAIN,
        "A chunk that is accepted renews the session; one that is refused, a get and a commit do not.",
        (
            Advance(20 * MINUTE),
            (P_4_7, OK0),
            Advance(20 * MINUTE),
            (session(S), sessions(("P", S, 10, [(8, 9)]))),
            *all_of(ERNG, P_0_3, P_4_7),
            (commit(S), E400),
            Advance(10 * MINUTE - INSTANT),
            (session(S), sessions(("P", S, 10, [(8, 9)]))),
            Advance(5 * MINUTE + INSTANT),
            (session(S), NONE),
        ),
        given=(P_0_3,),
    ),
    Case(
        "store 6.10",
        CERTAIN,
        "A committed session expires like any other, and its file stays.",
        (
            Advance(HALF_AN_HOUR + 5 * MINUTE),
            (session(S), NONE),
            (drop(S), NO_SESSION),
            (commit(S), E400),
            (listed("P"), files(("P", 10))),
        ),
        given=(P_0_3, P_4_7, P_8_9, commit(S)),
        variant="committed",
    ),
    Case(
        "store 6.7",
        CERTAIN,
        "The date of a session is that of the last chunk that was accepted.",
        (
            (session(S), sessions(("P", S, 10, [(4, 9)]))),
            Advance(MINUTE),
            (P_0_3, ERNG),
            (session(S), sessions(("P", S, 10, [(4, 9)]))),
            (P_4_7, OK0),
            (session(S), sessions(("P", S, 10, [(8, 9)]))),
        ),
        given=(P_0_3,),
        check=only_the_accepted_chunk_counts,
    ),
    Case(
        "store 6.8",
        CERTAIN,
        "A copy over the file of a session keeps the mark of the session, so the next commit does nothing.",
        (
            (post(f"/ImageStore/$/Copy?{V}", '{"RemoteSource":"other","RemoteDestination":"P"}'), OK0),
            (listed("P"), files("P")),
            (commit(S), OK0),
            (listed("P"), files("P")),
        ),
        given=(upload("other"), P_0_3, P_4_7, P_8_9, commit(S)),
        check=one_version,
    ),
    Case(
        "store 8",
        DECISION,
        "How long a session lasts is a setting.",
        (
            Advance(MINUTE - INSTANT),
            (session(S), sessions(("P", S, 10, [(4, 9)]))),
            Advance(INSTANT),
            (session(S), NONE),
        ),
        given=(P_0_3,),
        settings={"session_timeout": MINUTE},
    ),
    Case(
        "gateway 1.5",
        INFERRED,
        "A path that was escaped as a whole starts the same session as one that was not.",
        (
            (chunk("A%2Fb.bin", S, "0-3/10"), OK0),
            (chunk("A/b.bin", S, "4-9/10"), OK0),
            (commit(S), OK0),
            (listed("A"), files((r"A\b.bin", 10))),
        ),
        variant="session path",
    ),
    Case(
        "store 6.3",
        CERTAIN,
        "A session may be for a file in a folder that isn't there.",
        ((chunk("New/Folder/x", S, "0-9/10"), OK0), (commit(S), OK0), (listed(), files("a", folders={"New": 1}))),
        given=given("a"),
    ),
)

CASES: Final = GATEWAY + STORE + MORE
