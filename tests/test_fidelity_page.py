"""The fidelity page keeps up with the code: what it names exists, and what the code cites is on it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.protocol.profile import NEWEST_RUNTIME
from tests.conformance.tables import CASES
from tests.conformance.tables.deviations import DEVIATIONS, Deviation
from tests.conformance.test_serialised_and_paged import COVERED

_ROOT = Path(__file__).parent.parent
_PAGE = (_ROOT / "FIDELITY.md").read_text(encoding="utf-8")
_CHAPTERS = dict(zip(re.findall(r"(?m)^## (\d)", _PAGE), re.split(r"(?m)^## \d.*\n", _PAGE)[1:], strict=True))
_RULES = re.findall(r"(?m)^\| ((?:gateway|store) \d+(?:\.\d+)?) \|", _CHAPTERS["7"])
_CODE_SPANS = re.findall(r"`([^`\n]+)`", _PAGE)

_CITATION = re.compile(r"\b(gateway|store) (\d+(?:\.\d+)?(?:(?:, | and )\d+(?:\.\d+)?(?![-\d]))*)")
"""A docstring's ``gateway 1.5``, ``store 6``, ``gateway 6.2 and 6.3`` or ``gateway 0, 1.2``."""


def cited(text: str) -> Iterator[str]:
    """Every rule that a text cites, one at a time."""
    for front, numbers in _CITATION.findall(" ".join(text.split())):
        for number in re.split(r", | and ", numbers):
            yield f"{front} {number}"


def rows(text: str) -> list[list[str]]:
    """The cells of every table row of a chapter, headings and rulers left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]


def test_citations_are_read_in_every_form_the_code_uses() -> None:
    assert list(cited("(reference: store 6, gateway 4 and 5), gateway 0, 1.2; store 6.3, 4-6\n gateway\n 7.3.")) == [
        "store 6",
        "gateway 4",
        "gateway 5",
        "gateway 0",
        "gateway 1.2",
        "store 6.3",
        "gateway 7.3",
    ]


def test_every_rule_has_one_row() -> None:
    assert len(_RULES) > 60
    assert len(_RULES) == len(set(_RULES))


@pytest.mark.parametrize(
    "file", [pytest.param(file, id=str(file.relative_to(_ROOT))) for file in sorted((_ROOT / "emulator").rglob("*.py"))]
)
def test_every_rule_the_code_cites_is_on_the_page(file: Path) -> None:
    assert [rule for rule in cited(file.read_text(encoding="utf-8")) if rule not in _RULES] == []


def test_every_rule_a_case_is_for_is_on_the_page() -> None:
    """Rows of the two tables of requests are covered by the rules gateway 10 and store 11."""
    rules = {re.sub(r"^(gateway 10|store 11)\..*", r"\1", case.row) for case in CASES if not case.row.startswith("cl")}
    assert sorted(rules - set(_RULES)) == []


@pytest.mark.parametrize("deviation", [pytest.param(each, id=each.cases[0].id) for each in DEVIATIONS])
def test_every_deviation_is_on_the_page(deviation: Deviation) -> None:
    """By the id of one of its cases, in the chapter on deviations."""
    assert any(f"`{case.id}`" in _CHAPTERS["3"] for case in deviation.cases)


def test_every_case_the_page_names_exists() -> None:
    ids = {case.id for case in CASES} | set(COVERED) | set(_RULES)
    named = [span for span in _CODE_SPANS if re.match(r"(gateway|store) \d", span)]
    assert len(named) > 100
    assert [span for span in named if span not in ids] == []


def test_every_test_cell_names_a_test_or_says_none() -> None:
    """A case or a test file; a rule alone would be no test, nor would words."""
    ids = {case.id for case in CASES} | set(COVERED)
    cells = [row[-1].strip() for chapter in "2346" for row in rows(_CHAPTERS[chapter])]
    cells = [cell for cell in cells if cell != "Test"]
    assert len(cells) > 80
    for cell in cells:
        assert re.fullmatch(r"none|`[^`]+`(, `[^`]+`)*", cell), cell
        for span in re.findall(r"`([^`]+)`", cell):
            assert span in ids or span.startswith("tests/"), span


def test_every_file_of_the_project_the_page_names_exists() -> None:
    named = [span for span in _CODE_SPANS if re.match(r"(tests|emulator)/", span)]
    assert named
    for span in named:
        path, _, name = span.partition("::")
        assert (_ROOT / path).exists(), span
        assert not name or f"def {name}(" in (_ROOT / path).read_text(encoding="utf-8"), span


def test_the_page_names_the_newest_runtime() -> None:
    assert f"**newest public runtime, {NEWEST_RUNTIME}**" in _PAGE
