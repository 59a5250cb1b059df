"""Numbers in headers and queries as the runtime's parser reads them (gateway 3, 5.1)."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.protocol.numbers import parse_unsigned


@pytest.mark.parametrize(
    ("text", "number"),
    {
        "0": 0,
        "60": 60,
        " 60 ": 60,
        "+60": 60,
        "  +60": 60,
        "0060": 60,
        "4294967295": 4294967295,
        "0" * 4000 + "7": 7,
    }.items(),
    ids=lambda value: str(value)[:20],
)
def test_spaces_a_plus_and_leading_zeros_are_tolerated(text: str, number: int) -> None:
    assert parse_unsigned(text, 32) == number


@pytest.mark.parametrize(
    "text",
    ["", " ", "+", "-1", "1.5", "0x10", "1e3", "1 0", "+ 1", "++1", "1\t", "4294967296", "9" * 5000, "\N{DIGIT ONE}a"],
    ids=lambda text: text[:20],
)
def test_what_is_no_decimal_of_so_many_bits_is_none(text: str) -> None:
    assert parse_unsigned(text, 32) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("0x1F", 31), ("0X1f", 31), (" +0x10 ", 16), ("16", 16), ("0x", None), ("x1", None), ("1F", None), ("-0x1", None)],
)
def test_hexadecimal_is_read_where_any_base_is(text: str, number: int | None) -> None:
    assert parse_unsigned(text, 64, any_base=True) == number


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 1 << 70), st.sampled_from([32, 64]))
@example((1 << 64) - 1, 64)
@example(1 << 64, 64)
@example((1 << 32) - 1, 32)
@example(1 << 32, 32)
def test_a_number_counts_when_it_fits(number: int, bits: int) -> None:
    expected = number if number < 2**bits else None
    assert parse_unsigned(str(number), bits) == expected
    assert parse_unsigned(str(number), bits, any_base=True) == expected
    assert parse_unsigned(hex(number), bits, any_base=True) == expected
    assert parse_unsigned(hex(number), bits) is None


@settings(deadline=None, max_examples=500)
@given(text=st.text(alphabet=" +-0123456789xXaF.", max_size=30) | st.text(max_size=30), any_base=st.booleans())
def test_whatever_the_text_it_is_a_number_that_fits_or_none(text: str, *, any_base: bool) -> None:
    number = parse_unsigned(text, 32, any_base=any_base)
    assert number is None or 0 <= number < 1 << 32
