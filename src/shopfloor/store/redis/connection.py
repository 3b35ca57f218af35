"""One connection to a Redis: commands go out in order, replies come back in order, and nothing is ever sent twice.

Hiredis writes and reads the protocol; the reasons for not using a whole client are in docs/decisions/0045.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import hiredis

from shopfloor.errors import ShopfloorError
from shopfloor.store.redis.address import Address

CONNECT_SECONDS: Final = 2.0
REPLY_SECONDS: Final = 5.0
"""A Redis that is silent for so long is stuck, paused or out of reach; clients of ours give up at about that time."""

Argument = str | bytes | int | float


class Lost(ShopfloorError):
    """The connection broke, or was silent for too long, before the reply: whether the command happened is unknown."""


class Refusal(ShopfloorError):
    """An error reply; `code` is its first word."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class Connection(asyncio.Protocol):
    """See the module. `on_lost` is called once, when it is over; `on_message` with what a channel brings."""

    def __init__(self, on_lost: Callable[["Connection"], None], on_message: Callable[[bytes], None]) -> None:
        self._on_lost = on_lost
        self._on_message = on_message
        self._reader = hiredis.Reader(replyError=Refusal)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self.place: tuple[str, int] | str = ""
        self.why_lost = ""
        self.subscribed = False
        self._over = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand each reply to whoever waits for it."""
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                self._take(reply)
        except hiredis.ProtocolError as error:
            self.abandon(f"what answers does not speak the protocol of Redis: {error}")

    def _take(self, reply: Any) -> None:
        if self.subscribed and isinstance(reply, list) and reply and reply[0] == b"message":
            self._on_message(reply[2])
            return
        if not self._waiting:
            raise hiredis.ProtocolError("a reply that nobody asked for")
        waiting = self._waiting.popleft()
        if waiting.done():  # whoever asked has gone; its reply had to be taken off the line
            return
        if isinstance(reply, Refusal):
            waiting.set_exception(reply)
        else:
            waiting.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody who waits will get a reply."""
        self.why_lost = self.why_lost or (str(error) if error else "the connection was closed")
        self._transport = None
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            if not one.done():
                one.set_exception(Lost(self.why_lost))
        self._over.set()
        self._on_lost(self)

    def abandon(self, why: str) -> None:
        """End it at once, without waiting for what is on its way."""
        self.why_lost = self.why_lost or why
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport is None or self._transport.is_closing()

    async def end(self, why: str) -> None:
        """End it at once, and wait until nothing of it is left."""
        self.abandon(why)
        await self._over.wait()

    async def call(self, *command: Argument) -> Any:
        """Send a command and answer its reply; raise `Refusal` or `Lost`."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise Lost(self.why_lost or "the connection is closed")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append(future)
        transport.write(packed(command))
        late = loop.call_later(REPLY_SECONDS, self.abandon, f"no reply within {REPLY_SECONDS:g} s")
        try:
            return await future
        finally:
            late.cancel()


def packed(command: tuple[Argument, ...]) -> bytes:
    """Write a command as the protocol wants it."""
    line: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub knows tuples of one argument only
    return line


async def connect(
    address: Address,
    place: tuple[str, int] | str,
    on_lost: Callable[[Connection], None],
    on_message: Callable[[bytes], None],
) -> Connection:
    """Connect to a place of that address; raise `Lost` where that cannot be."""
    loop = asyncio.get_running_loop()

    def make() -> Connection:
        return Connection(on_lost, on_message)

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if isinstance(place, str):
                _, connection = await loop.create_unix_connection(make, place)
            else:
                name = place[0] if address.tls else None
                _, connection = await loop.create_connection(make, *place, ssl=address.tls, server_hostname=name)
    except TimeoutError:
        raise Lost(f"no connection within {CONNECT_SECONDS:g} s") from None
    except OSError as error:
        raise Lost((error.strerror or str(error)).lower()) from None
    connection.place = place
    return connection


async def log_in(connection: Connection, address: Address) -> None:
    """Introduce ourselves and choose the database; raise `Refusal` where we are not let in."""
    password = address.password.reveal()
    if password:
        await connection.call("AUTH", *([address.user] if address.user else []), password)
    if address.database:
        await connection.call("SELECT", address.database)
    await connection.call("PING")
