"""The server: a listening socket, its connections, and an orderly start and stop."""

import asyncio
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from shopfloor.broker.broker import Broker
from shopfloor.broker.reports import Vitals
from shopfloor.errors import StoreError
from shopfloor.server.connection import Connection, ConnectionLimits
from shopfloor.server.login import Login
from shopfloor.server.memory import memory_megabytes
from shopfloor.server.timers import Periods, Timers
from shopfloor.store.moving.move import unfinished
from shopfloor.wire.commands import EXTENSIONS
from shopfloor.wire.verbs import WireLimits

BACKLOG = 1024
"""Connections the kernel may queue: a fleet that reconnects at once after a restart should not be refused."""
MEMORY_CHECK_SECONDS = 1.0


class Binding(Struct, frozen=True, kw_only=True):
    """Where to listen, and what a client must show."""

    host: str
    port: int
    password: str = ""
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the server calls itself, and where it logs."""

    version: str
    log: FilteringBoundLogger


class ServerLimits(Struct, frozen=True, kw_only=True):
    """All limits of the socket side; each field is a setting of the same name."""

    wire: WireLimits = WireLimits()
    connection: ConnectionLimits = ConnectionLimits()
    periods: Periods = Periods()
    connections_max: int = 10_000
    memory_megabytes_max: int = 0
    drain_seconds: float = 10.0


class Server:
    """Serves one broker on one port. `start`, then `stop`; both may be called twice."""

    def __init__(self, broker: Broker, binding: Binding, limits: ServerLimits, identity: Identity) -> None:
        self.broker = broker
        self.wire_limits = limits.wire
        self.connection_limits = limits.connection
        self.login = Login(binding.password)
        self.commands = 0
        self.stopping = False
        self.port = binding.port
        self._binding = binding
        self._limits = limits
        self._version = identity.version
        self._log = identity.log
        self._connections: set[Connection] = set()
        self._deserted = asyncio.Event()
        self._deserted.set()
        self._timers = Timers(broker, limits.periods, identity.log)
        self._listener: asyncio.Server | None = None
        self._rounds: asyncio.Task[None] | None = None
        self._memory: asyncio.Task[None] | None = None
        self._since = time.monotonic()

    async def start(self) -> None:
        """Open the store and listen; once this returns, clients are served."""
        store = self.broker.ticks.store
        await store.open()
        if half := await unfinished(store):
            await store.close()
            raise StoreError(f"the store is half of a move from {half}: end it with `shopfloor move`, then serve")
        loop = asyncio.get_running_loop()
        self._rounds = loop.create_task(self.broker.ticks.serve(), name="ticks")
        self._memory = loop.create_task(self._watch_memory(), name="watch memory")
        self._timers.start()
        binding = self._binding
        self._listener = await loop.create_server(
            lambda: Connection(self),
            binding.host or None,
            binding.port,
            ssl=binding.tls,
            ssl_handshake_timeout=self.connection_limits.handshake_seconds if binding.tls else None,
            backlog=BACKLOG,
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Answer what has begun, refuse the rest, close every connection and the store; nothing is left half done."""
        if self._rounds is None or self._memory is None:
            return
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        await self._timers.stop()
        self._memory.cancel()
        self.broker.ticks.release_all()
        await self._drain()
        self.broker.ticks.stop()
        await self._rounds
        self._rounds = None
        await self.broker.ticks.store.close()

    def reload(self, password: str) -> None:
        """Ask clients to come for another password; those that are connected stay."""
        self.login.password = password

    def joined(self, connection: Connection) -> None:
        """A connection was made."""
        self._connections.add(connection)
        self._deserted.clear()

    def left(self, connection: Connection) -> None:
        """A connection ended; a worker's record says so, unless the server is stopping itself."""
        self._connections.discard(connection)
        if not self._connections:
            self._deserted.set()
        if connection.session.wid and not self.stopping:
            leaving = self.broker.ticks.run(self.broker.fleet.leave(connection.session))
            leaving.add_done_callback(self._left)

    def refusal(self) -> str:
        """Say why one more client cannot be served; empty where it can."""
        count = len(self._connections)
        return f"too many connections: {count}" if count > self._limits.connections_max else ""

    def vitals(self) -> Vitals:
        """Say how the server process does."""
        return Vitals(
            version=self._version,
            uptime_seconds=int(time.monotonic() - self._since),
            connections=len(self._connections),
            commands=self.commands,
            memory_megabytes=memory_megabytes(),
            extensions=EXTENSIONS,
        )

    def _left(self, leaving: "asyncio.Future[None]") -> None:
        """Where the store could not note that a worker left, its silence will say so later."""
        if leaving.exception() is not None:
            self._log.warning("could not note that a worker left", error=str(leaving.exception()))

    async def _drain(self) -> None:
        """Let every connection finish what it has begun, within `drain_seconds`."""
        for connection in list(self._connections):
            connection.close_soon()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._deserted.wait(), self._limits.drain_seconds)
        if self._connections:
            self._log.warning("connections did not finish in time", connections=len(self._connections))
        for connection in list(self._connections):
            connection.abort()

    async def _watch_memory(self) -> None:
        """Refuse pushes while the process is larger than it may be."""
        most = self._limits.memory_megabytes_max
        while most:
            used = memory_megabytes()
            self.broker.context.push_refusal = (
                f"server is out of memory: {used} MB used, the limit is {most} MB" if used > most else ""
            )
            await asyncio.sleep(MEMORY_CHECK_SECONDS)
