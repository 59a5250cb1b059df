"""Patterns of faults and questions come from anybody, and may cost nobody his time."""

import re

from hypothesis import given
from hypothesis import strategies as st

from emulator.control.pattern import Facts, Pattern


def test_a_pattern_that_would_have_an_ordinary_matcher_try_for_ever_is_answered_at_once() -> None:
    pattern = Pattern(path="*a" * 200 + "b")

    assert not pattern.matches(Facts(path="a" * 20_000))
    assert pattern.matches(Facts(path="a" * 20_000 + "b"))


@given(st.text("aB*?/", max_size=12), st.text("abAB/", max_size=12))
def test_patterns_mean_what_the_same_regular_expression_does(pattern: str, path: str) -> None:
    pattern, path = pattern.strip("/"), path.strip("/")
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    meant = not pattern or re.fullmatch(expression, path, re.IGNORECASE | re.DOTALL) is not None

    assert Pattern(path=pattern).matches(Facts(path=path)) == meant
