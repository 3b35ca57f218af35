"""All that a store knows, in memory: changes are applied here, and every step of it can be undone.

A change is carried out at once and logged as steps. Where the guard of a later change of the same transition fails,
the steps so far are undone; where the whole tick cannot be written to disk, all of its steps are. One mechanism
serves both, and the log is also what the embedded store writes down.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from shopfloor.core.changes import (
    ABSENT,
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
from shopfloor.core.job import QUEUED, WORKING, Held
from shopfloor.core.lifecycle import Rules, reserve_seconds
from shopfloor.errors import StoreDamaged
from shopfloor.store.port import Committed, Reserve
from shopfloor.store.state.queue import Queue
from shopfloor.store.state.shelf import Shelf
from shopfloor.store.state.steps import (
    Amended,
    Counted,
    Inserted,
    Locked,
    Noted,
    QueueForgotten,
    QueueMade,
    QueuePaused,
    Removed,
    Reserved,
    Skipped,
    Step,
    Thawed,
)
from shopfloor.store.state.tables import Tables
from shopfloor.store.state.undo import undo

THAW_COUNT = 256
"""Jobs read from the shelf at a time: one read serves that many fetches and stays well under 5 ms."""

LEFT_BEHIND_MAX = 1024
"""Entries of jobs that left the middle of a queue, beyond twice its jobs, before they are cleared away."""


class State(Tables):
    """Tables to which changes are applied."""

    def __init__(self, rules: Rules, shelf: Shelf, queues_max: int) -> None:
        super().__init__(shelf)
        self.rules = rules
        self.queues_max = queues_max
        self.steps: list[Step] = []
        self.damage = ""
        """What was found to be damaged when a queue was fetched from; that queue then gives out nothing."""
        self._worn: set[str] = set()
        """Queues with more entries left behind than jobs."""
        self._apply: dict[type[Change], Callable[..., Reason | None]] = {
            Put: self._put,
            Take: self._take,
            Amend: self._amend,
            Note: self._note,
            Claim: self._claim,
            Release: self._release,
            Count: self._count,
            Pause: self._pause,
            Clear: self._clear,
        }

    def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Carry out what `Store.commit` promises; the steps taken are then in `steps`."""
        outcomes = [self._transition(transition) for transition in transitions]
        return Committed(outcomes, [self._reserve(request, now) for request in requests])

    def settle(self) -> None:
        """What was committed will not be undone: forget its steps, and the entries left behind in queues."""
        self.steps.clear()
        while self._worn:
            queue = self.queues.get(self._worn.pop())
            if queue is not None:
                self._tidy(queue)

    def _tidy(self, queue: Queue) -> None:
        jobs = self.jobs
        kept = [entry for entry in queue.entries if isinstance(entry, int) or jobs.get(entry.job.jid) is entry]
        queue.entries = deque(kept)
        queue.warm = sum(not isinstance(entry, int) for entry in kept)

    def rollback(self, mark: int = 0) -> None:
        """Undo the steps from `mark` on, the last first."""
        while len(self.steps) > mark:
            undo(self, self.steps.pop())

    def _transition(self, transition: Transition) -> Conflict | None:
        mark = len(self.steps)
        for change in transition:
            reason = self._apply[type(change)](change)
            if reason is not None:
                self.rollback(mark)
                return Conflict(change, reason, self.find(change.job.jid) if type(change) is Put else None)
        return None

    def _reserve(self, request: Reserve, now: float) -> tuple[Held, ...]:
        for name in request.queues:
            queue = self.queues.get(name)
            if queue is None or not queue.size or queue.paused:
                continue
            count = min(request.count, queue.size)
            if request.limits and name in request.limits:
                count = self._room(name, request, count)
                if count < 1:
                    continue
            mark = len(self.steps)
            try:
                return tuple([self._start(self._pop(queue), request.wid, now) for _ in range(count)])
            except StoreDamaged as error:  # only this queue stands still, until an operator has looked
                self.rollback(mark)
                self.damage = str(error)
        return ()

    def _room(self, name: str, request: Reserve, count: int) -> int:
        """Say how many of `count` jobs a queue that has a limit may give out."""
        assert request.limits is not None
        limit, counts = request.limits[name], self.working_in(name)
        if limit.concurrency:
            count = min(count, limit.concurrency - sum(counts.values()))
        return min(count, limit.worker - counts.get(request.wid, 0)) if limit.worker else count

    def _start(self, held: Held, wid: str, now: float) -> Held:
        job = held.job
        after = Held(job, WORKING, 0.0, held.position, wid, now, now + reserve_seconds(job, self.rules))
        self.jobs[job.jid] = after
        self.start(after)
        self.steps.append(Reserved(held, after))
        return after

    def _pop(self, queue: Queue) -> Held:
        """Remove the head of a queue that has a job; it stays in `jobs`."""
        entries = queue.entries
        while True:
            entry = entries[0]
            if isinstance(entry, int):
                self._thaw(queue)
                continue
            entries.popleft()
            queue.warm -= 1
            if self.jobs.get(entry.job.jid) is entry:
                queue.size -= 1
                return entry
            self.steps.append(Skipped(queue, entry))

    def _thaw(self, queue: Queue) -> None:
        """Bring the jobs at the head of a queue back from the shelf."""
        entries = queue.entries
        positions: list[int] = []
        for entry in islice(entries, THAW_COUNT):
            if type(entry) is not int:
                break
            positions.append(entry)
        jobs = self.shelf.read(positions)
        for _ in positions:
            entries.popleft()
        self.steps.append(Thawed(queue, positions, jobs))
        for held in jobs:
            self.shelf.remove(held)
            self.jobs[held.job.jid] = held
        entries.extendleft(reversed(jobs))
        queue.warm += len(jobs)

    def _put(self, change: Put) -> Reason | None:
        job = change.job
        if job.jid in self.jobs or self.shelf.contains(job.jid):
            return "held"
        if change.place == QUEUED:
            queue = self.queues.get(job.queue)
            if queue is None:
                if change.new and len(self.queues) >= self.queues_max:
                    return "queues"
                self._make_queue(job.queue)
            elif change.limit and queue.size >= change.limit:
                return "full"
        if change.front:
            self.front -= 1
            held = Held(job, change.place, change.at, self.front)
        else:
            self.back += 1
            held = Held(job, change.place, change.at, self.back)
        self.place(held, front=change.front)
        self.steps.append(Inserted(held, change.front))
        return None

    def _take(self, change: Take) -> Reason | None:
        warm = self.jobs.get(change.jid)
        held = warm or self.shelf.find(change.jid)
        if held is None or held.place != change.place or (change.holder is not None and held.wid != change.holder):
            return "gone"
        if warm is None:
            self.shelf.remove(held)
        else:
            del self.jobs[change.jid]
        popped = self.displace(held)
        if held.place == QUEUED and not popped:
            self._leave_queue(self.queues[held.job.queue])
        self.steps.append(Removed(held, popped, warm is None))
        return None

    def _leave_queue(self, queue: Queue) -> None:
        """A job left the middle of its queue; its entry stays behind, because the step may be undone."""
        if queue.warm > 2 * queue.size + LEFT_BEHIND_MAX:
            self._worn.add(queue.name)

    def _amend(self, change: Amend) -> Reason | None:
        before = self.working.get(change.jid)
        if before is None or (change.holder is not None and before.wid != change.holder):
            return "gone"
        after = Held(
            before.job,
            WORKING,
            0.0,
            before.position,
            before.wid,
            before.reserved_at,
            max(before.expires_at, change.expires_at),
            before.cancelled or change.cancelled,
        )
        self.jobs[change.jid] = self.working[change.jid] = after
        self.steps.append(Amended(before, after))
        return None

    def _note(self, change: Note) -> Reason | None:
        records = self.records.setdefault(change.kind, {})
        before = records.get(change.id)
        if (before or ABSENT).version != change.expected:
            return "version"
        after = None if change.value is None else Record(change.value, change.expected + 1)
        if after is not None:
            records[change.id] = after
        elif before is not None:
            del records[change.id]
        self.steps.append(Noted((change.kind, change.id), before, after))
        return None

    def _claim(self, change: Claim) -> Reason | None:
        before = self.locks.get(change.key)
        if before is not None and before[0] != change.owner and before[1] > change.now:
            return "claimed"
        after = (change.owner, change.until)
        self.set_lock(change.key, after)
        self.steps.append(Locked(change.key, before, after))
        return None

    def _release(self, change: Release) -> Reason | None:
        before = self.locks.get(change.key)
        if before is not None and before[0] == change.owner:
            self.set_lock(change.key, None)
            self.steps.append(Locked(change.key, before, None))
        return None

    def _count(self, change: Count) -> Reason | None:
        self.totals[change.name] += change.by
        day = (change.name, change.day)
        self.days[day] = self.days.get(day, 0) + change.by
        self.steps.append(Counted(change.name, change.day, change.by))
        return None

    def _pause(self, change: Pause) -> Reason | None:
        queue = self.queues.get(change.queue)
        if queue is None:
            if len(self.queues) >= self.queues_max:
                return "queues"
            queue = self._make_queue(change.queue)
        self.steps.append(QueuePaused(queue, queue.paused, change.paused))
        queue.paused = change.paused
        return None

    def _clear(self, change: Clear) -> Reason | None:
        if change.place != QUEUED:
            self._clear_jobs(change)
            return None
        queue = self.queues.get(change.queue)
        if queue is None:
            return None
        for _ in range(min(change.count, queue.size)):
            held = self._pop(queue)
            del self.jobs[held.job.jid]
            self.leave(held.job)
            self.steps.append(Removed(held, True, False))
        if not queue.size:
            del self.queues[change.queue]
            self.steps.append(QueueForgotten(queue))
        return None

    def _clear_jobs(self, change: Clear) -> None:
        assert change.place != QUEUED
        if change.place == WORKING:
            jids = list(islice(self.working, change.count))
        else:
            jids = [jid for _, jid in islice(self.timed[change.place], change.count)]
        for jid in jids:
            self._take(Take(jid, change.place))

    def _make_queue(self, name: str) -> Queue:
        queue = self.queues[name] = Queue(name)
        self.steps.append(QueueMade(queue))
        return queue
