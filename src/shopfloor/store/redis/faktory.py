"""Reading what a Faktory that was stopped left in its Redis; nothing in there is ever changed (reference 3.1).

Faktory up to 1.9 keeps a queue as a list of the queue's own name, 1.10 puts `q:` before it; both are read. Where a job
goes is said by the key that it is found in, and a job that was being worked on goes back to its queue.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from shopfloor.config import StorageUrl
from shopfloor.core.job import Place
from shopfloor.errors import StoreError, StoreUnavailable
from shopfloor.store.redis.address import read_address
from shopfloor.store.redis.connection import Argument, Connection, Lost, Refusal, connect, log_in

PAGE: Final = 500
"""Entries read at a time: some hundred KB."""
TIMED: Final[Mapping[str, Place]] = {"scheduled": "scheduled", "retries": "retries", "dead": "dead"}
WORKING: Final = "working"
OWN_KEYS: Final = frozenset({"queues", "paused", "v", WORKING, "processed", "failures", *TIMED})
TOTALS: Final = ("processed", "failures")


class Entry(Struct, frozen=True, kw_only=True):
    """One job as Faktory wrote it, where it was found, and where it belongs."""

    key: str
    place: Place
    at: float
    text: bytes


class Contents(Struct, frozen=True, kw_only=True):
    """What is there, before any of it is read."""

    queues: Mapping[str, str]
    """The key of each queue's list, and the queue."""
    paused: Sequence[str]
    sizes: Mapping[str, int]
    """How many entries each key has that holds jobs."""
    totals: Mapping[tuple[str, str], int]
    """Figures by name and day; they are of the time zone that Faktory ran in."""
    strange: Sequence[str]
    """Keys that are none of Faktory's: Faktory Enterprise's batches, locks and slots are among them."""


class _Reservation(Struct):
    job: Raw


class Source:
    """The Redis of a Faktory."""

    def __init__(self, url: StorageUrl) -> None:
        self.address = read_address(url)
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Connect; raise `StoreError` where that cannot be."""
        address = self.address
        try:
            place = address.socket or address.hosts[0]
            self._connection = await connect(address, place, lambda lost: None, lambda message: None)
            await log_in(self._connection, address)
        except (Lost, Refusal) as error:
            await self.close()
            raise StoreUnavailable(f"redis at {address} cannot be read: {error}") from None

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await self._connection.end("it has been read")

    async def others(self) -> int:
        """Count the other clients of this Redis: while there are some, a Faktory may be running on it."""
        listed = (await self._ask("CLIENT", "LIST")).decode(errors="replace")
        return len(listed.splitlines()) - 1

    async def look(self) -> Contents:
        """Say what is there."""
        queues: dict[str, str] = {}
        totals: dict[tuple[str, str], int] = {}
        strange: list[str] = []
        for key in await self._keys():
            name, _, day = key.partition(":")
            if await self._ask("TYPE", key) == b"list":
                queues[key] = key.removeprefix("q:")
            elif name in TOTALS and day:
                totals[name, day] = int(await self._ask("GET", key) or 0)
            elif key not in OWN_KEYS:
                strange.append(key)
        for name in TOTALS:
            totals[name, ""] = int(await self._ask("GET", name) or 0)
        sizes = {key: int(await self._ask("ZCARD", key)) for key in (WORKING, *TIMED)}
        sizes |= {key: int(await self._ask("LLEN", key)) for key in queues}
        paused = [name.decode(errors="replace") for name in await self._ask("SMEMBERS", "paused")]
        return Contents(queues=queues, paused=sorted(paused), sizes=sizes, totals=totals, strange=sorted(strange))

    async def entries(self, contents: Contents) -> AsyncIterator[Entry]:
        """Yield every job, in the order in which they are to be put: those that were being worked on come first."""
        async for _, text in self._sorted(WORKING):
            yield Entry(key=WORKING, place="queued", at=0.0, text=_job_of(text))
        for key in sorted(contents.queues):
            async for text in self._listed(key, contents.sizes[key]):
                yield Entry(key=key, place="queued", at=0.0, text=text)
        for key, place in TIMED.items():
            async for at, text in self._sorted(key):
                yield Entry(key=key, place=place, at=at, text=text)

    async def _listed(self, key: str, size: int) -> AsyncIterator[bytes]:
        """Yield a queue, the oldest first: that is the end of the list."""
        for end in range(size - 1, -1, -PAGE):
            page: list[bytes] = await self._ask("LRANGE", key, max(0, end - PAGE + 1), end)
            for text in reversed(page):
                yield text

    async def _sorted(self, key: str) -> AsyncIterator[tuple[float, bytes]]:
        first = 0
        while page := await self._ask("ZRANGE", key, first, first + PAGE - 1, "WITHSCORES"):
            first += PAGE
            for at in range(0, len(page), 2):
                yield float(page[at + 1]), page[at]

    async def _keys(self) -> list[str]:
        found: set[bytes] = set()
        cursor = b"0"
        while True:
            cursor, page = await self._ask("SCAN", cursor, "COUNT", PAGE)
            found.update(page)
            if cursor == b"0":
                return sorted(key.decode(errors="surrogateescape") for key in found)

    async def _ask(self, *command: Argument) -> Any:
        assert self._connection is not None
        words = [word.encode(errors="surrogateescape") if isinstance(word, str) else word for word in command]
        try:
            return await self._connection.call(*words)
        except (Lost, Refusal) as error:
            raise StoreError(f"redis at {self.address} cannot be read: {error}") from None


def _job_of(reservation: bytes) -> bytes:
    """Cut the job out of an entry of `working`; one that is none is left as it is, for whoever reads the job."""
    try:
        return bytes(msgspec.json.decode(reservation, type=_Reservation).job)
    except msgspec.MsgspecError:
        return reservation
