"""The data of a state, how jobs get into it, and the questions that can be asked of it."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from sortedcontainers import SortedList

from shopfloor.core.changes import ABSENT, Record
from shopfloor.core.facts import facts
from shopfloor.core.job import NOTHING, QUEUED, WORKING, Held, Job, TimedPlace
from shopfloor.store.port import Lock, Page
from shopfloor.store.state.queue import Queue
from shopfloor.store.state.shelf import Shelf

LOOK_COUNT = 256
"""Entries looked at in one read of the shelf."""


class Tables:
    """Jobs, queues, records, locks and totals; the only owner of each."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.jobs: dict[str, Held] = {}
        """Every held job that is not on the shelf."""
        self.working: dict[str, Held] = {}
        self.busy: dict[str, dict[str, int]] = {}
        """Of queues that have a limit, how many of their jobs are working, by wid; others are not counted."""
        self.queues: dict[str, Queue] = {}
        self.timed: dict[TimedPlace, SortedList[tuple[float, str]]] = {
            "scheduled": SortedList(),
            "retries": SortedList(),
            "dead": SortedList(),
        }
        self.members: dict[str, dict[str, None]] = {}
        """For each batch the jids of its members that are held."""
        self.callbacks: dict[str, dict[str, None]] = {}
        """For each batch the jids of its callbacks that are held."""
        self.records: dict[str, dict[str, Record]] = {}
        """Small records by kind and id."""
        self.locks: dict[str, tuple[str, float]] = {}
        """Owner and end of each."""
        self.lock_ends: SortedList[tuple[float, str]] = SortedList()
        """The same by their end."""
        self.totals: dict[str, int] = {"processed": 0, "failures": 0}
        self.days: dict[tuple[str, str], int] = {}
        self.back = 0
        """The position of the job that was last added to the end of a queue."""
        self.front = 0

    def find(self, jid: str) -> Held | None:
        """Look up a held job wherever it rests."""
        return self.jobs.get(jid) or self.shelf.find(jid)

    def place(self, held: Held, *, front: bool = False) -> None:
        """Let a job rest where `held` says: the one way in, for new jobs and for those read back."""
        jid = held.job.jid
        self.jobs[jid] = held
        self.join(held.job)
        if held.place == QUEUED:
            queue = self.queues[held.job.queue]
            if front:
                queue.appendleft(held)
            else:
                queue.append(held)
        elif held.place == WORKING:
            self.start(held)
        else:
            self.timed[held.place].add((held.at, jid))

    def displace(self, held: Held) -> bool:
        """Remove a job from the order of its place; answer whether it was at the head of its queue.

        One in the middle of a queue leaves its entry behind; at the head it does not, so that clearing a queue from
        its head costs the same however long it is.
        """
        self.leave(held.job)
        if held.place == WORKING:
            self.stop(held)
        elif held.place != QUEUED:
            self.timed[held.place].remove((held.at, held.job.jid))
        else:
            return self.queues[held.job.queue].remove(held)
        return False

    def start(self, held: Held) -> None:
        """A job is working from now on."""
        self.working[held.job.jid] = held
        if self.busy and (counts := self.busy.get(held.job.queue)) is not None:
            counts[held.wid] = counts.get(held.wid, 0) + 1

    def stop(self, held: Held) -> None:
        """Undo `start`."""
        del self.working[held.job.jid]
        if self.busy and (counts := self.busy.get(held.job.queue)) is not None:
            counts[held.wid] -= 1
            if not counts[held.wid]:
                del counts[held.wid]

    def working_in(self, queue: str) -> dict[str, int]:
        """Count the working jobs of a queue by wid; from the first time on, the count is kept."""
        counts = self.busy.get(queue)
        if counts is None:
            wids = [held.wid for held in self.working.values() if held.job.queue == queue]
            counts = self.busy[queue] = dict(Counter(wids))
        return counts

    def record(self, kind: str, identity: str) -> Record:
        """Look up a small record."""
        known = self.records.get(kind)
        return ABSENT if known is None else known.get(identity, ABSENT)

    def set_lock(self, key: str, lock: tuple[str, float] | None) -> None:
        """Let a lock have this owner and end, or be no more."""
        before = self.locks.pop(key, None)
        if before is not None:
            self.lock_ends.remove((before[1], key))
        if lock is not None:
            self.locks[key] = lock
            self.lock_ends.add((lock[1], key))

    def ended_locks(self, until: float, count: int) -> list[Lock]:
        """List the locks that end first."""
        found = islice(self.lock_ends.irange(None, (until, "\U0010ffff")), count)
        return [Lock(key=key, owner=self.locks[key][0], until=end) for end, key in found]

    def join(self, job: Job) -> None:
        """A job is held from now on: index it by the batch it belongs to."""
        if job.custom is not NOTHING:
            known = facts(job)
            if known.bid:
                self.members.setdefault(known.bid, {})[job.jid] = None
            if known.callback_bid:
                self.callbacks.setdefault(known.callback_bid, {})[job.jid] = None

    def leave(self, job: Job) -> None:
        """Undo `join`."""
        if job.custom is not NOTHING:
            known = facts(job)
            _drop(self.members, known.bid, job.jid)
            _drop(self.callbacks, known.callback_bid, job.jid)

    def peek(self, queue: Queue, offset: int, count: int) -> list[Held]:
        """List jobs of a queue without touching them."""
        if queue.size == len(queue.entries):
            return self._look(queue, list(islice(queue.entries, offset, offset + count)))
        found: list[Held] = []
        entries = iter(queue.entries)
        while len(found) < offset + count and (chunk := list(islice(entries, LOOK_COUNT))):
            found += self._look(queue, chunk)
        return found[offset : offset + count]

    def browse(self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool) -> Page:
        """List jobs of a timed place."""
        order = self.timed[place]
        if latest_first:
            keys = islice(order.irange(None, after, (True, False), reverse=True), count)
        else:
            keys = islice(order.irange(after, None, (False, True)), count)
        listed = list(keys)
        jobs = [held for _, jid in listed if (held := self.find(jid)) is not None]
        return Page(jobs=jobs, after=listed[-1] if len(listed) == count else None)

    def due(self, place: TimedPlace, now: float, count: int) -> list[Held]:
        """List jobs whose time has come."""
        keys = islice(self.timed[place].irange(None, (now, "\U0010ffff")), count)
        return [held for _, jid in keys if (held := self.find(jid)) is not None]

    def _look(self, queue: Queue, entries: Sequence[Held | int]) -> list[Held]:
        """Turn entries into the jobs they stand for, leaving out those that have left."""
        positions = [entry for entry in entries if isinstance(entry, int)]
        shelved = {held.position: held for held in self.shelf.read(positions)} if positions else {}
        found: list[Held] = []
        for entry in entries:
            held = shelved.get(entry) if isinstance(entry, int) else entry
            if held is not None and (isinstance(entry, int) or self.jobs.get(held.job.jid) is held):
                found.append(held)
        return found


def _drop(index: dict[str, dict[str, None]], key: str | None, jid: str) -> None:
    if key and key in index:
        index[key].pop(jid, None)
        if not index[key]:
            del index[key]
