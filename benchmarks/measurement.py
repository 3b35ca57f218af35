"""One measured figure, and the few sums that turn samples into figures."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

NANOSECONDS_PER_MICROSECOND = 1_000

Better = Literal["more", "less", "neither"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A figure of one run. The unit is the end of the name; `better` says which way is the good one."""

    name: str
    value: float
    better: Better


def more(name: str, value: float) -> Measurement:
    """State a figure of which more is better."""
    return Measurement(name=name, value=value, better="more")


def less(name: str, value: float) -> Measurement:
    """State a figure of which less is better."""
    return Measurement(name=name, value=value, better="less")


def fact(name: str, value: float) -> Measurement:
    """State a figure that explains the others and is neither good nor bad."""
    return Measurement(name=name, value=value, better="neither")


def percentile(samples: Sequence[float], percent: float) -> float:
    """Give the nearest-rank percentile: a value that was really measured, never one between two."""
    assert samples, "a percentile of nothing"
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank) - 1, 0)]


def latencies(operation: str, nanoseconds: Sequence[int]) -> list[Measurement]:
    """Sum up the durations of one operation: median, 99th percentile and mean, in microseconds."""
    micros = [duration / NANOSECONDS_PER_MICROSECOND for duration in nanoseconds]
    return [
        less(f"{operation}_p50_microseconds", percentile(micros, 50)),
        less(f"{operation}_p99_microseconds", percentile(micros, 99)),
        less(f"{operation}_mean_microseconds", statistics.fmean(micros)),
    ]


def prefixed(prefix: str, measurements: Sequence[Measurement]) -> list[Measurement]:
    """Put the circumstance before the names, as in `deep.push_p50_microseconds`."""
    return [Measurement(name=f"{prefix}.{m.name}", value=m.value, better=m.better) for m in measurements]
