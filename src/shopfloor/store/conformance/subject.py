"""The store under test, with its verbs made blocking and a way to read everything that it knows."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from shopfloor.core.changes import Change, Claim, Conflict, Put, Record, Take, Transition
from shopfloor.core.job import Held, Job, Place, TimedPlace
from shopfloor.core.timestamps import SECONDS_MAX
from shopfloor.store.conformance.jobs import DAY, NOW
from shopfloor.store.port import Committed, Figures, Lock, Page, QueueFigures, Reserve, Store

DAYS = ("2023-11-13", DAY, "2023-11-15")
KINDS = ("batch", "cron", "tracking", "worker")
KEYS = ("unique:a", "unique:b")
OWNERS = ("one", "two")
LOCK_TIMES = (NOW, NOW + 50, NOW + 1000)
TIMED: tuple[TimedPlace, ...] = ("scheduled", "retries", "dead")
ALL = 100_000
NOBODY = "no job has this jid"

_Answer = TypeVar("_Answer")


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that a store answers, but for positions, which it may give as it likes."""

    queues: list[QueueFigures]
    queued: dict[str, list[Held]]
    timed: dict[str, list[Held]]
    working: dict[str, Held]
    found: dict[str, Held]
    figures: Figures
    history: list[tuple[int, int]]
    records: dict[str, dict[str, Record]]
    locks: list[Lock]
    claimed: list[tuple[str, str, float, bool]]


class Subject:
    """A store that is open. `reopen` closes it and opens another on the same data; one `beside` it shares its loop."""

    def __init__(self, make: Callable[[], Store], beside: "Subject | None" = None) -> None:
        self._make = make
        self._runner: asyncio.Runner = asyncio.Runner() if beside is None else beside._runner
        self._is_alone = beside is None
        self.told: list[Collection[str] | None] = []
        """What the store told of queues that may have jobs to give out."""
        self.store = self._listening()
        try:
            self.run(self.store.open())
        except BaseException:
            self._end()
            raise

    def _listening(self) -> Store:
        store = self._make()
        store.listen(self.told.append)
        return store

    def _end(self) -> None:
        if self._is_alone:
            self._runner.close()

    def run(self, verb: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Wait for what a verb answers."""
        return self._runner.run(verb)

    def close(self) -> None:
        """Let go of the store, and of the loop."""
        self.run(self.store.close())
        self._end()

    def reopen(self) -> None:
        """Close the store and open it again, as a restart of the server does."""
        self.run(self.store.close())
        self.store = self._listening()
        self.run(self.store.open())

    def commit(
        self, transitions: Sequence[Transition], requests: Sequence[Reserve] = (), now: float = NOW
    ) -> Committed:
        """Commit, as `Store.commit`."""
        return self.run(self.store.commit(transitions, requests, now))

    def do(self, *changes: Change) -> Conflict | None:
        """Commit one transition; answer why it was not applied."""
        return self.commit([changes]).outcomes[0]

    def why(self, *changes: Change) -> str:
        """Commit one transition; answer the word for why it was not applied, or nothing."""
        conflict = self.do(*changes)
        return "" if conflict is None else conflict.reason

    def put(self, *jobs: Job, place: Place = "queued", at: float = 0.0) -> None:
        """Let jobs rest in a place, reached by the only way there is to it."""
        start: Place = "queued" if place == "working" else place
        assert not any(self.commit([(Put(job, start, at),) for job in jobs]).outcomes)
        if place == "working":
            for job in jobs:
                assert self.fetch(job.queue, wid="w1")

    def fetch(self, *queues: str, wid: str = "w1", count: int = 1, now: float = NOW) -> list[str]:
        """Reserve jobs; answer their jids."""
        return [held.job.jid for held in self.reserve(*queues, wid=wid, count=count, now=now)]

    def reserve(self, *queues: str, wid: str = "w1", count: int = 1, now: float = NOW) -> tuple[Held, ...]:
        """Reserve jobs."""
        return self.commit([], [Reserve(queues, wid, count)], now).reserved[0]

    def find(self, jid: str) -> Held | None:
        """Look one job up."""
        return self.run(self.store.load([jid], [])).jobs.get(jid)

    def place(self, jid: str) -> Place | None:
        """Say where a job rests."""
        held = self.find(jid)
        return None if held is None else held.place

    def record(self, kind: str, id: str) -> Record:
        """Look one record up."""
        return self.run(self.store.load([], [(kind, id)])).records[kind, id]

    def peek(self, queue: str, offset: int = 0, count: int = ALL) -> list[str]:
        """List the jids of a queue."""
        return [held.job.jid for held in self.run(self.store.peek(queue, offset, count))]

    def browse(
        self,
        place: TimedPlace,
        after: tuple[float, str] | None = None,
        count: int = ALL,
        *,
        latest: bool = False,
    ) -> Page:
        """List a timed place."""
        return self.run(self.store.browse(place, after, count, latest_first=latest))

    def timed(self, place: TimedPlace) -> list[str]:
        """List the jids of a timed place."""
        return [held.job.jid for held in self.browse(place).jobs]

    def due(self, place: TimedPlace, now: float = NOW, count: int = ALL) -> list[str]:
        """List the jids of what is due."""
        return [held.job.jid for held in self.run(self.store.due(place, now, count))]

    def figures(self) -> Figures:
        """Count what rests where."""
        return self.run(self.store.figures())

    def queues(self) -> dict[str, int]:
        """List the known queues with their sizes."""
        return {queue.name: queue.size for queue in self.run(self.store.queues())}

    def snapshot(self) -> Snapshot:
        """Read everything through the port, and check that its parts agree with each other."""
        queues = list(self.run(self.store.queues()))
        queued = {queue.name: list(self.run(self.store.peek(queue.name, 0, ALL))) for queue in queues}
        timed = {place: list(self.browse(place).jobs) for place in TIMED}
        working = list(self.run(self.store.reservations()))
        _check_orders(queued, timed)
        every = [held for jobs in [*queued.values(), *timed.values(), working] for held in jobs]
        jids = [held.job.jid for held in every]
        assert len(set(jids)) == len(jids), "a job is in two places"
        found = self.run(self.store.load([*jids, NOBODY], [])).jobs
        assert found == {held.job.jid: held for held in every}
        figures = self.figures()
        assert figures.working == len(working)
        assert {queue.name: queue.size for queue in queues} == {name: len(held) for name, held in queued.items()}
        for place in TIMED:
            assert getattr(figures, place) == len(timed[place])
        return Snapshot(
            queues=queues,
            queued={name: [_bare(held) for held in jobs] for name, jobs in queued.items()},
            timed={place: [_bare(held) for held in jobs] for place, jobs in timed.items()},
            working={held.job.jid: _bare(held) for held in working},
            found={jid: _bare(held) for jid, held in found.items()},
            figures=figures,
            history=list(self.run(self.store.history(DAYS))),
            records={kind: self.run(self.store.records(kind)) for kind in KINDS},
            locks=self.locks(),
            claimed=self._claimed(),
        )

    def locks(self, until: float = SECONDS_MAX, count: int = ALL) -> list[Lock]:
        """List locks."""
        return list(self.run(self.store.locks(until, count)))

    def _claimed(self) -> list[tuple[str, str, float, bool]]:
        """Find out who could claim what and when; each claim is undone by the guard behind it."""
        asked = [(key, owner, now) for key in KEYS for owner in OWNERS for now in LOCK_TIMES]
        claims = [(Claim(key, owner, now + 1, now), Take(NOBODY, "dead")) for key, owner, now in asked]
        answers = self.commit(claims).outcomes
        return [
            (*ask, answer is not None and answer.reason == "claimed")
            for ask, answer in zip(asked, answers, strict=True)
        ]


def _check_orders(queued: dict[str, list[Held]], timed: dict[TimedPlace, list[Held]]) -> None:
    for jobs in queued.values():
        positions = [held.position for held in jobs]
        assert positions == sorted(set(positions)), "positions are the order of a queue"
    for jobs in timed.values():
        keys = [(held.at, held.job.jid) for held in jobs]
        assert keys == sorted(keys), "timed places are ordered by time, then jid"


def _bare(held: Held) -> Held:
    return msgspec.structs.replace(held, position=0)
