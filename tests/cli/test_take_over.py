"""`shopfloor import faktory`, on a snapshot that a real Faktory 1.9.4 wrote (`data/faktory-1.9.rdb`)."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopfloor.config import Settings, StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.core.payload import encode_for_worker
from shopfloor.store.open import open_store
from shopfloor.store.port import Store
from tests import redis_servers
from tests.cli.programs import Shell

SNAPSHOT = Path(__file__).with_name("data") / "faktory-1.9.rdb"
QUEUED = ["working-0001", "queued-0000", "queued-0001", "queued-0002", "queued-0003", "queued-0004"]
NEWER_LAYOUT = ("default", "exact", "stopped")


@pytest.fixture
def redis() -> Iterator[redis_servers.Redis]:
    """The Redis of a Faktory that was stopped."""
    with redis_servers.running("--save", "") as found:
        found.stop()
        shutil.copy(SNAPSHOT, found.folder / "dump.rdb")
        found.start()
        yield found


def _import(folder: Path, redis: redis_servers.Redis, *options: str) -> dict[str, object]:
    storage = ("--storage", f"sqlite://{folder}/shopfloor.db")
    told: dict[str, object] = Shell(folder, {}).told(
        "import", "faktory", "--redis", f"redis://{redis.socket}", *storage, *options
    )
    return told


async def _read(store: Store) -> dict[str, list[str]]:
    await store.open()
    found = {queue.name: await store.peek(queue.name, 0, 99) for queue in await store.queues()}
    for place in ("scheduled", "retries", "dead"):
        found[place] = (await store.browse(place, None, 99)).jobs
    paused = [queue.name for queue in await store.queues() if queue.paused]
    figures = await store.figures()
    await store.close()
    told = {name: [encode_for_worker(held.job).decode() for held in jobs] for name, jobs in found.items()}
    return told | {"paused": paused, "totals": [f"{figures.processed} {figures.failures}"]}


def _contents(folder: Path) -> dict[str, list[str]]:
    settings = Settings(storage=StorageUrl.of_file(folder / "shopfloor.db"))
    return asyncio.run(_read(open_store(settings, Rules())))


def _jids(texts: list[str]) -> list[str]:
    return [text.split('"jid":"')[1].partition('"')[0] for text in texts]


@pytest.mark.parametrize("prefix", ["", "q:"])
def test_everything_is_taken_over(tmp_path: Path, redis: redis_servers.Redis, prefix: str) -> None:
    for name in NEWER_LAYOUT if prefix else ():
        redis.ask("RENAME", name, prefix + name)
    before = sorted(str(redis.ask("DUMP", key)) for key in _keys(redis))
    told = _import(tmp_path, redis)
    queues = {f"{prefix}default": 5, f"{prefix}exact": 1, f"{prefix}stopped": 1}
    assert told["taken"] == queues | {"scheduled": 1, "retries": 1, "dead": 1, "working": 1}
    assert (told["left"], told["already_there"]) == (0, 0)
    found = _contents(tmp_path)
    assert _jids(found["default"]) == QUEUED
    assert '"args":[1,12345678901234567000,{"a":2,"b":1}]' in found["exact"][0], "as Faktory wrote it"
    assert [_jids(found[place]) for place in ("scheduled", "retries", "dead")] == [
        ["later-00001"], ["failed-0001"], ["dead-000001"],
    ]  # fmt: skip
    assert '"errtype":"Oops","backtrace":["a","b"]' in found["retries"][0]
    assert found["paused"] == ["stopped"]
    assert found["totals"] == ["3 2"]
    assert sorted(str(redis.ask("DUMP", key)) for key in _keys(redis)) == before


def test_taking_over_again_adds_nothing(tmp_path: Path, redis: redis_servers.Redis) -> None:
    _import(tmp_path, redis)
    before = _contents(tmp_path)
    told = _import(tmp_path, redis)
    assert (told["taken"], told["already_there"]) == ({}, 11)
    assert _contents(tmp_path) == before


def test_a_dry_run_reads_all_and_puts_nothing(tmp_path: Path, redis: redis_servers.Redis) -> None:
    told = _import(tmp_path, redis, "--dry-run")
    assert sum(told["taken"].values()) == 11  # type: ignore[attr-defined]
    assert not (tmp_path / "shopfloor.db").exists()


def test_what_cannot_be_read_is_named_and_stays(tmp_path: Path, redis: redis_servers.Redis) -> None:
    redis.ask("LPUSH", "default", "{broken")
    redis.ask("LPUSH", "default", '{"jid":"short","jobtype":"T","args":[]}')
    redis.ask("ZADD", "working", 1, '{"wid":"w1"}')
    redis.ask("SADD", "b-1234", "something of Enterprise")
    redis.ask("LPUSH", "exact", '{"jid":"queued-0000","jobtype":"Other","args":[],"queue":"exact"}')
    told = _import(tmp_path, redis)
    left = [(one["key"], one["why"].partition(":")[0]) for one in told["left_jobs"]]  # type: ignore[attr-defined]
    assert sorted(left) == [
        ("default", "invalid JSON"),
        ("default", "jobs must have a reasonable jid parameter"),
        ("exact", "another job with jid queued-0000 is held"),
        ("working", "jobs must have a reasonable jid parameter"),
    ]
    assert told["left"] == 4
    assert told["strange_keys"] == ["b-1234"]


def test_nothing_is_taken_while_somebody_else_is_connected(tmp_path: Path, redis: redis_servers.Redis) -> None:
    with redis.line():
        said = Shell(tmp_path, {})("import", "faktory", "--redis", f"redis://{redis.socket}", "--dry-run")
        assert said.code == 1
        assert "1 other clients are connected" in said.complaints[0]
        assert _import(tmp_path, redis, "--dry-run", "--anyway")["left"] == 0


def _keys(redis: redis_servers.Redis) -> list[bytes]:
    keys = redis.ask("KEYS", "*")
    assert isinstance(keys, list)
    return sorted(keys)
