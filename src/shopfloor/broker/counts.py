"""What has happened on this server since it began, by queue and type: for those who watch it from outside.

The hot path pays for an append or two a job. Batches of them are counted when one is full, or when somebody reads.
Names come from whoever pushes, so only so many pairs of queue and type are told apart; the others are counted together.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

from shopfloor.core.job import Held, Job
from shopfloor.core.timestamps import parse_timestamp

Kind = tuple[str, str]
"""A queue and a type of job."""
Event = Literal["pushed", "started", "done", "failed", "died", "expired"]
EVENTS: Final[tuple[Event, ...]] = ("pushed", "started", "done", "failed", "died", "expired")

BATCH: Final = 256
"""Events that are counted together, in about 0.2 ms."""
KINDS_MAX: Final = 500
"""Pairs of queue and type that are told apart: each is a dozen series for whoever collects them."""
SPENT_MAX: Final = 100
"""Times of one queue and type that are kept for whoever sends them on: enough for a percentile of one second."""
OTHERS: Final[Kind] = ("(other)", "(other)")

SPANS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
"""Bounds in seconds for runs and waits: from a picture that is resized to a report that takes an hour."""
COMMIT_SPANS: Final = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Bounds in seconds for commits: from memory alone to a disk or database in distress."""


class Histogram:
    """How many values there were up to each bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value; it is 0 at least."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counts:
    """One for each server; read it after `fold`."""

    def __init__(self) -> None:
        self.totals: Mapping[Event, dict[Kind, int]] = {event: {} for event in EVENTS}
        self.runs: dict[str, Histogram] = {}
        """Time from reservation to ACK or FAIL, by type."""
        self.waits: dict[str, Histogram] = {}
        """Time from entering the queue to the reservation, by queue."""
        self.spent: dict[Kind, list[float]] | None = None
        """Times of the first runs since whoever sends them on (`server.statsd`) took them; None where nobody does."""
        self._known: dict[Kind, Kind] = {}
        self._pushed: list[Job] = []
        self._started: list[Held] = []
        self._done: list[tuple[Held, float]] = []

    def pushed(self, job: Job) -> None:
        """A client's job was taken."""
        noted = self._pushed
        noted.append(job)
        if len(noted) >= BATCH:
            self._fold_pushed()

    def started(self, held: Held) -> None:
        """A worker gets a job."""
        noted = self._started
        noted.append(held)
        if len(noted) >= BATCH:
            self._fold_started()

    def done(self, held: Held, now: float) -> None:
        """A job was acknowledged."""
        noted = self._done
        noted.append((held, now))
        if len(noted) >= BATCH:
            self._fold_done()

    def failed(self, held: Held, now: float, *, dies: bool) -> None:
        """A run failed, and the job is tried again, dies or leaves."""
        kind = self._kind((held.job.queue, held.job.jobtype))
        self._count("died" if dies else "failed", kind, 1)
        seconds = max(0.0, now - held.reserved_at)
        self._keep(kind, [seconds])
        _of(self.runs, kind[1]).add(seconds)

    def expired(self, job: Job) -> None:
        """A job's time was over before it began."""
        self._count("expired", self._kind((job.queue, job.jobtype)), 1)

    def fold(self) -> None:
        """Count what was noted until now."""
        self._fold_pushed()
        self._fold_started()
        self._fold_done()

    def _fold_pushed(self) -> None:
        noted, self._pushed = self._pushed, []
        for kind, number in Counter([(job.queue, job.jobtype) for job in noted]).items():
            self._count("pushed", self._kind(kind), number)

    def _fold_started(self) -> None:
        noted, self._started = self._started, []
        spent: dict[Kind, list[float]] = {}
        for held in noted:
            job = held.job
            spent.setdefault((job.queue, job.jobtype), []).append(held.reserved_at - _seconds(job.enqueued_at))
        for seen, seconds in spent.items():
            kind = self._kind(seen)
            self._count("started", kind, len(seconds))
            _add_all(_of(self.waits, kind[0]), seconds)

    def _fold_done(self) -> None:
        noted, self._done = self._done, []
        spent: dict[Kind, list[float]] = {}
        for held, now in noted:
            job = held.job
            spent.setdefault((job.queue, job.jobtype), []).append(now - held.reserved_at)
        for seen, seconds in spent.items():
            kind = self._kind(seen)
            self._count("done", kind, len(seconds))
            self._keep(kind, seconds)
            _add_all(_of(self.runs, kind[1]), seconds)

    def _count(self, event: Event, kind: Kind, number: int) -> None:
        totals = self.totals[event]
        totals[kind] = totals.get(kind, 0) + number

    def _keep(self, kind: Kind, seconds: list[float]) -> None:
        if self.spent is not None:
            kept = self.spent.setdefault(kind, [])
            kept += [max(0.0, one) for one in seconds[: SPENT_MAX - len(kept)]]

    def _kind(self, kind: Kind) -> Kind:
        known = self._known.get(kind)
        if known is None:
            known = kind if len(self._known) < KINDS_MAX else OTHERS
            if known is kind:
                self._known[kind] = kind
        return known


def _of(histograms: dict[str, Histogram], name: str) -> Histogram:
    histogram = histograms.get(name)
    if histogram is None:
        histogram = histograms[name] = Histogram(SPANS)
    return histogram


def _add_all(histogram: Histogram, values: list[float]) -> None:
    """Count many values at once: sorted, each bound is looked for once. One below 0 is 0: a clock was set back."""
    values.sort()
    before = 0
    for at, bound in enumerate(histogram.bounds):
        upto = bisect_right(values, bound, before)
        histogram.counts[at] += upto - before
        before = upto
    histogram.counts[-1] += len(values) - before
    histogram.total += sum(values) if values[0] >= 0 else sum(max(0.0, value) for value in values)


def _seconds(text: str) -> float:
    """Read when a job entered its queue. Of texts that we write the seconds are known already, nearly always.

    What a client wrote for itself and cannot be read is as good as now.
    """
    try:
        if len(text) == len("2026-11-21T14:16:48.123456Z") and text[19] == "." and text[26] == "Z":
            return _parsed(text[:19] + "Z") + int(text[20:26]) / 1_000_000
        return _parsed(text)
    except (ValueError, OverflowError):
        return float("inf")


_parsed = lru_cache(maxsize=1024)(parse_timestamp)
