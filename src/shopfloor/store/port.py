"""The verbs that the broker asks of a store, in the words of jobs.

Whoever writes a store implements `Store`; the conformance suite (`store.conformance`) says whether it is one. No verb
tells how the store keeps things, and no rule lives behind them: what a change means is in `core.changes`.

Every verb is atomic: others see all of it or nothing. A verb that cannot be carried out raises `StoreUnavailable`
(it may be tried again; nothing of it happened, or nobody knows) or another `StoreError`. A verb may be cancelled, for
taking too long; what becomes of it is then as unknown as where a connection broke.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from shopfloor.core.changes import Conflict, Record, Transition
from shopfloor.core.job import Held, TimedPlace


class QueueLimit(Struct, frozen=True):
    """How many jobs of a queue may be working at once, in all and for one wid; 0 is no bound."""

    concurrency: int = 0
    worker: int = 0


class Reserve(Struct, frozen=True, gc=False):
    """A fetcher asks for work: up to `count` jobs from the first of its queues that has one and is not at its limit.

    `limits` may be about other queues too, and is read when the request is served. What is counted against a limit
    are the reservations of the queue's jobs as they are at that moment.
    """

    queues: tuple[str, ...]
    wid: str
    count: int = 1
    limits: Mapping[str, QueueLimit] | None = None


class Loaded(Struct, frozen=True):
    """What `load` found: absent jobs are not among the keys, an absent record is version 0."""

    jobs: dict[str, Held]
    records: dict[tuple[str, str], Record]


class Committed(Struct, frozen=True):
    """What `commit` did: for each transition None or why not; for each request the jobs it got, maybe none."""

    outcomes: Sequence[Conflict | None]
    reserved: Sequence[tuple[Held, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """A known queue: how many jobs wait in it and whether it gives them out."""

    name: str
    size: int
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How many jobs rest in each place, and all-time totals."""

    working: int
    scheduled: int
    retries: int
    dead: int
    processed: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJobs:
    """The jids of the held jobs that are members of a batch (`custom.bid`) and callbacks of it (`custom._bid`)."""

    members: Sequence[str]
    callbacks: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock that was claimed and not released; once `until` is over, whoever asks may claim it."""

    key: str
    owner: str
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some jobs of a timed place in its order, and where to go on; `after` is None at the end."""

    jobs: Sequence[Held]
    after: tuple[float, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the store is, for people: engine and version, what an OK means now, and named facts."""

    engine: str
    version: str
    durability: str
    clock: float | None = None
    """What time the store says it is, where it has a clock of its own that can be asked."""
    facts: dict[str, str | int | float] = field(default_factory=dict)


class Examination(Struct, frozen=True):
    """One thing that a store was looked at for, as `shopfloor doctor` tells it."""

    verdict: Literal["ok", "warning", "problem"]
    about: str
    says: str


@runtime_checkable
class Examined(Protocol):
    """A store that can be looked at without opening it. Not a part of being a store: `doctor` asks those that can."""

    async def examine(self, clock: Callable[[], float]) -> Sequence[Examination]:
        """Look at what the store rests on, and change nothing; raise a `ShopfloorError` where it cannot be reached."""


Arrived = Callable[[Collection[str] | None], None]
"""Told of queues that may have jobs to give out; None stands for any queue."""


class Store(Protocol):
    """A place where jobs rest. One broker calls it from one event loop; several servers may share its data."""

    def listen(self, arrived: Arrived) -> None:
        """Call `arrived`, on the event loop, when another server may have made a queue give out jobs.

        That is: jobs are in it that were left over when the other server's own fetchers had been served, it was
        resumed, or a slot became free in it. Called too often it costs a question, called too seldom it costs time: a
        store whose data others share also calls it with None every few seconds, give or take some, because messages
        get lost. A store that nobody shares never calls it. Called once, before `open`.
        """

    async def open(self) -> None:
        """Make ready: read back what was kept. Call it once, before anything else."""

    async def close(self) -> None:
        """Let go of everything; what was committed stays. May be called twice."""

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        """Look up held jobs, and records by (kind, id)."""

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Apply each transition, whole or not at all, in order; then serve the requests in order.

        A reserved job leaves its queue and becomes *working* in the same step. Once this returns, what it did is as
        durable as the store's setting promises. Queues that are paused or at their limit are skipped,
        unknown ones are empty.
        """

    async def due(self, place: TimedPlace, now: float, count: int) -> Sequence[Held]:
        """List jobs whose time has come, the earliest first."""

    async def reservations(self) -> Sequence[Held]:
        """List every working job, in no order."""

    async def browse(
        self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool = False
    ) -> Page:
        """List jobs of a timed place by time, going on `after` an earlier page."""

    async def peek(self, queue: str, offset: int, count: int) -> Sequence[Held]:
        """List jobs of a queue, the oldest first; nothing changes. An unknown queue is empty."""

    async def queues(self) -> Sequence[QueueFigures]:
        """List the known queues by name."""

    async def figures(self) -> Figures:
        """Count what rests where. Costs the same whatever the numbers are."""

    async def history(self, days: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Answer (processed, failures) for each UTC day, 0 where nothing is known."""

    async def batch_jobs(self, bid: str) -> BatchJobs:
        """List by jid the jobs that are held and name the batch in their `custom`."""

    async def records(self, kind: str) -> dict[str, Record]:
        """List all records of a kind by id; of the inbox the first by id suffice, a thousand for example."""

    async def locks(self, until: float, count: int) -> Sequence[Lock]:
        """List up to `count` of the locks that end at `until` or before, the earliest first (then by key).

        One that has ended is among them until somebody else claims it or it is released. Costs the same however many
        locks there are.
        """

    async def flush(self) -> None:
        """Forget every job, queue, lock, total and durable record; soft records stay."""

    async def backup(self, target: Path) -> None:
        """Write a copy, consistent as of its end, that the same kind of store can open; others may go on working."""

    async def describe(self) -> Description:
        """Say what this store is and what its OK means."""
