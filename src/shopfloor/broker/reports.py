"""INFO: what the server tells about itself (reference 1.6)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from shopfloor.broker.asks import Query, Verb
from shopfloor.broker.batch_care import BatchTally
from shopfloor.broker.context import Context
from shopfloor.broker.fetching import Fetching
from shopfloor.broker.throttles import Throttles
from shopfloor.broker.upkeep import Done, Tally
from shopfloor.core.job import TimedPlace
from shopfloor.core.workers import WORKER
from shopfloor.store.port import Description, Figures, QueueFigures


class Vitals(Struct, frozen=True, kw_only=True):
    """What only the server process knows of itself."""

    version: str
    uptime_seconds: int
    connections: int
    commands: int
    memory_megabytes: int
    extensions: tuple[str, ...]


class Reports:
    """Questions about the whole server."""

    def __init__(
        self, context: Context, tally: Tally, batches: BatchTally, fetching: Fetching, throttles: Throttles
    ) -> None:
        self._context = context
        self._tally = tally
        self._batches = batches
        self._fetching = fetching
        self._throttles = throttles

    def info(self, vitals: Vitals) -> Verb[dict[str, Any]]:
        """Answer INFO: exactly four top-level keys."""
        context = self._context
        queues: list[QueueFigures] = yield Query(context.store.queues)
        figures: Figures = yield Query(context.store.figures)
        fleet = yield Query(partial(context.store.records, WORKER))
        description = yield Query(context.store.describe)
        return {
            "now": context.moment.text,
            "server_utc_time": f"{context.moment.text[11:19]} UTC",
            "faktory": {
                "queues": {queue.name: queue.size for queue in queues},
                "sets": {
                    "dead": figures.dead,
                    "retries": figures.retries,
                    "scheduled": figures.scheduled,
                    "working": figures.working,
                },
                "tasks": self._tasks(figures, len(fleet)),
                "total_failures": figures.failures,
                "total_processed": figures.processed,
                "total_enqueued": sum(queue.size for queue in queues),
                "total_queues": len(queues),
            },
            "server": self._server(vitals, description, queues),
        }

    def _server(self, vitals: Vitals, description: Description, queues: Sequence[QueueFigures]) -> dict[str, Any]:
        return {
            "description": "Shopfloor (Faktory Enterprise compatible)",
            "faktory_version": FAKTORY_VERSION,
            "uptime": vitals.uptime_seconds,
            "connections": vitals.connections,
            "command_count": vitals.commands,
            "used_memory_mb": vitals.memory_megabytes,
            "shopfloor_version": vitals.version,
            "extensions": vitals.extensions,
            "store": description.engine,
            "durability": description.durability,
            "batches_repaired": self._batches.repaired,
            "throttles_repaired": self._throttles.repairs,
            "held_back": self._throttles.held_back,
            "expired": self._fetching.expired,
            "locks_dropped": self._tally.locks_dropped,
            "paused_queues": [queue.name for queue in queues if queue.paused],
            "trouble": description.facts.get("trouble", ""),
            "store_breaks": self._context.ticks.contact.breaks,
            "store_clock_ahead": self._ahead(description.clock),
        }

    def _ahead(self, clock: float | None) -> float | None:
        return None if clock is None else round(self._context.ticks.clock() - clock, 3)

    def _tasks(self, figures: Figures, workers: int) -> dict[str, Any]:
        tally = self._tally

        def task(place: TimedPlace, size: int) -> dict[str, Any]:
            done: Done = tally.passes[place]
            return {
                "cycles": done.cycles,
                "enqueued": done.moved,
                "size": size,
                "wall_time_sec": round(done.seconds, 6),
            }

        return {
            "Busy": {"reaped": tally.reservations_reaped, "size": figures.working},
            "Dead": task("dead", figures.dead),
            "Retries": task("retries", figures.retries),
            "Scheduled": task("scheduled", figures.scheduled),
            "Workers": {"reaped": tally.workers_reaped, "size": workers},
        }


FAKTORY_VERSION = "1.10.0"
"""The version of the protocol's reference server whose behaviour this one has; clients parse it."""
