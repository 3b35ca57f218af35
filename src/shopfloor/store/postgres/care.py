"""What each server does for the store beside its rounds, on a connection of its own: count, say that it lives, listen.

The connection is kept for nothing else, so that a server whose rounds are stuck, or a database whose connections others
use up, does not make it look dead.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from shopfloor.errors import ShopfloorError
from shopfloor.store.port import Arrived
from shopfloor.store.postgres.address import Address
from shopfloor.store.postgres.line import Connection, Line

STEP_SECONDS: Final = 1.0
ALIVE_SECONDS: Final = 15
"""A server that said nothing for that long is not told of jobs any more."""
LOOK_STEPS: Final = 3
"""How often parked fetchers ask again, because messages get lost; without messages they ask at every step."""

ALIVE: Final = """
    WITH own AS (UPDATE servers SET seen_at = now() WHERE id = $1),
    old AS (DELETE FROM servers WHERE id <> $1 AND seen_at < now() - interval '1 day')
    SELECT count(*) AS others FROM servers WHERE id <> $1 AND seen_at > now() - $2 * interval '1 second'"""


class Care:
    """Runs until it is stopped; whatever fails is tried again at the next step."""

    def __init__(self, line: Line, address: Address) -> None:
        self._line = line
        self._address = address
        self._task: asyncio.Task[None] | None = None
        self._listening: Connection | None = None
        self.arrived: Arrived = lambda queues: None
        self.server: Callable[[], int] = lambda: 0
        self.rounds = 0
        """Rounds since the last fold."""
        self.others = 0
        """How many other servers live."""
        self.trouble = ""

    async def start(self) -> None:
        """Begin. What can be told of others is known then."""
        await self._alive()
        self._task = asyncio.create_task(self._run(), name="care for the postgresql store")

    async def stop(self) -> None:
        """End. May be called twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def fold(self) -> None:
        """Add up what rounds counted."""
        rounds, self.rounds = self.rounds, 0
        if rounds:
            await self._line.fetch("SELECT fold($1)", self._address.guard)

    async def _run(self) -> None:
        step = 0
        while True:
            await asyncio.sleep(STEP_SECONDS * random.uniform(0.7, 1.3))  # noqa: S311 - keeps servers apart
            step += 1
            try:
                await self._step(step)
                self.trouble = ""
            except ShopfloorError as error:
                self.trouble = str(error)

    async def _step(self, step: int) -> None:
        await self._listen()
        await self.fold()
        if step % LOOK_STEPS == 0:
            await self._alive()
        if self.others and (not self._address.notify or step % LOOK_STEPS == 0):
            self.arrived(None)

    async def _alive(self) -> None:
        (row,) = await self._line.fetch(ALIVE, self.server(), ALIVE_SECONDS)
        self.others = row["others"]

    async def _listen(self) -> None:
        if not self._address.notify:
            return
        connection = await self._line.connection()
        if connection is not self._listening:
            await connection.add_listener(self._address.schema, self._heard)
            self._listening = connection
            self.arrived(None)

    def _heard(self, connection: object, pid: int, channel: str, payload: object) -> None:
        server, *queues = str(payload).split(" ")
        if server != str(self.server()):
            self.arrived(None if "*" in queues else queues)
