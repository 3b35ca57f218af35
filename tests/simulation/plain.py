"""The plainest store one can write: every question sorts everything, every transition works on a copy of it all."""

import copy
from collections.abc import Sequence
from pathlib import Path

from shopfloor.core.changes import (
    ABSENT,
    SOFT_KINDS,
    Amend,
    Change,
    Claim,
    Clear,
    Conflict,
    Count,
    Note,
    Pause,
    Put,
    Reason,
    Record,
    Release,
    Take,
    Transition,
)
from shopfloor.core.facts import facts
from shopfloor.core.job import Held, TimedPlace
from shopfloor.core.lifecycle import Rules, reserve_seconds
from shopfloor.store.port import (
    Arrived,
    BatchJobs,
    Committed,
    Description,
    Figures,
    Loaded,
    Lock,
    Page,
    QueueFigures,
    QueueLimit,
    Reserve,
)


class Everything:
    """All that there is; copied before each transition, so that it can be thrown away."""

    def __init__(self) -> None:
        self.jobs: dict[str, Held] = {}
        self.paused: dict[str, bool] = {}
        self.records: dict[tuple[str, str], Record] = {}
        self.locks: dict[str, tuple[str, float]] = {}
        self.days: dict[tuple[str, str], int] = {}
        self.back = 0
        self.front = 0

    def copy(self) -> "Everything":
        """Copy it; what it holds is never changed, only replaced."""
        other = copy.copy(self)
        for name in ("jobs", "paused", "records", "locks", "days"):
            setattr(other, name, dict(getattr(self, name)))
        return other

    def queued(self, queue: str) -> list[Held]:
        """List a queue."""
        jobs = [held for held in self.jobs.values() if held.place == "queued" and held.job.queue == queue]
        return sorted(jobs, key=lambda held: held.position)

    def timed(self, place: TimedPlace) -> list[Held]:
        """List a timed place."""
        jobs = [held for held in self.jobs.values() if held.place == place]
        return sorted(jobs, key=lambda held: (held.at, held.job.jid))


class PlainStore:
    """See `store.port.Store` for the verbs."""

    def __init__(self, rules: Rules, queues_max: int) -> None:
        self._rules = rules
        self._queues_max = queues_max
        self.all = Everything()

    def listen(self, arrived: Arrived) -> None:
        """Nobody shares it."""

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        """Look up."""
        jobs = {jid: self.all.jobs[jid] for jid in jids if jid in self.all.jobs}
        return Loaded(jobs, {key: self.all.records.get(key, ABSENT) for key in records})

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Apply each transition to a copy, which then is everything."""
        return Committed(
            [self._transition(transition) for transition in transitions],
            [self._reserve(request, now) for request in requests],
        )

    async def due(self, place: TimedPlace, now: float, count: int) -> Sequence[Held]:
        """List what is due."""
        return [held for held in self.all.timed(place) if held.at <= now][:count]

    async def reservations(self) -> Sequence[Held]:
        """List what is running."""
        return [held for held in self.all.jobs.values() if held.place == "working"]

    async def browse(
        self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool = False
    ) -> Page:
        """List a page."""
        jobs = self.all.timed(place)
        if latest_first:
            jobs = [held for held in jobs[::-1] if after is None or (held.at, held.job.jid) < after]
        else:
            jobs = [held for held in jobs if after is None or (held.at, held.job.jid) > after]
        last = jobs[count - 1] if len(jobs) >= count else None
        return Page(jobs=jobs[:count], after=None if last is None else (last.at, last.job.jid))

    async def peek(self, queue: str, offset: int, count: int) -> Sequence[Held]:
        """List a queue."""
        return self.all.queued(queue)[offset : offset + count]

    async def queues(self) -> Sequence[QueueFigures]:
        """List the queues."""
        return [
            QueueFigures(name=name, size=len(self.all.queued(name)), paused=paused)
            for name, paused in sorted(self.all.paused.items())
        ]

    async def figures(self) -> Figures:
        """Count."""
        places = [held.place for held in self.all.jobs.values()]
        totals = {
            total: sum(count for (name, _), count in self.all.days.items() if name == total)
            for total in ("processed", "failures")
        }
        return Figures(
            working=places.count("working"),
            scheduled=places.count("scheduled"),
            retries=places.count("retries"),
            dead=places.count("dead"),
            **totals,
        )

    async def history(self, days: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Answer the figures of each day."""
        known = self.all.days
        return [(known.get(("processed", day), 0), known.get(("failures", day), 0)) for day in days]

    async def batch_jobs(self, bid: str) -> BatchJobs:
        """List what names the batch."""
        known = [(jid, facts(held.job)) for jid, held in self.all.jobs.items()]
        return BatchJobs(
            members=[jid for jid, one in known if one.bid == bid],
            callbacks=[jid for jid, one in known if one.callback_bid == bid],
        )

    async def records(self, kind: str) -> dict[str, Record]:
        """List records."""
        return {id: record for (known, id), record in self.all.records.items() if known == kind}

    async def locks(self, until: float, count: int) -> Sequence[Lock]:
        """List the locks that end first."""
        every = [Lock(key=key, owner=owner, until=end) for key, (owner, end) in self.all.locks.items()]
        return sorted([lock for lock in every if lock.until <= until], key=lambda lock: (lock.until, lock.key))[:count]

    async def flush(self) -> None:
        """Forget all but soft records."""
        soft = {key: record for key, record in self.all.records.items() if key[0] in SOFT_KINDS}
        self.all = Everything()
        self.all.records = soft

    async def backup(self, target: Path) -> None:
        """Nobody asks for it."""
        raise NotImplementedError

    async def describe(self) -> Description:
        """Say what it is."""
        return Description(engine="plain", version="1", durability="none")

    def _transition(self, transition: Transition) -> Conflict | None:
        before, self.all = self.all, self.all.copy()
        for change in transition:
            reason = self._apply(change)
            if reason is not None:
                self.all = before
                return Conflict(change, reason, self.all.jobs.get(change.job.jid) if isinstance(change, Put) else None)
        return None

    def _room(self, queue: str, request: Reserve) -> int:
        limit = (request.limits or {}).get(queue, QueueLimit())
        holders = [held.wid for held in self.all.jobs.values() if held.place == "working" and held.job.queue == queue]
        room = request.count
        if limit.concurrency:
            room = min(room, limit.concurrency - len(holders))
        if limit.worker:
            room = min(room, limit.worker - holders.count(request.wid))
        return max(0, room)

    def _reserve(self, request: Reserve, now: float) -> tuple[Held, ...]:
        for queue in request.queues:
            jobs = self.all.queued(queue)[: self._room(queue, request)]
            if jobs and not self.all.paused[queue]:
                after = [
                    Held(
                        held.job,
                        "working",
                        0.0,
                        held.position,
                        request.wid,
                        now,
                        now + reserve_seconds(held.job, self._rules),
                    )
                    for held in jobs
                ]
                self.all.jobs |= {held.job.jid: held for held in after}
                return tuple(after)
        return ()

    def _apply(self, change: Change) -> Reason | None:
        match change:
            case Put():
                return self._put(change)
            case Take() | Amend():
                return self._change_held(change)
            case Note() | Claim() | Release() | Count():
                return self._change_small(change)
            case Pause():
                reason = self._know_queue(change.queue, bounded=True)
                return reason or self.all.paused.update({change.queue: change.paused})
            case Clear():
                return self._clear(change)

    def _put(self, change: Put) -> Reason | None:
        everything, queue = self.all, change.job.queue
        if change.job.jid in everything.jobs:
            return "held"
        if change.place == "queued":
            if self._know_queue(queue, bounded=change.new):
                return "queues"
            if change.limit and len(everything.queued(queue)) >= change.limit:
                return "full"
        if change.front:
            everything.front -= 1
        else:
            everything.back += 1
        position = everything.front if change.front else everything.back
        everything.jobs[change.job.jid] = Held(change.job, change.place, change.at, position)
        return None

    def _know_queue(self, queue: str, *, bounded: bool) -> Reason | None:
        if bounded and queue not in self.all.paused and len(self.all.paused) >= self._queues_max:
            return "queues"
        self.all.paused.setdefault(queue, False)
        return None

    def _change_held(self, change: Take | Amend) -> Reason | None:
        held = self.all.jobs.get(change.jid)
        place = change.place if isinstance(change, Take) else "working"
        if held is None or held.place != place or change.holder not in (None, held.wid):
            return "gone"
        if isinstance(change, Take):
            del self.all.jobs[change.jid]
        else:
            self.all.jobs[change.jid] = Held(
                held.job,
                "working",
                0.0,
                held.position,
                held.wid,
                held.reserved_at,
                max(held.expires_at, change.expires_at),
                held.cancelled or change.cancelled,
            )
        return None

    def _change_small(self, change: Note | Claim | Release | Count) -> Reason | None:
        records, locks = self.all.records, self.all.locks
        match change:
            case Note(kind, id, value, expected):
                if records.get((kind, id), ABSENT).version != expected:
                    return "version"
                records.pop((kind, id), None)
                if value is not None:
                    records[kind, id] = Record(value, expected + 1)
            case Claim(key, owner, until, now):
                if key in locks and locks[key][0] != owner and locks[key][1] > now:
                    return "claimed"
                locks[key] = (owner, until)
            case Release(key, owner):
                if key in locks and locks[key][0] == owner:
                    del locks[key]
            case Count(name, day, by):
                self.all.days[name, day] = self.all.days.get((name, day), 0) + by
        return None

    def _clear(self, change: Clear) -> Reason | None:
        if change.place == "queued":
            jobs = self.all.queued(change.queue)
            if len(jobs) <= change.count:
                self.all.paused.pop(change.queue, None)
        elif change.place == "working":
            jobs = [held for held in self.all.jobs.values() if held.place == "working"]
        else:
            jobs = self.all.timed(change.place)
        for held in jobs[: change.count]:
            del self.all.jobs[held.job.jid]
        return None
