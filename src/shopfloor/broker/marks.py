"""What is kept beside a job for its features: the lock of a unique one, the record of a tracked one, the
slots of a throttled one.

Each method answers the changes that go into the transition in which something happens to the job, so that the job
and what is kept beside it change in one step.
"""

from collections.abc import Callable

from shopfloor.broker.asks import Verb
from shopfloor.broker.context import Context
from shopfloor.broker.throttles import Throttles
from shopfloor.broker.tracking import Tracking
from shopfloor.core import tracking, unique
from shopfloor.core.changes import Transition
from shopfloor.core.facts import Facts
from shopfloor.core.fate import Event
from shopfloor.core.job import WORKING, Held, Job


class Marks:
    """One method for each thing that can happen."""

    def __init__(self, context: Context, tracking: Tracking, throttles: Throttles) -> None:
        self._context = context
        self._throttles = throttles
        self.concern: Callable[[Job], bool] = throttles.concerns
        """Say whether anything may be kept beside a job; most jobs have nothing, and cost nothing."""
        self._tracking = tracking

    def taken_in(self, job: Job, known: Facts, due: float) -> Verb[Transition]:
        """A job is pushed."""
        changes: Transition = ()
        if known.unique_for is not None:
            changes += (unique.claim(job, known, due, self._context.moment.now),)
        if known.track:
            changes += yield from self._tracking.moved(job.jid, "enqueued", anew=True)
        return changes

    def begun(self, held: Held, known: Facts) -> Verb[Transition]:
        """A job was reserved, and its worker is about to hear of it."""
        changes: Transition = ()
        if known.unique_for is not None and known.unique_until == "start":
            changes += (unique.release(held.job),)
        if known.track:
            changes += yield from self._tracking.moved(held.job.jid, "working")
        return changes

    def changed(self, held: Held, known: Facts, event: Event) -> Verb[Transition]:
        """A job ended, failed or was given back."""
        changes: Transition = ()
        if known.unique_for is not None and event not in ("failed", "returned", "held_back"):
            changes += (unique.release(held.job),)
        if known.track:
            changes += yield from self._tracking.moved(held.job.jid, tracking.AFTER[event])
        if self._throttles.active and held.place == WORKING and event != "held_back":
            changes += yield from self._throttles.freed(held.job, known)
        return changes
