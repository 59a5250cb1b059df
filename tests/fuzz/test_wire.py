"""What HTTP libraries would never send, on a raw socket: the answer is 4xx or none, and nothing else happens."""

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.watched import V, Watched, watched

G: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
FUZZING: Final = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

PLATFORMS: Final = ["windows", "linux"]


@pytest.fixture(scope="module", params=PLATFORMS)
def under_fire(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One emulator of each build for the whole file."""
    with watched(tmp_path_factory.mktemp("fuzz"), platform=request.param) as running:
        yield running


@pytest.fixture(params=PLATFORMS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    """An emulator of each build for one test."""
    with watched(tmp_path, platform=request.param) as running:
        yield running


def request_of(
    method: str | bytes,
    target: str | bytes,
    *headers: tuple[str | bytes, str | bytes],
    body: bytes | None = None,
    protocol: str | bytes = "HTTP/1.1",
) -> bytes:
    """A request as bytes that ends its connection; a body gets its length."""
    fields = [*headers, ("Connection", "close")]
    if body is not None:
        fields.append(("Content-Length", str(len(body))))
    lines = [
        b" ".join(map(raw, (method, target, protocol))),
        *(raw(name) + b": " + raw(value) for name, value in fields),
    ]
    return b"\r\n".join([*lines, b"", b""]) + (body or b"")


def raw(text: str | bytes) -> bytes:
    """Text as UTF-8, bytes as they are."""
    return text if isinstance(text, bytes) else text.encode()


def assert_harmless(under_fire: Watched, before: set[str], status: int) -> None:
    """No failure of the service; and what was refused changed nothing."""
    assert status < 500
    if not 200 <= status < 300:
        assert under_fire.content == before
    under_fire.check_unharmed()


# --- targets ----------------------------------------------------------------------------------------------------------

SEGMENTS: Final = st.sampled_from(
    [
        b"a", b"A", b"", b".", b"..", b"...", b"..a", b".hidden", b"%2e%2e", b"%2E.", b"%252e%252e", b"%25252e",
        b"%c0%ae%c0%ae", b"..%2f..", b"..%5c..", b"..%255c..", b"%5c", b"\\", b"..\\..", b"%2f", b"%00", b"%2500",
        b"%0a", b"%0d%0a", b"%7f", b"%", b"%2", b"%zz", b"%25", b"%2541", b"%u0041", b"%ff", b"%ED%A0%80",
        b"%25ED%25A0%2580", b"\xff", b"\xc3\xa9", b"%C3%A9", b"%F0%9F%93%A6", b"%E2%80%AE", b"$", b"%24", b"$$",
        b"%2524", b"?", b"%3f", b"#", b"%23", b":", b"C:", b"con", b"nul.txt", b"*", b"|", b"<>", b'"',
        b"{RelativePath}", b"[x]", b"`", b"^", b"+", b"%20", b"%20a%20", b"~", b"a" * 255, b"a" * 256,
        b"%C3%A9" * 128, b"_.dir", b"Store", b"ImageStore", b"_emulator", b"sentinel",
    ]
)  # fmt: skip
SEPARATORS: Final = st.sampled_from([b"/", b"//", b"\\", b"/./", b"/../", b"%2f", b"%5C", b"/%2e%2e/"])
ACTIONS: Final = st.sampled_from(
    [
        "",
        "",
        "/",
        "/$/UploadChunk",
        "/$/GetUploadSession",
        "/$/FolderSize",
        "/$/Copy",
        "/$/Nope",
        "/$",
        "/%24/UploadChunk",
    ]
)
QUERIES: Final = st.sampled_from(
    [
        V, f"{V}&session-id={G}", "", "api-version=6.0&api-version", f"&&{V}&=&==", f"{V}&x=%zz",
        f"{V}&ContinuationToken=%25", f"{V}&ContinuationToken=../../a", f"{V}&RelativePath=../../sentinel",
        f"{V}&RelativePath=%252e%252e", f"{V}?{V}", f"{V}&timeout=-1", f"{V}&session-id=../../sentinel",
    ]
)  # fmt: skip
METHODS: Final = st.sampled_from(["GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS", "PATCH", "PROPFIND", "CONNECT"])


@st.composite
def targets(draw: st.DrawFn) -> bytes:
    """Paths below the store, made of what has broken servers before."""
    path = b"".join(draw(SEPARATORS) + segment for segment in draw(st.lists(SEGMENTS, max_size=5)))
    prefix = draw(
        st.sampled_from([b"/ImageStore", b"/ImageStore", b"//ImageStore/", b"http://x/ImageStore", b"ImageStore"])
    )
    return prefix + path + raw(draw(ACTIONS)) + b"?" + raw(draw(QUERIES))


@FUZZING
@given(method=METHODS, target=targets())
def test_no_target_leaves_the_store_or_makes_it_fail(under_fire: Watched, method: str, target: bytes) -> None:
    """Dots, slashes, escapes of escapes, control characters, bytes that are no text."""
    before = under_fire.content
    headers = [("Host", "x"), ("Content-Range", "bytes 0-0/2")]
    status = under_fire.converse(request_of(method, target, *headers, body=b"x" if method != "GET" else None))
    assert_harmless(under_fire, before, status)


@FUZZING
@given(target=st.binary(max_size=60).map(lambda rubbish: rubbish.translate(None, b"\r\n")))
def test_no_bytes_in_place_of_a_target_make_it_fail(under_fire: Watched, target: bytes) -> None:
    """Whatever stands between the verb and the protocol."""
    for prefix in (b"", b"/ImageStore/", b"/ImageStore?api-version=6.0&"):
        before = under_fire.content
        status = under_fire.blurt_out(request_of("PUT", prefix + target, ("Host", "x"), body=b"x"))
        assert_harmless(under_fire, before, status)


@pytest.mark.parametrize(
    "path",
    ["a" * 32_768, "a/" * 16_384, "%41" * 10_000, "/" * 32_768, "../" * 10_000, "%2e%2e%2f" * 3_600, "%25" * 10_000],
    ids=lambda path: f"{path[:9]}...",
)
def test_huge_targets_are_refused(path: str, fresh: Watched) -> None:
    """32 KB of path: 4xx, whether it is asked for or to be stored, and quickly enough to serve others."""
    for method in ("PUT", "DELETE", "GET"):
        target = f"/ImageStore/{path}?{V}"
        status = fresh.converse(request_of(method, target, ("Host", "x"), body=b"x" if method == "PUT" else None))
        if method == "PUT":
            assert 400 <= status < 500
        assert_harmless(fresh, set(), status)


@pytest.mark.parametrize("depth", [200, 500, 900, 1_500])
def test_deep_folders_are_stored_or_refused(depth: int, fresh: Watched) -> None:
    """A folder in a folder in a folder: either all operations work on it, or it is refused."""
    emulator = fresh.emulator
    stored = emulator.put(f"/ImageStore/{'d/' * depth}file?{V}", b"x").status
    assert stored in (200, 400)
    if stored == 200:
        assert emulator.get(f"/ImageStore?{V}").json()["StoreFolders"][0]["FileCount"] == "1"
        assert emulator.get("/ImageStore/$/FolderSize?api-version=6.5").json()["FolderSize"] == "1"
        assert emulator.get("/ImageStore/$/Info?api-version=6.5").json()["UsedByCopy"]["FileCount"] == "1"
        description = {"RemoteSource": "d", "RemoteDestination": "e"}
        assert emulator.put(f"/ImageStore/d/_.dir?{V}").status == 200
        assert emulator.post(f"/ImageStore/$/Copy?{V}", json.dumps(description).encode()).status == 200
        assert emulator.delete(f"/ImageStore/d?{V}").status == 200
        assert emulator.delete(f"/ImageStore/e?{V}").status == 200
    assert fresh.content == set()
    workers = emulator.data / "default/staging/workers"
    assert [path.name for path in workers.rglob("*") if path.parent != workers] == []
    fresh.check_unharmed()


# --- request lines and headers ----------------------------------------------------------------------------------------

MALFORMED: Final = {
    "nothing but line ends": b"\r\n\r\n\r\n\r\n",
    "no target": b"GET\r\n\r\n",
    "two targets": f"PUT /ImageStore/a?{V} /ImageStore/b?{V} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode(),
    "a verb with a space": request_of("P UT", f"/ImageStore/a?{V}", body=b"x"),
    "a verb with a control character": request_of("PU\x00T", f"/ImageStore/a?{V}", body=b"x"),
    "an invented verb": request_of("BREW", f"/ImageStore/a?{V}", body=b"x"),
    "a lower-case verb": request_of("put", f"/ImageStore/a?{V}", body=b"x"),
    "HTTP/9.9": request_of("PUT", f"/ImageStore/a?{V}", body=b"x", protocol="HTTP/9.9"),
    "no HTTP": request_of("PUT", f"/ImageStore/a?{V}", body=b"x", protocol="SMTP/1.1"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the hello of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "a tab in the target": request_of("PUT", f"/ImageStore/a\tb?{V}", body=b"x"),
    "a zero byte in the target": request_of("PUT", f"/ImageStore/a\x00b?{V}", body=b"x"),
    "a CONNECT": request_of("CONNECT", "example.org:443"),
    "a zero byte in a header": request_of("PUT", f"/ImageStore/a?{V}", ("X", b"a\x00b"), body=b"x"),
    "a header without a name": request_of("PUT", f"/ImageStore/a?{V}", ("", "x"), body=b"x"),
    "a header with a space in its name": request_of("PUT", f"/ImageStore/a?{V}", ("Content Range", "x"), body=b"x"),
    "a line that is no header": f"PUT /ImageStore/a?{V} HTTP/1.1\r\nrubbish\r\nContent-Length: 1\r\n\r\nx".encode(),
    "a negative length": request_of("PUT", f"/ImageStore/a?{V}", ("Content-Length", "-1")) + b"x",
    "a length that overflows": request_of("PUT", f"/ImageStore/a?{V}", ("Content-Length", "9" * 30)) + b"x",
    "a length that is no number": request_of("PUT", f"/ImageStore/a?{V}", ("Content-Length", "0x1")) + b"x",
    "a length in other digits": request_of("PUT", f"/ImageStore/a?{V}", ("Content-Length", "\u0661")) + b"x",
    "two lengths": request_of("PUT", f"/ImageStore/a?{V}", ("Content-Length", "2"), body=b"x") + b"x",
    "one length twice": request_of("PUT", f"/ImageStore/a?{V}", ("Content-Length", "1"), body=b"x"),
    "lengths in one header": request_of("PUT", f"/ImageStore/a?{V}", ("Content-Length", "1, 1")) + b"x",
    "a length and chunks": request_of("PUT", f"/ImageStore/a?{V}", ("Transfer-Encoding", "chunked"), body=b"0\r\n\r\n"),
    "an unknown coding": request_of("PUT", f"/ImageStore/a?{V}", ("Transfer-Encoding", "gzip")) + b"0\r\n\r\n",
    "chunked not last": request_of("PUT", f"/ImageStore/a?{V}", ("Transfer-Encoding", "chunked, gzip")) + b"0\r\n\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_request_is_refused_or_hung_up_on(what: str, under_fire: Watched) -> None:
    """Nothing of it is carried out."""
    before = under_fire.content
    status = under_fire.blurt_out(MALFORMED[what])
    assert status == 0 or 400 <= status < 500
    assert under_fire.content == before
    under_fire.check_unharmed()


BAD_CHUNKS: Final = {
    "a size that is no number": b"xyz\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size that overflows": b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n",
    "more bytes than its size": b"2\r\nhello\r\n0\r\n\r\n",
    "fewer bytes than its size": b"9\r\nhello\r\n0\r\n\r\n",
    "no end": b"5\r\nhello\r\n",
    "no size at all": b"\r\n\r\n",
    "rubbish in place of the last": b"5\r\nhello\r\nrubbish\r\n\r\n",
    "rubbish in the trailer": b"5\r\nhello\r\n0\r\nrub bish\r\n\r\n",
}


@pytest.mark.parametrize("hang_up", [False, True], ids=["waits for an answer", "hangs up"])
@pytest.mark.parametrize("what", BAD_CHUNKS)
@pytest.mark.parametrize("action", ["", "/$/UploadChunk"])
def test_a_body_in_broken_chunks_stores_nothing(action: str, what: str, hang_up: bool, under_fire: Watched) -> None:  # noqa: FBT001
    """The first bytes may have been good: the file is the old one or none, and no session comes to be."""
    if not hang_up and what in ("fewer bytes than its size", "no end"):
        pytest.skip("the server rightly waits for the rest")
    before = under_fire.content
    target = f"/ImageStore/chunked{action}?{V}&session-id={G}"
    headers = [("Host", "x"), ("Transfer-Encoding", "chunked"), ("Content-Range", "bytes 0-4/10")]
    request = request_of("PUT", target, *headers) + BAD_CHUNKS[what]
    status = under_fire.blurt_out(request) if hang_up else under_fire.converse(request)
    assert status == 0 or 400 <= status < 500
    assert under_fire.content == before
    assert under_fire.emulator.get(f"/ImageStore/chunked/$/GetUploadSession?{V}").status in (204, 400)
    under_fire.check_unharmed()


@FUZZING
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                ["Content-Range", "ClusterId", "Host", "Expect", "Upgrade", "Accept", "X", "Range", "Cookie"]
            ),
            st.binary(max_size=40).map(lambda value: value.translate(None, b"\r\n\x00")),
        ),
        max_size=6,
    )
)
def test_no_header_makes_it_fail(under_fire: Watched, headers: list[tuple[str, bytes]]) -> None:
    """Any bytes in any header, twice or not at all."""
    for method, target in (("GET", f"/ImageStore?{V}"), ("PUT", f"/ImageStore/h?{V}"), ("GET", "/_emulator/none")):
        before = under_fire.content
        fields: list[tuple[str | bytes, str | bytes]] = [*headers]
        status = under_fire.converse(request_of(method, target, *fields, body=b"x" if method == "PUT" else None))
        assert_harmless(under_fire, before, status)


@pytest.mark.parametrize("number", [1_000, 20_000])
def test_many_headers_are_taken_or_refused(number: int, under_fire: Watched) -> None:
    """Up to a megabyte of them."""
    fields: list[tuple[str | bytes, str | bytes]] = [(f"X-{each}", "y" * 40) for each in range(number)]
    assert under_fire.converse(request_of("GET", f"/ImageStore/none?{V}", *fields)) in (0, 400, 404, 413, 431)
    under_fire.check_unharmed()


@pytest.mark.parametrize("name", ["X", "Content-Range", "ClusterId", "Host"])
def test_a_long_header_is_taken_or_refused(name: str, under_fire: Watched) -> None:
    """A megabyte in one line."""
    request = request_of("GET", f"/ImageStore/none?{V}", (name, "9" * 1_000_000))
    assert under_fire.converse(request) in (0, 400, 404, 413, 431)
    under_fire.check_unharmed()


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("host", [None, "", "x", "[::", "a b", "x:99999", "é", "../.."])
def test_no_host_makes_it_fail(host: str | None, protocol: str, under_fire: Watched) -> None:
    """Absent, empty or rubbish."""
    headers: list[tuple[str | bytes, str | bytes]] = [] if host is None else [("Host", host)]
    for target in (f"/ImageStore/none?{V}", f"http://x/ImageStore/none?{V}", "/none", "/_emulator/none"):
        assert under_fire.converse(request_of("GET", target, *headers, protocol=protocol)) in (400, 404)
    under_fire.check_unharmed()


# --- values -----------------------------------------------------------------------------------------------------------

NUMBERS: Final = st.one_of(
    st.integers(-(2**66), 2**66).map(str),
    st.sampled_from(
        ["", "*", "0x", "0xF", "1e9", "1e999999999", "-0", "+1", " 1 ", "1_0", "٣", "9" * 5_000, "inf", "nan"]
    ),
    st.text(string.printable.strip() + " ", max_size=8),
)


@FUZZING
@given(
    first=NUMBERS,
    last=NUMBERS,
    total=NUMBERS,
    unit=st.sampled_from(["bytes ", "bytes", "", "BYTES ", "bytesbytes ", "="]),
)
def test_no_content_range_makes_it_fail(under_fire: Watched, first: str, last: str, total: str, unit: str) -> None:
    """Numbers of any size and rubbish, on uploads and on chunks; what is accepted can be read and deleted."""
    headers: list[tuple[str | bytes, str | bytes]] = [("Content-Range", f"{unit}{first}-{last}/{total}")]
    for target in (f"/ImageStore/r?{V}", f"/ImageStore/r/$/UploadChunk?{V}&session-id={G}"):
        before = under_fire.content
        status = under_fire.converse(request_of("PUT", target, *headers, body=b"x"))
        assert_harmless(under_fire, before, status)
    for method, target in (
        ("GET", f"/ImageStore/r/$/GetUploadSession?{V}"),
        ("GET", "/ImageStore/$/Info?api-version=6.5"),
        ("POST", f"/ImageStore/$/CommitUploadSession?{V}&session-id={G}"),
        ("DELETE", f"/ImageStore/$/DeleteUploadSession?{V}&session-id={G}"),
    ):
        assert under_fire.converse(request_of(method, target, body=b"" if method == "POST" else None)) < 500
    under_fire.check_unharmed()


QUERY_TEXT: Final = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=12)


@FUZZING
@given(version=st.one_of(NUMBERS, QUERY_TEXT), timeout=st.one_of(NUMBERS, QUERY_TEXT), token=QUERY_TEXT)
def test_no_query_value_makes_it_fail(under_fire: Watched, version: str, timeout: str, token: str) -> None:
    """Versions, timeouts and tokens of all kinds; no time at all is 504 by the service's own rules."""
    for values in (f"api-version={version}", f"{V}&timeout={timeout}", f"{V}&ContinuationToken={token}"):
        query = values.replace(" ", "+")
        status = under_fire.converse(request_of("GET", f"/ImageStore?{query}&session-id={token.replace(' ', '+')}"))
        assert status < 500 or (status == 504 and "timeout=" in query)
    under_fire.check_unharmed()


JSON: Final = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("\ud800"), st.just("a")
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS: Final = ("RemoteSource", "RemoteDestination", "SkipFiles", "CopyFlag", "CheckMarkFile", "Unknown")
DESCRIPTIONS: Final = st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, JSON))


@FUZZING
@given(
    body=st.one_of(
        DESCRIPTIONS.map(lambda value: json.dumps(value).encode()), JSON.map(repr).map(str.encode), st.binary()
    )
)
def test_no_copy_description_makes_it_fail(under_fire: Watched, body: bytes) -> None:
    """Any JSON and any bytes."""
    before = under_fire.content
    status = under_fire.converse(request_of("POST", f"/ImageStore/$/Copy?{V}", body=body))
    assert_harmless(under_fire, before, status)


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":' * 50_000,
        b"[" * 200_000,
        b'{"RemoteSource":' + b"1" * 10_000 + b"}",
        b'{"CopyFlag":1e999}',
        b'{"CopyFlag":-Infinity,"RemoteSource":NaN}',
        b'{"RemoteSource":"..\\\\..\\\\sentinel","RemoteDestination":"stolen"}',
        b'{"RemoteSource":"/../../sentinel","RemoteDestination":"stolen"}',
        b'{"RemoteSource":"\\u0000","RemoteDestination":"\\ud800"}',
        b'{"RemoteSource":"' + b"a\\\\" * 20_000 + b'","RemoteDestination":"d"}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_hostile_copy_description_is_refused(body: bytes, under_fire: Watched) -> None:
    """Depth without end, numbers too long to read, ways out of the store."""
    before = under_fire.content
    assert 400 <= under_fire.converse(request_of("POST", f"/ImageStore/$/Copy?{V}", body=body)) < 500
    assert under_fire.content == before
    under_fire.check_unharmed()


def encoded(value: Any) -> bytes:
    """JSON as bytes."""
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "outside", ["../../../sentinel", "..\\..\\sentinel", "a/../../../x", "/sentinel", "C:\\x", "\\\\x\\y"]
)
@pytest.mark.parametrize("member", ["RemoteSource", "RemoteDestination"])
def test_copies_stay_in_the_store(member: str, outside: str, under_fire: Watched) -> None:
    """Neither from outside nor to there."""
    emulator = under_fire.emulator
    assert emulator.put(f"/ImageStore/here?{V}", b"x").status == 200
    description = {"RemoteSource": "here", "RemoteDestination": "there"} | {member: outside}
    assert emulator.post(f"/ImageStore/$/Copy?{V}", encoded(description)).status in (200, 400, 404)
    under_fire.check_unharmed()
