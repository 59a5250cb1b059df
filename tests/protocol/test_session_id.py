"""``session-id``: 36 characters of a GUID, any case, not all zero (gateway 4.2)."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.protocol.session_id import parse_session_id

GUID = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"


@pytest.mark.parametrize("text", [GUID, GUID.upper(), GUID[:18].upper() + GUID[18:]])
def test_a_guid_of_any_case_is_the_same_session(text: str) -> None:
    assert parse_session_id(text) == GUID


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00000000-0000-0000-0000-000000000000",
        GUID.replace("-", ""),
        f"{{{GUID}}}",
        f"({GUID})",
        f" {GUID}",
        f"{GUID} ",
        f"{GUID}\n",
        GUID[:-1],
        GUID + "1",
        GUID.replace("a", "g", 1),
        GUID.replace("7", "\N{FULLWIDTH DIGIT SEVEN}", 1),
        GUID.replace("-", "%2D"),
        "7a9a2f1e0-e1b-4e0b-9d6b-3f5c1f3f2a11",
        "abc",
    ],
)
def test_anything_else_is_no_session_id(text: str | None) -> None:
    assert parse_session_id(text) is None


@settings(deadline=None, max_examples=300)
@given(guid=st.uuids(allow_nil=False), is_upper=st.booleans())
def test_every_guid_but_zero_is_accepted_in_lower_case(guid: uuid.UUID, *, is_upper: bool) -> None:
    text = str(guid).upper() if is_upper else str(guid)
    assert parse_session_id(text) == str(guid)


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet="0123456789abcdefABCDEF-{}", max_size=40) | st.text(max_size=40))
def test_whatever_the_text_it_is_a_guid_or_none(text: str) -> None:
    session_id = parse_session_id(text)
    assert session_id is None or session_id == str(uuid.UUID(text)) == text.lower()
