"""Verbs about whole queues: pause, resume, remove, latency, peek."""

from collections.abc import Sequence
from functools import partial

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.following import Following
from shopfloor.broker.progress import Progress
from shopfloor.broker.rate import Rate
from shopfloor.core import lifecycle
from shopfloor.core.changes import Clear, Pause
from shopfloor.core.job import QUEUED, Held
from shopfloor.core.payload import queue_name
from shopfloor.core.timestamps import parse_timestamp
from shopfloor.errors import Refused
from shopfloor.store.port import QueueFigures

CLEAR_STEP = 500
"""Jobs discarded in one round; other commands get their turn in between."""
AGES_STEP = 20
"""Queues whose oldest job is looked at in one round."""


class Queues:
    """What can be done with, and asked of, a queue."""

    def __init__(self, context: Context, following: Following) -> None:
        self._context = context
        self._following = following
        self._latency_rate = Rate(context.limits.latency_calls_per_second_max)

    def pause(self, names: Sequence[str] | None, paused: bool) -> Verb[None]:
        """Stop, or go on, giving out the jobs of queues; `names` None means all known ones."""
        if names is None:
            names = yield from self._names()
        elif not paused:  # resuming makes no queue known
            known = set((yield from self._names()))
            names = [name for name in names if name in known]
        outcomes = yield [(Pause(queue_name(name), paused),) for name in names]
        if any(outcomes):
            raise Refused("cannot make another queue: there are too many")

    def remove(self, names: Sequence[str] | None) -> Verb[None]:
        """Discard all jobs of queues and forget the queues; `names` None means all known ones."""
        if names is None:
            names = yield from self._names()
        for name in names:
            yield from self.clear(name, Progress())

    def latency(self, names: Sequence[str]) -> Verb[dict[str, float]]:
        """Answer for each queue how many seconds its oldest job has been waiting; 0 for an empty one."""
        now = self._context.moment.now
        if not self._latency_rate.allows(now):
            raise Refused(f"too many QUEUE LATENCY: the limit is {self._latency_rate.per_second} a second")
        return (yield from self.ages(names))

    def ages(self, names: Sequence[str]) -> Verb[dict[str, float]]:
        """Answer the same however often it is asked, some queues a round."""
        now = self._context.moment.now
        answer: dict[str, float] = {}
        for number, name in enumerate(names, start=1):
            oldest: Sequence[Held] = yield Query(partial(self._context.store.peek, name, 0, 1))
            answer[name] = waited_seconds(oldest[0], now) if oldest else 0
            if number % AGES_STEP == 0:
                yield Load()
        return answer

    def peek(self, name: str, count: int, offset: int) -> Verb[Sequence[Held]]:
        """List jobs of a queue, the oldest first, without touching them."""
        jobs: Sequence[Held] = yield Query(partial(self._context.store.peek, name, offset, count))
        return jobs

    def known(self) -> Verb[Sequence[QueueFigures]]:
        """List the known queues."""
        queues: Sequence[QueueFigures] = yield Query(self._context.store.queues)
        return queues

    def _names(self) -> Verb[list[str]]:
        queues = yield from self.known()
        return [queue.name for queue in queues]

    def clear(self, name: str, progress: Progress) -> Verb[int]:
        """Discard the jobs of a queue and forget it; answer how many those were.

        It is done in steps, each a round of its own; a queue that others fill meanwhile is not chased for ever.
        """
        queues = yield from self.known()
        left = next((queue.size for queue in queues if queue.name == name), 0)
        moved = 1
        while left > 0 and moved and not progress.stopped:
            jobs = yield from self.peek(name, CLEAR_STEP, 0)
            moved = yield from self._following.apply(jobs, lifecycle.discard)
            left -= moved
            progress.looked += len(jobs)
            progress.moved += moved
        if not progress.stopped:
            yield (Clear(QUEUED, name, count=0),)
        return progress.moved


def waited_seconds(held: Held, now: float) -> float:
    """Say how long a queued job has been waiting."""
    try:
        return max(0.0, now - parse_timestamp(held.job.enqueued_at))
    except ValueError:
        return 0.0
