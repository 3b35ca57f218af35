"""Bars of a history: where each one stands in a drawing of fixed size, which the browser scales."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shopfloor.broker.glance import Day

WIDTH: Final = 720
HEIGHT: Final = 150
GAP: Final = 0.2
"""Share of a bar's width that stays empty."""
LABELS_MAX: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day: succeeded runs from the ground, failed ones on top."""

    x: float
    width: float
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float
    label: str
    """The date below the bar; empty where there is no room for it."""
    middle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """All bars, and what the highest one stands for."""

    bars: Sequence[Bar]
    top: int
    width: int = WIDTH
    height: int = HEIGHT


def chart_of(days: Sequence[Day]) -> Chart:
    """Draw a history."""
    top = max((day.processed for day in days), default=0)
    step = WIDTH / max(1, len(days))
    every = -(-len(days) // LABELS_MAX)
    bars = [
        _bar(day, number, step, top, has_label=(len(days) - 1 - number) % every == 0) for number, day in enumerate(days)
    ]
    return Chart(bars=bars, top=top)


def _bar(day: Day, number: int, step: float, top: int, *, has_label: bool) -> Bar:
    scale = HEIGHT / top if top else 0.0
    failed = min(day.failures, day.processed)
    good, bad = (day.processed - failed) * scale, failed * scale
    return Bar(
        x=round(number * step + step * GAP / 2, 2),
        width=round(step * (1 - GAP), 2),
        good_y=round(HEIGHT - good, 2),
        good_height=round(good, 2),
        bad_y=round(HEIGHT - good - bad, 2),
        bad_height=round(bad, 2),
        label=day.date[5:] if has_label else "",
        middle=round((number + 0.5) * step, 2),
    )
