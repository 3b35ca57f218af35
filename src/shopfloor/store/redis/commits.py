"""Commits that happen once, also where the connection breaks before the answer arrives.

Each commit of a server carries a number, and Redis remembers the last one of each server with what it answered.
So a commit whose answer got lost is sent again, and is answered again rather than carried out again. And a server whose
last answered commit is not the one that is remembered knows that Redis has lost something: it was emptied, went
back to an older state, or failed over to a replica that lagged behind.

A commit whose outcome could not be learnt in time is refused. If it did happen, the next commit hears so; jobs that it
reserved have reached nobody, and the broker gives them back.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from shopfloor.core.changes import Conflict, Put, Transition
from shopfloor.core.job import Held
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import StoreUnavailable
from shopfloor.store.port import Committed, Reserve
from shopfloor.store.redis.calls import ANSWER_SECONDS_MAX, NOT_THE_MASTER, Calls, in_our_words
from shopfloor.store.redis.coding import read_conflict, read_reserved, request_arguments, transition_arguments
from shopfloor.store.redis.connection import Argument, Connection, Lost, Refusal
from shopfloor.store.redis.library import LAYOUT

ARGUMENTS_MAX: Final = 100_000
"""Arguments of one call: Redis takes a million, and works some 50 ms on so many. A larger commit is several calls."""
WAIT_MILLISECONDS: Final = 500
"""How long Redis waits for its replicas before it says how many have answered."""

_log = logging.getLogger(__name__)


class Numbers(Struct, frozen=True, kw_only=True):
    """What every commit tells Redis."""

    queues_max: int
    reserve_seconds: int
    replicas: int
    channel: str


class Part(Struct):
    """Transitions for one call, and how they are written."""

    transitions: list[Transition]
    arguments: list[Argument]


class Commits:
    """The commits of one server. One is under way at a time."""

    def __init__(self, calls: Calls, numbers: Numbers) -> None:
        self.server = secrets.token_hex(8)
        self.trouble = ""
        """What was lost, and when it was noticed."""
        self._calls = calls
        self._numbers = numbers
        self._turn = asyncio.Lock()
        self._data_id = ""
        self._number = 0
        self._last = 0
        """The number of the last commit of ours that was answered and is remembered."""

    async def open(self) -> int:
        """Name the data set unless it has a name; answer the layout it was written in."""
        found, layout, _ = await self._calls.ask("open", secrets.token_hex(8), LAYOUT)
        self._data_id = found.decode()
        return int(layout)

    async def leave(self) -> None:
        """Have forgotten what is remembered for this server."""
        async with self._turn:
            if self._last:
                await self._calls.ask("leave", self.server)

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Carry out what `Store.commit` promises. Where it takes several calls, each of them is whole or not at all."""
        async with self._turn:
            *early, last = _parts(transitions)
            outcomes: list[Conflict | None] = []
            for part in early:
                outcomes += (await self._once(part, (), now)).outcomes
            committed = await self._once(last, requests, now)
        return Committed([*outcomes, *committed.outcomes], committed.reserved)

    async def _once(self, part: Part, requests: Sequence[Reserve], now: float) -> Committed:
        numbers = self._numbers
        arguments: list[Argument] = [repr(now), numbers.queues_max, numbers.reserve_seconds, numbers.channel]
        arguments.append(len(part.transitions))
        arguments += part.arguments
        arguments.append(len(requests))
        for request in requests:
            request_arguments(request, arguments)
        name = "commit" if _brings_jobs(part.transitions) else "drain"
        conflicts, reserved = await self._answered(name, arguments, now)
        outcomes: list[Conflict | None] = [None] * len(part.transitions)
        for told in conflicts:
            outcomes[told[0] - 1] = read_conflict(told, part.transitions)
        jobs: list[tuple[Held, ...]] = [()] * len(requests)
        for number, *records in reserved:
            wid = requests[number - 1].wid
            seconds = numbers.reserve_seconds
            jobs[number - 1] = tuple([read_reserved(record, wid, now, seconds) for record in records])
        return Committed(outcomes, jobs)

    async def _answered(self, name: str, arguments: list[Argument], now: float) -> tuple[Any, Any]:
        """Have it carried out once, and answer the conflicts and what was reserved."""
        self._number += 1
        number, until = self._number, _seconds_from_now(ANSWER_SECONDS_MAX)
        while True:
            connection = await self._calls.link.connection()
            try:
                answer = await self._send(connection, name, number, arguments)
            except Lost as lost:
                if until < _seconds_from_now(0):
                    raise StoreUnavailable(f"redis did not answer, so the outcome is unknown: {lost}") from None
                continue
            except Refusal as refusal:
                if refusal.code not in NOT_THE_MASTER or until < _seconds_from_now(0):
                    raise in_our_words(refusal) from None
                continue
            if answer[0] == b"ok":
                self._last = number if answer[1] else self._last
                return answer[2], answer[3]
            await self._face_a_loss(answer, now)

    async def _send(self, connection: Connection, name: str, number: int, arguments: list[Argument]) -> Any:
        head: list[Argument] = [self._data_id, self.server, self._last, number]
        answer = await self._calls.send(connection, name, head + arguments)
        replicas = self._numbers.replicas
        if replicas and answer[0] == b"ok" and answer[1]:
            have = await connection.call("WAIT", replicas, WAIT_MILLISECONDS)
            if have < replicas:
                raise Lost(f"only {have} of {replicas} replicas have it")
        return answer

    async def _face_a_loss(self, answer: Any, now: float) -> None:
        """Say loudly what was lost, and go on with what there is: refusing to serve brings nothing back."""
        if answer[0] == b"emptied":
            what = "replaced by another" if answer[1] else "emptied"
            self._note_trouble(f"the data set was {what}: jobs it held are gone; going on with what is there", now)
            self._last = 0
            await self.open()
            return
        found = int(answer[1])
        if found < self._last:
            lost = self._last - found
            self._note_trouble(
                f"redis went back to an older state: {lost} commits of this server, and maybe others, are lost",
                now,
            )
        elif found > self._last:
            _log.warning("a commit that was refused because redis did not answer did happen")
        self._last = found

    def _note_trouble(self, text: str, now: float) -> None:
        self.trouble = f"{format_timestamp(now)}: {text}"
        _log.critical(text)


def _parts(transitions: Sequence[Transition]) -> list[Part]:
    """Write transitions as arguments, for as many calls as they need; there is one at least."""
    parts = [Part([], [])]
    for transition in transitions:
        if len(parts[-1].arguments) > ARGUMENTS_MAX:
            parts.append(Part([], []))
        parts[-1].transitions.append(transition)
        transition_arguments(transition, parts[-1].arguments)
    return parts


def _brings_jobs(transitions: Sequence[Transition]) -> bool:
    """Say whether there is anything that a Redis without memory to spare should be spared."""
    return any(type(change) is Put and change.new for transition in transitions for change in transition)


def _seconds_from_now(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds
