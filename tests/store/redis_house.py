"""Redis stores in the test's own event loop, and a proxy that loses answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from shopfloor.config import Durability, Settings, StorageUrl
from shopfloor.core.changes import Put, Transition
from shopfloor.core.lifecycle import Rules
from shopfloor.store.port import Committed, Reserve
from shopfloor.store.redis.store import RedisStore
from tests.jobs import NOW, job


def make(url: StorageUrl, durability: Durability = "none") -> RedisStore:
    """Make a store; it is not opened yet."""
    return RedisStore(Settings(storage=url, durability=durability), Rules())


@asynccontextmanager
async def opened(*urls: StorageUrl, durability: Durability = "none") -> AsyncIterator[list[RedisStore]]:
    """Open stores for as long as the block lasts."""
    async with AsyncExitStack() as stack:
        stores = []
        for url in urls:
            store = make(url, durability)
            await store.open()
            stack.push_async_callback(store.close)
            stores.append(store)
        yield stores


async def push(store: RedisStore, *jids: str, queue: str = "default") -> Committed:
    """Push jobs, each as a transition of its own."""
    return await store.commit([(Put(job(jid, queue), "queued", new=True),) for jid in jids], [], NOW)


async def fetch(store: RedisStore, count: int = 1, queue: str = "default") -> list[str]:
    """Reserve jobs; answer their jids."""
    committed = await store.commit([], [Reserve((queue,), "w1", count)], NOW)
    return [held.job.jid for held in committed.reserved[0]]


async def queued(store: RedisStore, queue: str = "default") -> list[str]:
    """List the jids of a queue."""
    return [held.job.jid for held in await store.peek(queue, 0, 100_000)]


def pushes(jids: Sequence[str]) -> list[Transition]:
    """Make the transitions that push these."""
    return [(Put(job(jid), "queued", new=True),) for jid in jids]


class Proxy:
    """Stands between a store and its Redis. `lose` cuts the connections instead of passing on an answer."""

    def __init__(self, target: Path, path: Path) -> None:
        self.path = path
        self.lost = 0
        self._target = target
        self._word = b""
        self._refuses = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def lose(self, word: bytes, *, refuses: bool = False) -> None:
        """Lose the next answer that has this word in it; and refuse to connect again from then on."""
        self._word, self._refuses = word, refuses

    def mend(self) -> None:
        """Let everybody connect again."""
        self._refuses = False

    async def start(self) -> None:
        """Begin."""
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def stop(self) -> None:
        """End."""
        assert self._server is not None
        self._server.close()
        self._cut()
        await self._server.wait_closed()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses and not self._word:
            writer.transport.abort()
            return
        behind, ahead = await asyncio.open_unix_connection(str(self._target))
        self._writers |= {writer, ahead}
        for one in (self._forth(reader, ahead), self._back(behind, writer)):
            task = asyncio.create_task(one)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while received := await _read(reader):
            writer.write(received)
        writer.transport.abort()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while received := await _read(reader):
            if self._word and self._word in received:
                self._word = b""
                self.lost += 1
                self._cut()
                return
            writer.write(received)
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""
