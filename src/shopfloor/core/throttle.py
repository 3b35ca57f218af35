"""Throttles: how many jobs may run at once, and how many may start in a time (reference 4.4).

    scrape              a queue: what its jobs hold is counted by the store, which gives out no more
    type:Resize         a type of jobs, wherever they are queued
    key:customer-*      `custom.throttle`; each key that fits the pattern has slots of its own

A queue's slots are its live reservations, so nothing has to be kept. For types, keys and rates a record says who holds
a slot and when the last jobs began. It is written between the reservation and the reply to FETCH, guarded by its
version; a job that finds no slot waits in `scheduled`, so that those behind it get their turn.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from shopfloor.core.facts import Facts
from shopfloor.core.job import Held, Job

THROTTLE = "throttle"
"""The kind of record under which slots are noted, by the name of what is throttled."""

RETRY_SECONDS = 1.0
"""When a job that found no slot tries again: soon enough to waste little of a slot, late enough to cost little."""
LINE_SECONDS = 0.01
"""How far apart those that wait for the same slots try again: in their order, and at most a hundred a second."""
RATE_MAX = 1000
"""Starts that are remembered for a rate: each is written with every start. Beyond it, take a shorter period."""

Kind = Literal["queue", "type", "key"]


class Limit(Struct, frozen=True, kw_only=True):
    """What is allowed; 0 is no bound."""

    concurrency: int = 0
    worker: int = 0
    """At once in one worker process."""
    rate: int = 0
    period: float = 0.0


class Throttle(Struct, frozen=True, kw_only=True):
    """One line of the configuration. `name` may have `*` in it, for a type or a key."""

    kind: Kind
    name: str
    limit: Limit


class Table(Struct, frozen=True):
    """All throttles. Where several fit a name, the one that is spelt out goes first, then the longest."""

    throttles: tuple[Throttle, ...] = ()

    def on_queues(self) -> Iterator[Throttle]:
        """List the queues whose jobs at work are counted."""
        for throttle in self.throttles:
            if throttle.kind == "queue" and (throttle.limit.concurrency or throttle.limit.worker):
                yield throttle

    def by_record(self, job: Job, known: Facts) -> dict[str, Limit]:
        """Answer the records in which a job needs a slot, by name."""
        found: dict[str, Limit] = {}
        for kind, name in (("queue", job.queue), ("type", job.jobtype), ("key", known.throttle)):
            if isinstance(name, str) and (limit := self._of(kind, name)) is not None:
                found[f"{kind}:{name}"] = limit
        return found

    def named(self, record: str) -> Limit | None:
        """Answer the limit by which a record is kept; None where nothing is throttled under that name any more."""
        kind, _, name = record.partition(":")
        return self._of(kind, name)

    @property
    def without_custom(self) -> bool:
        """Whether a job may need a slot that says nothing in its `custom`."""
        return any(one.kind == "type" or one.limit.rate for one in self.throttles if one.kind != "key")

    def _of(self, kind: str, name: str) -> Limit | None:
        fitting = [one for one in self.throttles if one.kind == kind and _fits(one.name, name)]
        if not fitting:
            return None
        limit = max(fitting, key=lambda one: (one.name == name, len(one.name))).limit
        if kind != "queue":
            return limit
        return Limit(rate=limit.rate, period=limit.period) if limit.rate else None


class Slots(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of one type, key or rate."""

    holders: Mapping[str, str] = {}
    """Who has a slot: jid and wid."""
    starts: tuple[float, ...] = ()
    """When jobs began in the last period, for a rate."""
    line_end: float = 0.0
    """When the last of those that wait tries again."""


def opening(slots: Slots, limit: Limit, held: Held, now: float) -> float:
    """Say when it makes sense for a job to try for a slot: 0 is now."""
    if held.job.jid in slots.holders:
        return 0.0
    waits = [RETRY_SECONDS] if _is_full(slots, limit, held.wid) else []
    recent = _recent(slots, limit, now)
    if limit.rate and len(recent) >= limit.rate:
        waits.append(recent[-limit.rate] + limit.period - now)
    return now + max(waits) if waits else 0.0


def taken(slots: Slots, limit: Limit, held: Held, now: float) -> Slots:
    """A job begins."""
    holders = dict(slots.holders)
    if limit.concurrency or limit.worker:
        holders[held.job.jid] = held.wid
    starts = (*_recent(slots, limit, now), now) if limit.rate else ()
    return msgspec.structs.replace(slots, holders=holders, starts=starts)


def lined_up(slots: Slots, limit: Limit, at: float) -> Slots:
    """A job waits, and tries again at `at` or, where others wait until later, behind the last of them."""
    gap = max(LINE_SECONDS, limit.period / limit.rate if limit.rate else 0.0)
    return msgspec.structs.replace(slots, line_end=max(at, slots.line_end + gap))


def freed(slots: Slots, jid: str) -> Slots:
    """A job does not run any more."""
    return msgspec.structs.replace(slots, holders={one: wid for one, wid in slots.holders.items() if one != jid})


def repaired(slots: Slots, live: Mapping[str, Held]) -> Slots:
    """Take away what is held for jobs that no worker has."""
    return msgspec.structs.replace(slots, holders={jid: wid for jid, wid in slots.holders.items() if jid in live})


def is_idle(slots: Slots, limit: Limit | None, now: float) -> bool:
    """Say whether the record says nothing that matters."""
    if slots.holders:
        return False
    return limit is None or not (_recent(slots, limit, now) or slots.line_end > now)


def encode(slots: Slots) -> bytes:
    """Write the record."""
    return msgspec.json.encode(slots)


_decoder = msgspec.json.Decoder(Slots)
_NONE = Slots()


def decode(value: bytes | None) -> Slots:
    """Read a record that `encode` wrote; nobody holds anything where there is none."""
    return _NONE if value is None else _decoder.decode(value)


def _is_full(slots: Slots, limit: Limit, wid: str) -> bool:
    if limit.concurrency and len(slots.holders) >= limit.concurrency:
        return True
    return bool(limit.worker) and sum(holder == wid for holder in slots.holders.values()) >= limit.worker


def _recent(slots: Slots, limit: Limit, now: float) -> tuple[float, ...]:
    return tuple(start for start in slots.starts if start > now - limit.period)


def _fits(pattern: str, name: str) -> bool:
    if "*" not in pattern:
        return pattern == name
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
