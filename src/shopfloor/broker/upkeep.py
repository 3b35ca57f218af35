"""What the server does by itself: promote what is due, rescue what dead workers held, purge the dead set.

Each function is one pass and knows nothing of schedules (rows in `server.timers`). It may run on several servers at
once: the guards of its transitions let each job move once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from shopfloor.broker.asks import Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.fleet import Fleet
from shopfloor.broker.following import Following
from shopfloor.core import lifecycle, unique, workers
from shopfloor.core.changes import Note, Record, Transition
from shopfloor.core.job import DEAD, Held, TimedPlace
from shopfloor.core.retry import FailReport
from shopfloor.core.workers import WORKER
from shopfloor.store.port import Figures, Lock, Page

PASS_STEP = 500
"""Jobs moved in one round; commands get their turn in between."""


@dataclass(slots=True)
class Done:
    """What one kind of pass has done since the server started, as INFO shows it."""

    cycles: int = 0
    moved: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Tally:
    """What all passes have done since the server started."""

    passes: dict[TimedPlace, Done] = field(
        default_factory=lambda: {"scheduled": Done(), "retries": Done(), "dead": Done()}
    )
    reservations_reaped: int = 0
    workers_reaped: int = 0
    locks_dropped: int = 0


class Upkeep:
    """One method a pass."""

    def __init__(self, context: Context, fleet: Fleet, following: Following) -> None:
        self._context = context
        self._following = following
        self._fleet = fleet
        self._known_at: dict[str, float] = {}
        """When the workers that have jobs were last known."""
        self.tally = Tally()

    def promote(self, place: TimedPlace) -> Verb[None]:
        """Enqueue the jobs of `scheduled` or `retries` whose time has come."""
        done, clock = self.tally.passes[place], self._context.ticks.clock
        began = clock()
        moved = PASS_STEP
        while moved == PASS_STEP:
            now = self._context.moment.now
            due: Sequence[Held] = yield Query(partial(self._context.store.due, place, now, PASS_STEP))
            if not due:
                break
            conflicts = yield [lifecycle.requeue(held, now) for held in due]
            moved = sum(conflict is None for conflict in conflicts)
            done.moved += moved
        done.cycles += 1
        done.seconds += max(0.0, clock() - began)

    def purge_dead(self) -> Verb[None]:
        """Throw away dead jobs that are too old, and the oldest of those that are too many."""
        done, store = self.tally.passes[DEAD], self._context.store
        began = self._context.ticks.clock()
        moved = PASS_STEP
        while moved == PASS_STEP:
            due: Sequence[Held] = yield Query(partial(store.due, DEAD, self._context.moment.now, PASS_STEP))
            figures: Figures = yield Query(store.figures)
            excess = figures.dead - self._context.limits.dead_jobs_max
            if excess > len(due):
                page: Page = yield Query(partial(store.browse, DEAD, None, min(excess, PASS_STEP)))
                due = page.jobs
            conflicts = yield [lifecycle.discard(held) for held in due]
            moved = sum(conflict is None for conflict in conflicts)
            done.moved += moved
        done.cycles += 1
        done.seconds += max(0.0, self._context.ticks.clock() - began)

    def reap_reservations(self) -> Verb[None]:
        """Give back the jobs that were held too long, and those whose worker this store has forgotten."""
        context = self._context
        known: dict[str, Record] = yield Query(partial(context.store.records, WORKER))
        held: Sequence[Held] = yield Query(context.store.reservations)
        now = context.moment.now
        self._saw(known, held, now)
        contact = context.ticks.contact
        yield from self._following.apply(contact.undelivered(held, now), lambda one: lifecycle.give_back(one, now))
        overdue = [one for one in held if one.expires_at <= now and self._could_settle(now)]
        lost = [one for one in held if one.expires_at > now and self._is_orphan(one, known, now)]
        yield from self._give_back(overdue, "ReservationExpired", "Shopfloor job reservation expired")
        yield from self._give_back(lost, "WorkerDied", "its worker did not come back")
        self.tally.reservations_reaped += len(overdue) + len(lost)

    def drop_ended_locks(self) -> Verb[None]:
        """Forget the locks of unique jobs that were held for as long as they asked, and not released."""
        store, dropped = self._context.store, PASS_STEP
        while dropped == PASS_STEP:
            now = self._context.moment.now
            ended: Sequence[Lock] = yield Query(partial(store.locks, now, PASS_STEP))
            conflicts = yield [unique.forget(lock.key, now) for lock in ended]
            dropped = sum(conflict is None for conflict in conflicts)
            self.tally.locks_dropped += dropped

    def reap_workers(self) -> Verb[None]:
        """Give up the workers that are dead, and give back what they held."""
        limits, now = self._context.limits, self._context.moment.now
        records: dict[str, Record] = yield Query(partial(self._context.store.records, WORKER))
        known = {wid: workers.decode(record.value) for wid, record in records.items() if record.value is not None}
        yield from self._fleet.look(known)
        patience = workers.Patience(
            silence_seconds=limits.worker_seconds,
            grace_seconds=limits.worker_grace_seconds,
            heard_since=self._context.ticks.contact.since(now),
        )
        for wid, worker in known.items():
            if workers.is_dead(worker, now, patience):
                yield from self._bury(wid, records[wid])

    def _bury(self, wid: str, record: Record) -> Verb[None]:
        """Give up a worker, unless it was heard of meanwhile.

        One that says HELLO under the same wid from now on begins anew: what it reserves then is not given back.
        """
        conflict = yield (Note(WORKER, wid, None, record.version),)
        if conflict is not None:
            return
        buried_at = self._context.moment.now
        self._fleet.forget(wid)
        held: Sequence[Held] = yield Query(self._context.store.reservations)
        its = [one for one in held if one.wid == wid and one.reserved_at < buried_at]
        yield from self._give_back(its, "WorkerDied", f"worker {wid} died")
        self.tally.workers_reaped += 1

    def _give_back(self, held: Sequence[Held], errtype: str, message: str) -> Verb[None]:
        """Return jobs to their queues; one that has done this to several workers dies."""
        rules = self._context.rules
        for start in range(0, len(held), PASS_STEP):
            now = self._context.moment.now
            some = held[start : start + PASS_STEP]
            yield from self._following.apply(some, partial(_crashed, errtype, message, now, rules))

    def _saw(self, known: Mapping[str, Record], held: Sequence[Held], now: float) -> None:
        """Remember when the workers that have jobs were last known; a store may forget its soft records at any time."""
        wids = {one.wid for one in held}
        self._known_at = {wid: now if wid in known else at for wid, at in self._known_at.items() if wid in wids}
        self._known_at |= dict.fromkeys(wids & known.keys(), now)

    def _could_settle(self, now: float) -> bool:
        """Workers whose time ran out while the store was away have some more to tell how their jobs went."""
        contact = self._context.ticks.contact
        return not contact.breaks or now - contact.since(now) >= self._context.limits.worker_grace_seconds

    def _is_orphan(self, held: Held, known: Mapping[str, Record], now: float) -> bool:
        """Nobody is noted under its wid, and its worker had time to say HELLO again after a restart of the server."""
        if not held.wid or held.wid in known:
            return False
        silent_since = max(held.reserved_at, self._context.ticks.contact.since(now), self._known_at.get(held.wid, 0.0))
        return now - silent_since > self._context.limits.worker_seconds


def _crashed(errtype: str, message: str, now: float, rules: lifecycle.Rules, held: Held) -> Transition:
    return lifecycle.crash(held, FailReport(jid=held.job.jid, errtype=errtype, message=message), now, rules)
