"""What a person needs to see first: whether all is well, and if not, what is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.fleet import Fleet
from shopfloor.broker.queues import Queues
from shopfloor.broker.throttles import Throttles
from shopfloor.core import tracking
from shopfloor.core.job import RETRIES, SCHEDULED, Held, TimedPlace
from shopfloor.core.tracking import TRACK, Track
from shopfloor.core.workers import Worker
from shopfloor.errors import Refused
from shopfloor.store.port import Description, Figures, QueueFigures, QueueLimit

PROMOTED: tuple[TimedPlace, ...] = (SCHEDULED, RETRIES)
QUEUES_MEASURED_MAX = 50
"""Queues of which the oldest job is looked at for one glance, the largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueGlance:
    """A queue, how long its oldest job has been waiting, and how many fetchers of this server wait on it."""

    name: str
    size: int
    paused: bool
    age_seconds: float
    fetchers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What was done on one UTC day, by its date as `2026-01-31`."""

    date: str
    processed: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The counters of every page: what rests where, and all-time totals."""

    figures: Figures
    enqueued: int
    queues: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Everything at once; `queues` holds those with most jobs, as far as they were measured."""

    now: float
    totals: Totals
    queues: Sequence[QueueGlance]
    queues_with_jobs: int
    paused_with_jobs: Sequence[str]
    workers: Sequence[Worker]
    days: Sequence[Day]
    store: Description
    push_refusal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGlance:
    """A job, what is told of it where it is tracked, and what its turn depends on."""

    now: float
    held: Held
    queue: QueueGlance | None
    working_in_queue: int
    limit: QueueLimit | None
    track: Track | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What those who collect figures want to know besides `Counts`: a few questions, whatever the numbers are."""

    totals: Totals
    queues: Sequence[QueueGlance]
    """Those with most jobs, as far as they were measured."""
    workers: Sequence[Worker]
    store: Description
    late_seconds: Mapping[TimedPlace, float]
    """How long the job that is most overdue has been due, in the places from which jobs are promoted."""


class Glances:
    """Questions about the whole; nothing changes."""

    def __init__(self, context: Context, queues: Queues, fleet: Fleet, throttles: Throttles) -> None:
        self._context = context
        self._throttles = throttles
        self._queues = queues
        self._fleet = fleet

    def whole(self, days: int) -> Verb[Glance]:
        """Look at everything, with a history of so many days, today the last."""
        context = self._context
        totals, known = yield from self._counted()
        largest = sorted((queue for queue in known if queue.size), key=lambda queue: -queue.size)
        measured = yield from self.measured(largest[:QUEUES_MEASURED_MAX])
        workers = yield from self._fleet.known()
        history = yield from self.history(days)
        description: Description = yield Query(context.store.describe)
        return Glance(
            now=context.moment.now,
            totals=totals,
            queues=measured,
            queues_with_jobs=len(largest),
            paused_with_jobs=[queue.name for queue in known if queue.paused and queue.size],
            workers=workers,
            days=history,
            store=description,
            push_refusal=context.push_refusal,
        )

    def watched(self, queues_max: int) -> Verb[Watched]:
        """Look at what can be looked at often."""
        context = self._context
        totals, known = yield from self._counted()
        largest = sorted(known, key=lambda queue: -queue.size)[:queues_max]
        queues = yield from self.measured(largest)
        workers = yield from self._fleet.known()
        description: Description = yield Query(context.store.describe)
        late: dict[TimedPlace, float] = {}
        for place in PROMOTED:
            now = context.moment.now
            due: Sequence[Held] = yield Query(partial(context.store.due, place, now, 1))
            late[place] = max(0.0, now - due[0].at) if due else 0.0
        return Watched(totals=totals, queues=queues, workers=workers, store=description, late_seconds=late)

    def job(self, jid: str) -> Verb[JobGlance]:
        """Look at one job and around it; refused where it is not held."""
        context = self._context
        loaded = yield Load((jid,), ((TRACK, jid),))
        held: Held | None = loaded.jobs.get(jid)
        if held is None:
            raise Refused(f"Job not found {jid}")
        known = yield from self._queues.known()
        queue = yield from self.measured([one for one in known if one.name == held.job.queue])
        working: Sequence[Held] = yield Query(context.store.reservations)
        return JobGlance(
            now=context.moment.now,
            held=held,
            queue=queue[0] if queue else None,
            working_in_queue=sum(one.job.queue == held.job.queue for one in working),
            limit=self._throttles.queue_limits.get(held.job.queue),
            track=tracking.decode(loaded.records[TRACK, jid].value),
        )

    def totals(self) -> Verb[Totals]:
        """Count what rests where."""
        totals, _ = yield from self._counted()
        return totals

    def working(self) -> Verb[Sequence[Held]]:
        """List every working job."""
        held: Sequence[Held] = yield Query(self._context.store.reservations)
        return held

    def store(self) -> Verb[Description]:
        """Say what the store is."""
        description: Description = yield Query(self._context.store.describe)
        return description

    def measured(self, queues: Sequence[QueueFigures]) -> Verb[list[QueueGlance]]:
        """Say how long the oldest job of each of these queues has been waiting."""
        ages = yield from self._queues.ages([queue.name for queue in queues if queue.size])
        waiting = self._context.ticks.waiting
        return [
            QueueGlance(
                name=queue.name,
                size=queue.size,
                paused=queue.paused,
                age_seconds=ages.get(queue.name, 0.0),
                fetchers=waiting.many(queue.name),
            )
            for queue in queues
        ]

    def history(self, days: int) -> Verb[list[Day]]:
        """Say what was done on each of the last days."""
        yield Load()
        today = datetime.fromtimestamp(self._context.moment.now, UTC).date()
        dates = [(today - timedelta(days=back)).isoformat() for back in reversed(range(days))]
        figures: Sequence[tuple[int, int]] = yield Query(partial(self._context.store.history, dates))
        return [
            Day(date=date, processed=processed, failures=failures)
            for date, (processed, failures) in zip(dates, figures, strict=True)
        ]

    def _counted(self) -> Verb[tuple[Totals, Sequence[QueueFigures]]]:
        known = yield from self._queues.known()
        figures: Figures = yield Query(self._context.store.figures)
        return Totals(figures=figures, enqueued=sum(queue.size for queue in known), queues=len(known)), known
