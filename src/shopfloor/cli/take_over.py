"""`shopfloor import`: take over what another job server left behind."""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, Literal

import click
import msgspec
from msgspec import Struct
from rich.text import Text

from shopfloor.cli.build import build_rules
from shopfloor.cli.caller import Caller, json_option, pass_caller
from shopfloor.cli.setting_options import PLACES, given_flags, setting_options
from shopfloor.config import Settings, StorageUrl, load
from shopfloor.core.changes import Change, Conflict, Count, Note, Pause, Put, Transition
from shopfloor.core.facts import facts
from shopfloor.core.job import Job
from shopfloor.core.payload import accept, decode_pushed, is_repeated
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import ConfigError, Refused, ShopfloorError
from shopfloor.store.open import open_store
from shopfloor.store.port import Store

STEP: Final = 250
"""Jobs put into the store in one commit."""
LEFT_NAMED_MAX: Final = 50
"""Jobs that could not be taken over and are named; all are counted."""
EXCERPT: Final = 80


class Left(Struct, frozen=True):
    """A job that stays where it is, and why."""

    key: str
    why: str
    begins: str


class Tally(Struct):
    """What has been done so far."""

    taken: Counter[str] = msgspec.field(default_factory=Counter)
    """Jobs by where they were."""
    already_there: int = 0
    of_batches: int = 0
    """Jobs that name a batch: their batch is not taken over."""
    left_count: int = 0
    left: list[Left] = msgspec.field(default_factory=list)

    def leave(self, key: str, why: str, text: bytes) -> None:
        """Note a job that cannot be taken over."""
        self.left_count += 1
        if len(self.left) < LEFT_NAMED_MAX:
            self.left.append(Left(key, why, text[:EXCERPT].decode(errors="replace")))


@click.group("import")
def import_group() -> None:
    """Take over what another job server left behind."""


@import_group.command("faktory")
@click.option("--redis", "source", required=True, metavar="URL", help="Where its Redis is: `redis:///path/redis.sock`.")
@click.option("--dry-run", is_flag=True, help="Read everything and put nothing.")
@click.option("--anyway", is_flag=True, help="Also while other clients are connected to that Redis.")
@setting_options(PLACES)
@json_option
@pass_caller
def faktory(caller: Caller, /, source: str, dry_run: bool, anyway: bool, **given: Any) -> None:
    """Take over the jobs of a Faktory that was stopped, from its Redis into the store of this server.

    Queued, scheduled, failed and dead jobs, paused queues and totals; a job that was being worked on goes back to
    the head of its queue. The Redis is only read. What was taken over already is not taken over twice, as long as no
    worker has finished it meanwhile.
    """
    settings = load(given_flags(given), os.environ).settings
    try:
        reading = import_module("shopfloor.store.redis.faktory")
    except ModuleNotFoundError as error:
        raise ConfigError(f"this needs {error.name}: pip install 'shopfloor[redis]'") from error
    taking = Taking(reading.Source(StorageUrl(source)), settings, anyway=anyway)
    told = asyncio.run(taking.run(None if dry_run else open_store(settings, build_rules(settings))))
    caller.answer(told, lambda: Text(_summary(told, dry_run=dry_run)))


class Taking:
    """One run: from a source into a store, or nowhere where there is none."""

    def __init__(self, source: Any, settings: Settings, *, anyway: bool) -> None:
        self._source = source
        self._settings = settings
        self._anyway = anyway
        self._now = time.time()
        self._tally = Tally()

    async def run(self, store: Store | None) -> dict[str, Any]:
        """Take everything over and tell what was done."""
        await self._source.open()
        try:
            others = await self._source.others()
            if others > 0 and not self._anyway:
                raise ShopfloorError(
                    f"{others} other clients are connected to redis at {self._source.address}: is Faktory running? stop"
                    " it first, or say --anyway where they are something else"
                )
            if store is not None:
                await store.open()
            try:
                return await self._take(store)
            finally:
                if store is not None:
                    await store.close()
        finally:
            await self._source.close()

    async def _take(self, store: Store | None) -> dict[str, Any]:
        contents = await self._source.look()
        step: list[tuple[str, Put]] = []
        total = sum(contents.sizes.values())
        with click.progressbar(length=total, label="jobs", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
            async for entry in self._source.entries(contents):
                bar.update(1)
                step += self._read(entry)
                if len(step) == STEP:
                    await self._put(store, step)
                    step.clear()
            await self._put(store, step)
        if store is not None:
            await self._put_the_rest(store, contents)
        return self._told(contents)

    def _read(self, entry: Any) -> list[tuple[str, Put]]:
        """Make a job of what Faktory wrote; nothing of one that cannot be, which is noted."""
        try:
            pushed = decode_pushed(entry.text)
            job, _ = accept(pushed, self._now, format_timestamp(self._now))
        except Refused as refused:
            self._tally.leave(entry.key, refused.message, entry.text)
            return []
        job = msgspec.structs.replace(job, enqueued_at=pushed.enqueued_at or "", at=pushed.at or "")
        return [(entry.key, Put(job, entry.place, entry.at))]

    async def _put(self, store: Store | None, step: Sequence[tuple[str, Put]]) -> None:
        transitions: list[Transition] = [(put,) for _, put in step]
        outcomes: Sequence[Conflict | None] = [None] * len(step)
        if store is not None and transitions:
            outcomes = (await store.commit(transitions, (), self._now)).outcomes
        for (key, put), outcome in zip(step, outcomes, strict=True):
            self._note(key, put.job, outcome)

    def _note(self, key: str, job: Job, outcome: Conflict | None) -> None:
        tally = self._tally
        if outcome is None:
            tally.taken[key] += 1
            tally.of_batches += facts(job).bid is not None
        elif outcome.held is not None and is_repeated(job, outcome.held.job):
            tally.already_there += 1
        else:
            tally.leave(key, f"another job with jid {job.jid} is held", bytes(job.args))

    async def _put_the_rest(self, store: Store, contents: Any) -> None:
        """Paused queues and totals; a note beside the totals keeps a second run from adding them again."""
        await store.commit([(Pause(queue, True),) for queue in contents.paused], (), self._now)
        counts: list[Change] = [Note("import", "faktory", b"totals", 0)]
        days: Counter[str] = Counter()
        for (name, day), figure in contents.totals.items():
            if day and figure > 0:
                days[name] += figure
                counts.append(Count(name, day, figure))
        names: tuple[Literal["processed", "failures"], ...] = ("processed", "failures")
        for name in names:
            before = contents.totals.get((name, ""), 0) - days[name]
            if before > 0:
                counts.append(Count(name, "1970-01-01", before))
        await store.commit([tuple(counts)], (), self._now)

    def _told(self, contents: Any) -> dict[str, Any]:
        tally = self._tally
        return {
            "taken": dict(tally.taken),
            "already_there": tally.already_there,
            "of_batches": tally.of_batches,
            "left": tally.left_count,
            "left_jobs": msgspec.to_builtins(tally.left),
            "paused": list(contents.paused),
            "strange_keys": list(contents.strange),
        }


def _summary(told: dict[str, Any], *, dry_run: bool) -> str:
    lines = [f"{key}: {count} jobs" for key, count in sorted(told["taken"].items())]
    verb = "would be taken over" if dry_run else "taken over"
    lines.append(f"{sum(told['taken'].values())} jobs {verb}, {told['already_there']} were there already")
    if told["of_batches"]:
        lines.append(f"{told['of_batches']} of them name a batch, which is not taken over")
    if told["left"]:
        lines.append(f"{told['left']} jobs were left where they are:")
        lines += [f"  {one['key']}: {one['why']}: {one['begins']}" for one in told["left_jobs"]]
    if told["strange_keys"]:
        lines.append(f"not read: {', '.join(told['strange_keys'])}")
    return "\n".join(lines)
