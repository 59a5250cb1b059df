"""The results as a table for people and as JSON for programs."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.results import OURS, OURS_AGAIN, Judged, Measure, Results, Spread, judge


@dataclass(frozen=True)
class About:
    """What a reader has to know about a run."""

    is_quick: bool
    rounds: int
    file_system: str
    peers: dict[str, str]
    python: str = platform.python_version()
    system: str = f"{platform.system()} {platform.release()}"
    cores: int = os.cpu_count() or 0
    notes: tuple[str, ...] = (
        "client and servers share the cores; all on 127.0.0.1, all data on one disk; access logs are off everywhere",
        "compare ratios: absolute figures depend on the machine and on what else it does",
        "the emulator and nginx sync nothing; emulator (power) syncs before each answer, and so does Azurite",
        "by default tuspyserver syncs a small file for each PATCH, not the upload itself",
    )


def file_system_of(directory: Path) -> str:
    """``ext4``; empty where the system does not tell."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    place = str(directory.resolve())
    holding = [(path, kind) for path, kind in mounts if (place + "/").startswith(path.rstrip("/") + "/")]
    return max(holding, key=lambda mount: len(mount[0]))[1] if holding else ""


def measure_table(measure: Measure) -> str:
    """One measure with all its contenders."""
    better = "more is better" if measure.is_more_better else "less is better"
    rows = [("", "median", "least", "most")]
    for contender, values in measure.series.items():
        spread = Spread.of(values)
        rows.append((contender, figure(spread.median), figure(spread.least), figure(spread.most)))
    lines = [f"{measure.name}: {measure.title} [{measure.unit}, {better}]", *_aligned(rows)]
    lines += [f"  {contender}: skipped, {reason}" for contender, reason in measure.skipped.items()]
    lines += [f"  {contender}: failed, {reason}" for contender, reason in measure.failed.items()]
    return "\n".join(lines)


def bar_table(results: Results) -> str:
    """The bars and how they came out."""
    rows = [("work", "contender", "measured", "least-most", "bar", "verdict")]
    for judged in map(judge, results.bars):
        spread = judged.spread
        rows.append(
            (
                judged.bar.work,
                judged.bar.ours,
                figure(spread.median) if spread else "-",
                f"{figure(spread.least)}-{figure(spread.most)}" if spread else "-",
                judged.bar.text,
                judged.verdict + (f" ({judged.note})" if judged.note else ""),
            )
        )
    noise = [("", "ratio", "least", "most", "noise")]
    for measure in results.measures:
        if measure.noise is not None:
            spread = Spread.of(measure.ratios(OURS, OURS_AGAIN))
            ratio, least, most = map(figure, (spread.median, spread.least, spread.most))
            noise.append((measure.name, ratio, least, most, f"±{measure.noise:.0%}"))
    lines = ["bars", *_aligned(rows, numbers=(2, 3))]
    if len(noise) > 1:
        lines += ["", "noise: the same emulator twice", *_aligned(noise, numbers=(1, 2, 3, 4))]
    lines += [f"  {name}: the work failed: {reason}" for name, reason in results.failures.items()]
    return "\n".join(lines)


def about_text(about: About) -> str:
    """The heading."""
    lines = [
        f"Python {about.python}, {about.system}, {about.cores} cores, {about.file_system}, {about.rounds} rounds",
        *(f"{name}: {version}" for name, version in about.peers.items()),
        *about.notes,
    ]
    if about.is_quick:
        lines.append("QUICK RUN: the sizes are small, these figures say nothing")
    return "\n".join(lines)


def as_json(about: About, results: Results) -> str:
    """Everything, with each round's figures."""
    document = {
        "about": asdict(about),
        "measures": [_measure_json(measure) for measure in results.measures],
        "bars": [_bar_json(judge(bar)) for bar in results.bars],
        "failures": results.failures,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def figure(value: float) -> str:
    """Three or four digits that matter."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def _measure_json(measure: Measure) -> dict[str, Any]:
    return {
        "name": measure.name,
        "title": measure.title,
        "unit": measure.unit,
        "is_more_better": measure.is_more_better,
        "noise": measure.noise,
        "contenders": {
            name: {**asdict(Spread.of(values)), "rounds": values} for name, values in measure.series.items()
        },
        "skipped": measure.skipped,
        "failed": measure.failed,
    }


def _bar_json(judged: Judged) -> dict[str, Any]:
    bar = judged.bar
    return {
        "work": bar.work,
        "measure": bar.measure.name,
        "contender": bar.ours,
        "relative_to": bar.theirs or None,
        "bar": bar.text,
        "limit": bar.limit,
        "is_moonshot": bar.is_moonshot,
        "measured": asdict(judged.spread) if judged.spread else None,
        "verdict": judged.verdict,
        "note": judged.note,
    }


def _aligned(rows: Sequence[Sequence[str]], numbers: Iterable[int] = (1, 2, 3)) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = set(numbers)
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
