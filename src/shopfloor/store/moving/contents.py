"""Everything that a store holds, read through the port in pages, and its digest."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from shopfloor.core.batch import BATCH
from shopfloor.core.changes import Record
from shopfloor.core.cron import CRON
from shopfloor.core.job import DEAD, RETRIES, SCHEDULED, Held, TimedPlace
from shopfloor.core.payload import encode
from shopfloor.core.throttle import THROTTLE
from shopfloor.core.tracking import TRACK
from shopfloor.store.port import Lock, Store

KINDS: Final = (BATCH, CRON, THROTTLE, TRACK)
"""Durable records. Soft ones describe who is connected, and nobody is while a store is moved."""
TIMED: Final[tuple[TimedPlace, ...]] = (SCHEDULED, RETRIES, DEAD)
PAGE_JOBS: Final = 1_000
LOCKS_MAX: Final = 10_000_000
DAYS: Final = 3_660
"""History is looked for this far back: ten years."""
FOREVER: Final = float("inf")

Digests = Mapping[str, str]
"""For each part of a store, how many there are and a digest of them, as `12 of 1f0c…`."""


class Counts(Struct, frozen=True, kw_only=True):
    """How much there is."""

    queues: int
    queued: int
    scheduled: int
    retries: int
    dead: int
    working: int
    records: int
    locks: int
    processed: int
    failures: int

    @property
    def jobs(self) -> int:
        """All of them."""
        return self.queued + self.scheduled + self.retries + self.dead + self.working


async def count(store: Store) -> Counts:
    """Count what a store holds."""
    figures, queues = await store.figures(), await store.queues()
    return Counts(
        queues=len(queues),
        queued=sum(queue.size for queue in queues),
        scheduled=figures.scheduled,
        retries=figures.retries,
        dead=figures.dead,
        working=figures.working,
        records=sum([len(await store.records(kind)) for kind in KINDS]),
        locks=len(await locks(store)),
        processed=figures.processed,
        failures=figures.failures,
    )


async def queued(store: Store, queue: str) -> AsyncIterator[Sequence[Held]]:
    """Read a queue, the oldest first."""
    offset = 0
    while page := await store.peek(queue, offset, PAGE_JOBS):
        yield page
        offset += len(page)


async def timed(store: Store, place: TimedPlace) -> AsyncIterator[Sequence[Held]]:
    """Read a timed place in its order."""
    after: tuple[float, str] | None = None
    while True:
        page = await store.browse(place, after, PAGE_JOBS)
        if page.jobs:
            yield page.jobs
        if page.after is None:
            return
        after = page.after


async def working(store: Store) -> Sequence[Held]:
    """Read what is worked on, that which was begun first in front."""
    return sorted(await store.reservations(), key=lambda held: (held.reserved_at, held.job.jid))


async def locks(store: Store) -> Sequence[Lock]:
    """Read every lock."""
    return sorted(await store.locks(FOREVER, LOCKS_MAX), key=lambda lock: lock.key)


async def days(store: Store, today: date) -> Sequence[tuple[str, int, int]]:
    """Read the history: the days on which something was done, with what was."""
    known = [(today - timedelta(days=ago)).isoformat() for ago in range(-1, DAYS)]
    told = zip(known, await store.history(known), strict=True)
    return [(day, processed, failures) for day, (processed, failures) in told if processed or failures]


async def digests(store: Store, now: float, read: Callable[[int], None]) -> Digests:
    """Read everything and sum it up, part by part; `read` is told of jobs as they are read."""
    parts: dict[str, str] = {}
    for queue in await store.queues():
        digest = Digest(f"paused: {queue.paused}")
        async for page in queued(store, queue.name):
            digest.jobs(page)
            read(len(page))
        parts[f"queue {queue.name}"] = str(digest)
    for place in TIMED:
        digest = Digest()
        async for page in timed(store, place):
            digest.jobs(page)
            read(len(page))
        parts[place] = str(digest)
    digest = Digest()
    held = sorted(await store.reservations(), key=lambda held: held.job.jid)
    digest.jobs(held)
    read(len(held))
    parts["working"] = str(digest)
    parts |= {f"{kind} records": _of_records(await store.records(kind)) for kind in KINDS}
    parts["locks"] = str(Digest().add([(lock.key, lock.owner, lock.until) for lock in await locks(store)]))
    figures = await store.figures()
    parts["totals"] = f"{figures.processed} processed, {figures.failures} failures"
    today = datetime.fromtimestamp(now, UTC).date()
    parts["history"] = str(Digest().add(await days(store, today)))
    return parts


def _of_records(records: Mapping[str, Record]) -> str:
    return str(Digest().add([(id, record.value) for id, record in sorted(records.items())]))


class Digest:
    """A running digest of what was added, in order, and how much that was."""

    def __init__(self, head: str = "") -> None:
        self._hash = hashlib.sha256(head.encode())
        self._count = 0

    def jobs(self, page: Sequence[Held]) -> None:
        """Add jobs: all that is known of them but their position, and the end of a reservation, which rules decide."""
        for held in page:
            head = f"\n{held.place} {held.at!r} {held.wid!r} {held.cancelled} {held.reserved_at!r} "
            self._hash.update(head.encode())
            self._hash.update(encode(held.job))
            self._count += 1

    def add(self, values: Sequence[object]) -> "Digest":
        """Add values that can be written as JSON."""
        for value in values:
            self._hash.update(b"\n" + msgspec.json.encode(value))
            self._count += 1
        return self

    def __str__(self) -> str:
        return f"{self._count} of {self._hash.hexdigest()[:32]}"
