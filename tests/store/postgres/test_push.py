"""Applications push jobs in transactions of their own, and a server takes them in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests import postgres
from tests.jobs import NOW
from tests.serving import Serving, run, serving
from tests.stores import POSTGRES

JOB = '{"jid":"sql-00001","jobtype":"Mail","args":[ 1.0, 9007199254740993 ]}'


@asynccontextmanager
async def house_and_application(folder: Path) -> AsyncIterator[tuple[Serving, Any]]:
    async with serving(POSTGRES, folder, schedule_seconds=3600.0) as house:
        url, _, schema = postgres.url_of(folder).reveal().partition("?schema=")
        application = await asyncpg.connect(url, server_settings={"search_path": schema})
        try:
            yield house, application
        finally:
            await application.close()


async def take_in(house: Serving) -> None:
    await house.server.broker.ticks.run(house.server.broker.inbox.take_in())


def test_a_job_is_there_when_the_transaction_commits_and_not_before(tmp_path: Path) -> None:
    async def go() -> None:
        async with house_and_application(tmp_path) as (house, application):
            async with application.transaction():
                assert await application.fetchval("SELECT push($1)", JOB) == "sql-00001"
                await take_in(house)
                assert await house.server.broker.ticks.store.queues() == []
            await take_in(house)
            client = await house.client("w1")
            fetched = await client.ask("FETCH default")
            assert '"jid":"sql-00001"' in fetched
            assert '"args":[ 1.0, 9007199254740993 ]' in fetched
            await take_in(house)
            assert (await house.server.broker.ticks.store.queues())[0].size == 0

    run(go())


def test_nothing_is_pushed_where_the_transaction_is_undone(tmp_path: Path) -> None:
    async def go() -> None:
        async with house_and_application(tmp_path) as (house, application):
            undone = application.transaction()
            await undone.start()
            await application.execute("SELECT push($1)", JOB)
            await undone.rollback()
            await take_in(house)
            assert await house.server.broker.ticks.store.queues() == []

    run(go())


def test_jobs_are_taken_in_in_order_and_by_the_rules_of_a_push(tmp_path: Path) -> None:
    async def go() -> None:
        async with house_and_application(tmp_path) as (house, application):
            unique = '{{"jid":"unique-{}","jobtype":"Once","args":[],"custom":{{"unique_for":60}}}}'
            later = '{"jid":"later-001","jobtype":"Mail","args":[],"at":"2033-01-01T00:00:00Z"}'
            for text in (JOB, JOB, unique.format(1), unique.format(2), later):
                await application.execute("SELECT push($1)", text)
            await take_in(house)
            store = house.server.broker.ticks.store
            assert [held.job.jid for held in await store.peek("default", 0, 9)] == ["sql-00001", "unique-1"]
            assert [held.job.jid for held in await store.due("scheduled", NOW * 2, 9)] == ["later-001"]
            assert await store.records("inbox") == {}

    run(go())


def test_what_cannot_be_pushed_is_kept_where_people_find_it(tmp_path: Path) -> None:
    async def go() -> None:
        async with house_and_application(tmp_path) as (house, application):
            bad = '{"jid":"member-01","jobtype":"Mail","args":[],"custom":{"bid":"b-nowhere"}}'
            await application.execute("SELECT push($1)", bad)
            await application.execute("SELECT push($1)", JOB)
            await take_in(house)
            store = house.server.broker.ticks.store
            assert [record.value for record in (await store.records("refused")).values()] == [bad.encode()]
            assert [held.job.jid for held in await store.peek("default", 0, 9)] == ["sql-00001"]

    run(go())


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[]", "must be a JSON object"),
        ('{"jobtype":"Mail","args":[]}', "reasonable jid"),
        ('{"jid":"short","jobtype":"Mail","args":[]}', "reasonable jid"),
        ('{"jid":12345678,"jobtype":"Mail","args":[]}', "reasonable jid"),
        ('{"jid":"sql-00001","args":[]}', "must have a jobtype"),
        ('{"jid":"sql-00001","jobtype":"Mail"}', "must have an args"),
        ('{"jid":"sql-00001","jobtype":"Mail","args":{}}', "must have an args"),
        ('{"jid":"sql-00001","jobtype":"Mail","args":[],"queue":"a b"}', "queue names must match"),
    ],
)
def test_what_no_server_would_take_fails_the_statement(tmp_path: Path, text: str, wrong: str) -> None:
    async def go() -> None:
        async with house_and_application(tmp_path) as (_, application):
            with pytest.raises(asyncpg.InvalidParameterValueError, match=wrong):
                await application.execute("SELECT push($1)", text)

    run(go())


def test_two_servers_take_each_job_in_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with house_and_application(tmp_path) as (one, application), serving(POSTGRES, tmp_path) as other:
            for number in range(300):
                await application.execute("SELECT push($1)", JOB.replace("sql-00001", f"sql-{number:05}"))
            await take_in(one)
            await take_in(other)
            jobs = await one.server.broker.ticks.store.peek("default", 0, 1000)
            assert [held.job.jid for held in jobs] == [f"sql-{number:05}" for number in range(300)]

    run(go())
