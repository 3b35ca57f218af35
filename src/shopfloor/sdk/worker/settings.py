"""What a worker is told: which queues, how many at once, how long to wait for what."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shopfloor.sdk.client import DEFAULTS, ClientSettings
from shopfloor.sdk.worker.crew import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """The queues of a worker: strictly one after the other, or each with a weight."""

    weights: Mapping[str, int]
    is_strict: bool

    def in_order(self) -> list[str]:
        """Say in which order to look for the next job; with weights it is drawn anew each time."""
        names = list(self.weights)
        if self.is_strict or len(names) < 2:
            return names
        draw = {name: random.random() ** (1 / weight) for name, weight in self.weights.items()}  # noqa: S311  # fairness
        return sorted(names, key=lambda name: draw[name], reverse=True)


def queues_of(wanted: Sequence[str] | Mapping[str, int]) -> Queues:
    """Read a list of queues, which is strict, or weights."""
    if isinstance(wanted, Mapping):
        if any(weight < 1 for weight in wanted.values()):
            raise ValueError(f"the weight of a queue is at least 1: {dict(wanted)}")
        return Queues(weights=wanted, is_strict=False)
    return Queues(weights=dict.fromkeys(wanted, 1), is_strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How a worker works. Times are in seconds."""

    queues: Sequence[str] | Mapping[str, int] = ("default",)
    """A list is strict: a later queue waits while an earlier one has jobs. A mapping gives each its weight."""
    processes: int = 1
    """Child processes; 0 has jobs carried out in this one, where a hanging job cannot be killed."""
    threads: int = 5
    """Functions that run at once in each process."""
    tasks: int = 100
    """Coroutine functions that run at once in each process."""
    stop_seconds: float = 25.0
    """How long jobs may take to end when the worker stops; what is left is broken off and given back."""
    beat_seconds: float = 10.0
    jobs_per_child_max: int = 0
    """After so many jobs a child is replaced by a fresh one; 0 for never."""
    child_megabytes_max: int = 0
    """A child that is larger is replaced by a fresh one; 0 for any size."""
    until_empty: bool = False
    """Stop when the queues are empty and all jobs are done."""
    reload: bool = False
    """Replace the children when a source file changes, for development."""
    labels: tuple[str, ...] = ("python",)
    client: ClientSettings = field(default=DEFAULTS)

    @property
    def shape(self) -> Shape:
        """How many jobs run at once in one process."""
        return Shape(threads=self.threads, tasks=self.tasks)
