"""Throttles at work: slots are taken when a job begins, and are free when its worker has it no more."""

from collections.abc import Iterator, Mapping
from functools import partial

from msgspec import Struct

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.core import throttle
from shopfloor.core.changes import Amend, Note, Record, Transition
from shopfloor.core.facts import Facts
from shopfloor.core.job import NOTHING, WORKING, Held, Job
from shopfloor.core.throttle import THROTTLE, Slots, Table
from shopfloor.store.port import QueueLimit


class Admission(Struct, frozen=True):
    """Whether a job may begin: what to commit with it, and until when it waits instead (0: it begins)."""

    held: Held
    changes: Transition = ()
    wait_until: float = 0.0


class Throttles:
    """The throttles that are configured, and their slots."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._table = Table()
        self._former: tuple[Table, ...] = ()
        """Throttles before the last reloads: jobs may hold slots of theirs."""
        self.queue_limits: dict[str, QueueLimit] = {}
        """What the store is told with each request. Changed in place, so that those who wait get the new limits."""
        self.active = False
        """Whether there is any throttle, or was one."""
        self.without_custom = False
        """Whether a job may have a slot that says nothing in its `custom`."""
        self.held_back = 0
        """How often a job found no slot and went back to wait."""
        self.repairs = 0
        """Slots that were held for no reservation. Stays 0; anything else is a defect of ours."""

    def apply(self, table: Table) -> None:
        """Work by these throttles from now on. Jobs that run already are counted for queues, else as they begin."""
        if self._table.throttles and self._table not in self._former:
            self._former += (self._table,)
        self._table = table
        self.queue_limits.clear()
        for one in table.on_queues():
            self.queue_limits[one.name] = QueueLimit(one.limit.concurrency, one.limit.worker)
        self._context.ticks.limited = {name: bool(limit.worker) for name, limit in self.queue_limits.items()}
        self.active = any(known.throttles for known in (table, *self._former))
        self.without_custom = any(known.without_custom for known in (table, *self._former))

    @property
    def table(self) -> Table:
        """The throttles that are in force."""
        return self._table

    def concerns(self, job: Job) -> bool:
        """Say whether a job may need or have a slot."""
        return job.custom is not NOTHING or self.without_custom

    def admit(self, seen: Held, known: Facts) -> Verb[Admission | None]:
        """Say whether a job that was reserved may begin; None where the reservation is gone."""
        limits = self._table.by_record(seen.job, known)
        if not limits:
            return Admission(seen)
        jid, now = seen.job.jid, self._context.moment.now
        loaded = yield Load((jid,), _keys(limits))
        held: Held | None = loaded.jobs.get(jid)
        if held is None or held.place != WORKING or held.wid != seen.wid:
            return None
        slots = {name: throttle.decode(loaded.records[THROTTLE, name].value) for name in limits}
        openings = {name: throttle.opening(slots[name], limit, held, now) for name, limit in limits.items()}
        full = {name: limit for name, limit in limits.items() if openings[name]}
        if not full:
            after = {name: throttle.taken(slots[name], limit, held, now) for name, limit in limits.items()}
            # A reservation that ends in the same commit would leave its slot behind.
            guard = Amend(jid, held.wid, held.expires_at, held.cancelled)
            return Admission(held, (guard, *_notes(after, loaded.records)))
        at = max(openings.values())
        after = {name: throttle.lined_up(slots[name], limit, at) for name, limit in full.items()}
        return Admission(held, _notes(after, loaded.records), max(line.line_end for line in after.values()))

    def freed(self, job: Job, known: Facts) -> Verb[Transition]:
        """Answer what belongs into the transition in which a worker loses a job, however that comes.

        Each record is written even where the job has no slot in it: what was read may be what a transition of the same
        round meant to write and did not, and only a version says so.
        """
        tables = (self._table, *self._former)
        names = dict.fromkeys(name for table in tables for name in table.by_record(job, known))
        if not names:
            return ()
        loaded = yield Load((), _keys(names))
        before = {name: throttle.decode(loaded.records[THROTTLE, name].value) for name in names}
        return _notes({name: throttle.freed(before[name], job.jid) for name in names}, loaded.records)

    def reconcile(self) -> Verb[None]:
        """Free what no reservation stands behind, and forget what says nothing any more."""
        store = self._context.store
        records: dict[str, Record] = yield Query(partial(store.records, THROTTLE))
        if not records:
            return
        held = yield Query(store.reservations)
        live = {one.job.jid: one for one in held}
        for name, record in records.items():
            before = throttle.decode(record.value)
            after = throttle.repaired(before, live)
            gone = throttle.is_idle(after, self._table.named(name), self._context.moment.now)
            lost = len(before.holders) - len(after.holders)
            if not (lost or gone):
                continue
            value = None if gone else throttle.encode(after)
            if (yield (Note(THROTTLE, name, value, record.version),)) is None and lost:
                self.repairs += lost
                self._context.log.warning("throttle slots were held for no reservation", throttle=name, slots=lost)


def _keys(names: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((THROTTLE, name) for name in names)


def _notes(after: Mapping[str, Slots], records: Mapping[tuple[str, str], Record]) -> Transition:
    def notes() -> Iterator[Note]:
        for name, slots in after.items():
            yield Note(THROTTLE, name, throttle.encode(slots), records[THROTTLE, name].version)

    return tuple(notes())
