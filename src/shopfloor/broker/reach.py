"""A store behind a network, made bearable: a question to it has a deadline, and while it is away nobody waits for it.

The first command that finds the store away may wait its full time. From then on commands are refused at once, and one
probe at a time asks whether the store is back, with growing pauses that differ from server to server. So a store that
comes back meets one question of each server, and not all that was waiting.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from shopfloor.core.changes import Record, Transition
from shopfloor.core.job import Held, TimedPlace
from shopfloor.core.retry import Dice
from shopfloor.errors import StoreError, StoreUnavailable
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

PROBE_SECONDS = (0.05, 5.0)
"""The pause before the first probe, doubled each time up to the second, give or take half."""
PROBE_JID = ""
"""No job has it: looking it up is the cheapest question there is."""

_Answer = TypeVar("_Answer")


class Reach:
    """See `store.port.Store` for the verbs. A question that was broken off raises `StoreUnavailable`: nobody knows.

    `open`, `close`, `flush` and `backup` take as long as they take.
    """

    def __init__(self, store: Store, seconds: float, dice: Dice) -> None:
        self._store = store
        self._seconds = seconds
        self._dice = dice
        self._arrived: Arrived | None = None
        self._away = ""
        self._probing: asyncio.Task[None] | None = None

    async def _ask(self, question: Coroutine[Any, Any, _Answer]) -> _Answer:
        if self._away:
            question.close()
            raise StoreUnavailable(self._away)
        try:
            async with asyncio.timeout(self._seconds):
                return await question
        except TimeoutError:
            self._away = f"no answer within {self._seconds:g} s"
            self._doubt()
            raise StoreUnavailable(self._away) from None
        except StoreUnavailable:
            self._doubt()
            raise

    def _doubt(self) -> None:
        """Find out whether the store is away, or just could not do that one thing."""
        if self._probing is None:
            self._probing = asyncio.create_task(self._probe(), name="probe the store")

    async def _probe(self) -> None:
        pause, longest = PROBE_SECONDS
        while (why := await self._objection()) is not None:
            self._away = why
            await asyncio.sleep(pause * (0.5 + self._dice(1001) / 1000))
            pause = min(2 * pause, longest)
        was_away, self._away, self._probing = self._away, "", None
        if was_away and self._arrived is not None:
            self._arrived(None)

    async def _objection(self) -> str | None:
        """Ask the store for nothing; answer why it does not answer, or None."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._store.load((PROBE_JID,), ())
        except TimeoutError:
            return f"no answer within {self._seconds:g} s"
        except (StoreError, OSError) as error:
            return str(error)
        return None

    def listen(self, arrived: Arrived) -> None:
        """Let the store tell, and tell oneself when it is back: nothing was heard meanwhile."""
        self._arrived = arrived
        self._store.listen(arrived)

    async def open(self) -> None:
        """Open it."""
        await self._store.open()

    async def close(self) -> None:
        """Close it, and ask no more."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        self._probing, self._away = None, ""
        await self._store.close()

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        """Look up."""
        return await self._ask(self._store.load(jids, records))

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Commit."""
        return await self._ask(self._store.commit(transitions, requests, now))

    async def due(self, place: TimedPlace, now: float, count: int) -> Sequence[Held]:
        """Ask."""
        return await self._ask(self._store.due(place, now, count))

    async def reservations(self) -> Sequence[Held]:
        """Ask."""
        return await self._ask(self._store.reservations())

    async def browse(
        self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool = False
    ) -> Page:
        """Ask."""
        return await self._ask(self._store.browse(place, after, count, latest_first=latest_first))

    async def peek(self, queue: str, offset: int, count: int) -> Sequence[Held]:
        """Ask."""
        return await self._ask(self._store.peek(queue, offset, count))

    async def queues(self) -> Sequence[QueueFigures]:
        """Ask."""
        return await self._ask(self._store.queues())

    async def figures(self) -> Figures:
        """Ask."""
        return await self._ask(self._store.figures())

    async def history(self, days: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Ask."""
        return await self._ask(self._store.history(days))

    async def batch_jobs(self, bid: str) -> BatchJobs:
        """Ask."""
        return await self._ask(self._store.batch_jobs(bid))

    async def records(self, kind: str) -> dict[str, Record]:
        """Ask."""
        return await self._ask(self._store.records(kind))

    async def locks(self, until: float, count: int) -> Sequence[Lock]:
        """Ask."""
        return await self._ask(self._store.locks(until, count))

    async def flush(self) -> None:
        """Flush."""
        await self._store.flush()

    async def backup(self, target: Path) -> None:
        """Copy."""
        await self._store.backup(target)

    async def describe(self) -> Description:
        """Ask."""
        return await self._ask(self._store.describe())
