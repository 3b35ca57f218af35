"""The blocking client: safe to share between threads, usable again after a fork."""

import os
import ssl
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack

from shopfloor.errors import BulkRefused, Refused, ServerUnreachable
from shopfloor.sdk import asks
from shopfloor.sdk.arguments import encode_arguments
from shopfloor.sdk.asks import EVERY, Ask, BatchStatus, Place, Selection, Tracked
from shopfloor.sdk.middleware import Middleware, around_push
from shopfloor.sdk.order import Clock, Options, Order, make_order
from shopfloor.sdk.patience import Patience
from shopfloor.sdk.pool import Pool, Target
from shopfloor.wire.address import Address, find_address, parse_address

T = TypeVar("T")

WAIT_SECONDS_MIN, WAIT_SECONDS_MAX = 0.01, 0.5
"""How often a job that is waited for is asked after: often at first, then less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client behaves; the same for both kinds."""

    timeout_seconds: float = 15.0
    """How long a command may take, with all tries, before `ServerUnreachable` is raised."""
    connections_max: int = 32
    """Connections of a blocking client, at most; one a thread that uses it at the same time."""
    trust: ssl.SSLContext | None = None
    """Whose certificates count, with tcp+tls; the machine's own authorities unless given."""
    middleware: Sequence[Middleware] = ()
    clock: Clock = field(default=time.time)


DEFAULTS = ClientSettings()


def address_of(url: str | None) -> Address:
    """Find the server: at `url`, else where FAKTORY_PROVIDER or FAKTORY_URL say, else on this machine."""
    if url is not None:
        return parse_address(url, "url")
    return find_address(os.environ) or Address(host="localhost")


def named_order(jobtype: str, args: Sequence[object], options: Options, clock: Clock) -> Order:
    """Make an order for a job of which only the name is known here."""
    return make_order(jobtype, encode_arguments(args, (), jobtype), options, clock)


class Client:
    """Asks a server. Connects when it is first used, and again when a connection broke.

    A command whose reply was lost is sent again: Shopfloor takes a job once however often it is pushed while it is
    held, and what cannot be repeated safely raises `ServerUnreachable` instead.
    """

    def __init__(self, url: str | None = None, settings: ClientSettings = DEFAULTS) -> None:
        self.address = address_of(url)
        self.settings = settings
        target = Target(address=self.address, seconds=settings.timeout_seconds, trust=settings.trust)
        self._pool = Pool(target, settings.connections_max)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The client may be used again."""
        self._pool.close()

    def push(self, order: Order) -> str:
        """Push a job; answer its jid. Once this returns, the server has it."""
        with around_push(self.settings.middleware, [order]) as (inner,):
            return self.run(asks.push(inner))

    def push_named(self, jobtype: str, *args: object, **options: Unpack[Options]) -> str:
        """Push a job by the name of its type, for workers in other programs and languages."""
        return self.push(named_order(jobtype, args, options, self.settings.clock))

    def push_bulk(self, orders: Sequence[Order]) -> list[str]:
        """Push many jobs; answer their jids. Raises `BulkRefused` where some were not taken; the others were."""
        refusals: dict[str, str] = {}
        with around_push(self.settings.middleware, orders) as inner:
            for start in range(0, len(inner), asks.BULK_JOBS_MAX):
                refused = self.run(asks.push_bulk(inner[start : start + asks.BULK_JOBS_MAX]))
                refusals.update(refused)
        if refusals:
            raise BulkRefused(refusals)
        return [order.jid for order in inner]

    def run(self, ask: Ask[T]) -> T:
        """Ask, again if need be and allowed, until the time is over."""
        patience = Patience(time.monotonic() + self.settings.timeout_seconds)
        while True:
            used = sent = False
            try:
                with self._pool.lend() as (link, used):
                    sent = True
                    reply = link.request(ask.line, max(0.01, patience.deadline - time.monotonic()))
                return ask.answer(reply)
            except ServerUnreachable:
                if sent and not ask.is_repeatable:
                    raise
                if used:
                    continue  # it may have been closed long ago; a fresh one will tell
                pause = patience.pause(time.monotonic())
                if pause is None:
                    raise
                time.sleep(pause)

    def perform(self, asking: Generator[Ask[Any], Any, T]) -> T:
        """Ask one thing after the other, each time with the answer to the one before; answer what comes of it."""
        reply: Any = None
        while True:
            try:
                ask = asking.send(reply)
            except StopIteration as end:
                answer: T = end.value
                return answer
            reply = self.run(ask)

    def wait(self, jid: str, seconds: float) -> Tracked:
        """Wait for the end of a tracked job; raise `TimeoutError` where it does not come in time."""
        deadline, pause = time.monotonic() + seconds, WAIT_SECONDS_MIN
        while not (told := self.track(jid)).is_over:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {jid} is {told.state} after {seconds} s")
            time.sleep(pause)
            pause = min(pause * 1.5, WAIT_SECONDS_MAX)
        return told

    def track(self, jid: str) -> Tracked:
        """Ask how a tracked job does."""
        return self.run(asks.track_get(jid))

    def info(self) -> dict[str, Any]:
        """Ask how the server does."""
        return self.run(asks.info())

    def extensions(self) -> frozenset[str]:
        """Answer which commands the server has beyond Faktory's; none if it is a Faktory."""
        return frozenset(self.info()["server"].get("extensions", ()))

    def peek(self, queue: str, count: int = 1, offset: int = 0) -> list[dict[str, Any]]:
        """Look at jobs that wait in a queue, the oldest first."""
        return self.run(asks.peek(queue, count, offset))

    def latency(self, *queues: str) -> dict[str, float]:
        """Ask how long the oldest job of each queue has waited, in seconds."""
        return self.run(asks.latency(queues))

    def queue(self, verb: Literal["PAUSE", "RESUME", "REMOVE"], *names: str) -> None:
        """Pause, resume or remove queues; `*` means all."""
        self.run(asks.queue(verb, names))

    def get(self, jid: str) -> dict[str, Any] | None:
        """Ask where a job is; None where the server has none of that jid."""
        try:
            return self.run(asks.job_get(jid))
        except Refused as refusal:
            unless_absent(refusal)
            return None

    def cancel(self, jid: str) -> None:
        """Remove a job wherever it is; while it runs, tell its worker that it is not wanted any more."""
        self.run(asks.job_cancel(jid))

    def jobs_in(
        self, place: Place, selection: Selection = EVERY, count: int = 100, after: object = None
    ) -> dict[str, Any]:
        """List jobs of a place by time; the answer's `after` asks for the next page."""
        return self.run(asks.job_list(place, selection, count, after))

    def mutate(
        self, operation: Literal["clear", "kill", "discard", "requeue"], place: Place, selection: Selection = EVERY
    ) -> None:
        """Do something to the jobs of a place that are selected."""
        self.run(asks.mutate(operation, place, selection))

    def batch_status(self, bid: str) -> BatchStatus:
        """Ask how a batch stands."""
        return self.run(asks.batch_status(bid))

    def cron_put(self, entry: Mapping[str, object]) -> None:
        """Add an entry that pushes a job by a schedule, or change the one of that name."""
        self.run(asks.cron_put(entry))

    def cron_list(self) -> list[dict[str, Any]]:
        """List the entries that push jobs by a schedule."""
        return self.run(asks.cron_list())

    def cron(self, verb: Literal["REMOVE", "PAUSE", "RESUME"], name: str) -> None:
        """Remove, pause or resume an entry."""
        self.run(asks.cron(verb, name))

    def cron_run(self, name: str) -> str:
        """Push an entry's job now; answer its jid."""
        return self.run(asks.cron_run(name))

    def flush(self) -> None:
        """Have the server forget everything."""
        self.run(asks.flush())


def unless_absent(refusal: Refused) -> None:
    """Raise a refusal, but not the one that says that there is no such job."""
    if not refusal.message.startswith("Job not found"):
        raise refusal
