"""A worker as the server knows it: a `wid`, its beats, the jobs that it holds, and how each of them is settled.

A reply that was lost with its connection may have been a job: the server then believes that this `wid` has it, and no
one does. So the foreman makes a new post whenever that may have happened. The old one settles what it holds, stops
beating, and the server gives back whatever else it thinks is there.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from shopfloor.errors import Refused, ServerUnreachable
from shopfloor.sdk.async_link import AsyncLink
from shopfloor.sdk.link import introduce
from shopfloor.sdk.patience import Patience
from shopfloor.sdk.worker.outcome import Outcome
from shopfloor.sdk.worker.reports import News, lines_of
from shopfloor.sdk.worker.settings import WorkerSettings
from shopfloor.wire.address import Address
from shopfloor.wire.client import Reply, command, json_command

log = logging.getLogger("shopfloor.worker")

CONNECT_SECONDS = 10.0
REPLY_SECONDS = 30.0
"""A server that does not answer an ACK or a BEAT for so long is asked again over another connection."""
SETTLED_AT_ONCE_MAX = 500
TRY_AGAIN = "store unavailable"
"""How a refusal begins after which the same command may succeed later."""
PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Who hears what the server says to a worker."""

    told_state: Callable[[str], None]
    cancelled: Callable[[str], None]
    in_doubt: Callable[[], None]
    """The server may believe that this worker has a job which nobody has."""


class Line:
    """A connection of a worker that comes back after every break."""

    def __init__(self, address: Address, wid: str, settings: WorkerSettings) -> None:
        self._address = address
        self._wid = wid
        self._settings = settings
        self._link: AsyncLink | None = None
        self._lock = asyncio.Lock()
        self.extensions: frozenset[str] = frozenset()

    async def link(self) -> AsyncLink:
        """Answer an open connection, however long that takes."""
        async with self._lock:
            if self._link is not None and self._link.is_open:
                return self._link
            patience = Patience(float("inf"))
            while True:
                try:
                    self._link = await self._connect()
                    return self._link
                except ServerUnreachable as error:
                    log.log(logging.WARNING if patience.tries % 10 == 0 else logging.DEBUG, "%s; trying again", error)
                    await asyncio.sleep(patience.pause(time.monotonic()) or 0.0)

    def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()

    async def ask(self, line: bytes, seconds: float = REPLY_SECONDS) -> Reply:
        """Ask once; raise `ServerUnreachable` where the reply does not come."""
        link = await self.link()
        try:
            async with asyncio.timeout(seconds):
                return await link.ask(line)
        except TimeoutError:
            link.close()
            raise ServerUnreachable(f"no answer from {self._address} in time") from None

    async def _connect(self) -> AsyncLink:
        hello = introduce(self._address, self._wid, self._settings.labels)
        link = await AsyncLink.connect(self._address, hello, CONNECT_SECONDS, self._settings.client.trust)
        told = await link.ask(command("INFO"))
        if isinstance(told, bytes):
            self.extensions = frozenset(msgspec.json.decode(told)["server"].get("extensions", ()))
        return link


class Post:
    """One `wid` and what belongs to it. `start`; `stop` when it holds nothing any more."""

    def __init__(self, address: Address, settings: WorkerSettings, hearing: Hearing) -> None:
        self.wid = secrets.token_hex(8)
        self.held: set[str] = set()
        self.talk = Line(address, self.wid, settings)
        self.fetching = Line(address, self.wid, settings)
        self.state = ""
        """What is said in every beat: nothing, `quiet` or `terminate`."""
        self._beat_seconds = settings.beat_seconds
        self._hearing = hearing
        self._pending: deque[News] = deque()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.is_idle = asyncio.Event()
        self.is_idle.set()

    def start(self) -> "list[asyncio.Task[None]]":
        """Begin to beat, and to settle; answer the tasks, which go on until `stop`."""
        self._tasks = [asyncio.create_task(self._beat_for_ever()), asyncio.create_task(self._settle_for_ever())]
        return self._tasks

    async def stop(self) -> None:
        """Close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.talk.close()
        self.fetching.close()

    def took(self, jids: Iterable[str]) -> None:
        """The server gave this worker jobs."""
        self.held.update(jids)
        if self.held:
            self.is_idle.clear()

    def settle(self, outcome: Outcome) -> None:
        """Tell the server how a run ended."""
        self._pending.append(outcome)
        self._news.set()

    def report(self, jid: str, report: Mapping[str, Any]) -> None:
        """Tell the server how a run goes."""
        self._pending.append((jid, report))
        self._news.set()

    async def beat(self) -> None:
        """Beat once, and hear what the server has to say."""
        said: dict[str, object] = {"wid": self.wid, "rss_kb": _rss_kilobytes()}
        if self.state:
            said["current_state"] = self.state
        reply = await self.talk.ask(json_command("BEAT", said))
        if isinstance(reply, Refused):
            log.warning("the server does not know this worker any more: %s", reply)
            self.talk.close()  # it gave us up; with the next connection it knows us again
        elif isinstance(reply, bytes):
            told = msgspec.json.decode(reply)
            for jid in told.get("cancel", ()):
                self._hearing.cancelled(jid)
            if told.get("state"):
                self._hearing.told_state(told["state"])

    async def _beat_for_ever(self) -> None:
        while True:
            try:
                await self.beat()
            except ServerUnreachable as error:
                log.debug("could not beat: %s", error)
                continue
            await asyncio.sleep(self._beat_seconds)

    async def _settle_for_ever(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._pending:
                count = min(len(self._pending), SETTLED_AT_ONCE_MAX)
                await self._settle([self._pending.popleft() for _ in range(count)])

    async def _settle(self, news: list[News]) -> None:
        await self.talk.link()  # with it the extensions are known
        await self._deliver(lines_of(news, self.talk.extensions))
        for one in news:
            if isinstance(one, Outcome):
                self.held.discard(one.jid)
        if not self.held:
            self.is_idle.set()

    async def _deliver(self, lines: list[bytes]) -> None:
        """Send commands until each has its answer.

        All may be sent again but REQUEUE: the job may be here again by then, and would be taken from the new run.
        """
        while lines:
            try:
                replies = await self._replies(lines)
            except ServerUnreachable:
                safe = [line for line in lines if not line.startswith(b"REQUEUE")]
                if len(safe) < len(lines):
                    self._hearing.in_doubt()
                lines = safe
                continue
            again = [line for line, reply in zip(lines, replies, strict=True) if _may_succeed_later(reply)]
            for reply in replies:
                if isinstance(reply, Refused):
                    log.info("the server refused: %s", reply)
            lines = again
            if lines:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _replies(self, lines: list[bytes]) -> list[Reply]:
        link = await self.talk.link()
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                return await asyncio.gather(*(link.ask(line) for line in lines))
        except TimeoutError:
            link.close()
            raise ServerUnreachable("no answer in time") from None


def _may_succeed_later(reply: Reply) -> bool:
    return isinstance(reply, Refused) and reply.message.startswith(TRY_AGAIN)


def _rss_kilobytes() -> int:
    """Say how much memory this process has resident; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4
    except (OSError, ValueError, IndexError):
        return 0
