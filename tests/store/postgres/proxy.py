"""Something between a store and PostgreSQL that breaks connections at the worst moments."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from shopfloor.errors import StoreUnavailable
from tests.serving import PATIENCE_SECONDS


class Proxy:
    """Hands bytes on in both directions until it is told otherwise."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.deaf = False
        """Whether what the client sends is swallowed, and the connection cut instead."""
        self.mute = False
        """Whether the next answer is swallowed, and the connection cut instead."""
        self.mute_at = b""
        """A word that the client says: the answer to it is swallowed."""
        self.cuts = 0

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything and listen no more: the database is away."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                task.cancel()
                await task

    def cut(self) -> None:
        """Cut every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, back}
        for task in (asyncio.create_task(self._ask(reader, back)), asyncio.create_task(self._answer(there, writer))):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if self.deaf:
                self.deaf, self.cuts = False, self.cuts + 1
                self.cut()
                return
            if self.mute_at and self.mute_at in data:
                self.mute_at, self.mute = b"", True
            writer.write(data)
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if self.mute:
                self.mute, self.cuts = False, self.cuts + 1
                self.cut()
                return
            writer.write(data)
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""


async def repeat(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask a store until it is not unavailable any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await ask()
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                return
