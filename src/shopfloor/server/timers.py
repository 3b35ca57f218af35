"""One row per periodic task: what runs, and how often."""

import asyncio
from collections.abc import Callable
from functools import partial

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from shopfloor.broker.asks import Verb
from shopfloor.broker.broker import Broker
from shopfloor.errors import ShopfloorError, StoreUnavailable

FETCH_CHECK_SECONDS = 0.05
"""How exactly a waiting FETCH ends: reference replies come after 2.00 to 2.10 s."""

STANDSTILL_SECONDS = 5.0
"""A process that slept this much too long was stopped, or starved, and has not heard its workers meanwhile."""


class Periods(Struct, frozen=True, kw_only=True):
    """How often; each is a setting of the same name."""

    schedule_seconds: float = 0.25
    reap_seconds: float = 5.0
    cron_seconds: float = 1.0
    batch_seconds: float = 10.0


class Timer(Struct, frozen=True):
    """A pass of the broker and the seconds between its end and its next begin."""

    name: str
    seconds: float
    make: Callable[[], Verb[None]]


def rows(broker: Broker, periods: Periods) -> list[Timer]:
    """List the periodic tasks."""
    upkeep = broker.upkeep
    return [
        Timer("promote scheduled", periods.schedule_seconds, partial(upkeep.promote, "scheduled")),
        Timer("promote retries", periods.schedule_seconds, partial(upkeep.promote, "retries")),
        Timer("empty the inbox", periods.schedule_seconds, broker.inbox.take_in),
        Timer("purge dead", periods.reap_seconds, upkeep.purge_dead),
        Timer("forget tracked jobs", periods.reap_seconds, broker.tracking.purge),
        Timer("reap reservations", periods.reap_seconds, upkeep.reap_reservations),
        Timer("tend batches", periods.batch_seconds, broker.batch_care.tend),
        Timer("reconcile throttles", periods.reap_seconds, broker.throttles.reconcile),
        Timer("drop ended locks", periods.reap_seconds, upkeep.drop_ended_locks),
        Timer("reap workers", periods.reap_seconds, upkeep.reap_workers),
        Timer("fire cron entries", periods.cron_seconds, broker.cron.fire),
    ]


class Timers:
    """Runs the rows, each in a task of its own, and ends fetches whose time is over."""

    def __init__(self, broker: Broker, periods: Periods, log: FilteringBoundLogger) -> None:
        self._log = log
        self._broker = broker
        self._rows = rows(broker, periods)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; each row runs for the first time after its period."""
        self._tasks = [asyncio.create_task(self._run(row), name=row.name) for row in self._rows]
        self._tasks.append(asyncio.create_task(self._end_fetches(), name="end fetches"))

    async def stop(self) -> None:
        """End all rows. May be called twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, row: Timer) -> None:
        while True:
            await asyncio.sleep(row.seconds * self._give_or_take())
            try:
                await self._broker.ticks.run(row.make())
            except StoreUnavailable:
                continue  # logged once, for all that did not reach the store
            except ShopfloorError as error:
                self._log.error("a periodic task failed; it is tried again", task=row.name, error=str(error))
            except Exception:
                self._log.exception("a periodic task failed; it is tried again", task=row.name)

    def _give_or_take(self) -> float:
        """Several servers on one store should not all look at the same moment."""
        return 0.9 + self._broker.context.dice(201) / 1000

    async def _end_fetches(self) -> None:
        ticks, loop = self._broker.ticks, asyncio.get_running_loop()
        while True:
            slept_at = loop.time()
            await asyncio.sleep(FETCH_CHECK_SECONDS)
            if loop.time() - slept_at > STANDSTILL_SECONDS:
                ticks.contact.interrupted(ticks.clock())
            ticks.release_timed_out()
