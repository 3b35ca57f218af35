"""The Redis store: see the package for the idea, `store.port.Store` for the verbs."""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from shopfloor.config import Settings
from shopfloor.core.changes import ABSENT, SOFT_KINDS, Record, Transition
from shopfloor.core.job import Held, TimedPlace
from shopfloor.core.lifecycle import RESERVE_SECONDS_MAX, RESERVE_SECONDS_MIN, Rules
from shopfloor.errors import StoreError, StoreTooNew, StoreUnavailable
from shopfloor.store.port import (
    Arrived,
    BatchJobs,
    Committed,
    Description,
    Examination,
    Figures,
    Loaded,
    Lock,
    Page,
    QueueFigures,
    Reserve,
)
from shopfloor.store.redis.address import read_address
from shopfloor.store.redis.calls import Calls, in_our_words
from shopfloor.store.redis.coding import read_all, read_lock, read_record
from shopfloor.store.redis.commits import Commits, Numbers
from shopfloor.store.redis.condition import Condition, examine, findings, meaning, objection, too_old
from shopfloor.store.redis.connection import Connection, Lost, Refusal
from shopfloor.store.redis.library import LAYOUT, load_library
from shopfloor.store.redis.link import Link

WATCH_SECONDS: Final = 3.0
"""Time between two looks at how Redis is set up, and at queues for which a message may have got lost."""

_log = logging.getLogger(__name__)


class RedisStore:
    """The jobs of one or many servers in one Redis, under one prefix."""

    def __init__(self, settings: Settings, rules: Rules) -> None:
        self._settings = settings
        self._address = address = read_address(settings.storage)
        self._tag = f"{{{address.prefix}}}:"
        channel = self._tag + "wake"
        self._link = Link(address, self._prepare, channel, self._heard)
        self._calls = Calls(self._link, self._tag + "meta")
        seconds = max(RESERVE_SECONDS_MIN, min(rules.reserve_seconds_default, RESERVE_SECONDS_MAX))
        numbers = Numbers(
            queues_max=settings.queues_max, reserve_seconds=seconds, replicas=address.replicas, channel=channel
        )
        self._commits = Commits(self._calls, numbers)
        self._arrived: Arrived = lambda queues: None
        self._condition: Condition | None = None
        self._objection = ""
        """Why an OK would not mean what the settings promise; then nothing is committed."""
        self._watching: asyncio.Task[None] | None = None

    def listen(self, arrived: Arrived) -> None:
        """Remember whom to tell."""
        self._arrived = arrived

    async def open(self) -> None:
        """Connect, and look whether this Redis is fit to keep jobs."""
        try:
            await self._link.start()
            layout = await self._commits.open()
            if layout > LAYOUT:
                raise StoreTooNew(
                    f"redis at {self._address} holds layout {layout} under prefix {self._address.prefix!r}, and this"
                    f" version knows {LAYOUT} only: a newer shopfloor wrote it"
                )
        except BaseException:
            await self._link.stop()
            raise
        self._watching = asyncio.create_task(self._watch(), name="redis-watch")

    async def close(self) -> None:
        """Leave Redis as it is."""
        if self._watching is None:
            return
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching
        self._watching = None
        with suppress(StoreError):
            await self._commits.leave()
        await self._link.stop()

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        """Look up jobs and records."""
        jobs, values = await self._calls.ask("load", len(jids), *jids, *[text for key in records for text in key])
        found = [ABSENT if value is None else read_record(value) for value in values]
        return Loaded({held.job.jid: held for held in read_all(jobs)}, dict(zip(records, found, strict=True)))

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Apply and reserve, in one call."""
        if self._objection:
            raise StoreUnavailable(self._objection)
        return await self._commits.commit(transitions, requests, now)

    async def due(self, place: TimedPlace, now: float, count: int) -> Sequence[Held]:
        """List jobs whose time has come."""
        return read_all(await self._calls.ask("due", place, repr(now), count))

    async def reservations(self) -> Sequence[Held]:
        """List every working job."""
        return read_all(await self._calls.ask("reservations"))

    async def browse(
        self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool = False
    ) -> Page:
        """List jobs of a timed place."""
        mark = () if after is None else (repr(after[0]), after[1])
        jobs, last = await self._calls.ask("browse", place, int(latest_first), count, *mark)
        return Page(jobs=read_all(jobs), after=(float(last[1]), last[0].decode()) if last else None)

    async def peek(self, queue: str, offset: int, count: int) -> Sequence[Held]:
        """List jobs of a queue."""
        return read_all(await self._calls.ask("peek", queue, offset, count))

    async def queues(self) -> Sequence[QueueFigures]:
        """List the known queues."""
        told = iter(await self._calls.ask("queues"))
        found = [
            QueueFigures(name=name.decode(), size=size, paused=paused == b"1")
            for name, paused, size in zip(told, told, told, strict=True)
        ]
        return sorted(found, key=lambda queue: queue.name)

    async def figures(self) -> Figures:
        """Count what rests where."""
        working, scheduled, retries, dead, processed, failures = await self._calls.ask("figures")
        return Figures(
            working=working,
            scheduled=scheduled,
            retries=retries,
            dead=dead,
            processed=int(processed or 0),
            failures=int(failures or 0),
        )

    async def history(self, days: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Answer the figures of each day."""
        told = iter(await self._calls.ask("history", *days))
        return [(int(processed or 0), int(failures or 0)) for processed, failures in zip(told, told, strict=True)]

    async def batch_jobs(self, bid: str) -> BatchJobs:
        """List the held jobs of a batch."""
        members, callbacks = await self._calls.ask("batch_jobs", bid)
        return BatchJobs(members=[jid.decode() for jid in members], callbacks=[jid.decode() for jid in callbacks])

    async def records(self, kind: str) -> dict[str, Record]:
        """List the records of a kind."""
        told = iter(await self._calls.ask("records", kind))
        return {id.decode(): read_record(value) for id, value in zip(told, told, strict=True)}

    async def locks(self, until: float, count: int) -> Sequence[Lock]:
        """List locks by their end."""
        told = iter(await self._calls.ask("locks", repr(until), count))
        return [read_lock(key, value) for key, value in zip(told, told, strict=True)]

    async def flush(self) -> None:
        """Delete what has our prefix, and nothing else that is in this Redis."""
        await self._calls.ask("flush", *SOFT_KINDS)

    async def backup(self, target: Path) -> None:
        """Refuse: the files of a Redis are on its own machine, and its own tools copy them."""
        raise StoreError(
            f"jobs rest in redis at {self._address}, which a server cannot copy from outside: run BGSAVE there and copy"
            " its dump file, or copy a replica's (docs/guides/redis.md)"
        )

    async def examine(self) -> Sequence[Examination]:
        """Look at Redis, and change nothing."""
        condition = await self._link.look(examine)
        address = self._address
        return findings(condition, self._settings.durability, address.replicas, unchecked=address.unchecked)

    async def describe(self) -> Description:
        """Say what Redis this is, and what an OK means with the settings it has."""
        condition = self._condition
        if condition is None:
            raise StoreUnavailable(f"redis at {self._address} is not open")
        facts: dict[str, str | int | float] = {
            "url": str(self._settings.storage),
            "prefix": self._address.prefix,
            "an_ok_means": meaning(condition, self._address.replicas),
            "appendonly": "yes" if condition.appends else "no",
            "appendfsync": condition.syncs or "unknown",
            "save": condition.snapshots,
            "replicas": condition.replicas,
            "maxmemory_policy": condition.policy or "unknown",
            "memory_bytes": condition.memory_bytes,
            "memory_bytes_max": condition.memory_bytes_max,
            "reconnects": self._link.reconnects,
        }
        trouble = self._objection or self._commits.trouble
        if trouble:
            facts["trouble"] = trouble
        seconds, microseconds = await (await self._link.connection()).call("TIME")
        return Description(
            engine=condition.engine,
            version=condition.version,
            durability=self._settings.durability,
            clock=int(seconds) + int(microseconds) / 1e6,
            facts=facts,
        )

    async def _prepare(self, connection: Connection) -> None:
        """Look at a Redis before it serves. One that is not fit is refused at the start, and not used later on."""
        condition = await examine(connection)
        wrong = too_old(condition)
        if wrong:
            raise StoreError(wrong)
        self._note(condition)
        if self._watching is None and self._objection:
            raise StoreError(self._objection)
        await load_library(connection)

    def _note(self, condition: Condition) -> None:
        """Keep what was found, and say it where it is not what was found before."""
        objection_now = objection(condition, self._settings.durability, unchecked=self._address.unchecked)
        means = meaning(condition, self._address.replicas)
        if objection_now and objection_now != self._objection:
            _log.critical("%s; until then every change is refused", objection_now)
        elif self._objection and not objection_now:
            _log.warning("redis is fit to keep jobs again")
        if self._condition is None or means != meaning(self._condition, self._address.replicas):
            _log.info("redis at %s: %s", self._address, means)
        self._condition, self._objection = condition, objection_now

    async def _watch(self) -> None:
        """Look again and again, at uneven distances so that many servers do not look at once."""
        while True:
            await asyncio.sleep(WATCH_SECONDS * random.uniform(0.7, 1.3))  # noqa: S311 - nothing here is a secret
            self._arrived(None)
            try:
                self._note(await examine(await self._link.connection()))
            except (StoreUnavailable, Lost):
                continue  # the link says so itself
            except Refusal as refusal:
                _log.error("%s", in_our_words(refusal))

    def _heard(self, message: bytes | None) -> None:
        """Another server has put something in, or messages may have got lost."""
        if message is None:
            self._arrived(None)
            return
        server, *queues = message.decode().split(" ")
        if server != self._commits.server:
            self._arrived(queues)
