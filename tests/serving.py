"""A whole server in the test's own event loop, on a port of its own, and clients that speak raw lines to it.

The server's clock stands still until a test moves it: only then does a FETCH give up, a schedule fall due or a worker
die. Nothing has to be slept for; what is waited for is waited for with `until`, or by reading a reply.

Whoever moves the clock with `Serving.let_pass` decides at which moment the server looks at it. Left to the server's own
timers, a worker that is to beat right after 61 seconds would be found dead before it did, now and then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from shopfloor.cli.build import build_server
from shopfloor.config import Binding, Settings
from shopfloor.server.listener import Server
from shopfloor.server.timers import Periods, rows
from tests.broker.shop import Clock, silent_log
from tests.stores import Kind

PATIENCE_SECONDS = 60.0
"""How long a test waits for what should come at once, on a machine that is busy with other things."""
NEVER_SECONDS = 86_400.0
"""The period of a timer that does not run by itself while a test lasts."""

_Answer = TypeVar("_Answer")


def run(test: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a test in an event loop of the kind that the server uses."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(test)


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds; fail where it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what goes on inside the server sets no event for tests
            await asyncio.sleep(0.001)


class Client:
    """A connection that sends and reads bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *lines: str | bytes) -> None:
        """Send lines in one go."""
        self.writer.write(b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines))

    async def reply(self) -> str:
        """Read one reply: `+OK`, `-ERR …`, `$-1`, or `$ ` and the body of a bulk. Nothing where the server hung up."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            line = await self.reader.readline()
            if not line.startswith(b"$") or line == b"$-1\r\n":
                return _without_end(line)
            body = await self.reader.readexactly(int(line[1:]) + 2)
        return "$ " + _without_end(body)

    async def ask(self, line: str | bytes) -> str:
        """Send one line and read its reply."""
        self.send(line)
        return await self.reply()

    async def is_closed(self) -> bool:
        """Wait for the end of the connection; answer whether it came without another word."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


def _without_end(line: bytes) -> str:
    if not line:
        return ""
    assert line.endswith(b"\r\n"), line
    return line[:-2].decode()


@dataclass
class Serving:
    """A server at work, its clock, and the clients that were made for it."""

    server: Server
    clock: Clock
    clients: list[Client]

    async def connect(self) -> Client:
        """Connect; the greeting is the first reply."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, limit=2**26)
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def client(self, wid: str = "") -> Client:
        """Connect and introduce a client, or a worker."""
        client = await self.connect()
        assert await client.reply() == '+HI {"v":2}'
        assert await client.ask(f'HELLO {{"v":2,"wid":"{wid}"}}') == "+OK"
        return client

    @property
    def parked(self) -> int:
        """How many fetchers wait."""
        return self.server.broker.ticks.waiting.count

    async def let_pass(self, seconds: float) -> None:
        """Move the clock; fetches whose time is over end, and then each periodic task runs once."""
        ticks = self.server.broker.ticks
        self.clock.now += seconds
        ticks.release_timed_out()
        for row in rows(self.server.broker, Periods()):
            await ticks.run(row.make())


@asynccontextmanager
async def serving(kind: Kind, folder: Path, **wanted: Any) -> AsyncIterator[Serving]:
    """Serve on that store with these settings, and stop behind the test."""
    defaults: dict[str, Any] = {
        "storage": kind.url(folder),
        "backup_dir": folder,
        "command_binding": Binding("127.0.0.1", 0),
        "schedule_seconds": 0.01,
        "reap_seconds": 0.01,
        "handshake_seconds": PATIENCE_SECONDS,
        "durability": "process",
    }
    server = build_server(replace(Settings(), **(defaults | wanted)), silent_log(), None)
    clock = Clock()
    server.broker.ticks.clock = clock
    server.broker.ticks.contact.interrupted(clock())  # the clock that it was made with is years ahead
    server.broker.context.dice = lambda faces: 0
    await server.start()
    house = Serving(server, clock, [])
    try:
        yield house
    finally:
        for client in house.clients:
            client.close()
        await server.stop()
