"""A connection to whoever is master, kept: found by sentinels where there are any, and made anew when it is lost."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from shopfloor.errors import StoreUnavailable
from shopfloor.store.redis.address import Address
from shopfloor.store.redis.connection import Connection, Lost, Refusal, connect, log_in

PATIENCE_SECONDS: Final = 2.0
"""How long a command waits for a connection that was just lost; clients of ours begin to give up after that."""
PAUSE_SECONDS_MIN: Final = 0.02
PAUSE_SECONDS_MAX: Final = 1.0
LOADING_SECONDS_MAX: Final = 600.0
"""A large data set takes minutes to read; a server that starts with it waits, as long as Faktory does."""

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class Link:
    """The connection to the master, and the reason why there is none. `prepare` runs on each new one before it serves.

    `on_message` is told what arrives on `channel`, to which a second connection listens.
    """

    def __init__(
        self,
        address: Address,
        prepare: Callable[[Connection], Awaitable[None]],
        channel: str,
        on_message: Callable[[bytes | None], None],
    ) -> None:
        self._address = address
        self._prepare = prepare
        self._channel = channel
        self._on_message = on_message
        self._connection: Connection | None = None
        self._listener: Connection | None = None
        self._why_down = "not connected yet"
        self._down_at = 0.0
        self._up = asyncio.Event()
        self._mending: asyncio.Task[None] | None = None
        self._stopped = False
        self.reconnects = 0

    async def start(self) -> None:
        """Connect for the first time; raise where that cannot be. A Redis that still reads its data is waited for."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LOADING_SECONDS_MAX
        while True:
            try:
                return await self._connect()
            except Refusal as refusal:
                if refusal.code != "LOADING" or loop.time() > until:
                    raise StoreUnavailable(self._words(str(refusal))) from None
                _log.warning("redis is reading its data; waiting for it")
            except Lost as lost:
                raise StoreUnavailable(self._words(str(lost))) from None
            await asyncio.sleep(PAUSE_SECONDS_MAX)

    async def look(self, question: Callable[[Connection], Awaitable[_Answer]]) -> _Answer:
        """Put a question to the master on a connection of its own; raise `StoreUnavailable` where there is none."""
        try:
            connection = await self._to_master()
        except (Lost, Refusal) as error:
            raise StoreUnavailable(self._words(str(error))) from None
        try:
            return await question(connection)
        finally:
            await connection.end("it has been looked at")

    async def stop(self) -> None:
        """Let go; commands that come now are refused."""
        self._stopped = True
        if self._mending is not None:
            self._mending.cancel()
            with suppress(asyncio.CancelledError):
                await self._mending
            self._mending = None
        for connection in (self._connection, self._listener):
            if connection is not None:
                await connection.end("the store is closed")

    async def connection(self) -> Connection:
        """Answer the connection; wait a moment where it was just lost, else raise `StoreUnavailable`."""
        if self._connection is not None and self._connection.is_over:
            self._lost(self._connection)  # it is lost already, and the loop had no time yet to say so
        if self._connection is None:
            left = self._down_at + PATIENCE_SECONDS - asyncio.get_running_loop().time()
            if left > 0 and not self._stopped:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._up.wait(), left)
        if self._connection is None:
            raise StoreUnavailable(self._words(self._why_down))
        return self._connection

    def distrust(self, connection: Connection, why: str) -> None:
        """This is not the master any more, or does not answer as one: look for it again."""
        connection.abandon(why)
        self._lost(connection)

    def _words(self, why: str) -> str:
        return f"redis at {self._address} cannot be reached: {why}"

    async def _connect(self) -> None:
        connection = await self._to_master()
        try:
            await self._prepare(connection)
            listener = await self._listen_to(connection)
        except BaseException:
            await connection.end("it could not be prepared")
            raise
        self._connection, self._listener = connection, listener
        self._up.set()

    async def _to_master(self) -> Connection:
        place = await self._find_master()
        connection = await connect(self._address, place, self._lost, lambda message: None)
        try:
            await log_in(connection, self._address)
            role = (await connection.call("ROLE"))[0]
            if role != b"master":
                raise Lost(f"it is a {role.decode()}, and only a master can be written to")
        except BaseException:
            await connection.end("it is of no use")
            raise
        return connection

    async def _listen_to(self, connection: Connection) -> Connection:
        listener = await connect(self._address, connection.place, self._lost, self._on_message)
        try:
            await log_in(listener, self._address)
            listener.subscribed = True
            await listener.call("SUBSCRIBE", self._channel)
        except BaseException:
            await listener.end("it could not listen")
            raise
        return listener

    async def _find_master(self) -> tuple[str, int] | str:
        """Ask the sentinels, one after the other, where the master is."""
        address = self._address
        if not address.master:
            return address.socket or address.hosts[0]
        why = ""
        for host in address.hosts:
            try:
                sentinel = await connect(address, host, lambda lost: None, lambda message: None)
            except Lost as lost:
                why = f"sentinel {host[0]}:{host[1]}: {lost}"
                continue
            try:
                found = await self._ask(sentinel)
            except (Lost, Refusal) as error:
                why = f"sentinel {host[0]}:{host[1]}: {error}"
                continue
            finally:
                await sentinel.end("it has answered")
            if found:
                return found[0].decode(), int(found[1])
            why = f"sentinel {host[0]}:{host[1]} does not know {address.master!r}"
        raise Lost(why)

    async def _ask(self, sentinel: Connection) -> list[bytes] | None:
        question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.master)
        try:
            found: list[bytes] | None = await sentinel.call(*question)
        except Refusal as refusal:
            if refusal.code != "NOAUTH":
                raise
            password, user = self._address.password.reveal(), self._address.user
            await sentinel.call("AUTH", *([user] if user else []), password)
            found = await sentinel.call(*question)
        return found

    def _lost(self, connection: Connection) -> None:
        """One of the two connections is over: both are made anew, so that they always speak with the same server."""
        if connection not in (self._connection, self._listener):
            return
        both = (self._connection, self._listener)
        self._connection = self._listener = None
        self._why_down = connection.why_lost
        self._down_at = asyncio.get_running_loop().time()
        self._up.clear()
        for other in both:
            if other is not None:
                other.abandon("the other connection was lost")
        if not self._stopped and self._mending is None:
            _log.error("the connection to redis was lost: %s", connection.why_lost)
            self._mending = asyncio.create_task(self._mend(), name="redis-link")

    async def _mend(self) -> None:
        """Connect again, at growing and uneven distances, so that many servers do not come all at once."""
        pause = PAUSE_SECONDS_MIN
        while True:
            try:
                await self._connect()
            except Exception as error:
                why = str(error)
                if why != self._why_down:
                    _log.error("redis cannot be reached: %s", why)
                self._why_down = why
            else:
                break
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - nothing here is a secret
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        self._mending = None
        self.reconnects += 1
        _log.warning("redis is there again")
        self._on_message(None)
