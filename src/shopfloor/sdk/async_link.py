"""A connection within an event loop: commands go out as they come, and replies are handed out in their order."""

import asyncio
import ssl
from collections import deque

from shopfloor.errors import ProtocolBroken, ServerUnreachable
from shopfloor.sdk.link import check_login, ended, unreachable
from shopfloor.wire.address import Address
from shopfloor.wire.client import ClientWire, Reply
from shopfloor.wire.handshake import Hello


class AsyncLink(asyncio.Protocol):
    """An identified connection, made by `connect`. What is asked does not wait for what was asked before."""

    def __init__(self, address: Address, hello: Hello) -> None:
        self.address = address
        self._loop = asyncio.get_running_loop()
        self._wire = ClientWire(hello, address.password)
        self._welcome: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting: deque[asyncio.Future[Reply]] = deque([self._welcome])
        """One future a command, the first for HELLO."""
        self._transport: asyncio.Transport | None = None
        self._broken: ServerUnreachable | None = None
        self._is_flush_due = False

    @classmethod
    async def connect(
        cls, address: Address, hello: Hello, seconds: float, trust: ssl.SSLContext | None = None
    ) -> "AsyncLink":
        """Connect and introduce ourselves within so many seconds."""
        loop = asyncio.get_running_loop()
        context = (trust or ssl.create_default_context()) if address.tls else None
        try:
            async with asyncio.timeout(seconds):
                _, link = await loop.create_connection(
                    lambda: cls(address, hello), address.host, address.port, ssl=context
                )
                await link._login()
        except OSError as error:
            raise unreachable(address, error) from error
        return link

    @property
    def is_open(self) -> bool:
        """Whether a command may still get its reply."""
        return self._broken is None

    def ask(self, line: bytes) -> "asyncio.Future[Reply]":
        """Send a command; its reply comes into the future, a refusal as a value."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._broken is not None:
            future.set_exception(self._broken)
            return future
        self._wire.send(line)
        self._waiting.append(future)
        if not self._is_flush_due:  # what is asked in one turn of the loop leaves in one write
            self._is_flush_due = True
            self._loop.call_soon(self._flush)
        return future

    def close(self) -> None:
        """Let go of the connection; commands without a reply fail. May be called twice."""
        self._end(ServerUnreachable(f"the connection to {self.address} was closed"))

    async def _login(self) -> None:
        reply = await self._welcome
        try:
            check_login(self.address, self._wire, reply)
        except Exception:
            self.close()
            raise

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._transport is not None and self._broken is None:
            self._transport.write(self._wire.bytes_to_send())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where to write; the server speaks first."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand out the replies that are complete."""
        try:
            replies = self._wire.receive(data)
        except ProtocolBroken as error:
            self._end(ProtocolBroken(f"{self.address}: {error}"))
            return
        for reply in replies:
            if not self._waiting:
                self._end(ProtocolBroken(f"{self.address}: a reply to nothing that was asked: {reply!r}"))
                return
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(reply)
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everybody who waits."""
        if isinstance(error, OSError):
            self._end(unreachable(self.address, error))
        else:
            self._end(ended(self.address, self._wire))

    def _end(self, error: ServerUnreachable) -> None:
        if self._broken is None:
            self._broken = error
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever waits is told; one that nobody waits for is no news
