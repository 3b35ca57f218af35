"""Rounds by number: each is carried out once, also where the connection breaks and nobody knows whether it happened.

Each server has a row in `servers` with an epoch, and counts its rounds. A round says its epoch and number, is refused
when the epoch is an older one, and leaves its number behind. So a server that lost its connection goes to a new one,
moves its epoch on, which bars whatever of it is still under way, and only then looks for the number: what it finds is
final.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from shopfloor.errors import StoreError, StoreUnavailable
from shopfloor.store.postgres.arguments import COMMIT, Values
from shopfloor.store.postgres.line import Contended, Fenced, Line, Lost
from shopfloor.store.postgres.rows import Row

ATTEMPTS: Final = 6
"""A deadlock or a lock that does not come undoes a round; more than a few in a row are something else."""
SETTLE_SECONDS: Final = 5.0
"""How long commands wait while a broken connection is made anew; after that they get an error."""
PAUSE_SECONDS: Final = 0.02

JOIN: Final = "INSERT INTO servers (name) VALUES ($1) RETURNING id, epoch"
LEAVE: Final = "DELETE FROM servers WHERE id = $1"
BAR: Final = "UPDATE servers SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch, number"
FIND: Final = "SELECT EXISTS (SELECT FROM deltas WHERE server = $1 AND number = $2)"
HANDED_OUT: Final = """
    SELECT w.request, w.jid, w.position, w.expires_at, j.body FROM working AS w JOIN jobs AS j ON j.jid = w.jid
    WHERE w.server = $1 AND w.number = $2 ORDER BY w.request, w.position"""
TAKE_BACK: Final = """
    WITH back AS (DELETE FROM working WHERE server = $1 AND number = $2 RETURNING jid, queue, position),
    come AS (
        INSERT INTO ready (queue, position, jid, seconds)
        SELECT b.queue, b.position, b.jid, j.seconds FROM back AS b JOIN jobs AS j ON j.jid = b.jid
    ), sums AS (SELECT queue, count(*) AS by FROM back GROUP BY queue)
    INSERT INTO deltas (server, number, names, bys)
    SELECT $1, $2, array_agg('queue:' || queue) || 'place:working'::text, array_agg(by) || -sum(by)::bigint
    FROM sums HAVING count(*) > 0"""


class Rounds:
    """The rounds of one server, one after the other."""

    def __init__(self, line: Line, guard: int, name: str) -> None:
        self._line = line
        self._guard = guard
        self._name = name
        self.server = 0
        self._epoch = 0
        self._number = 0
        self._unsettled = 0
        """A round of which nobody knows whether it happened, and whose commands were told so; 0 where there is none."""
        self.taken_back: Callable[[], None] = lambda: None
        """Called when jobs came back to where they had been in their queues."""

    async def join(self) -> None:
        """Become one of the servers."""
        (row,) = await self._line.fetch(JOIN, self._name)
        self.server, self._epoch, self._number = row["id"], row["epoch"], 0

    async def leave(self) -> None:
        """Be none of the servers any more."""
        await self._line.fetch(LEAVE, self.server)

    async def carry_out(self, values: Values) -> Sequence[Row]:
        """Carry out a round in one statement; answer its rows."""
        rows: Sequence[Row] = await self._surely(lambda prefix: self._line.fetch(COMMIT, *prefix, *values))
        return rows

    async def carefully(self, work: Callable[[Any, tuple[int, int, int, int]], Any]) -> Any:
        """Carry out a round while no other one runs; `work` is given a connection and the first four arguments."""

        async def attempt(prefix: tuple[int, int, int, int]) -> Any:
            async with self._line.transaction() as connection:
                await connection.execute(f"SELECT pg_advisory_xact_lock({self._guard})")
                return await work(connection, prefix)

        return await self._surely(attempt)

    async def _surely(self, attempt: Callable[[tuple[int, int, int, int]], Any]) -> Any:
        await self._settle_former()
        self._number += 1
        number = self._number
        for tried in range(ATTEMPTS):
            try:
                return await attempt((self._guard, self.server, self._epoch, number))
            except Contended:
                if tried == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(PAUSE_SECONDS * random.random() * 2**tried)  # noqa: S311 - keeps two servers apart
            except Fenced:
                await self.join()
                number = self._number = 1
            except Lost:
                found = await self._settle(number)
                if found is not None:
                    return found
            except asyncio.CancelledError:
                self._unsettled = number
                raise
        raise StoreUnavailable("postgresql lost the connection again and again")

    async def _settle(self, number: int) -> Sequence[Row] | None:
        """Find out whether a round happened; answer its rows, or None where it did not and never will."""
        until = time.monotonic() + SETTLE_SECONDS
        self._unsettled = number
        while True:
            try:
                found = await self._find(number)
            except StoreError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._unsettled = 0
                return found

    async def _find(self, number: int) -> Sequence[Row] | None:
        async with self._line.transaction() as connection:
            await connection.execute(f"SELECT pg_advisory_xact_lock({self._guard})")
            row = await connection.fetchrow(BAR, self.server)
            if row is None:
                raise Fenced("this server is not known any more")
            happened = row["number"] >= number or await connection.fetchval(FIND, self.server, number)
            rows = await connection.fetch(HANDED_OUT, self.server, number) if happened else None
        self._epoch = row["epoch"]
        return rows

    async def _settle_former(self) -> None:
        """Jobs that a round handed out, whose outcome came too late for anybody to hear of it, go back."""
        if not self._unsettled:
            return
        async with self._line.transaction() as connection:
            await connection.execute(f"SELECT pg_advisory_xact_lock({self._guard})")
            row = await connection.fetchrow(BAR, self.server)
            if row is not None:
                await connection.execute(TAKE_BACK, self.server, self._unsettled)
        self._epoch = self._epoch if row is None else row["epoch"]
        self._unsettled = 0
        self.taken_back()
