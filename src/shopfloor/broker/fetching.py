"""Verbs with which workers get jobs."""

from collections.abc import Sequence

from shopfloor.broker.asks import Fork, Verb, Wait
from shopfloor.broker.context import Context, Session
from shopfloor.broker.following import Following, check_outdated
from shopfloor.broker.marks import Marks
from shopfloor.broker.throttles import Throttles
from shopfloor.core import lifecycle
from shopfloor.core.changes import Conflict
from shopfloor.core.expiry import is_expired
from shopfloor.core.facts import facts
from shopfloor.core.job import Held
from shopfloor.store.port import Reserve


class Fetching:
    """Reserving jobs for workers."""

    def __init__(self, context: Context, following: Following, marks: Marks, throttles: Throttles) -> None:
        self._context = context
        self._following = following
        self._marks = marks
        self._throttles = throttles
        self.expired = 0
        """Jobs that were discarded because their time was over, since the server started."""

    def fetch(self, session: Session, queues: Sequence[str], count: int = 1) -> Verb[Sequence[Held]]:
        """Reserve up to `count` jobs of the first queue that has some, waiting for one for `fetch_seconds`.

        A worker that was told to be quiet gets nothing, after the same time. Jobs reserved for a connection that
        broke meanwhile go back at once. Where none of the reserved jobs may begin, the fetch goes on.
        """
        context = self._context
        until = context.moment.now + context.limits.fetch_seconds
        while True:
            wanted = () if session.wid in context.quiet else tuple(queues)
            reserved: Sequence[Held] = yield Wait(
                Reserve(wanted, session.wid, count, self._throttles.queue_limits), until
            )
            if not reserved:
                return ()
            if not session.deaf and self._concern(reserved):
                reserved = yield from self._begin(reserved)
            if session.deaf:
                yield from self._give_back(reserved)
                return ()
            if reserved or context.moment.now > until:
                for held in reserved:
                    context.counts.started(held)
                return reserved

    def _concern(self, reserved: Sequence[Held]) -> bool:
        """Say whether the features may have something to say to one of the jobs."""
        if len(reserved) == 1:
            return self._marks.concern(reserved[0].job)
        return any(self._marks.concern(held.job) for held in reserved)

    def _give_back(self, reserved: Sequence[Held]) -> Verb[None]:
        now = self._context.moment.now
        yield from self._following.apply(reserved, lambda held: lifecycle.give_back(held, now))

    def _begin(self, reserved: Sequence[Held]) -> Verb[Sequence[Held]]:
        """Let the features have their say before the worker hears of the jobs; answer those that it gets.

        Where the store fails for some of many, the worker gets the others; those are given back when their
        reservation ends, or with their worker.
        """
        if len(reserved) == 1:
            return reserved if (yield from self._begin_one(reserved[0])) else ()
        prongs = yield Fork(tuple([self._begin_one(held) for held in reserved]))
        begun = [held for held, prong in zip(reserved, prongs, strict=True) if prong.result]
        failed = next((prong.error for prong in prongs if prong.error is not None), None)
        if failed is not None and not begun:
            raise failed
        return begun

    def _begin_one(self, held: Held) -> Verb[bool]:
        """Answer whether the worker gets the job."""
        known = facts(held.job)
        if is_expired(held.job, known, self._context.moment.now):
            yield from self._expire(held)
            return False
        while True:
            admission = yield from self._throttles.admit(held, known)
            if admission is None:
                return False
            if admission.wait_until and admission.held.cancelled:
                yield from self._give_back((admission.held,))
                return False
            if admission.wait_until:
                waits = lifecycle.hold_back(admission.held, admission.wait_until)
                changes = yield from self._following.complete(admission.held, waits, "held_back")
            else:
                changes = yield from self._marks.begun(held, known)
            changes += admission.changes
            conflict: Conflict | None = (yield changes) if changes else None
            if conflict is None:
                self._throttles.held_back += admission.wait_until > 0
                return not admission.wait_until
            if conflict.reason == "gone":
                return False
            check_outdated(conflict)

    def _expire(self, held: Held) -> Verb[None]:
        job = held.job
        if (yield from self._following.apply((held,), lifecycle.expire)):
            self.expired += 1
            self._context.counts.expired(job)
            self._context.log.info("a job expired", jid=job.jid, jobtype=job.jobtype, queue=job.queue)
