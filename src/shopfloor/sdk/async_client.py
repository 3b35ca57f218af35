"""The asynchronous client: one connection, on which commands go out as they come."""

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack

from shopfloor.errors import BulkRefused, Refused, ServerUnreachable
from shopfloor.sdk import asks
from shopfloor.sdk.asks import EVERY, Ask, BatchStatus, Place, Selection, Tracked
from shopfloor.sdk.async_link import AsyncLink
from shopfloor.sdk.client import (
    DEFAULTS,
    WAIT_SECONDS_MAX,
    WAIT_SECONDS_MIN,
    ClientSettings,
    address_of,
    named_order,
    unless_absent,
)
from shopfloor.sdk.link import introduce
from shopfloor.sdk.middleware import around_push
from shopfloor.sdk.order import Options, Order
from shopfloor.sdk.patience import Patience
from shopfloor.wire.client import Reply

T = TypeVar("T")


class AsyncClient:
    """Asks a server, from within one event loop. Connects when it is first used, and again when a connection broke.

    A command whose reply was lost is sent again: Shopfloor takes a job once however often it is pushed while it is
    held, and what cannot be repeated safely raises `ServerUnreachable` instead.
    """

    def __init__(self, url: str | None = None, settings: ClientSettings = DEFAULTS) -> None:
        self.address = address_of(url)
        self.settings = settings
        self._link: AsyncLink | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. The client may be used again."""
        if self._link is not None:
            self._link.close()
        self._link = None

    async def push(self, order: Order) -> str:
        """Push a job; answer its jid. Once this returns, the server has it."""
        with around_push(self.settings.middleware, [order]) as (inner,):
            return await self.run(asks.push(inner))

    async def push_named(self, jobtype: str, *args: object, **options: Unpack[Options]) -> str:
        """Push a job by the name of its type, for workers in other programs and languages."""
        return await self.push(named_order(jobtype, args, options, self.settings.clock))

    async def push_bulk(self, orders: Sequence[Order]) -> list[str]:
        """Push many jobs; answer their jids. Raises `BulkRefused` where some were not taken; the others were."""
        refusals: dict[str, str] = {}
        with around_push(self.settings.middleware, orders) as inner:
            for start in range(0, len(inner), asks.BULK_JOBS_MAX):
                refused = await self.run(asks.push_bulk(inner[start : start + asks.BULK_JOBS_MAX]))
                refusals.update(refused)
        if refusals:
            raise BulkRefused(refusals)
        return [order.jid for order in inner]

    async def run(self, ask: Ask[T]) -> T:
        """Ask, again if need be and allowed, until the time is over."""
        patience = Patience(time.monotonic() + self.settings.timeout_seconds)
        while True:
            used = sent = False
            try:
                link, used = await self._connected(patience.deadline)
                sent = True
                return ask.answer(await self._reply(link, ask.line, patience.deadline))
            except ServerUnreachable:
                if sent and not ask.is_repeatable:
                    raise
                if used:
                    continue  # it may have been closed long ago; a fresh one will tell
                pause = patience.pause(time.monotonic())
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _connected(self, deadline: float) -> tuple[AsyncLink, bool]:
        async with self._connecting:
            if self._link is not None and self._link.is_open:
                return self._link, True
            seconds = max(0.01, deadline - time.monotonic())
            hello = introduce(self.address)
            self._link = await AsyncLink.connect(self.address, hello, seconds, self.settings.trust)
            return self._link, False

    async def _reply(self, link: AsyncLink, line: bytes, deadline: float) -> Reply:
        try:
            async with asyncio.timeout(max(0.01, deadline - time.monotonic())):
                return await link.ask(line)
        except TimeoutError:
            link.close()
            raise ServerUnreachable(f"no answer from {self.address} in time") from None

    async def perform(self, asking: Generator[Ask[Any], Any, T]) -> T:
        """Ask one thing after the other, each time with the answer to the one before; answer what comes of it."""
        reply: Any = None
        while True:
            try:
                ask = asking.send(reply)
            except StopIteration as end:
                answer: T = end.value
                return answer
            reply = await self.run(ask)

    async def wait(self, jid: str, seconds: float) -> Tracked:
        """Wait for the end of a tracked job; raise `TimeoutError` where it does not come in time."""
        deadline, pause = time.monotonic() + seconds, WAIT_SECONDS_MIN
        while not (told := await self.track(jid)).is_over:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {jid} is {told.state} after {seconds} s")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, WAIT_SECONDS_MAX)
        return told

    async def track(self, jid: str) -> Tracked:
        """Ask how a tracked job does."""
        return await self.run(asks.track_get(jid))

    async def info(self) -> dict[str, Any]:
        """Ask how the server does."""
        return await self.run(asks.info())

    async def extensions(self) -> frozenset[str]:
        """Answer which commands the server has beyond Faktory's; none if it is a Faktory."""
        return frozenset((await self.info())["server"].get("extensions", ()))

    async def peek(self, queue: str, count: int = 1, offset: int = 0) -> list[dict[str, Any]]:
        """Look at jobs that wait in a queue, the oldest first."""
        return await self.run(asks.peek(queue, count, offset))

    async def latency(self, *queues: str) -> dict[str, float]:
        """Ask how long the oldest job of each queue has waited, in seconds."""
        return await self.run(asks.latency(queues))

    async def queue(self, verb: Literal["PAUSE", "RESUME", "REMOVE"], *names: str) -> None:
        """Pause, resume or remove queues; `*` means all."""
        await self.run(asks.queue(verb, names))

    async def get(self, jid: str) -> dict[str, Any] | None:
        """Ask where a job is; None where the server has none of that jid."""
        try:
            return await self.run(asks.job_get(jid))
        except Refused as refusal:
            unless_absent(refusal)
            return None

    async def cancel(self, jid: str) -> None:
        """Remove a job wherever it is; while it runs, tell its worker that it is not wanted any more."""
        await self.run(asks.job_cancel(jid))

    async def jobs_in(
        self, place: Place, selection: Selection = EVERY, count: int = 100, after: object = None
    ) -> dict[str, Any]:
        """List jobs of a place by time; the answer's `after` asks for the next page."""
        return await self.run(asks.job_list(place, selection, count, after))

    async def mutate(
        self, operation: Literal["clear", "kill", "discard", "requeue"], place: Place, selection: Selection = EVERY
    ) -> None:
        """Do something to the jobs of a place that are selected."""
        await self.run(asks.mutate(operation, place, selection))

    async def batch_status(self, bid: str) -> BatchStatus:
        """Ask how a batch stands."""
        return await self.run(asks.batch_status(bid))

    async def cron_put(self, entry: Mapping[str, object]) -> None:
        """Add an entry that pushes a job by a schedule, or change the one of that name."""
        await self.run(asks.cron_put(entry))

    async def cron_list(self) -> list[dict[str, Any]]:
        """List the entries that push jobs by a schedule."""
        return await self.run(asks.cron_list())

    async def cron(self, verb: Literal["REMOVE", "PAUSE", "RESUME"], name: str) -> None:
        """Remove, pause or resume an entry."""
        await self.run(asks.cron(verb, name))

    async def cron_run(self, name: str) -> str:
        """Push an entry's job now; answer its jid."""
        return await self.run(asks.cron_run(name))

    async def flush(self) -> None:
        """Have the server forget everything."""
        await self.run(asks.flush())
