"""What `shopfloor doctor` finds out about a database."""

import asyncio
import time
from pathlib import Path

import asyncpg
import pytest

from shopfloor.config import Durability, Settings, StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreUnavailable
from shopfloor.store.port import Examination, Examined
from shopfloor.store.postgres import check
from shopfloor.store.postgres.condition import ok_means
from shopfloor.store.postgres.store import PostgresStore
from tests import postgres


def store_of(folder: Path, more: str = "") -> PostgresStore:
    return PostgresStore(Settings(storage=postgres.url_of(folder, more)), Rules())


def found(store: PostgresStore) -> dict[str, Examination]:
    return {one.about: one for one in asyncio.run(store.examine(time.time))}


async def opened(store: PostgresStore) -> None:
    await store.open()
    await store.close()


def test_a_database_without_a_schema_is_left_without_one(tmp_path: Path) -> None:
    assert isinstance(store_of(tmp_path), Examined)
    for told in (found(store_of(tmp_path)), found(store_of(tmp_path))):
        assert told["schema"].verdict == "ok"
        assert "does not exist yet" in told["schema"].says
        assert told["postgresql"].says.startswith("version 1")


def test_settings_that_lose_jobs_are_named(tmp_path: Path) -> None:
    asyncio.run(opened(store_of(tmp_path)))
    told = found(store_of(tmp_path, "&pooler=transaction"))
    assert (told["durability"].verdict, told["autovacuum"].verdict) == ("warning", "problem")
    assert "fsync off" in told["durability"].says
    assert "autovacuum_vacuum_threshold=5000" in told["table ready"].says
    assert told["pooler"].verdict == "ok"
    assert {told[about].verdict for about in ("schema", "snapshots", "connections", "database clock")} == {"ok"}


def test_an_old_snapshot_a_clock_that_is_wrong_and_a_newer_schema_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(opened(store_of(tmp_path)))
    monkeypatch.setattr(check, "SNAPSHOT_SECONDS_WARNING", -1.0)
    monkeypatch.setattr(check, "CLOCK_SECONDS_WARNING", -1.0)
    monkeypatch.setattr(check, "migrations", lambda: {1: ""})
    told = found(store_of(tmp_path))
    assert (told["snapshots"].verdict, told["database clock"].verdict) == ("warning", "warning")
    assert (told["schema"].verdict, "we know 1" in told["schema"].says) == ("problem", True)


def test_nobody_there_is_an_error() -> None:
    store = PostgresStore(Settings(storage=StorageUrl("postgresql://shopfloor@127.0.0.1:1/postgres")), Rules())
    with pytest.raises(StoreUnavailable):
        found(store)


@pytest.mark.parametrize(
    ("durability", "fsync", "synchronous_commit", "standbys", "word"),
    [
        ("commit", "on", "on", "", "on the disk of the database"),
        ("commit", "on", "local", "a", "on the disk of the database"),
        ("commit", "on", "remote_apply", "a, b", "and on the standby's disk (a, b)"),
        ("commit", "on", "remote_write", "a", "in the standby's memory"),
        ("process", "on", "on", "a", "within its last second"),
        ("commit", "off", "on", "", "fsync off"),
    ],
)
def test_what_an_ok_means_is_said_in_words(
    durability: Durability, fsync: str, synchronous_commit: str, standbys: str, word: str
) -> None:
    assert word in ok_means(durability, fsync, synchronous_commit, standbys)


def test_an_application_needs_no_right_on_the_tables(tmp_path: Path) -> None:
    asyncio.run(opened(store_of(tmp_path)))
    url, _, schema = postgres.url_of(tmp_path).reveal().partition("?schema=")

    async def go() -> None:
        owner = await asyncpg.connect(url)
        role = f"app_{schema}"
        await owner.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}")
        application = await asyncpg.connect(url.replace("shopfloor@", f"{role}@"))
        job = '{"jid":"sql-00001","jobtype":"Mail","args":[]}'
        assert await application.fetchval(f"SELECT {schema}.push($1)", job) == "sql-00001"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(f"SELECT * FROM {schema}.records")  # noqa: S608 - the name is made up above
        await application.close()
        await owner.close()

    asyncio.run(go())
