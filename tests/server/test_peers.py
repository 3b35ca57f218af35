"""Slow and malicious peers: each gets what it deserves, and the others do not notice.

What a disturbance costs another client is judged by how often that one has its turn, or against what it measured when
it was alone; never by a clock alone.
"""

import asyncio
import resource
import time
from collections.abc import Awaitable
from pathlib import Path
from statistics import median

import pytest

from tests.serving import PATIENCE_SECONDS, Client, Serving, run, serving, until
from tests.stores import MEMORY

SLOWER_MAX = 300
"""How many times longer a round trip may take beside a disturbance: 0.1 ms alone, 30 ms then."""
IDLE, IDLE_SOAK = 2000, 10_000
PIPELINED = 50_000
COMMANDS_A_TURN_MAX = 1500
"""Commands of one connection that another may have to wait for: 400 as measured."""
FILES_SPARE = 200


class Bystander:
    """A client that goes on with its work and notes how long each round trip takes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._number = 0

    async def alone(self) -> float:
        """Measure while nothing else goes on."""
        return median([await self._round_trip() for _ in range(200)])

    async def beside(self, disturbance: Awaitable[None]) -> int:
        """Count the round trips until the disturbance is over."""
        noise, count = asyncio.ensure_future(disturbance), 0
        async with asyncio.timeout(PATIENCE_SECONDS * 2):
            while not noise.done():
                await self._round_trip()
                count += 1
        await noise
        return count

    async def _round_trip(self) -> float:
        self._number += 1
        began = time.perf_counter()
        assert await self._client.ask(f'PUSH {{"jid":"by-{self._number:08}","jobtype":"T","args":[]}}') == "+OK"
        return time.perf_counter() - began


async def undisturbed(house: Serving, disturbance: Awaitable[None], round_trips: int) -> None:
    """Let the disturbance happen and see that a bystander gets its turn at least so often meanwhile.

    Turns and not milliseconds: how long one takes depends on whatever else the machine does.
    """
    bystander = Bystander(await house.client("bystander"))
    count = await bystander.beside(disturbance)
    assert count >= round_trips, f"{count} round trips, and {round_trips} are the least"


def test_a_client_that_sends_one_byte_at_a_time_is_served(tmp_path: Path) -> None:
    async def dribble(client: Client) -> None:
        for byte in b'PUSH {"jid":"job-0001","jobtype":"T","args":["slowly"]}\r\n' * 20:
            client.writer.write(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert [await client.reply() for _ in range(20)] == ["+OK"] * 20

    async def scene() -> None:
        async with serving(MEMORY, tmp_path) as house:
            await undisturbed(house, dribble(await house.client()), 100)

    run(scene())


def test_a_line_without_end_is_cut_off(tmp_path: Path) -> None:
    async def ramble(client: Client) -> None:
        try:
            while not client.writer.is_closing():
                client.writer.write(b"x" * 65_536)
                await client.writer.drain()
        except ConnectionError:
            pass

    async def scene() -> None:
        async with serving(MEMORY, tmp_path, line_bytes_max=8 * 1024 * 1024) as house:
            await undisturbed(house, ramble(await house.client()), 3)
            await until(lambda: house.server.vitals().connections == 1)

    run(scene())


@pytest.mark.parametrize("said", [b"", b"HELLO {", b"\x16\x03\x01\x02\x00\x01"])
def test_a_client_that_does_not_say_hello_in_time_is_hung_up_on(said: bytes, tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path, handshake_seconds=0.05) as house:
            client = await house.connect()
            client.writer.write(said)
            assert await client.reply() == '+HI {"v":2}'
            assert await client.is_closed()
            await until(lambda: house.server.vitals().connections == 0)

    run(scene())


def test_a_client_that_said_hello_may_be_silent_for_longer_than_the_handshake(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path, handshake_seconds=1.0) as house:
            silent = await house.client()
            late = await house.connect()
            assert await late.reply() == '+HI {"v":2}'
            assert await late.is_closed()
            assert await silent.ask("FLUSH") == "+OK"

    run(scene())


def test_a_client_that_never_reads_its_replies_is_given_up(tmp_path: Path) -> None:
    async def shout(client: Client) -> None:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            while not client.writer.is_closing():
                client.send(*["INFO"] * 500)
                await client.writer.drain()
        except ConnectionError:
            pass

    async def scene() -> None:
        async with serving(MEMORY, tmp_path, output_bytes_max=100_000, slow_peer_seconds=0.1) as house:
            noise = asyncio.ensure_future(shout(await house.client()))
            bystander = Bystander(await house.client("bystander"))
            await bystander.alone()
            await until(lambda: house.server.vitals().connections == 1)
            noise.cancel()

    run(scene())


def test_a_client_that_reads_late_gets_every_reply_in_order(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path, output_bytes_max=20_000) as house:
            client = await house.client()
            body = "x" * 1000
            for number in range(300):
                client.send(f'PUSH {{"jid":"late-{number:04}","jobtype":"T","args":["{body}"]}}')
            assert [await client.reply() for _ in range(300)] == ["+OK"] * 300
            client.send(*["FETCH default"] * 300)
            bystander = Bystander(await house.client("bystander"))
            await bystander.alone()
            for number in range(300):
                assert f'"jid":"late-{number:04}"' in await client.reply()

    run(scene())


def test_pipelining_is_answered_in_order_and_holds_up_nobody(tmp_path: Path) -> None:
    async def pipeline(client: Client) -> None:
        lines = [
            f'PUSH {{"jid":"pipe-{number:06}","jobtype":"T","queue":"p","args":[]}}' for number in range(PIPELINED)
        ]
        client.send(*lines)
        for _ in range(PIPELINED):
            assert await client.reader.readline() == b"+OK\r\n"

    async def scene() -> None:
        async with serving(MEMORY, tmp_path) as house:
            client = await house.client()
            await undisturbed(house, pipeline(client), PIPELINED // COMMANDS_A_TURN_MAX)
            assert '"p":50000' in await client.ask("INFO")

    run(scene())


def test_nonsense_in_bulk_is_answered_and_holds_up_nobody(tmp_path: Path) -> None:
    async def scold(client: Client) -> None:
        client.send(*["NONSENSE and more"] * PIPELINED)
        for _ in range(PIPELINED):
            assert await client.reader.readline() == b"-ERR unknown command NONSENSE\r\n"

    async def scene() -> None:
        async with serving(MEMORY, tmp_path) as house:
            await undisturbed(house, scold(await house.client()), PIPELINED // COMMANDS_A_TURN_MAX)

    run(scene())


def allowed(most: int) -> int:
    """Raise the limit of open files as far as it goes, and give as many connections as that allows, at most `most`.

    Both ends of each connection are this process's own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * most + FILES_SPARE
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return (wanted - FILES_SPARE) // 200 * 100


async def gather_crowd(house: Serving, count: int) -> None:
    """Connect so many workers, and let every tenth of them wait for a job."""
    for start in range(0, count, 100):
        some = await asyncio.gather(*[house.client(f"idle-{start + number}") for number in range(100)])
        for client in some[::10]:
            client.send("FETCH idle")
    await until(lambda: house.parked == count // 10)


async def crowd(count: int, folder: Path) -> None:
    """See that idle connections cost others nothing, and that all of them still work in the end."""
    async with serving(MEMORY, folder, reap_seconds=1.0, connections_max=count + 10) as house:
        bystander = Bystander(await house.client("bystander"))
        alone = await bystander.alone()
        await gather_crowd(house, count)
        assert await bystander.alone() < alone * SLOWER_MAX
        house.clock.now += house.server.broker.context.limits.fetch_seconds
        fetchers = [client for at, client in enumerate(house.clients[1:]) if at % 10 == 0]
        assert [await client.reply() for client in fetchers] == ["$-1"] * (count // 10)
        assert await house.clients[-1].ask("FLUSH") == "+OK"


def test_thousands_of_idle_connections_hold_up_nobody(tmp_path: Path) -> None:
    run(crowd(allowed(IDLE), tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_as_many_idle_connections_as_are_allowed_hold_up_nobody(tmp_path: Path) -> None:
    run(crowd(allowed(IDLE_SOAK), tmp_path))


def test_every_fetcher_that_waits_is_answered_when_the_server_stops(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path) as house:
            fetchers = [await house.client(f"w{number}") for number in range(50)]
            for client in fetchers:
                client.send("FETCH default", "INFO")
            await until(lambda: house.parked == 50)
            stopping = asyncio.ensure_future(house.server.stop())
            for client in fetchers:
                assert await client.reply() == "$-1"
                assert await client.reply() == "-ERR shutdown in progress"
                assert await client.is_closed()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await stopping

    run(scene())


def test_a_server_that_stops_loses_nothing_that_it_acknowledged_and_takes_nothing_more(tmp_path: Path) -> None:
    async def push_on(client: Client, pushed: list[int]) -> str:
        said = "+OK"
        while said == "+OK":
            pushed.append(len(pushed))
            try:
                said = await client.ask(f'PUSH {{"jid":"stop-{len(pushed):06}","jobtype":"T","args":[]}}')
            except ConnectionError:
                said = ""
        pushed.pop()
        return said

    async def scene() -> None:
        async with serving(MEMORY, tmp_path) as house:
            pushed: list[int] = []
            pusher = asyncio.ensure_future(push_on(await house.client(), pushed))
            await until(lambda: len(pushed) > 20)
            store = house.server.broker.context.store
            await house.server.stop()
            assert await pusher in ("", "-ERR shutdown in progress")
            (queue,) = await store.queues()
            assert queue.size in (len(pushed), len(pushed) + 1)
            with pytest.raises(ConnectionError):
                await house.connect()
            await house.server.stop()

    run(scene())


def test_an_empty_fetch_ends_after_two_seconds(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path) as house:
            house.server.broker.ticks.clock = time.time
            client = await house.client()
            began = time.monotonic()
            assert await client.ask("FETCH default") == "$-1"
            assert 1.9 < time.monotonic() - began < PATIENCE_SECONDS  # 2.00 to 2.10 s where there is nothing else to do

    run(scene())


def test_a_client_that_closes_its_end_has_carried_out_and_answered_what_it_sent(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path) as house:
            client = await house.connect()
            pushes = [f'PUSH {{"jid":"last-{number:04}","jobtype":"T","args":[]}}' for number in range(500)]
            client.send('HELLO {"v":2,"wid":"w1"}', *pushes)
            client.writer.write(b'PUSH {"jid":"a line without end')
            client.writer.write_eof()
            assert await client.reply() == '+HI {"v":2}'
            assert [await client.reply() for _ in range(501)] == ["+OK"] * 501
            assert await client.is_closed()
            await until(lambda: house.server.vitals().connections == 0)
            (queue,) = await house.server.broker.context.store.queues()
            assert queue.size == 500

    run(scene())


@pytest.mark.parametrize("last", ["FETCH default", 'FETCHB {"queues":["default"],"count":2}'])
def test_a_client_that_closes_its_end_is_given_no_job(last: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path) as house:
            waiting, hasty = await house.client("w1"), await house.client("w2")
            waiting.send("FETCH default")
            await until(lambda: house.parked == 1)
            waiting.writer.write_eof()
            assert await waiting.is_closed()
            hasty.send('PUSH {"jid":"job-0001","jobtype":"T","args":[]}', last)
            hasty.writer.write_eof()
            assert await hasty.reply() == "+OK"
            assert await hasty.is_closed()
            other = await house.client("w3")
            assert '"jid":"job-0001"' in await other.ask("FETCH default")

    run(scene())
