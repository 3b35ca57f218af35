"""A real store that is ended and started again, or stands still: commands are refused in time, nothing that was
acknowledged is lost, and the server finds back by itself.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from tests import postgres, redis_servers
from tests.serving import Client, Serving, run, serving, until
from tests.stores import POSTGRES, REDIS, Kind

STORE_SECONDS = 0.6
CLIENT_SECONDS = 5.0
"""After this time clients stop reading; the machine may be busy, but not that busy."""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


class Outage(Struct, frozen=True, kw_only=True):
    """A store, and how it goes and comes."""

    kind: Kind
    go: Callable[[], None]
    come: Callable[[], None]


@pytest.fixture(params=["postgres ends", "postgres stands still", "redis ends", "redis stands still"])
def outage(request: pytest.FixtureRequest) -> Iterator[Outage]:
    """A store of the test's own."""
    which, how = request.param.split(" ", 1)
    making = redis_servers.running("--appendonly", "yes", "--appendfsync", "always") if which == "redis" else _cluster()
    with making as store:
        kind = REDIS if which == "redis" else POSTGRES
        url = store.url("shopfloor")
        go, come = _ways(store, how)
        yield Outage(kind=msgspec.structs.replace(kind, url=lambda folder: url), go=go, come=come)
        come()


def test_a_store_that_goes_and_comes_back(outage: Outage, tmp_path: Path) -> None:
    async def story() -> None:
        wanted = {"store_seconds": STORE_SECONDS, "schedule_seconds": 0.05, "reap_seconds": 0.05}
        async with serving(outage.kind, tmp_path, durability="commit", **wanted) as house:
            producer, worker = await house.client(), await house.client("w1")
            for number in range(20):
                assert await _push(producer, number) == "+OK"
            worker.send("FETCH elsewhere")
            await until(lambda: house.parked == 1)
            outage.go()
            await _is_refused_in_time(producer, 20)
            await _is_refused_in_time(producer, 20)
            worker_too = await house.client()
            assert (await worker_too.ask("INFO")).startswith("-ERR store unavailable, try again: ")
            outage.come()
            await _comes_back(producer, 20)
            assert await producer.ask('PUSH {"jid":"job-last","jobtype":"T","queue":"elsewhere","args":[]}') == "+OK"
            assert '"jid":"job-last"' in await worker.reply()
            await _everything_is_there(house, producer, 21)

    run(story())


async def _push(client: Client, number: int) -> str:
    return await client.ask(f'PUSH {{"jid":"job-{number:04}","jobtype":"T","args":[{number}]}}')


async def _is_refused_in_time(client: Client, number: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    reply = await _push(client, number)
    assert reply.startswith("-ERR store unavailable, try again: "), reply
    assert loop.time() - began < CLIENT_SECONDS


async def _comes_back(client: Client, number: int) -> None:
    """Push until it is taken, as a client does."""
    async with asyncio.timeout(30):
        while (reply := await _push(client, number)) != "+OK":
            assert reply.startswith("-ERR store unavailable, try again: "), reply
            await asyncio.sleep(0.05)


async def _everything_is_there(house: Serving, client: Client, jobs: int) -> None:
    told = msgspec.json.decode((await client.ask("INFO")).removeprefix("$ "))
    assert told["faktory"]["queues"]["default"] == jobs
    assert told["server"]["store_breaks"] >= 1
    assert house.server.broker.ticks.contact.trouble == ""
    fetching = await house.client("w2")
    for number in range(jobs):
        assert f'"jid":"job-{number:04}"' in await fetching.ask("FETCH default")


def _ways(store: "redis_servers.Redis | postgres.Cluster", how: str) -> tuple[Callable[[], None], Callable[[], None]]:
    if how == "ends":
        if isinstance(store, redis_servers.Redis):
            return store.kill, _once(store.start)
        return store.stop, _once(store.start)
    if isinstance(store, redis_servers.Redis):
        return (lambda: store.send(signal.SIGSTOP)), (lambda: store.send(signal.SIGCONT))
    assert store.process is not None
    process = store.process.pid
    return (lambda: _signal_all(process, signal.SIGSTOP)), (lambda: _signal_all(process, signal.SIGCONT))


def _once(start: Callable[[], None]) -> Callable[[], None]:
    left = [start]
    return lambda: left.pop()() if left else None


def _signal_all(process: int, number: signal.Signals) -> None:
    """Send a signal to a process and its children: each connection of PostgreSQL has a process."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    for one in (process, *map(int, children)):
        os.kill(one, number)


@contextmanager
def _cluster() -> Iterator[postgres.Cluster]:
    """Run a PostgreSQL that keeps what it acknowledged."""
    made = postgres.Cluster(settings=())
    try:
        made.start()
        yield made
    finally:
        made.remove()
