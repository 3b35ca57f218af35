"""A worker carries out the jobs of a real server: in child processes, and in its own."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from shopfloor import (
    AsyncClient,
    Carry,
    Client,
    ClientSettings,
    CurrentJob,
    Middleware,
    ShopfloorError,
    Worker,
    WorkerSettings,
    current_job,
    job,
)
from shopfloor.sdk import asks
from shopfloor.sdk.client import named_order
from shopfloor.sdk.worker.handlers import load_handlers
from shopfloor.sdk.worker.post import Line
from shopfloor.sdk.worker.settings import queues_of
from shopfloor.sdk.workflow import CONTINUE
from shopfloor.wire.client import json_command
from tests.sdk import shop
from tests.sdk.working import SHOP, counts, is_settled, until, working


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger"
    monkeypatch.setenv(shop.LEDGER, str(path))
    return path


@pytest.fixture(params=[0, 1], ids=["inside", "child"])
def processes(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


def words(ledger: Path) -> Counter[str]:
    return Counter(entry.word for entry in shop.entries(ledger))


def test_functions_and_coroutines_are_carried_out_and_leave_results(url: str, ledger: Path, processes: int) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=processes):
            orders = [shop.add.options(track=True).order(1, 2), shop.add_later.options(track=True).order(3, 4)]
            jids = await client.push_bulk(orders)
            assert [(await client.wait(jid, 30)).result for jid in jids] == [3, 7]
            await client.push_bulk([shop.add.order(number, 1) for number in range(300)])
            await client.push_bulk([shop.add_later.order(number, 1) for number in range(300)])
            await until(lambda: is_settled(client))
            assert (await client.info())["faktory"]["total_failures"] == 0

    asyncio.run(main())
    jids = [entry.jid for entry in shop.entries(ledger)]
    assert len(jids) == len(set(jids)) == 602


@pytest.mark.parametrize(
    ("how", "place", "message"),
    [
        ("error", "retries", "no way error"),
        ("retry", "retries", "the shop is closed"),
        ("dead", "dead", "hopeless"),
        ("exit", "retries", "3"),
        ("stranger", "retries", "cannot push steer: the result is a object, which is not JSON"),
        ("discard", "", ""),
        ("cancel", "", ""),
        ("drop", "", ""),
    ],
)
def test_a_handler_steers_what_becomes_of_its_job(url: str, ledger: Path, how: str, place: str, message: str) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=0):
            jid = await client.push(shop.steer.options(track=True).order(how))
            await until(lambda: words(ledger)["begin"] == 1)
            await until(lambda: is_settled(client))
            told = await client.get(jid)
            if not place:
                assert told is None
                assert (await client.jobs_in("dead"))["jobs"] == (await client.jobs_in("retries"))["jobs"] == []
                return
            assert told is not None
            assert told["place"] == place
            assert told["job"]["failure"]["message"] == message
            assert how == "retry" or "in " in " ".join(told["job"]["failure"].get("backtrace", ["in "]))

    asyncio.run(main())


def test_when_a_job_is_tried_again_is_the_handlers_word(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=0):
            jid = await client.push(shop.steer.order("retry"))
            await until(lambda: words(ledger)["begin"] == 1)
            await until(lambda: is_settled(client))
            told = await client.jobs_in("retries")
            failed_at = told["jobs"][0]["job"]["failure"]["failed_at"]
            assert told["jobs"][0]["job"]["jid"] == jid
            assert told["jobs"][0]["at"][:10] >= failed_at[:10]
            assert told["jobs"][0]["at"][11:13] != failed_at[11:13]  # an hour later

    asyncio.run(main())


def test_a_job_that_nobody_here_knows_fails(url: str, processes: int) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=processes):
            jids = [await client.push_named("Nobody"), await client.push(shop.add.order(1, 2).with_custom({}))]
            broken = named_order("add", ["one"], {}, lambda: 0.0)
            jids[1] = await client.push(broken)
            await until(lambda: is_settled(client))
            failures = [told["job"]["failure"] for jid in jids if (told := await client.get(jid))]
            assert [one["errtype"] for one in failures] == ["UnknownJob", "ValidationError"]
            assert "first: Expected `int`, got `str`" in failures[1]["message"]

    asyncio.run(main())


def test_soft_timeouts_break_off_functions_and_coroutines(url: str, ledger: Path, processes: int) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=processes, threads=1):
            jids = await client.push_bulk([shop.dawdle.order(), shop.dream.order(), shop.add.order(1, 2)])
            await until(lambda: words(ledger)["done"] == 1)
            await until(lambda: is_settled(client))
            for jid in jids[:2]:
                told = await client.get(jid)
                assert told is not None
                assert told["job"]["failure"]["errtype"] == "JobTimeout"

    asyncio.run(main())


def test_progress_extending_and_cancelling_while_it_runs(url: str, ledger: Path, processes: int) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=processes):
            jid = await client.push(shop.watched.options(track=True, reserve_for=60).order())

            async def has_progress() -> bool:
                return (await client.track(jid)).percent == 40

            await until(has_progress)
            assert (await client.track(jid)).desc == "half way, almost"
            await client.cancel(jid)
            await until(lambda: words(ledger)["done"] == 1)
            await until(lambda: is_settled(client))
            assert (await client.track(jid)).result == {"attempt": 1}

    asyncio.run(main())


def test_what_does_not_end_in_time_is_given_back_unharmed(url: str, ledger: Path, processes: int) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client:
            jids = [await client.push(order) for order in (shop.linger.order(0.1), shop.doze.order(60))]
            waiting = [await client.push(shop.linger.order(60)) for _ in range(2)]
            async with working(url, processes=processes, threads=2, tasks=2, stop_seconds=3.0):
                await until(lambda: words(ledger)["begin"] >= 3)
                await until(lambda: words(ledger)["done"] == 1)
            assert await client.get(jids[0]) is None
            for jid in (jids[1], *waiting):
                told = await client.get(jid)
                assert told is not None
                assert told["place"] == "queued"
                assert "failure" not in told["job"]

    asyncio.run(main())


def test_a_quiet_worker_fetches_no_more(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=0) as worker:
            await client.push(shop.add.order(1, 1))
            await until(lambda: words(ledger)["done"] == 1)
            worker.quiet()
            await until(lambda: not any(task.get_name() == "fetching" for task in asyncio.all_tasks()))
            later = await client.push(shop.add.order(1, 1))
        async with AsyncClient(url) as client:
            told = await client.get(later)
            assert told is not None
            assert told["place"] == "queued"

    asyncio.run(main())


def test_a_worker_that_is_told_to_terminate_by_the_server_goes(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=0) as worker:
            await client.push(shop.add.order(1, 1))
            await until(lambda: words(ledger)["done"] == 1)
            foreman = worker._foreman
            assert foreman is not None
            wid = foreman._post.wid
            line = json_command("BEAT", {"wid": wid, "current_state": "terminate"})
            await client.run(asks.Ask(line, lambda reply: reply))
            await until(lambda: foreman.is_stopping)

    asyncio.run(main())


def test_children_are_recycled_by_count(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, jobs_per_child_max=5, threads=1):
            await client.push_bulk([shop.add.order(1, 1) for _ in range(12)])
            await until(lambda: words(ledger)["done"] == 12)
            await until(lambda: is_settled(client))

    asyncio.run(main())
    assert len({entry.process for entry in shop.entries(ledger)}) >= 2
    assert len({entry.jid for entry in shop.entries(ledger)}) == 12


def test_children_are_recycled_by_memory(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, child_megabytes_max=300) as worker:
            await until(lambda: worker.child_ids)
            (large,) = worker.child_ids
            await client.push(shop.grow.order(400))
            await until(lambda: worker.child_ids and large not in worker.child_ids)
            await client.push(shop.add.order(1, 1))
            await until(lambda: words(ledger)["done"] == 2)

    asyncio.run(main())
    first, second = shop.entries(ledger)
    assert first.process != second.process


def test_until_empty(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client:
            await client.push_bulk([shop.add.order(1, 1) for _ in range(20)])
            worker = Worker([SHOP], WorkerSettings(processes=2, until_empty=True), url)
            await asyncio.wait_for(worker.serve(), 40)
            assert worker.jobs_ended == 20
            assert await is_settled(client)

    asyncio.run(main())


def test_modules_that_cannot_be_loaded_end_the_worker(url: str) -> None:
    worker = Worker(["no_such_module"], url=url)
    with pytest.raises(ShopfloorError, match="cannot load no_such_module: ModuleNotFoundError"):
        asyncio.run(worker.serve())


def test_which_jobs_are_found(tmp_path: Path) -> None:
    assert "add" in load_handlers([SHOP]).functions
    assert set(load_handlers([f"{SHOP}:add"]).functions) == {"add", CONTINUE}
    with pytest.raises(ShopfloorError, match="there is no job in asyncio"):
        load_handlers(["asyncio"])
    with pytest.raises(ShopfloorError, match="modules by name"):
        Worker([shop.add])

    @job(name="add")
    def other() -> None: ...

    with pytest.raises(ShopfloorError, match="two functions are called add"):
        Worker([SHOP, other], WorkerSettings(processes=0))._handlers()


def test_queues_are_strict_or_weighted() -> None:
    assert queues_of(["a", "b"]).in_order() == ["a", "b"]
    drawn = Counter(queues_of({"a": 9, "b": 1}).in_order()[0] for _ in range(2000))
    assert 1600 < drawn["a"] < 1990
    with pytest.raises(ValueError, match="at least 1"):
        queues_of({"a": 0})


tenant: ContextVar[str] = ContextVar("worker_tenant", default="nobody")
heard: ContextVar[list[str]] = ContextVar("heard")


class Layer(Middleware):
    """Writes down what happens, and turns one error into another."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    @contextmanager
    def running(self, job: CurrentJob) -> Iterator[None]:
        self._said.append(f"in {job.jobtype} {tenant.get()}")
        try:
            yield
        except ValueError as error:
            raise ZeroDivisionError("translated") from error
        finally:
            self._said.append("out")


@job
def greet() -> str:
    return f"{tenant.get()} {current_job().attempt} {os.getpid()}"


@job
async def greet_later() -> str:
    return f"{tenant.get()} {current_job().attempt} {os.getpid()}"


@job(dead_on=(ZeroDivisionError,))
def stumble() -> None:
    raise ValueError("over a stone")


def test_middleware_and_context_variables_reach_the_handler(url: str) -> None:
    said: list[str] = []
    settings = ClientSettings(middleware=(Carry(tenant=tenant), Layer(said)))

    async def main() -> None:
        at_work = working(url, greet, greet_later, stumble, processes=0, client=settings)
        async with AsyncClient(url, settings) as client, at_work:
            token = tenant.set("acme")
            jids = [await client.push(one.options(track=True).order()) for one in (greet, greet_later)]
            results = [(await client.wait(jid, 30)).result for jid in jids]
            assert results == [f"acme 1 {os.getpid()}"] * 2
            lost = await client.push(stumble.order())
            tenant.reset(token)
            await until(lambda: len(said) == 6)
            await until(lambda: is_settled(client))
            told = await client.get(lost)
            assert told is not None
            assert (told["place"], told["job"]["failure"]["message"]) == ("dead", "translated")

    asyncio.run(main())
    assert said.count("in greet acme") == said.count("in greet_later acme") == 1
    assert said.count("out") == 3


def test_a_job_is_running_in_handlers_alone() -> None:
    with pytest.raises(ShopfloorError, match="no job is running here"):
        current_job()


def test_without_extensions_a_worker_does_with_faktorys_commands(
    url: str, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def info_of_faktory(self: Any) -> Any:
        link = await connect(self)
        self.extensions = frozenset()
        return link

    connect = Line._connect
    monkeypatch.setattr(Line, "_connect", info_of_faktory)

    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=0, threads=2, stop_seconds=1.5):
            await client.push_bulk([shop.add.order(1, 1) for _ in range(20)])
            await until(lambda: words(ledger)["done"] == 20)
            jid = await client.push(shop.doze.order(60))
            dropped = await client.push(shop.steer.order("discard"))
            await until(lambda: words(ledger)["begin"] == 2)
        async with AsyncClient(url) as client:
            told = await client.get(jid)
            assert told is not None
            assert (told["place"], told["job"]["failure"]["errtype"]) == ("retries", "WorkerStopped")
            assert await client.get(dropped) is None
            assert (await counts(client))["working"] == 0

    asyncio.run(main())


def test_a_worker_may_share_a_process_with_its_clients(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with working(url, shop.add, processes=0):
            with Client(url) as client:
                jid = await asyncio.to_thread(client.push, shop.add.options(track=True).order(2, 2))
                assert (await asyncio.to_thread(client.wait, jid, 30)).result == 4

    asyncio.run(main())
