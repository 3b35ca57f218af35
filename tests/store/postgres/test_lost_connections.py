"""Connections to PostgreSQL break, before a round and behind it: each round happens once, and everybody hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shopfloor.config import Settings
from shopfloor.core.changes import Put, Take
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreUnavailable
from shopfloor.store.conformance.jobs import NOW, job
from shopfloor.store.port import Reserve
from shopfloor.store.postgres import rounds, slowly
from shopfloor.store.postgres.line import Connection
from shopfloor.store.postgres.store import PostgresStore
from tests import postgres
from tests.serving import run, until
from tests.store.postgres.proxy import Proxy, repeat

ASK = Reserve(("default",), "w1")


@asynccontextmanager
async def behind_a_proxy(folder: Path) -> AsyncIterator[tuple[PostgresStore, Proxy]]:
    """Open a store whose connections go through a proxy."""
    proxy = Proxy(postgres.cluster().port)
    await proxy.start()
    store = PostgresStore(Settings(storage=postgres.url_of(folder, port=proxy.port)), Rules())
    try:
        await store.open()
        yield store, proxy
    finally:
        await store.close()
        await proxy.stop()


async def jids(store: PostgresStore, *, queue: str = "default") -> list[str]:
    return [held.job.jid for held in await store.peek(queue, 0, 100)]


@pytest.mark.parametrize("how", ["deaf", "mute"])
def test_a_round_whose_connection_breaks_happens_once(tmp_path: Path, how: str) -> None:
    async def go() -> None:
        async with behind_a_proxy(tmp_path) as (store, proxy):
            for number in range(20):
                setattr(proxy, how, True)
                committed = await store.commit([(Put(job(f"j{number:02}"), "queued"),)], [], NOW)
                assert committed.outcomes == [None]
            assert proxy.cuts == 20
            assert await jids(store) == [f"j{number:02}" for number in range(20)]
            assert [queue.size for queue in await store.queues()] == [20]

    run(go())


@pytest.mark.parametrize("how", ["deaf", "mute"])
def test_jobs_that_were_handed_out_reach_those_who_asked(tmp_path: Path, how: str) -> None:
    async def go() -> None:
        async with behind_a_proxy(tmp_path) as (store, proxy):
            await store.commit([(Put(job(jid), "queued"),) for jid in "abcd"], [], NOW)
            setattr(proxy, how, True)
            committed = await store.commit([], [ASK, Reserve(("none", "default"), "w2", 2), ASK, ASK], NOW)
            got = [[(held.job.jid, held.wid) for held in jobs] for jobs in committed.reserved]
            assert got == [[("a", "w1")], [("b", "w2"), ("c", "w2")], [("d", "w1")], []]
            assert {held.job.jid: held for jobs in committed.reserved for held in jobs} == (
                await store.load(["a", "b", "c", "d"], [])
            ).jobs
            assert (await store.figures()).working == 4

    run(go())


def test_an_answer_to_commit_that_gets_lost_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that is looked at closely is a transaction of several messages; the last one leaves everything open."""
    decide = slowly.decide

    async def go() -> None:
        async with behind_a_proxy(tmp_path) as (store, proxy):
            await store.commit([(Put(job("a"), "queued"),)], [], NOW)

            async def decided(connection: Connection, *rest: Any) -> Any:
                found = await decide(connection, *rest)
                if not proxy.cuts:
                    proxy.mute_at = b"COMMIT"
                return found

            monkeypatch.setattr(slowly, "decide", decided)
            transitions = [(Put(job("a"), "queued"),), (Take("a", "queued"), Put(job("b"), "queued"))]
            committed = await store.commit(transitions, [ASK], NOW)
            assert proxy.cuts == 1
            assert [held.job.jid for held in committed.reserved[0]] == ["b"]
            assert ["" if outcome is None else outcome.reason for outcome in committed.outcomes] == ["held", ""]
            assert await jids(store) == []
            assert (await store.figures()).working == 1

    run(go())


def test_what_a_round_handed_out_that_nobody_could_settle_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "SETTLE_SECONDS", 0.1)

    async def go() -> None:
        async with behind_a_proxy(tmp_path) as (store, proxy):
            await store.commit([(Put(job(jid), "queued"),) for jid in "abc"], [], NOW)
            proxy.mute = True
            handing_out = asyncio.create_task(store.commit([], [ASK, ASK], NOW))
            await until(lambda: proxy.cuts)
            await proxy.stop()
            with pytest.raises(StoreUnavailable):
                await handing_out
            with pytest.raises(StoreUnavailable):
                await store.commit([(Put(job("d"), "queued"),)], [], NOW)
            await proxy.start()
            await repeat(lambda: store.commit([(Put(job("e"), "queued"),)], [], NOW))
            assert await jids(store) == ["a", "b", "c", "e"]
            assert ((await store.figures()).working, (await store.queues())[0].size) == (0, 4)
            committed = await store.commit([], [ASK, ASK], NOW)
            assert [held.job.jid for jobs in committed.reserved for held in jobs] == ["a", "b"]

    run(go())


def test_a_backend_that_is_ended_is_replaced(tmp_path: Path) -> None:
    async def go() -> None:
        async with behind_a_proxy(tmp_path) as (store, _):
            operator = await asyncpg.connect(postgres.url_of(tmp_path).reveal().partition("?")[0])
            for number in range(10):
                connection = await store._line.connection()
                ending = operator.fetchval("SELECT pg_terminate_backend($1)", connection.get_server_pid())
                commit = store.commit([(Put(job(f"j{number}"), "queued"),)], [ASK], NOW)
                _, committed = await asyncio.gather(ending, commit)
                assert [held.job.jid for held in committed.reserved[0]] == [f"j{number}"]
            await operator.close()
            assert (await store.figures()).working == 10

    run(go())


def test_a_server_that_was_struck_off_joins_again(tmp_path: Path) -> None:
    async def go() -> None:
        async with behind_a_proxy(tmp_path) as (store, _):
            await store._line.fetch("DELETE FROM servers")
            assert (await store.commit([(Put(job("a"), "queued"),)], [ASK], NOW)).reserved[0][0].job.jid == "a"

    run(go())


def test_a_former_epoch_of_a_server_can_do_nothing_any_more(tmp_path: Path) -> None:
    async def go() -> None:
        async with behind_a_proxy(tmp_path) as (store, _):
            await store._line.fetch("UPDATE servers SET epoch = epoch + 1")
            before = store._rounds.server
            await store.commit([(Put(job("a"), "queued"),)], [], NOW)
            assert store._rounds.server > before, "it is another server now"
            assert await jids(store) == ["a"]

    run(go())
