"""The target of a request before any route is tried: tidied, cut, checked (gateway 1.3, 1.5, 1.6)."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.api.gateway import Target, parse_query, read_target, unescape
from emulator.protocol.errors import FabricError
from emulator.protocol.profile import Platform, Profile

WINDOWS = Profile(Platform.WINDOWS)
LINUX = Profile(Platform.LINUX)
BOTH = pytest.mark.parametrize("profile", [WINDOWS, LINUX], ids=["windows", "linux"])

ON_WINDOWS = {
    b"/ImageStore": "/ImageStore",
    b"//ImageStore///a//b/": "/ImageStore/a/b",
    b"/": "/",
    b"": "/",
    b"/ImageStore/a%20b": "/ImageStore/a b",
    b"/ImageStore/a%2Fb": "/ImageStore/a/b",
    b"/ImageStore/a%5Cb": "/ImageStore/a/b",
    b"/ImageStore/a\\b": "/ImageStore/a/b",
    b"/ImageStore/a+b": "/ImageStore/a+b",
    b"/ImageStore/a%2Bb": "/ImageStore/a+b",
    b"/ImageStore/%2541": "/ImageStore/%41",
    b"/ImageStore/a%23b": "/ImageStore/a",
    b"/ImageStore/a#b": "/ImageStore/a",
    b"/ImageStore/%24/Copy": "/ImageStore/$/Copy",
    b"/ImageStore/a/../b": "/ImageStore/b",
    b"/ImageStore/a/%2e%2e/b": "/ImageStore/b",
    b"/ImageStore/a\\..\\b": "/ImageStore/b",
    b"/ImageStore/./a": "/ImageStore/a",
    b"/ImageStore/a/..": "/ImageStore",
    b"/ImageStore/...": "/ImageStore/...",
    b"/ImageStore/.a/b.": "/ImageStore/.a/b.",
    b"/ImageStore/%C3%A9": "/ImageStore/\N{LATIN SMALL LETTER E WITH ACUTE}",
    b"/ImageStore/\xc3\xa9": "/ImageStore/\N{LATIN SMALL LETTER E WITH ACUTE}",
    b"/ImageStore/{x}": "/ImageStore/{x}",
}

ON_LINUX = {
    b"/ImageStore/a%20b": "/ImageStore/a%20b",
    b"/ImageStore/a%2Fb": "/ImageStore/a%2Fb",
    b"/ImageStore/%24/Copy": "/ImageStore/%24/Copy",
    b"/ImageStore/a/%2e%2e/b": "/ImageStore/a/%2e%2e/b",
    b"//ImageStore///a//b/": "/ImageStore/a/b",
    b"/ImageStore/a%23b": "/ImageStore/a%23b",
}


@pytest.mark.parametrize(("raw_path", "path"), ON_WINDOWS.items())
def test_windows_decodes_a_path_and_resolves_its_dots(raw_path: bytes, path: str) -> None:
    assert read_target(raw_path, b"", WINDOWS) == Target(path, "")


@pytest.mark.parametrize(("raw_path", "path"), ON_LINUX.items())
def test_linux_matches_a_path_as_it_was_sent(raw_path: bytes, path: str) -> None:
    assert read_target(raw_path, b"", LINUX) == Target(path, "")


def test_an_escaped_question_mark_begins_the_query_on_windows() -> None:
    assert read_target(b"/ImageStore/a%3Fx=1", b"", WINDOWS) == Target("/ImageStore/a", "x=1")
    assert read_target(b"/ImageStore/a%3Fx=1", b"y=2", WINDOWS) == Target("/ImageStore/a", "x=1?y=2")


@pytest.mark.parametrize(
    ("raw_path", "query"),
    [
        (b"/ImageStore/a%", b""),
        (b"/..", b""),
        (b"/ImageStore/../../ImageStore", b""),
        (b"/ImageStore/a%2", b""),
        (b"/ImageStore/a%zz", b""),
        (b"/ImageStore/a%25", b""),
        (b"/ImageStore/a%25zz", b""),
        (b"/ImageStore/%FF", b""),
        (b"/ImageStore/%C3", b""),
        (b"/ImageStore/%ED%A0%80", b""),
        (b"/ImageStore/a%00b", b""),
        (b"/ImageStore/a%0Ab", b""),
        (b"/ImageStore/a", b"x=%"),
        (b"/ImageStore/a", b"x=%4"),
        (b"/ImageStore/a", b"x=[1]"),
        (b"/ImageStore/a", b'x="1"'),
        (b"/ImageStore/a", b"x=a\\b"),
        (b"/ImageStore/a", b"x=a|b"),
        (b"/ImageStore/a", b"x=a^b"),
        (b"/ImageStore/a", b"x=a`b"),
        (b"/ImageStore/a", b"x=\xc3\xa9"),
        (b"/ImageStore/a%3Fx=%C3%A9", b""),
    ],
)
def test_a_malformed_target_is_a_bad_argument(raw_path: bytes, query: bytes) -> None:
    with pytest.raises(FabricError) as refusal:
        read_target(raw_path, query, WINDOWS)
    assert (refusal.value.status, refusal.value.code) == (400, "E_INVALIDARG")


@pytest.mark.parametrize(
    "raw_path", [b"/ImageStore/a/../b", b"/ImageStore/./a", b"/ImageStore/a|b", b"/ImageStore/\xc3"]
)
def test_linux_refuses_dots_and_raw_characters_of_no_url(raw_path: bytes) -> None:
    with pytest.raises(FabricError) as refusal:
        read_target(raw_path, b"", LINUX)
    assert refusal.value.code == "E_INVALIDARG"


_URL_BYTES = st.lists(
    st.sampled_from([b"/", b".", b"..", b"%2e", b"%2F", b"%5C", b"\\", b"%25", b"%", b"%3F", b"%23", b"#", b"?", b"a"])
    | st.sampled_from(
        [b"ImageStore", b"$", b"%24", b"%C3%A9", b"%FF", b"%00", b" ", b"\xc3\xa9", b"\xff", b"|", b"&="]
    ),
    max_size=14,
).map(b"".join)
_ANY_BYTES = _URL_BYTES | st.binary(max_size=40)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@BOTH
@settings(deadline=None, max_examples=500)
@given(raw_path=_ANY_BYTES, query=_ANY_BYTES)
@example(raw_path=b"*", query=b"")
@example(raw_path=b"..", query=b"")
@example(raw_path=b"../.", query=b"")
@example(raw_path=b"%2e%2e", query=b"")
@example(raw_path=b"/%3F%3F", query=b"?")
@example(raw_path=b"a/./..", query=b"")
def test_whatever_the_target_it_is_tidy_or_a_bad_argument(profile: Profile, raw_path: bytes, query: bytes) -> None:
    """Tidy: it begins with one slash, has no empty and no dot segment, no fragment, no broken escape."""
    try:
        target = read_target(raw_path, query, profile)
    except FabricError as refusal:
        assert refusal.code == "E_INVALIDARG"
        return
    assert target.path.startswith("/")
    segments = target.path[1:].split("/") if target.path != "/" else []
    assert not {"", ".", ".."} & set(segments)
    assert "#" not in target.path
    assert not _BAD_ESCAPE.search(target.path + " " + target.query)
    target.path.encode()
    assert target.query.isascii()
    if profile.is_windows:
        assert "\\" not in target.path
        assert "?" not in target.path


@pytest.mark.parametrize(
    ("text", "decoded"),
    {"a": "a", "a%20b": "a b", "a%5Cb": "a\\b", "%41": "A", "%C3%A9": "\N{LATIN SMALL LETTER E WITH ACUTE}"}.items(),
)
def test_a_path_or_token_is_decoded_once(text: str, decoded: str) -> None:
    assert unescape(text) == decoded


def test_a_decoded_percent_sign_is_left_alone() -> None:
    assert unescape("%2541") == "%41"


@pytest.mark.parametrize("text", ["%FF", "%C3", "a%80", "%ED%A0%80"])
def test_bytes_that_are_no_utf_8_are_an_invalid_name(text: str) -> None:
    with pytest.raises(FabricError) as refusal:
        unescape(text)
    assert (refusal.value.status, refusal.value.code) == (400, "FABRIC_E_INVALID_NAME_URI")


_ENCODABLE = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(deadline=None, max_examples=300)
@given(_ENCODABLE | st.text(alphabet="%0123456789aAfF\N{LATIN SMALL LETTER E WITH ACUTE}", max_size=20))
def test_whatever_the_text_it_is_decoded_or_an_invalid_name(text: str) -> None:
    try:
        unescape(text).encode()
    except FabricError as refusal:
        assert refusal.code == "FABRIC_E_INVALID_NAME_URI"


@pytest.mark.parametrize(
    ("query", "values"),
    {
        "": {},
        "&": {},
        "x": {},
        "x=": {},
        "=y": {},
        "x=a=b": {},
        "x=a=": {"x": "a"},
        "=x=a": {"x": "a"},
        "x==a": {"x": "a"},
        "x=1&x=2": {"x": "1"},
        "x=&x=2": {"x": "2"},
        "x=1&X=2": {"x": "1", "X": "2"},
        "x=%20": {"x": "%20"},
        "x=a+b": {"x": "a+b"},
        "api-version=6.0=&session-id=": {"api-version": "6.0"},
        "&&x=1&&": {"x": "1"},
        "x=1;y=2": {},
        "x=1?y": {"x": "1?y"},
    }.items(),
)
def test_a_pair_counts_when_it_is_exactly_a_name_and_a_value(query: str, values: dict[str, str]) -> None:
    """The first of a name wins, nothing is decoded, names keep their case (gateway 1.6)."""
    assert parse_query(query) == values


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="ab=&%?+", max_size=30) | st.text(max_size=30))
def test_whatever_the_query_its_names_and_values_are_text_without_separators(query: str) -> None:
    for name, value in parse_query(query).items():
        assert name
        assert value
        assert not {"=", "&"} & set(name + value)
