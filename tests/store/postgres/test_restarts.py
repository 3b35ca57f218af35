"""PostgreSQL is killed and started again while a store works on it: what was acknowledged is there afterwards."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from shopfloor.config import Settings
from shopfloor.core.changes import Count, Put, Take, Transition
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreUnavailable
from shopfloor.store.conformance.jobs import DAY, NOW, job
from shopfloor.store.port import Reserve
from shopfloor.store.postgres.store import PostgresStore
from tests import postgres
from tests.serving import run, until

ENDS = (signal.SIGQUIT, signal.SIGINT)
"""As a crash does, and as an operator does."""


@pytest.fixture
def durable_cluster() -> Iterator[postgres.Cluster]:
    cluster = postgres.Cluster(("fsync=on",))
    cluster.start()
    yield cluster
    cluster.remove()


class Work:
    """Push, fetch and acknowledge all the time; a ledger of what the store said yes to."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.pushed: set[str] = set()
        self.unsure: set[str] = set()
        self.taken: set[str] = set()
        self.ended = False
        self.failures = 0

    async def some(self) -> None:
        """Wait for another hundred pushes."""
        before = len(self.pushed)
        await until(lambda: len(self.pushed) >= before + 100)

    async def go(self) -> None:
        """Work until told to end."""
        number = 0
        holding: list[str] = []
        while not self.ended:
            coming = [f"job-{number + more:06}" for more in range(5)]
            number += 5
            pushes: list[Transition] = [(Put(job(jid), "queued"),) for jid in coming]
            acks: list[Transition] = [(Take(jid, "working", "w1"), Count("processed", DAY)) for jid in holding]
            try:
                done = await self.store.commit([*pushes, *acks], [Reserve(("default",), "w1", 4)], NOW)
            except StoreUnavailable:
                self.failures += 1
                self.unsure |= {*coming, *holding}
                holding = []
                await asyncio.sleep(0.01)
                continue
            self.pushed |= set(coming)
            self.taken |= {jid for jid, no in zip(holding, done.outcomes[5:], strict=True) if no is None}
            holding = [held.job.jid for held in done.reserved[0]]


@pytest.mark.faults
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_what_was_acknowledged_survives_a_restart_of_the_database(
    durable_cluster: postgres.Cluster, end: signal.Signals
) -> None:
    async def go() -> None:
        store = PostgresStore(Settings(storage=durable_cluster.url("s")), Rules())
        await store.open()
        work = Work(store)
        working = asyncio.create_task(work.go())
        for _ in range(2):
            await work.some()
            await asyncio.to_thread(durable_cluster.stop, end)
            await asyncio.to_thread(durable_cluster.start)
        await work.some()
        work.ended = True
        await working
        queued = [held.job.jid for held in await store.peek("default", 0, 100_000)]
        running = [held.job.jid for held in await store.reservations()]
        held = {*queued, *running}
        assert len(held) == len(queued) + len(running)
        assert work.pushed - work.taken - work.unsure <= held, "an acknowledged job is gone"
        assert not work.taken & held, "a finished job is back"
        figures = await store.figures()
        assert (figures.working, (await store.queues())[0].size) == (len(running), len(queued))
        await store.close()

    run(go())
