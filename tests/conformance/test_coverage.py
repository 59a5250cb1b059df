"""No row of the reference is forgotten."""

from collections import Counter

from tests.conformance.tables import CASES
from tests.conformance.tables.deviations import DEVIATIONS
from tests.conformance.test_serialised_and_paged import COVERED as COVERED_BY_CODE

ROWS = [*(f"gateway 10.{row}" for row in range(1, 99)), *(f"store 11.{row}" for row in range(1, 65))]


def test_every_row_is_there() -> None:
    """Rows 1-98 of gateway 10 and 1-64 of store 11 each have a case, a test of their own or a deviation."""
    covered = {case.row for case in CASES} | set(COVERED_BY_CODE)
    assert [row for row in ROWS if row not in covered] == []


def test_every_case_has_a_name_of_its_own() -> None:
    """Two cases of one row differ in their variant, so that a failure names one of them."""
    names = Counter((case.id, runtime) for case in CASES for runtime in case.runtimes)
    assert [name for name, times in names.items() if times > 1] == []


def test_every_deviation_is_held_to() -> None:
    """A deviation says why, and has at least one case, of the row it deviates from."""
    for deviation in DEVIATIONS:
        assert deviation.reason
        assert deviation.cases
        assert {case.row for case in deviation.cases} == {deviation.row}
