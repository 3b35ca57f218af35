"""One server, or two in turns: A B A B …, each time fresh, and the ratio of each round.

On a shared machine a figure alone says little: the next minute gives another one. Two figures taken one
after the other suffered about the same, so their ratio says something, and the median of several ratios
says more.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.measurement import Measurement
from benchmarks.servers import ServerSpec
from benchmarks.workload import Workload

Figures = dict[str, float]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All rounds of one workload: the figures of A and, where there is one, of B, round by round."""

    workload: str
    settings: dict[str, Any]
    a: str
    b: str | None
    better: dict[str, str]
    rounds_a: list[Figures]
    rounds_b: list[Figures]
    ratios: dict[str, list[float]]
    median_ratios: dict[str, float]


def take_turns(
    workload: Workload[Any], settings: Any, servers: list[ServerSpec], rounds: int, progress: Progress
) -> Result:
    """Run the workload on each server in turn, that many rounds; two servers at most."""
    assert 1 <= len(servers) <= 2, "one server, or two"
    better: dict[str, str] = {}
    figures: list[list[Figures]] = [[], []]
    for turn in range(rounds):
        for side, server in enumerate(servers):
            progress(f"{workload.name}: round {turn + 1} of {rounds}, {server.name}")
            measurements: list[Measurement] = workload.run(server, settings)
            better |= {m.name: m.better for m in measurements}
            figures[side].append({m.name: m.value for m in measurements})
    judged = [name for name, way in better.items() if way != "neither"]
    ratios = dict(_ratios(judged, *figures))
    return Result(
        workload=workload.name,
        settings=asdict(settings),
        a=servers[0].name,
        b=servers[1].name if len(servers) > 1 else None,
        better=better,
        rounds_a=figures[0],
        rounds_b=figures[1],
        ratios=ratios,
        median_ratios={name: statistics.median(values) for name, values in ratios.items()},
    )


def _ratios(names: list[str], rounds_a: list[Figures], rounds_b: list[Figures]) -> Iterator[tuple[str, list[float]]]:
    """Give A divided by B for each figure that both have in every round and that B never has as zero."""
    if not rounds_b:
        return
    for name in names:
        pairs = [(a.get(name), b.get(name)) for a, b in zip(rounds_a, rounds_b, strict=True)]
        ratios = [a / b for a, b in pairs if a is not None and b]
        if len(ratios) == len(pairs):
            yield name, ratios
