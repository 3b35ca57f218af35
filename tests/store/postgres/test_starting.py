"""What a store finds when it opens: nothing, an older schema, a newer one, a database that will not do."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shopfloor.config import Settings, StorageUrl
from shopfloor.core.changes import Put
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import ConfigError, StoreTooNew, StoreUnavailable
from shopfloor.store.conformance.jobs import NOW, job
from shopfloor.store.port import Reserve
from shopfloor.store.postgres.address import Address
from shopfloor.store.postgres.migrating import migrations
from shopfloor.store.postgres.store import PostgresStore
from tests import postgres
from tests.serving import run
from tests.store.postgres.proxy import repeat


def store_at(url: StorageUrl, **wanted: object) -> PostgresStore:
    return PostgresStore(Settings(storage=url, **wanted), Rules())  # type: ignore[arg-type]


def plain(url: StorageUrl) -> str:
    return url.reveal().partition("?")[0]


def test_servers_that_start_at_once_make_one_schema(tmp_path: Path) -> None:
    async def go() -> None:
        stores = [store_at(postgres.url_of(tmp_path)) for _ in range(4)]
        await asyncio.gather(*(store.open() for store in stores))
        assert len({store._rounds.server for store in stores}) == 4
        await stores[0].commit([(Put(job("a"), "queued"),)], [], NOW)
        assert [held.job.jid for held in await stores[3].peek("default", 0, 9)] == ["a"]
        for store in stores:
            await store.close()

    run(go())


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    async def go() -> None:
        store = store_at(postgres.url_of(tmp_path))
        await store.open()
        newest = max(migrations())
        await store._line.fetch("INSERT INTO migrations (version) VALUES ($1)", newest + 1)
        other = store_at(postgres.url_of(tmp_path))
        with pytest.raises(StoreTooNew, match=f"has version {newest + 1}, this shopfloor knows {newest}"):
            await other.open()
        await other.close()
        await store.commit([(Put(job("a"), "queued"),)], [], NOW)
        await store.close()

    run(go())


def test_a_database_of_another_encoding_is_refused() -> None:
    async def go() -> None:
        url = postgres.cluster().url("s")
        operator = await asyncpg.connect(plain(url))
        await operator.execute("CREATE DATABASE odd ENCODING 'SQL_ASCII' TEMPLATE template0")
        await operator.close()
        store = store_at(StorageUrl(url.reveal().replace("/postgres?", "/odd?")))
        with pytest.raises(ConfigError, match="encoding UTF8, not SQL_ASCII"):
            await store.open()
        await store.close()

    run(go())


def test_nobody_there_is_said_in_plain_words() -> None:
    async def go() -> None:
        store = store_at(StorageUrl("postgresql://shopfloor@127.0.0.1:1/postgres"))
        with pytest.raises(StoreUnavailable, match="postgresql is away"):
            await store.open()
        await store.close()

    run(go())


def test_a_database_that_does_not_exist_is_a_mistake_in_the_settings() -> None:
    async def go() -> None:
        store = store_at(StorageUrl(plain(postgres.cluster().url("s")).replace("/postgres", "/nowhere")))
        with pytest.raises(ConfigError, match="nowhere"):
            await store.open()
        await store.close()

    run(go())


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("schema=Robert'); --", "schema is made of"),
        ("schema=1st", "schema is made of"),
        ("pooler=session", "pooler is none or transaction"),
        ("notify=perhaps", "notify is on or off"),
        (f"schema={'a' * 64}", "longer than 63"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused(query: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        Address.parse(f"postgresql://db/shop?{query}")


def test_parameters_of_postgresql_are_left_to_it() -> None:
    address = Address.parse("postgres://me@a:1,b:2/shop?sslmode=require&schema=mine&target_session_attrs=read-write")
    assert address.url == "postgresql://me@a:1,b:2/shop?sslmode=require&target_session_attrs=read-write"
    assert (address.schema, address.pooler, address.notify) == ("mine", False, True)
    assert not Address.parse("postgres://db/shop?pooler=transaction").notify, "nobody can listen through it"


@pytest.fixture
def small_cluster() -> Iterator[postgres.Cluster]:
    cluster = postgres.Cluster((*postgres.FAST, "max_connections=8", "superuser_reserved_connections=0"))
    cluster.start()
    yield cluster
    cluster.remove()


def test_connections_that_others_use_up_are_not_ours(small_cluster: postgres.Cluster) -> None:
    async def go() -> None:
        url = small_cluster.url("s")
        store = store_at(url)
        await store.open()
        others = await use_up(url)
        await store.commit([(Put(job("a"), "queued"),)], [], NOW)
        store._line.drop()
        others += await use_up(url)
        with pytest.raises(StoreUnavailable, match="too many clients"):
            await store._line.fetch("SELECT 1")
        for other in others:
            await other.close()
        await repeat(lambda: store._line.fetch("SELECT 1"))
        assert (await store.commit([], [Reserve(("default",), "w1")], NOW)).reserved[0][0].job.jid == "a"
        await store.close()

    run(go())


async def use_up(url: StorageUrl) -> list[Any]:
    """Connect as often as PostgreSQL allows."""
    made: list[Any] = []
    with suppress(asyncpg.TooManyConnectionsError):
        while len(made) < 100:
            made.append(await asyncpg.connect(plain(url)))
    return made
