"""What was measured, and how it compares with the bars."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tests.benchmarks.client import BenchmarkError

OURS: Final = "emulator"
OURS_AGAIN: Final = "emulator again"
OURS_POWER: Final = "emulator (power)"

Round = Callable[[int], Sequence[float]]
"""One timed round of a contender, given the round's number: one figure for each measure."""


@dataclass(frozen=True)
class Spread:
    """Median, least and most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Measure:
    """One kind of figure, taken of several contenders in the same rounds."""

    name: str
    title: str
    unit: str
    is_more_better: bool
    series: dict[str, list[float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def record(self, contender: str, value: float) -> None:
        """Add a round's figure."""
        self.series.setdefault(contender, []).append(value)

    def skip(self, contender: str, reason: str) -> None:
        """Say why a contender does not take part."""
        self.skipped[contender] = reason

    def fail(self, contender: str, error: Exception) -> None:
        """Say why a contender has no figures although it took part."""
        self.series.pop(contender, None)
        self.failed[contender] = str(error)

    @property
    def noise(self) -> float | None:
        """How far two instances of the same server differ: half the spread of their ratio, or its distance from 1."""
        ratios = self.ratios(OURS, OURS_AGAIN)
        return max((max(ratios) - min(ratios)) / 2, abs(statistics.median(ratios) - 1)) if ratios else None

    def ratios(self, ours: str, theirs: str) -> list[float]:
        """One contender's figure relative to another's, round by round."""
        pairs = zip(self.series.get(ours, []), self.series.get(theirs, []), strict=False)
        return [a / b for a, b in pairs if b]


class Verdict(StrEnum):
    """How a bar came out."""

    MET = "met"
    NOT_MET = "not met"
    TIE = "tie"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Bar:
    """A line to clear: `ours` relative to `theirs`, or by itself where there is no `theirs`."""

    work: str
    measure: Measure
    limit: float
    ours: str = OURS
    theirs: str = ""
    is_moonshot: bool = False

    @property
    def text(self) -> str:
        """``≥ 4 of Azurite``."""
        sign = "≥" if self.measure.is_more_better else "≤"
        what = f" of {self.theirs}" if self.theirs else f" {self.measure.unit}"
        return f"{sign} {self.limit:g}{what}{' (moonshot)' if self.is_moonshot else ''}"


@dataclass(frozen=True)
class Judged:
    """A bar with what was measured."""

    bar: Bar
    verdict: Verdict
    spread: Spread | None
    note: str = ""


def judge(bar: Bar) -> Judged:
    """Compare the median over all rounds with the bar; what differs by no more than the noise is a tie."""
    measure = bar.measure
    for contender in (bar.ours, bar.theirs):
        if contender and contender not in measure.series:
            if contender in measure.failed:
                return Judged(bar, Verdict.FAILED, None, f"{contender}: {measure.failed[contender]}")
            return Judged(bar, Verdict.SKIPPED, None, f"{contender}: {measure.skipped.get(contender, 'not measured')}")
    values = measure.ratios(bar.ours, bar.theirs) if bar.theirs else measure.series[bar.ours]
    spread = Spread.of(values)
    noise = measure.noise if bar.theirs else None
    if noise is not None and abs(spread.median / bar.limit - 1) <= noise:
        return Judged(bar, Verdict.TIE, spread, f"noise ±{noise:.0%}")
    is_met = spread.median >= bar.limit if measure.is_more_better else spread.median <= bar.limit
    return Judged(bar, Verdict.MET if is_met else Verdict.NOT_MET, spread)


class Results:
    """Everything a run has measured so far."""

    def __init__(self) -> None:
        self.measures: list[Measure] = []
        self.bars: list[Bar] = []
        self.failures: dict[str, str] = {}

    def measure(self, name: str, title: str, unit: str, *, is_more_better: bool = False) -> Measure:
        """A new kind of figure."""
        measure = Measure(name, title, unit, is_more_better)
        self.measures.append(measure)
        return measure

    def bar(self, bar: Bar) -> None:
        """A line that this run is to be held against."""
        self.bars.append(bar)


def take_turns(contenders: Mapping[str, Round], measures: Sequence[Measure], rounds: int) -> None:
    """Measure A B C, B C A, C A B, ...: each round begins one contender later, so that no place in it is a privilege.

    One that fails is left out from then on, with the reason.
    """
    running = dict(contenders)
    for number in range(rounds):
        names = list(running)
        first = number % len(names) if names else 0
        for name in names[first:] + names[:first]:
            try:
                values = running[name](number)
            except (BenchmarkError, OSError) as error:
                del running[name]
                for measure in measures:
                    measure.fail(name, error)
                continue
            for measure, value in zip(measures, values, strict=True):
                measure.record(name, value)
