"""``api-version`` as the gateway reads it, and what it changes (gateway 2)."""

from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.protocol.api_version import MINIMUM, parse_api_version, parse_version_number

NEWEST = Decimal("11.8")
SIX = Decimal(6)

READ_AS = {
    "6.0": SIX,
    "6": SIX,
    "6.": SIX,
    "06.00": SIX,
    "+6.0": SIX,
    "  6.0": SIX,
    "60e-1": SIX,
    "0.6E1": SIX,
    "6.0e0": SIX,
    "6.0-preview": SIX,
    "6.0-PREVIEW": SIX,
    "6.0abc": SIX,
    "6%2E0": SIX,
    "6.0 ": SIX,
    "6,5": SIX,
    "-6.0": Decimal(-6),
    "0.9": Decimal("0.9"),
    "0": Decimal(0),
    "abc": Decimal(0),
    "v6.0": Decimal(0),
    "0x6": Decimal(0),
    "": Decimal(0),
    "99.0": Decimal(99),
}

UNREADABLE = ["6.0.1", "..", "6.0e", "6.0extra", "6e+", "6.."]

REFUSED = [None, "-preview", "abc", "v6.0", "0x6", "-6.0", "0.9", "0", "0.999", "11.81", "12.0", "99.0", *UNREADABLE]


@pytest.mark.parametrize(("text", "number"), READ_AS.items())
def test_a_version_is_read_up_to_the_first_character_that_is_no_number(text: str, number: Decimal) -> None:
    assert parse_version_number(text) == number


@pytest.mark.parametrize("text", UNREADABLE)
def test_two_dots_or_half_an_exponent_are_no_version(text: str) -> None:
    assert parse_version_number(text) is None


@pytest.mark.parametrize("text", REFUSED)
def test_a_version_that_is_absent_unreadable_or_out_of_range_is_refused(text: str | None) -> None:
    assert parse_api_version(text, NEWEST) is None


@pytest.mark.parametrize("text", ["1.0", "2.5", "3.7", "6.0-preview", "11.8", "11.80"])
def test_every_version_from_the_first_to_the_newest_is_accepted(text: str) -> None:
    version = parse_api_version(text, NEWEST)
    assert version is not None
    assert MINIMUM <= version.number <= NEWEST


@pytest.mark.parametrize(
    ("text", "is_unpaged", "has_iso_dates", "has_content_type"),
    [
        ("1.0", True, False, True),
        ("2.0", True, False, True),
        ("2.5", False, False, True),
        ("3.0", True, True, True),
        ("3.00", True, True, True),
        ("3.7", False, True, True),
        ("6.0", False, True, True),
        ("6.1", False, True, True),
        ("6.2", False, True, False),
        ("6.2-preview", False, True, False),
        ("11.8", False, True, False),
    ],
)
def test_a_version_decides_paging_dates_and_headers_of_an_empty_listing(
    text: str, *, is_unpaged: bool, has_iso_dates: bool, has_content_type: bool
) -> None:
    version = parse_api_version(text, NEWEST)
    assert version is not None
    assert version.lists_unpaged is is_unpaged
    assert version.writes_iso_dates is has_iso_dates
    assert version.empty_listing_has_content_type is has_content_type


def test_an_operation_that_came_later_refuses_older_versions() -> None:
    assert parse_api_version("6.4", NEWEST, Decimal("6.5")) is None
    assert parse_api_version("6.5", NEWEST, Decimal("6.5")) is not None


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet=" +-.0123456789eEx", max_size=40) | st.text(max_size=50))
@example("1e999")
@example("1e-999")
@example("1e9999")
@example("9" * 100_000)
@example("\N{ARABIC-INDIC DIGIT SIX}.0")
@example("\udc80")
def test_whatever_the_text_it_is_an_accepted_version_or_none(text: str) -> None:
    version = parse_api_version(text, NEWEST)
    assert version is None or MINIMUM <= version.number <= NEWEST


@settings(deadline=None, max_examples=300)
@given(st.decimals(1, Decimal("11.8"), places=2), st.text(alphabet="abcdfXYZ-_ ", max_size=5))
def test_what_follows_a_version_does_not_matter(number: Decimal, junk: str) -> None:
    version = parse_api_version(f"{number}{junk}", NEWEST)
    assert version is not None
    assert version.number == number
