"""The pulse of the server: its counters every two seconds, for all pages that are open, asked for once.

However many visitors listen, the broker is asked once a beat, and not at all while nobody does.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from msgspec import Struct

from shopfloor.broker.broker import Broker
from shopfloor.broker.glance import Totals
from shopfloor.errors import Refused, StoreError

BEAT_SECONDS: Final = 2.0
"""Faster than one can read is of no use."""
LISTENERS_MAX: Final = 200
"""Each is a connection that stays; a browser opens six to a host at most."""
STREAM_BEATS: Final = 150
"""After five minutes a stream ends and the browser asks for another one, with the password that is valid then."""


class Beat(Struct, frozen=True, kw_only=True):
    """The counters at one moment."""

    at: float
    enqueued: int
    working: int
    retries: int
    scheduled: int
    dead: int
    processed: int
    failures: int


class Pulse:
    """Shared by all listeners of one server."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._latest: Beat | None = None
        self._felt_at = 0.0
        self._asking: asyncio.Task[Beat | None] | None = None
        self._stopped = asyncio.Event()
        self.listeners = 0

    def stop(self) -> None:
        """End every stream."""
        self._stopped.set()

    def check_room(self) -> None:
        """Raise `Refused` where too many listen."""
        if self.listeners >= LISTENERS_MAX:
            raise Refused(f"{LISTENERS_MAX} pages are live already; this one shows what was when it was loaded")

    async def beats(self) -> AsyncIterator[Beat]:
        """Yield the counters until the server stops, or for so many beats; one that could not be felt is left out."""
        self.listeners += 1
        try:
            for _ in range(STREAM_BEATS):
                beat = await self._felt()
                if beat is not None:
                    yield beat
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), BEAT_SECONDS)
                if self._stopped.is_set():
                    return
        finally:
            self.listeners -= 1

    async def _felt(self) -> Beat | None:
        """Give the latest beat, asking for it where it is old and nobody else is asking."""
        now = asyncio.get_running_loop().time()
        if self._latest is not None and now - self._felt_at < BEAT_SECONDS / 2:
            return self._latest
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._asked)
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Beat | None:
        try:
            totals = await self._broker.ticks.run(self._broker.glances.totals())
        except StoreError:
            return None
        self._latest = beat_of(totals, self._broker.ticks.clock())
        self._felt_at = asyncio.get_running_loop().time()
        return self._latest

    def _asked(self, _: object) -> None:
        self._asking = None


def beat_of(totals: Totals, at: float) -> Beat:
    """Make a beat of counters."""
    figures = totals.figures
    return Beat(
        at=at,
        enqueued=totals.enqueued,
        working=figures.working,
        retries=figures.retries,
        scheduled=figures.scheduled,
        dead=figures.dead,
        processed=figures.processed,
        failures=figures.failures,
    )
