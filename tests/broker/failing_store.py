"""A store around any other one: it fails on cue, and lets time pass, as one behind a network does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from shopfloor.core.changes import Record, Transition
from shopfloor.core.job import Held, TimedPlace
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
    Reserve,
    Store,
)

Cue = Callable[[str], Exception | None]
"""Given the name of a verb, answers what it is to fail with."""


def never(verb: str) -> Exception | None:
    """Let everything work."""
    return None


class FailingStore:
    """See `store.port.Store` for the verbs; whatever the cue says is raised instead of doing anything."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.cue: Cue = never
        self.afterwards: Cue = never
        """As `cue`, but a commit is carried out first: the connection broke before its answer came."""
        self.meanwhile: Callable[[str], Awaitable[None]] | None = None
        """Waited for before each verb: what happens while a store takes its time."""

    async def _may(self, verb: str) -> None:
        if self.meanwhile is not None:
            await self.meanwhile(verb)
            await asyncio.sleep(0)
        error = self.cue(verb)
        if error is not None:
            raise error

    def listen(self, arrived: Arrived) -> None:
        """Let the store within tell."""
        self.inner.listen(arrived)

    async def open(self) -> None:
        """Open the store within."""
        await self.inner.open()

    async def close(self) -> None:
        """Close the store within."""
        await self.inner.close()

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        """Look up, or fail."""
        await self._may("load")
        return await self.inner.load(jids, records)

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Commit, or fail."""
        await self._may("commit")
        committed = await self.inner.commit(transitions, requests, now)
        if (error := self.afterwards("commit")) is not None:
            raise error
        return committed

    async def due(self, place: TimedPlace, now: float, count: int) -> Sequence[Held]:
        """Answer, or fail."""
        await self._may("due")
        return await self.inner.due(place, now, count)

    async def reservations(self) -> Sequence[Held]:
        """Answer, or fail."""
        await self._may("reservations")
        return await self.inner.reservations()

    async def browse(
        self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool = False
    ) -> Page:
        """Answer, or fail."""
        await self._may("browse")
        return await self.inner.browse(place, after, count, latest_first=latest_first)

    async def peek(self, queue: str, offset: int, count: int) -> Sequence[Held]:
        """Answer, or fail."""
        await self._may("peek")
        return await self.inner.peek(queue, offset, count)

    async def queues(self) -> Sequence[QueueFigures]:
        """Answer, or fail."""
        await self._may("queues")
        return await self.inner.queues()

    async def figures(self) -> Figures:
        """Answer, or fail."""
        await self._may("figures")
        return await self.inner.figures()

    async def history(self, days: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Answer, or fail."""
        await self._may("history")
        return await self.inner.history(days)

    async def batch_jobs(self, bid: str) -> BatchJobs:
        """Answer, or fail."""
        await self._may("batch_jobs")
        return await self.inner.batch_jobs(bid)

    async def records(self, kind: str) -> dict[str, Record]:
        """Answer, or fail."""
        await self._may("records")
        return await self.inner.records(kind)

    async def locks(self, until: float, count: int) -> Sequence[Lock]:
        """Answer, or fail."""
        await self._may("locks")
        return await self.inner.locks(until, count)

    async def flush(self) -> None:
        """Flush, or fail."""
        await self._may("flush")
        await self.inner.flush()

    async def backup(self, target: Path) -> None:
        """Copy, or fail."""
        await self._may("backup")
        await self.inner.backup(target)

    async def describe(self) -> Description:
        """Answer, or fail."""
        await self._may("describe")
        return await self.inner.describe()
