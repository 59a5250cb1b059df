"""The gateway's own reading of ``Content-Range`` (gateway 5.1)."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.protocol.content_range import ContentRange, parse_content_range
from emulator.protocol.errors import FabricError

RANGE_ERROR = "FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE"
_LARGEST = (1 << 64) - 1

ACCEPTED = {
    "": (0, 0, 0),
    "bytes 0-9/10": (0, 9, 10),
    "bytes0-9/10": (0, 9, 10),
    "0-9/10": (0, 9, 10),
    " 0-9/10": (0, 9, 10),
    "bytes   0 - 9 / 10": (0, 9, 10),
    "bytes\t0-9/10": (0, 9, 10),
    "bytesbytes 0-9/10": (0, 9, 10),
    "bytesset 0-9/10": (0, 9, 10),
    "bytes +0-+9/+10": (0, 9, 10),
    "bytes 000-009/0010": (0, 9, 10),
    "bytes 0-10/10": (0, 10, 10),
    "bytes 10-10/10": (10, 10, 10),
    "bytes 0x0-0x9/0xA": (0, 9, 10),
    "bytes 0X0-0x9/10": (0, 9, 10),
    "bytes -1-5/10": (1, 5, 10),
    "bytes 1--5/10": (1, 5, 10),
    "bytes 0-9/10/": (0, 9, 10),
    "bytes 0-9//10": (0, 9, 10),
    "bytes */10": (0, 0, 10),
    "bytes 5/10": (0, 0, 10),
    "bytes 5-/10": (0, 0, 10),
    "bytes -5/10": (0, 0, 10),
    "bytes 0-4-9/10": (0, 0, 10),
    "bytes a/10": (0, 0, 10),
    "bytes 0-0/0": (0, 0, 0),
    "bytes */0": (0, 0, 0),
    "bytes 0-18446744073709551614/18446744073709551615": (0, _LARGEST - 1, _LARGEST),
}

REFUSED = [
    "bytes=0-9/10",
    "Bytes 0-9/10",
    "BYTES 0-9/10",
    "items 0-9/10",
    "bytes 0-9/*",
    "bytes 0-9",
    "bytes",
    "bytes /10",
    "bytes 0-9/",
    "/",
    "bytes a-b/10",
    "bytes 0-b/10",
    "bytes 0-9/abc",
    "bytes 0-9/-10",
    "bytes 0-9/10.0",
    "bytes 0.0-9/10",
    "bytes 9-0/10",
    "bytes 0-11/10",
    "bytes 11-12/10",
    "bytes 0-1/0",
    "bytes 0-4/10, 5-9/10",
    "bytes 0-9/10/1",
    "bytes 0-9/18446744073709551616",
    "bytes 0-18446744073709551616/18446744073709551615",
    "bytes 0-9/0x10000000000000000",
    "bytes 0-9/" + "9" * 5000,
    "bytes 0-9/++10",
    "bytes 0-9/1 0",
    "bytes 0-9/0x",
    "bytes \N{ARABIC-INDIC DIGIT ONE}-9/10",
]


@pytest.mark.parametrize(("header", "expected"), ACCEPTED.items())
def test_a_header_the_gateway_accepts_means_this_range(header: str, expected: tuple[int, int, int]) -> None:
    assert parse_content_range(header) == ContentRange(*expected)


@pytest.mark.parametrize("header", REFUSED, ids=lambda header: header[:60])
def test_a_header_the_gateway_refuses_is_the_range_error(header: str) -> None:
    with pytest.raises(FabricError) as refusal:
        parse_content_range(header)
    assert (refusal.value.status, refusal.value.code, refusal.value.message) == (400, RANGE_ERROR, "Null")


_ALMOST = st.text(alphabet="bytes 0123456789xXaF-+*/,=\t", max_size=40)


@settings(deadline=None, max_examples=500)
@given(_ALMOST | st.text(max_size=60))
@example("\x00")
@example("bytes \udc80-1/2")
@example("bytes " + "1" * 100_000 + "-2/3")
def test_whatever_the_header_it_is_a_range_or_the_range_error(header: str) -> None:
    """And a range is always ordered, ends no further than its total and fits 64 bits."""
    try:
        chunk = parse_content_range(header)
    except FabricError as refusal:
        assert refusal.code == RANGE_ERROR
    else:
        assert 0 <= chunk.start <= chunk.end <= chunk.total <= _LARGEST


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(0, _LARGEST), min_size=3, max_size=3).map(sorted), st.sampled_from(["bytes ", "", "bytes"]))
def test_a_range_means_what_it_says(numbers: list[int], unit: str) -> None:
    start, end, total = numbers
    chunk = parse_content_range(f"{unit}{start}-{end}/{total}")
    assert (chunk.start, chunk.end, chunk.total) == (start, end, total)
    assert chunk.length == end - start + 1
