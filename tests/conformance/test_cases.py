"""Every case of every table, on each runtime version it holds for, against an emulator with an empty store."""

import pytest

from tests.conformance.case import Case
from tests.conformance.conftest import Start
from tests.conformance.runner import play
from tests.conformance.tables import CASES

RUNS = [pytest.param(case, runtime, id=f"{case.id} on {runtime}") for case in CASES for runtime in case.runtimes]


@pytest.mark.parametrize(("case", "runtime"), RUNS)
def test_case(case: Case, runtime: str, start: Start) -> None:
    """The emulator answers as the row says."""
    play(start(runtime_version=runtime, **case.settings), case)
