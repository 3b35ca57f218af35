"""What the server does for batches by itself: it cancels, forgets, and proves that none is stranded.

Batches move on only with their jobs, in the same step, so there is nothing that a repair should ever find. It looks all
the same, after a start and from time to time, and counts what it had to mend: a number above 0 is a defect.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from shopfloor.broker.asks import Fork, Load, Query, Verb
from shopfloor.broker.batches import Batches, Draft
from shopfloor.broker.context import Context
from shopfloor.broker.jobs import Jobs
from shopfloor.core import batch, batch_definition
from shopfloor.core.batch import BATCH, Batch, Step
from shopfloor.core.changes import ABSENT, Record
from shopfloor.core.facts import Callback, facts
from shopfloor.store.port import BatchJobs

STEP = 500
"""Members looked up in one round; commands get their turn in between."""
RECOUNT_MAX = 1000
"""The members of a larger batch are counted only while nothing happens to it: one that is stranded is still."""


@dataclass(slots=True)
class BatchTally:
    """What was done since the server started."""

    expired: int = 0
    repaired: int = 0


class BatchCare:
    """One pass, `tend`, and the verbs by which operators do the same by hand."""

    def __init__(self, context: Context, batches: Batches, jobs: Jobs) -> None:
        self._context = context
        self._batches = batches
        self._jobs = jobs
        self._seen: dict[str, tuple[int, int]] = {}
        """The version of each batch at the last pass, and for how many passes it has been that."""
        self.tally = BatchTally()

    def tend(self) -> Verb[None]:
        """Look at every batch once: is it over, too old, past its deadline, or in need of repair?"""
        records: dict[str, Record] = yield Query(partial(self._context.store.records, BATCH))
        known = [batch.decode(record.value) for record in records.values() if record.value is not None]
        known.sort(key=lambda one: one.created_at)  # a child that is forgotten first would change its parent
        open_children = Counter(one.parent_bid for one in known if batch.standing(one) == "open")
        now, limits = self._context.moment.now, self._context.limits
        self._seen = {bid: self._passes(bid, record.version) for bid, record in records.items()}
        for one in known:
            version = records[one.bid].version
            if batch.is_over(one, now, limits.batch_open_seconds, limits.batch_kept_seconds):
                yield from self._forget(one, version)
            elif 0 < one.deadline <= now:
                yield from self._end(one.bid)
            elif one.committed and not batch.is_through(one):
                yield from self._repair(one, version, open_children[one.bid])

    def cancel(self, bid: str) -> Verb[int]:
        """Cancel the members that are not finished; the callbacks follow the usual rule. Answers how many they were."""
        yield from self._batches.status(bid)
        held: BatchJobs = yield Query(partial(self._context.store.batch_jobs, bid))
        return (yield from self._each(held.members, ("queued", "scheduled", "retries", "working"), self._jobs.cancel))

    def retry(self, bid: str) -> Verb[int]:
        """Enqueue the members that wait for a retry or are dead. Answers how many they were."""
        yield from self._batches.status(bid)
        held: BatchJobs = yield Query(partial(self._context.store.batch_jobs, bid))
        return (yield from self._each(held.members, ("retries", "dead"), self._jobs.run_now))

    def _passes(self, bid: str, version: int) -> tuple[int, int]:
        known, passes = self._seen.get(bid, (0, 0))
        return version, passes + 1 if known == version else 1

    def _each(self, jids: Sequence[str], places: tuple[str, ...], act: Callable[[str], Verb[None]]) -> Verb[int]:
        """Do something to the jobs that are in one of the places; one that has left it meanwhile does not count."""
        done = 0
        for start in range(0, len(jids), STEP):
            some = jids[start : start + STEP]
            loaded = yield Load(tuple(some))
            found = [loaded.jobs[jid] for jid in some if jid in loaded.jobs]
            meant = [held.job.jid for held in found if held.place in places and not held.cancelled]
            if meant:
                prongs = yield Fork(tuple([act(jid) for jid in meant]))
                done += sum(prong.error is None for prong in prongs)
        return done

    def _end(self, bid: str) -> Verb[None]:
        """The deadline is over. It is kept until all members are cancelled: a server that dies before begins anew."""
        yield from self.cancel(bid)
        yield from self._batches.retried(lambda draft: self._batches.move_if_known(draft, bid, batch.without_deadline))

    def _forget(self, one: Batch, version: int) -> Verb[None]:
        """Forget a batch that is over, or that nobody committed in time, unless something happens to it just now."""
        draft = Draft()
        yield from self._batches.forget(draft, one, version)
        conflict = yield draft.transition()
        self.tally.expired += conflict is None and not one.committed

    def _repair(self, seen: Batch, version: int, open_children: int) -> Verb[None]:
        """Compare a batch with the jobs that are held, and mend what no job could mend any more.

        The record is only written if it is still the one that was compared, so that a job on its way is no fault.
        """
        held: BatchJobs = yield Query(partial(self._context.store.batch_jobs, seen.bid))
        waiting = seen.pending
        if len(held.members) <= RECOUNT_MAX or self._seen[seen.bid] == (version, 2):
            waiting = yield from self._not_executed(held.members, seen.pending)
        steps: list[Step] = [lambda before: batch.members_missing(before, len(held.members), waiting)]
        if seen.children_open > open_children:
            orphans = seen.children_open - open_children
            steps.append(lambda before: batch.children_missing(before, orphans))
        for callback in batch.waiting_for(seen):
            if not (yield from self._is_on_its_way(seen, callback, held.callbacks)):
                steps.append(partial(batch.callback_lost, callback=callback))
        yield from self._mend(seen, version, steps)

    def _not_executed(self, jids: Sequence[str], enough: int) -> Verb[int]:
        """Count the members that were not executed yet, until there are enough."""
        found = 0
        for start in range(0, len(jids), STEP):
            some = jids[start : start + STEP]
            loaded = yield Load(tuple(some))
            found += sum(jid in loaded.jobs and not loaded.jobs[jid].job.counted for jid in some)
            if found >= enough:
                break
        return found

    def _mend(self, seen: Batch, version: int, steps: Sequence[Step]) -> Verb[None]:
        """Carry the steps out; a batch that they leave as it was, with no callback overdue, needs nothing."""
        mended = seen
        for step in steps:
            mended = step(mended)
        mended, due = batch.advance(mended)
        if mended == seen and not due:
            return
        draft = Draft()
        draft.batches[seen.bid], draft.versions[seen.bid] = seen, version
        for step in steps:
            yield from self._batches.move(draft, seen.bid, step)
        conflict = yield draft.transition()
        self.tally.repaired += conflict is None

    def _is_on_its_way(self, owner: Batch, callback: Callback, jids: Sequence[str]) -> Verb[bool]:
        """Say whether an enqueued callback is held, or the batch that it was declared to be is known."""
        bid = batch_definition.born_bid(owner, callback)
        loaded = yield Load(tuple(jids), ((BATCH, bid),))
        if batch_definition.declared(owner, callback) is None:
            return any(jid in loaded.jobs and facts(loaded.jobs[jid].job).callback == callback for jid in jids)
        return loaded.records.get((BATCH, bid), ABSENT).value is not None
