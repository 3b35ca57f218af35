"""The PostgreSQL store: see the package for the idea, `store.port.Store` for the verbs."""

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from shopfloor.config import Settings
from shopfloor.core.changes import SOFT_KINDS, Conflict, Transition
from shopfloor.core.job import Held
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreError
from shopfloor.store.port import Arrived, Committed, Description, Examination, Reserve
from shopfloor.store.postgres import arguments, check, dump, slowly
from shopfloor.store.postgres.address import Address
from shopfloor.store.postgres.arguments import Values
from shopfloor.store.postgres.care import Care
from shopfloor.store.postgres.condition import describe
from shopfloor.store.postgres.heads import Heads
from shopfloor.store.postgres.line import Line
from shopfloor.store.postgres.migrating import migrate
from shopfloor.store.postgres.plan import Plan, plan_of
from shopfloor.store.postgres.questions import Questions
from shopfloor.store.postgres.rounds import Rounds
from shopfloor.store.postgres.rows import Row, from_text, to_reserved, to_text

FLUSH: Final = """
    UPDATE servers AS s SET number = greatest(s.number, d.number)
    FROM (SELECT server, max(number) AS number FROM deltas GROUP BY server) AS d WHERE d.server = s.id;
    TRUNCATE jobs, ready, working, queues, locks, counters, deltas"""
FORGET_RECORDS: Final = "DELETE FROM records WHERE kind <> ALL ($1)"


class PostgresStore(Questions):
    """The jobs of one server or many, in one schema of one database."""

    def __init__(self, settings: Settings, rules: Rules) -> None:
        self._settings = settings
        self._rules = rules
        self._address = address = Address.parse(settings.storage.reveal())
        self._seconds_default = rules.reserve_seconds_default
        super().__init__(Line(address, settings.durability))
        self._care_line = Line(address, settings.durability)
        self._rounds = Rounds(self._line, address.guard, f"{platform.node()}:{os.getpid()}")
        self._heads = Heads()
        self._rounds.taken_back = self._heads.forget
        self._care = Care(self._care_line, address)
        self._care.server = lambda: self._rounds.server
        self._is_open = False

    def listen(self, arrived: Arrived) -> None:
        """Have `arrived` called when another server may have made a queue give out jobs."""
        self._care.arrived = arrived

    async def open(self) -> None:
        """Bring the schema up to date and join the servers."""
        await migrate(self._line, self._address)
        await self._rounds.join()
        await self._care.start()
        self._is_open = True

    async def close(self) -> None:
        """Leave the servers and hang up."""
        await self._care.stop()
        if self._is_open:
            self._is_open = False
            with suppress(StoreError):  # a server that cannot say that it goes is soon seen to have gone
                await self._rounds.leave()
        await self._care_line.close()
        await self._line.close()

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Carry a round out, the usual one in one statement."""
        asking = [request for request in requests if request.queues and request.count > 0]
        if not transitions and not asking:
            return Committed([], [()] * len(requests))
        self._care.rounds += 1
        plan = plan_of(transitions)
        outcomes: Sequence[Conflict | None] = [None] * len(transitions)
        rows: Sequence[Row] | None = None
        if plan is not None:
            rows = await self._rounds.carry_out(self._arguments(plan, asking, now, bool(transitions)))
            if rows and rows[0]["request"] == 0:
                rows = None
        if rows is None:
            outcomes, rows = await self._commit_slowly(transitions, asking, now)
        reserved = self._reserved(rows, asking, now)
        if len(asking) == len(requests):
            return Committed(outcomes, reserved)
        served = iter(reserved)
        return Committed(outcomes, [next(served) if one.queues and one.count > 0 else () for one in requests])

    async def _commit_slowly(
        self, transitions: Sequence[Transition], asking: Sequence[Reserve], now: float
    ) -> tuple[Sequence[Conflict | None], Sequence[Row]]:
        outcomes: list[list[Conflict | None]] = []

        async def work(connection: Any, prefix: tuple[int, int, int, int]) -> Sequence[Row]:
            decided, plan = await slowly.decide(connection, transitions, self._rules, self._settings.queues_max)
            outcomes[:] = [decided]
            values = self._arguments(plan, asking, now, True)
            rows: Sequence[Row] = await connection.fetch(arguments.COMMIT, *prefix, *values)
            if rows and rows[0]["request"] == 0:
                raise StoreError("a round that was looked at closely was not possible")
            return rows

        rows: Sequence[Row] = await self._rounds.carefully(work)
        return outcomes[0], rows

    def _arguments(self, plan: Plan, asking: Sequence[Reserve], now: float, changes: bool) -> Values:
        """All arguments of `commit_round` but the first four."""
        if changes:
            written, told = arguments.of_plan(plan, self._rules)
            told += map(to_text, plan.resumed)
        else:
            written, told = arguments.NOTHING_CHANGES, []
        lows = {queue: self._heads.low(queue) for request in asking for queue in request.queues}
        wanted = arguments.of_requests(asking, lows) if asking else (None,) * 9
        channel = self._address.schema if told and self._care.others and self._address.notify else None
        return (*written, now, self._seconds_default, *wanted, channel, told if channel else None)

    def _reserved(self, rows: Sequence[Row], asking: Sequence[Reserve], now: float) -> list[tuple[Held, ...]]:
        if not asking:
            return []
        given: list[list[Held]] = [[] for _ in asking]
        bare: set[str] = set()
        for row in rows:
            request = row["request"]
            if request < 0:
                bare.add(from_text(row["jid"]))
            else:
                given[request - 1].append(to_reserved(row, asking[request - 1].wid, now))
        self._heads.claimed([(held.job.queue, held.position) for jobs in given for held in jobs], bare)
        return [tuple(jobs) for jobs in given]

    async def flush(self) -> None:
        """Forget everything but soft records."""

        async def work(connection: Any, prefix: tuple[int, int, int, int]) -> None:
            await connection.execute(FLUSH)
            await connection.execute(FORGET_RECORDS, list(SOFT_KINDS))

        await self._rounds.carefully(work)
        self._heads.forget()

    async def backup(self, target: Path) -> None:
        """Let pg_dump write a copy; `pg_restore` reads it."""
        await dump.dump(self._address, target)

    async def examine(self, clock: Callable[[], float]) -> Sequence[Examination]:
        """Look at the database, and change nothing."""
        try:
            return await check.examine(self._line, self._address, self._settings.durability, clock)
        finally:
            await self._line.close()

    async def describe(self) -> Description:
        """Say what is spoken to, and what an OK means there."""
        return await describe(self._line, self._address, self._settings.durability, self._care)
