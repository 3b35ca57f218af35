"""Two real servers on one real store: one is stopped for longer than a worker may be silent and continued, then the
other is killed. What was acknowledged is carried out, limits hold all the while, and clients go on by whoever answers.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from tests.faults.processes import ServerProcess
from tests.stores import POSTGRES, REDIS, Kind

LIMIT = 3
WORKER_SECONDS = 5
STOPPED_SECONDS = WORKER_SECONDS + 2
REPLY_SECONDS = 2.0
"""Clients give a server so long, then they go to the other one."""
PRODUCERS, WORKERS = 3, 6
QUEUES = ("limited", "default")
FLAGS = ("--worker-seconds", str(WORKER_SECONDS), "--worker-grace-seconds", "2", "--reap-seconds", "0.5")
QUICK = ("--fetch-seconds", "0.5", "--store-seconds", "1.5", "-l", "info")
THROTTLES = f"[throttles.limited]\nconcurrency = {LIMIT}\n"
TROUBLE = (OSError, TimeoutError, EOFError)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


class Line:
    """A connection that speaks lines and gives up on a reply after a while."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, line: str) -> str:
        self._writer.write(line.encode() + b"\r\n")
        return await self.reply()

    async def reply(self) -> str:
        async with asyncio.timeout(REPLY_SECONDS):
            line = (await self._reader.readline()).decode()
            if not line.endswith("\n"):
                raise EOFError("the server hung up")
            if line.startswith("$") and line != "$-1\r\n":
                return (await self._reader.readexactly(int(line[1:]) + 2)).decode().rstrip()
        return line.rstrip()

    def close(self) -> None:
        self._writer.close()


class Shop:
    """The servers, and what was told and answered."""

    def __init__(self, ports: Sequence[int], seed: int) -> None:
        self.ports = ports
        self.dice = random.Random(seed)
        self.counts: Counter[int] = Counter()
        """For each producer, how many of its jobs were acknowledged."""
        self.pushed: set[str] = set()
        """Acknowledged."""
        self.settled: set[str] = set()
        """Somebody did the job and said so, whether that was answered or not."""
        self.working: dict[str, str] = {}
        """Jobs of the limited queue that are worked on, and by whom."""
        self.most = 0
        self.ended = asyncio.Event()

    @asynccontextmanager
    async def line(self, wid: str = "", *ports: int) -> AsyncIterator[Line]:
        """Connect to any server."""
        async with asyncio.timeout(REPLY_SECONDS):
            streams = await asyncio.open_connection("127.0.0.1", self.dice.choice(ports or self.ports))
        line = Line(*streams)
        try:
            assert (await line.reply()).startswith("+HI")
            told = await line.ask(f'HELLO {{"v":2,"wid":"{wid}"}}')
            if told != "+OK":
                raise EOFError(told)
            yield line
        finally:
            line.close()

    async def produce(self, number: int) -> None:
        """Push, by whichever server answers; what was not answered is pushed again."""
        while not self.ended.is_set():
            with suppress(*TROUBLE):
                async with self.line() as line:
                    await self._push_on(line, number)
            await asyncio.sleep(0.05)

    async def _push_on(self, line: Line, number: int) -> None:
        """Go on pushing, for as long as the server takes jobs."""
        while not self.ended.is_set():
            count = self.counts[number]
            jid = f"job-{number}-{count:06}"
            job = {"jid": jid, "jobtype": "T", "queue": QUEUES[count % 2], "args": []}
            if await line.ask("PUSH " + msgspec.json.encode(job).decode()) != "+OK":
                return
            self.pushed.add(jid)
            self.counts[number] += 1
            await asyncio.sleep(0.02)

    async def work(self, number: int) -> None:
        """Work, as one process after another: who lost its connection begins anew under another wid."""
        for generation in range(10_000):
            wid = f"worker-{number}-{generation}"
            with suppress(*TROUBLE):
                async with self.line(wid) as line:
                    await self._work(line, wid)
            for jid in [jid for jid, who in self.working.items() if who == wid]:
                del self.working[jid]
            await asyncio.sleep(0.05)

    async def _work(self, line: Line, wid: str) -> None:
        loop = asyncio.get_running_loop()
        beat_at = loop.time()
        while True:
            if loop.time() - beat_at > 1:
                beat_at = loop.time()
                if not (await line.ask(f'BEAT {{"wid":"{wid}"}}')).startswith(("+OK", "{")):
                    return
            told = await line.ask("FETCH " + " ".join(self.dice.sample(QUEUES, 2)))
            if not told.startswith("{"):
                continue
            job = msgspec.json.decode(told)
            if job["queue"] == "limited":
                self.working[job["jid"]] = wid
                self.most = max(self.most, len(self.working))
            await asyncio.sleep(self.dice.uniform(0.0, 0.05))
            self.working.pop(job["jid"], None)
            self.settled.add(job["jid"])
            if await line.ask(f'ACK {{"jid":"{job["jid"]}"}}') != "+OK":
                self.settled.discard(job["jid"])

    async def held(self, port: int) -> int:
        """How many jobs a server knows of."""
        async with self.line("", port) as line:
            told = msgspec.json.decode(await line.ask("INFO"))["faktory"]
        return int(told["total_enqueued"] + sum(told["sets"].values()))


@pytest.fixture(params=[POSTGRES, REDIS], ids=lambda kind: kind.name)
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Two servers on one store, with the same throttles."""
    kind: Kind = request.param
    made = []
    for name in ("one", "other"):
        folder = tmp_path / name
        (folder / "conf.d").mkdir(parents=True)
        (folder / "conf.d" / "throttles.toml").write_text(THROTTLES)
        url = kind.url(tmp_path).reveal()
        made.append(ServerProcess(folder, *FLAGS, *QUICK, environment={"SHOPFLOOR_STORAGE": url}, durability="process"))
    yield made[0], made[1]
    for server in made:
        server.terminate(signal.SIGCONT)
        with server:
            pass


async def _until_done(shop: Shop, port: int) -> None:
    async with asyncio.timeout(60):
        while await _left(shop, port):  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.2)


async def _left(shop: Shop, port: int) -> int:
    """How many jobs there are; some, as far as we know, where the server does not say."""
    try:
        return await shop.held(port)
    except TROUBLE:
        return 1


async def _story(one: ServerProcess, other: ServerProcess) -> Shop:
    seed = int(os.environ.get("SHOPFLOOR_TWO_SEED", random.randrange(1 << 32)))
    print(f"SHOPFLOOR_TWO_SEED={seed}")
    shop = Shop([one.port(), other.port()], seed)
    async with asyncio.TaskGroup() as group:
        busy = [group.create_task(shop.produce(number)) for number in range(PRODUCERS)]
        workers = [group.create_task(shop.work(number)) for number in range(WORKERS)]
        await asyncio.sleep(1)
        one.terminate(signal.SIGSTOP)
        before = len(shop.pushed)
        await asyncio.sleep(STOPPED_SECONDS)
        assert len(shop.pushed) > before, "the other one served meanwhile"
        one.terminate(signal.SIGCONT)
        await asyncio.sleep(1)
        other.kill()
        before = len(shop.pushed)
        await asyncio.sleep(1.5)
        assert len(shop.pushed) > before, "the one that stood still serves again"
        shop.ended.set()
        await asyncio.gather(*busy)
        await _until_done(shop, shop.ports[0])
        for task in workers:
            task.cancel()
    return shop


def test_nothing_is_lost_when_one_stands_still_and_the_other_is_killed(
    servers: tuple[ServerProcess, ServerProcess],
) -> None:
    shop = asyncio.run(_story(*servers))
    assert shop.pushed - shop.settled == set(), "acknowledged, and nobody did it"
    assert shop.most <= LIMIT
    assert shop.most == LIMIT, "the limit was reached, so it meant something"
    assert len(shop.pushed) > 100
