"""The results as an SVG: for each measure a group of horizontal bars, each with its median and its spread."""

from html import escape
from typing import Final

from tests.benchmarks.report import figure
from tests.benchmarks.results import Measure, Spread

_WIDTH: Final = 860
_LABELS: Final = 220
_VALUES: Final = 110
_ROW: Final = 20
_GAP: Final = 34
_MARGIN: Final = 16
_OURS: Final = "#2563a8"
_PEERS: Final = "#a8b0ba"
_INK: Final = "#1f2430"


def svg(measures: list[Measure], heading: str) -> str:
    """A picture of all measures."""
    parts: list[str] = []
    y = _MARGIN + 14
    parts.append(_text(_MARGIN, y, heading, weight="bold"))
    for measure in measures:
        if not measure.series:
            continue
        y += _GAP
        better = "more is better" if measure.is_more_better else "less is better"
        parts.append(_text(_MARGIN, y, f"{measure.title} [{measure.unit}, {better}]", weight="bold"))
        y += 8
        most = max(max(values) for values in measure.series.values()) or 1.0
        for contender, values in measure.series.items():
            parts += _bar(y, contender, Spread.of(values), most)
            y += _ROW
    height = y + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" fill="{_INK}">\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(y: int, contender: str, spread: Spread, most: float) -> list[str]:
    scale = (_WIDTH - _LABELS - _VALUES - _MARGIN) / most
    left, middle = _LABELS, y + _ROW // 2
    colour = _OURS if contender.startswith("emulator") else _PEERS
    least, median, highest = (left + value * scale for value in (spread.least, spread.median, spread.most))
    ends = f"M{least:.1f} {middle - 4}v8M{highest:.1f} {middle - 4}v8"
    return [
        _text(left - 8, middle + 4, contender, anchor="end"),
        f'<rect x="{left}" y="{y + 3}" width="{median - left:.1f}" height="{_ROW - 6}" fill="{colour}"/>',
        f'<path d="M{least:.1f} {middle}H{highest:.1f}{ends}" stroke="{_INK}" fill="none"/>',
        _text(int(highest) + 8, middle + 4, figure(spread.median)),
    ]


def _text(x: int, y: int, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
