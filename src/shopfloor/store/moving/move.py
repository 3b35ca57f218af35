"""The move itself: what is put into the target, in which order, and why it may be begun again at any point.

Jobs that are held already are left alone ("held" is how a Put says so), so what a killed move had put is the beginning
of what the next one puts, and order is kept. Totals are not of that kind: they go in one step with a note that they are
in.
While a move is under way the target holds a record of it, and no server serves from such a target.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from shopfloor.core.changes import ABSENT, Amend, Change, Claim, Clear, Count, Note, Pause, Put, Record, Transition
from shopfloor.core.job import QUEUED, Held
from shopfloor.errors import StoreError
from shopfloor.store.moving.contents import (
    KINDS,
    PAGE_JOBS,
    TIMED,
    Counts,
    Digests,
    count,
    days,
    digests,
    locks,
    queued,
    timed,
    working,
)
from shopfloor.store.port import Reserve, Store

MOVE: Final = "move"
"""The kind of record that a store holds while everything of another one is put into it."""
BEGUN: Final = "begun"
TOTALS: Final = "totals"

Progress = Callable[[int], None]
"""Told of jobs as they are put, or read for comparison."""


def nobody(jobs: int) -> None:
    """Nobody wants to know."""


class Move:
    """One move between two open stores. `source` is what the source is called, without a password."""

    def __init__(self, origin: Store, target: Store, source: str, now: float) -> None:
        self._origin = origin
        self._target = target
        self._source = source.encode()
        self._now = now

    async def check(self) -> Counts:
        """Count what is to be moved; raise `StoreError` where the target has something else in it."""
        begun = (await self._target.records(MOVE)).get(BEGUN, ABSENT)
        if begun.value not in (None, self._source):
            was = (begun.value or b"").decode()
            raise StoreError(f"the target is half of a move from {was}: go on with that one, or empty it")
        there = await count(self._target)
        if begun.value is None and (there.jobs or there.queues or there.records or there.locks or there.processed):
            raise StoreError(f"the target is not empty: {there.jobs} jobs, {there.queues} queues")
        return await count(self._origin)

    async def carry(self, progress: Progress = nobody) -> None:
        """Put everything into the target. May be killed at any point and begun again."""
        await self._note(BEGUN, self._source)
        await self._put_working(progress)
        for queue in await self._origin.queues():
            async for page in queued(self._origin, queue.name):
                await self._put([(Put(held.job, QUEUED),) for held in page])
                progress(len(page))
        for place in TIMED:
            async for page in timed(self._origin, place):
                await self._put([(Put(held.job, place, held.at),) for held in page])
                progress(len(page))
        await self._put_queues()
        for kind in KINDS:
            records = await self._origin.records(kind)
            await self._put([(Note(kind, id, record.value, 0),) for id, record in records.items()])
        await self._put([(Claim(lock.key, lock.owner, lock.until, 0.0),) for lock in await locks(self._origin)])
        await self._put_totals()

    async def verify(self, progress: Progress = nobody) -> Digests:
        """Compare the stores, job by job, and end the move; raise `StoreError` with what differs."""
        here = await digests(self._origin, self._now, progress)
        there = await digests(self._target, self._now, progress)
        differs = [part for part in sorted(here.keys() | there.keys()) if here.get(part) != there.get(part)]
        if differs:
            told = "; ".join(
                f"{part}: {here.get(part, 'nothing')} against {there.get(part, 'nothing')}" for part in differs
            )
            raise StoreError(f"source and target differ, so somebody still works with one of them: {told}")
        records = await self._target.records(MOVE)
        await self._commit([(Note(MOVE, id, None, record.version),) for id, record in records.items()])
        return here

    async def _put_working(self, progress: Progress) -> None:
        """Let the jobs be worked on by those who work on them: each is put at a head and reserved, in one step."""
        known = await working(self._origin)
        for reserved_at, group in groupby(known, key=lambda held: held.reserved_at):
            some = list(group)
            there = (await self._target.load([held.job.jid for held in some], ())).jobs
            missing = [held for held in some if held.job.jid not in there]
            heads: list[Transition] = [(Put(held.job, QUEUED, front=True),) for held in reversed(missing)]
            requests = [Reserve((held.job.queue,), held.wid) for held in missing]
            committed = await self._target.commit(heads, requests, reserved_at)
            got = [held.job.jid for held in (one for reserved in committed.reserved for one in reserved)]
            assert sorted(got) == sorted(held.job.jid for held in missing), "each gets the head that was put for it"
            await self._commit([(_as_it_was(held),) for held in some])
            progress(len(some))

    async def _put_queues(self) -> None:
        """Know and pause the queues that the source knows, and no others: a working job's may be unknown by now."""
        known = {queue.name: queue.paused for queue in await self._origin.queues()}
        await self._put([(Pause(name, paused),) for name, paused in known.items()])
        spare = [queue.name for queue in await self._target.queues() if queue.name not in known]
        await self._commit([(Clear(QUEUED, name, count=0),) for name in spare])

    async def _put_totals(self) -> None:
        """Add the history and, on a day before all of it, what the totals have besides."""
        figures = await self._origin.figures()
        known = await days(self._origin, datetime.fromtimestamp(self._now, UTC).date())
        older = (
            figures.processed - sum(processed for _, processed, _ in known),
            figures.failures - sum(failures for _, _, failures in known),
        )
        changes: list[Change] = [Note(MOVE, TOTALS, b"", 0)]
        for day, processed, failures in [*known, ("1970-01-01", *older)]:
            changes += [Count("processed", day, processed)] if processed else []
            changes += [Count("failures", day, failures)] if failures else []
        await self._target.commit([tuple(changes)], (), self._now)

    async def _note(self, id: str, value: bytes) -> None:
        await self._target.commit([(Note(MOVE, id, value, 0),)], (), self._now)

    async def _put(self, transitions: Sequence[Transition]) -> None:
        """Put what is not there yet."""
        for start in range(0, len(transitions), PAGE_JOBS):
            committed = await self._target.commit(transitions[start : start + PAGE_JOBS], (), self._now)
            for outcome in committed.outcomes:
                if outcome is not None and outcome.reason not in ("held", "version"):
                    raise StoreError(f"the target refused {outcome.change}: {outcome.reason}")

    async def _commit(self, transitions: Sequence[Transition]) -> None:
        committed = await self._target.commit(transitions, (), self._now)
        assert not any(committed.outcomes), "nobody else has the target"


async def unfinished(store: Store) -> str:
    """Say what a store is a half of, if it is one; nothing otherwise."""
    begun: Record = (await store.records(MOVE)).get(BEGUN, ABSENT)
    return "" if begun.value is None else begun.value.decode()


def _as_it_was(held: Held) -> Amend:
    return Amend(held.job.jid, held.wid, held.expires_at, held.cancelled)
