"""A Redis that is cut off, emptied, put back, full, busy or demoted: what the store says, and what is left."""

import asyncio
import logging
import signal

import hiredis
import pytest

from shopfloor.config import StorageUrl
from shopfloor.core.changes import Count, Take
from shopfloor.errors import StoreError, StoreTooNew, StoreUnavailable
from shopfloor.store.port import Reserve
from shopfloor.store.redis import calls, commits, link
from shopfloor.store.redis import store as redis_store
from shopfloor.store.redis.library import NAME
from tests import redis_servers
from tests.jobs import DAY, NOW
from tests.serving import run, until
from tests.store.redis_house import Proxy, fetch, make, opened, push, pushes, queued

pytestmark = pytest.mark.faults


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds for people's sake takes less here; and the log at the start is not what is looked for."""
    monkeypatch.setattr(redis_store, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(link, "PATIENCE_SECONDS", 1.0)
    for module in (calls, commits):
        monkeypatch.setattr(module, "ANSWER_SECONDS_MAX", 1.0)


def test_a_commit_whose_answer_was_lost_happens_once() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            proxy = Proxy(redis.socket, redis.folder / "proxy.sock")
            await proxy.start()
            through = StorageUrl(f"redis://{proxy.path}?prefix=shopfloor")
            async with opened(through) as (store,):
                await push(store, "first")
                proxy.lose(b"ok")
                counted = [*pushes(["a", "b"]), (Count("processed", DAY),), *pushes(["first"])]
                committed = await store.commit(counted, [Reserve(("default",), "w1", 2)], NOW)
                assert proxy.lost == 1
                reasons = [outcome and outcome.reason for outcome in committed.outcomes]
                assert reasons == [None, None, None, "held"]
                assert [held.job.jid for held in committed.reserved[0]] == ["first", "a"]
                assert await queued(store) == ["b"]
                assert (await store.figures()).processed == 1
                assert len(await store.reservations()) == 2
            await proxy.stop()

    run(story())


def test_a_commit_that_nobody_could_learn_of_is_refused_and_the_next_goes_on() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            proxy = Proxy(redis.socket, redis.folder / "proxy.sock")
            await proxy.start()
            through = StorageUrl(f"redis://{proxy.path}?prefix=shopfloor")
            async with opened(through) as (store,):
                await push(store, "first")
                proxy.lose(b"ok", refuses=True)
                with pytest.raises(StoreUnavailable):
                    await push(store, "second")
                proxy.mend()
                await until(lambda: store._link._connection)
                await push(store, "third")
                assert await queued(store) == ["first", "second", "third"]
                assert "trouble" not in (await store.describe()).facts
            await proxy.stop()

    run(story())


def test_an_emptied_data_set_is_noticed_and_served(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            async with opened(redis.url(), redis.url()) as (one, other):
                await push(one, "a")
                await push(other, "b")
                redis.ask("FLUSHALL")
                assert (await push(one, "c")).outcomes == [None]
                await push(other, "d")
                for store in (one, other):
                    assert await queued(store) == ["c", "d"]
                    assert "data set was" in str((await store.describe()).facts["trouble"])

    run(story())
    assert [record for record in caplog.records if record.levelno == logging.CRITICAL]


def test_a_data_set_that_went_back_to_its_snapshot_is_noticed() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "3600 1") as redis:
            async with opened(redis.url()) as (store,):
                await push(store, "a")
                redis.ask("SAVE")
                await push(store, "b")
                await push(store, "c")
                redis.kill()
                redis.start()
                await push(store, "d")
                assert await queued(store) == ["a", "d"]
                assert ": 2 commits of this server" in str((await store.describe()).facts["trouble"])

    run(story())


def test_a_full_memory_refuses_pushes_and_lets_work_go_on() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            async with opened(redis.url()) as (store,):
                await push(store, "a", "b")
                redis.ask("CONFIG", "SET", "maxmemory", "1mb")
                with pytest.raises(StoreUnavailable, match="out of memory"):
                    await push(store, "c")
                assert await fetch(store) == ["a"]
                assert (await store.commit([(Take("a", "working", "w1"),)], [], NOW)).outcomes == [None]
                redis.ask("CONFIG", "SET", "maxmemory", "0")
                await push(store, "c")
                assert await queued(store) == ["b", "c"]

    run(story())


def test_a_redis_that_may_delete_jobs_is_refused_at_the_start_and_later() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            async with opened(redis.url()) as (store,):
                redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
                await until(lambda: store._objection)
                with pytest.raises(StoreUnavailable, match="maxmemory-policy is allkeys-lru"):
                    await push(store, "a")
                with pytest.raises(StoreError, match="maxmemory-policy is allkeys-lru"):
                    await make(redis.url()).open()
                redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
                await until(lambda: not store._objection)
                await push(store, "a")

    run(story())


def test_a_redis_that_keeps_less_than_promised_is_refused() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "", "--appendonly", "yes", "--appendfsync", "everysec") as redis:
            with pytest.raises(StoreError, match="durability commit needs appendfsync always, which is everysec"):
                await make(redis.url(), "commit").open()
            async with opened(redis.url(), durability="process") as (store,):
                told = str((await store.describe()).facts["an_ok_means"])
                assert told == "an OK survives the death of redis; a power loss may take the last second or two"
                redis.ask("CONFIG", "SET", "appendonly", "no")
                await until(lambda: store._objection)
                with pytest.raises(StoreUnavailable, match="durability process needs appendonly yes"):
                    await push(store, "a")
            async with opened(redis.url(unchecked="yes"), durability="commit"):
                pass

    run(story())


def test_a_demoted_master_is_not_written_to() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            async with opened(redis.url()) as (store,):
                await push(store, "a")
                redis.ask("REPLICAOF", "127.0.0.1", "1")
                with pytest.raises(StoreUnavailable, match=r"replica|slave|master"):
                    await push(store, "b")
                redis.ask("REPLICAOF", "NO", "ONE")
                await until(lambda: store._link._connection)
                await push(store, "c")
                assert await queued(store) == ["a", "c"]

    run(story())


def test_a_redis_that_is_busy_with_a_script_is_told_of() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "", "--busy-reply-threshold", "10") as redis:
            async with opened(redis.url()) as (store,):
                await push(store, "a")
                hog = asyncio.create_task(asyncio.to_thread(_hog, redis))
                await until(lambda: _is_busy(redis))
                with pytest.raises(StoreUnavailable, match="busy with a script"):
                    await store.queues()
                redis.ask("SCRIPT", "KILL")
                await hog
                await push(store, "b")
                assert await queued(store) == ["a", "b"]

    run(story())


def _is_busy(redis: redis_servers.Redis) -> bool:
    try:
        redis.ask("DBSIZE")
    except hiredis.ReplyError as error:
        return str(error).startswith("BUSY")
    return False


def _hog(redis: redis_servers.Redis) -> None:
    with pytest.raises(Exception, match="killed"):
        redis.ask("EVAL", "while true do end", 0)


def test_a_redis_that_cannot_write_its_snapshots_is_told_of() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "3600 1", "--dbfilename", "missing") as redis:
            (redis.folder / "missing").mkdir()  # a folder cannot be replaced by the file
            async with opened(redis.url()) as (store,):
                await push(store, "a")
                redis.ask("BGSAVE")
                await until(lambda: "rdb_last_bgsave_status:err" in redis.text("INFO", "persistence"))
                with pytest.raises(StoreUnavailable, match="cannot write to its disk"):
                    await push(store, "b")
                redis.ask("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
                await push(store, "c")
                assert await queued(store) == ["a", "c"]
                redis.ask("CONFIG", "SET", "save", "")

    run(story())


def test_functions_that_redis_forgot_are_brought_again_and_others_stay() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            async with opened(redis.url()) as (store,):
                other = "#!lua name=shopfloor_1_other\nredis.register_function('other', function() return 1 end)"
                redis.ask("FUNCTION", "FLUSH")
                redis.ask("FUNCTION", "LOAD", other)
                await push(store, "a")
                assert await queued(store) == ["a"]
                listed = str(redis.ask("FUNCTION", "LIST"))
                assert NAME in listed
                assert "shopfloor_1_other" in listed

    run(story())


def test_what_a_newer_version_keeps_is_not_touched() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            redis.ask("HSET", "{shopfloor}:meta", "id", "x", "layout", "2")
            with pytest.raises(StoreTooNew, match="layout 2"):
                await make(redis.url()).open()

    run(story())


def test_an_ok_waits_for_replicas_where_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "WAIT_MILLISECONDS", 20)

    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            async with opened(redis.url(replicas=1)) as (store,):
                with pytest.raises(StoreUnavailable, match="only 0 of 1 replicas"):
                    await push(store, "a")

    run(story())


def test_nothing_acknowledged_is_lost_when_redis_is_killed_under_load() -> None:
    async def story() -> None:
        with redis_servers.running("--save", "", "--appendonly", "yes", "--appendfsync", "always") as redis:
            acknowledged: list[str] = []
            sent: list[str] = []
            async with opened(redis.url(), redis.url(), durability="commit") as stores:

                async def produce(number: int) -> None:
                    store = stores[number % 2]
                    for turn in range(250):
                        jids = [f"{number}-{turn}-{one}" for one in range(3)]
                        sent.extend(jids)
                        try:
                            await store.commit(pushes(jids), [], NOW)
                        except StoreUnavailable:
                            continue
                        acknowledged.extend(jids)

                producers = [asyncio.create_task(produce(number)) for number in range(4)]
                for many in (300, 1200):
                    await until(lambda many=many: len(acknowledged) > many)  # type: ignore[misc]
                    redis.kill()
                    redis.start()
                await asyncio.gather(*producers)
                found = await queued(stores[0])
                assert len(found) == len(set(found))
                assert set(acknowledged) <= set(found) <= set(sent)
                for store in stores:
                    assert "trouble" not in (await store.describe()).facts

    run(story())


def test_a_redis_that_stands_still_is_given_up_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopfloor.store.redis.connection.REPLY_SECONDS", 0.2)
    monkeypatch.setattr("shopfloor.store.redis.connection.CONNECT_SECONDS", 0.2)

    async def story() -> None:
        with redis_servers.running("--save", "") as redis:
            async with opened(redis.url()) as (store,):
                await push(store, "a")
                redis.send(signal.SIGSTOP)
                with pytest.raises(StoreUnavailable):
                    await push(store, "b")
                redis.send(signal.SIGCONT)
                await until(lambda: store._link._connection)
                await push(store, "c")
                assert [jid for jid in await queued(store) if jid != "b"] == ["a", "c"]
                assert (await push(store, "b")).outcomes[0] is None or "b" in await queued(store)

    run(story())
