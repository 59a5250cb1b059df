"""The body of ``$/Copy``, as leniently as the runtime's own JSON reader takes it (gateway 7.6)."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.protocol.copy_description import CopyDescription, parse_copy_description
from emulator.protocol.errors import FabricError

NOTHING = CopyDescription()

READ_AS = {
    b"{}": NOTHING,
    b" \t\r\n{ }": NOTHING,
    b'{"RemoteSource":"a","RemoteDestination":"b"}': CopyDescription("a", "b"),
    b'{"RemoteSource":"a\\\\b","RemoteDestination":"\\u00e9"}': CopyDescription(
        "a\\b", "\N{LATIN SMALL LETTER E WITH ACUTE}"
    ),
    '{"RemoteSource":"\N{LATIN SMALL LETTER E WITH ACUTE}"}'.encode(): CopyDescription(
        "\N{LATIN SMALL LETTER E WITH ACUTE}"
    ),
    b'{"RemoteSource":17,"RemoteDestination":-1.50e3}': CopyDescription("17", "-1.50e3"),
    b'{"SkipFiles":["x",2,"y"]}': CopyDescription(skip_files=["x", "2", "y"]),
    b'{"SkipFiles":[]}': NOTHING,
    b'{"SkipFiles":["x"],"SkipFiles":["y"]}': CopyDescription(skip_files=["x", "y"]),
    b'{"RemoteSource":"a","RemoteSource":"b"}': CopyDescription("b"),
    b'{"RemoteSource":"a","RemoteSource":null}': CopyDescription("a"),
    b'{"RemoteSource":null,"RemoteDestination":null,"SkipFiles":null,"CopyFlag":null,"CheckMarkFile":null}': NOTHING,
    b'{"remotesource":"a","REMOTEDESTINATION":"b","copyflag":"Echo"}': NOTHING,
    b'{"Else":{"RemoteSource":"a"},"More":[1,[2,{}]],"Third":true}': NOTHING,
    b'{"CheckMarkFile":true}': NOTHING,
    b'{"CheckMarkFile":false}': NOTHING,
    b'{"RemoteSource":"a"} and whatever follows': CopyDescription("a"),
    b'{"RemoteSource":"a"}}}': CopyDescription("a"),
}

OVERWRITES = {
    b"2": True,
    b"2.9": True,
    b'"Overwrite"': True,
    b'"2"': True,
    b'" 2 "': True,
    b'"+2"': True,
    b'"0x2"': True,
    b'"0X02"': True,
    b"0": False,
    b"1": False,
    b"-2": False,
    b"99": False,
    b"1.99": False,
    b"1e400": False,
    b"9" * 5000: False,
    b'"Echo"': False,
    b'"Invalid"': False,
    b'"1"': False,
    b'"-2"': False,
    b'"4294967298"': False,
}

REFUSED = [
    b"",
    b"   ",
    b"null",
    b"[]",
    b'"text"',
    b"17",
    b"{",
    b'{"RemoteSource"}',
    b'{"RemoteSource":}',
    b'{"RemoteSource":"a",}',
    b"{'RemoteSource':'a'}",
    b'{"RemoteSource":NaN}',
    b'{"CopyFlag":Infinity}',
    b"\xef\xbb\xbf{}",
    b'{"RemoteSource":"\xff"}',
    b"\xff\xfe{\x00}\x00",
    b'{"RemoteSource":true}',
    b'{"RemoteSource":["a"]}',
    b'{"RemoteSource":{}}',
    b'{"RemoteDestination":false}',
    b'{"SkipFiles":"a"}',
    b'{"SkipFiles":{}}',
    b'{"SkipFiles":[null]}',
    b'{"SkipFiles":["a",null]}',
    b'{"SkipFiles":[true]}',
    b'{"SkipFiles":[["a"]]}',
    b'{"CopyFlag":"overwrite"}',
    b'{"CopyFlag":"ECHO"}',
    b'{"CopyFlag":""}',
    b'{"CopyFlag":"two"}',
    b'{"CopyFlag":"2.0"}',
    b'{"CopyFlag":true}',
    b'{"CopyFlag":[2]}',
    b'{"CheckMarkFile":"true"}',
    b'{"CheckMarkFile":1}',
    b'{"CheckMarkFile":{}}',
    b'{"RemoteSource":"a\nb"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
]


def check_refused(body: bytes) -> None:
    with pytest.raises(FabricError) as refusal:
        parse_copy_description(body)
    assert (refusal.value.status, refusal.value.code, refusal.value.message) == (
        400,
        "E_INVALIDARG",
        "Invalid argument",
    )


@pytest.mark.parametrize(("body", "expected"), READ_AS.items(), ids=lambda value: repr(value)[:70])
def test_a_body_the_service_reads_means_this_copy(body: bytes, expected: CopyDescription) -> None:
    assert parse_copy_description(body) == expected


@pytest.mark.parametrize(("flag", "overwrites"), OVERWRITES.items(), ids=lambda value: repr(value)[:30])
def test_a_copy_overwrites_when_its_flag_is_2_in_whatever_form(flag: bytes, *, overwrites: bool) -> None:
    """Any other value behaves as Echo; a fraction is cut off."""
    assert parse_copy_description(b'{"CopyFlag":%b}' % flag).overwrites is overwrites


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: repr(body)[:50])
def test_a_body_the_service_cannot_read_is_a_bad_argument(body: bytes) -> None:
    check_refused(body)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["Echo", "2", "0x2"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["RemoteSource", "RemoteDestination", "SkipFiles", "CopyFlag", "CheckMarkFile", "Other"])
_MEMBERS = st.lists(st.tuples(_NAMES, _JSON), max_size=6)


def written(members: list[tuple[str, Any]]) -> bytes:
    """An object with these members in this order, duplicates kept."""
    return ("{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in members) + "}").encode()


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=60) | _MEMBERS.map(written) | _JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"CopyFlag":' + b"1" * 10_000 + b"}")
@example(b'{"CopyFlag":1e' + b"9" * 1000 + b"}")
@example(b'{"RemoteSource":"\\ud800"}')
@example(b'{"CopyFlag":"\xd9\xa2"}')  # an Arabic 2
@example(b'{"CopyFlag":"\\u00a02\\u2003"}')
@example(b'{"CopyFlag":"\\u001f2"}')
def test_whatever_the_body_it_is_a_copy_or_a_bad_argument(body: bytes) -> None:
    """Nothing a client can send breaks the reader."""
    try:
        description = parse_copy_description(body)
    except FabricError as refusal:
        assert refusal.code == "E_INVALIDARG"
    else:
        assert isinstance(description.overwrites, bool)
        texts = [description.source, description.destination, *description.skip_files]
        assert [type(text) for text in texts] == [str] * len(texts)


@settings(deadline=None, max_examples=300)
@given(
    source=st.text(),
    destination=st.text(),
    skip_files=st.lists(st.text(), max_size=4),
    overwrites=st.booleans(),
    checks_mark_file=st.booleans(),
)
def test_a_copy_written_as_json_comes_back(
    source: str, destination: str, skip_files: list[str], *, overwrites: bool, checks_mark_file: bool
) -> None:
    body = json.dumps(
        {
            "RemoteSource": source,
            "RemoteDestination": destination,
            "SkipFiles": skip_files,
            "CopyFlag": "Overwrite" if overwrites else "Echo",
            "CheckMarkFile": checks_mark_file,
        }
    )
    assert parse_copy_description(body.encode()) == CopyDescription(source, destination, skip_files, overwrites)
