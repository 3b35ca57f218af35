"""A broker with clients but without sockets: its clock stands still, and its rounds are run by hand."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar, cast

import structlog
from structlog.typing import FilteringBoundLogger

from shopfloor.broker.asks import Verb
from shopfloor.broker.broker import Broker, World
from shopfloor.broker.calls import Call
from shopfloor.broker.context import BrokerLimits, Session
from shopfloor.core.job import Held, Place
from shopfloor.core.lifecycle import Rules
from shopfloor.core.retry import Dice, FailReport
from shopfloor.core.workers import Worker
from shopfloor.store.memory.store import MemoryStore
from shopfloor.store.port import Figures, Store
from tests.broker.failing_store import FailingStore
from tests.jobs import NOW, pushed

ROUNDS_MAX = 10_000
"""A verb that needs more goes round in circles."""

_Answer = TypeVar("_Answer")


def silent_log() -> FilteringBoundLogger:
    """Make a log that nobody reads."""
    wrapper = structlog.make_filtering_bound_logger("critical")
    quiet = structlog.wrap_logger(structlog.ReturnLogger(), processors=[], wrapper_class=wrapper)
    return cast(FilteringBoundLogger, quiet)


class Clock:
    """The time, until somebody moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        """Say what time it is."""
        return self.now


class Client:
    """One connection, as `Ticks` sees it: a source of calls that answers them in their order."""

    def __init__(self, shop: "Shop", wid: str = "", understands: tuple[str, ...] = ()) -> None:
        self.shop = shop
        self.session = Session(wid, understands)
        self.replies: list[object] = []
        self._pending: list[Call] = []
        self._under_way: deque[Call] = deque()

    def send(self, *verbs: Verb[Any]) -> list[Call]:
        """Send commands that may share a round; nothing happens before the next one."""
        calls = [Call(verb, self) for verb in verbs]
        self._pending += calls
        self.shop.ticks.ready(self)
        return calls

    def start(self) -> Iterable[Call]:
        """Begin what was sent."""
        calls, self._pending = self._pending, []
        self._under_way += calls
        return calls

    def settle(self) -> None:
        """Take the replies that are due."""
        while self._under_way and self._under_way[0].done:
            call = self._under_way.popleft()
            self.replies.append(call.result if call.error is None else call.error)

    def hang_up(self) -> None:
        """End the connection, as `server.connection` does."""
        self.session.closed = self.session.deaf = True
        self.shop.ticks.abandon(self._under_way)
        self._under_way.clear()


class Shop:
    """A broker on a store, and the means to let it work step by step."""

    def __init__(
        self,
        store: Store | None = None,
        rules: Rules | None = None,
        limits: BrokerLimits | None = None,
        dice: Dice = lambda sides: 0,
        clock: Clock | None = None,
    ) -> None:
        self._runner = asyncio.Runner()
        self.clock = clock or Clock()
        self.rules = rules or Rules()
        self.store = FailingStore(store or MemoryStore(self.rules))
        self.run(self.store.open())
        world = World(clock=self.clock, dice=dice, log=silent_log())
        self.broker = Broker(self.store, self.rules, limits or BrokerLimits(), world)
        self.ticks = self.broker.ticks
        self.server = Client(self)

    def close(self) -> None:
        """Let go of the store and the loop."""
        self.run(self.store.close())
        self._runner.close()

    def run(self, waited: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Wait for something."""
        return self._runner.run(waited)

    def client(self, wid: str = "", understands: tuple[str, ...] = ()) -> Client:
        """Connect a client; one with a wid says HELLO."""
        client = Client(self, "", understands)
        if wid:
            worker = Worker(wid=wid, started_at=self.clock.now, beat_at=self.clock.now)
            self.ask(self.broker.fleet.join(client.session, worker, client.hang_up))
        return client

    def turn(self, rounds: int = 1) -> None:
        """Run rounds."""
        for _ in range(rounds):
            self.run(self.ticks.round())

    def until(self, done: Callable[[], bool]) -> int:
        """Run rounds until something is so; answer how many it took."""
        for rounds in range(ROUNDS_MAX):
            if done():
                return rounds
            self.turn()
        raise AssertionError("it never came to an end")

    def ask(self, verb: Verb[_Answer], client: Client | None = None) -> _Answer:
        """Carry out one verb and answer, or raise, what it did."""
        (call,) = (client or self.server).send(verb)
        self.until(lambda: call.done)
        if call.error is not None:
            raise call.error
        return cast(_Answer, call.result)

    def push(self, *jids: str, queue: str = "default", retry: int | None = None) -> None:
        """Push jobs."""
        for jid in jids:
            self.ask(self.broker.jobs.push(pushed(jid, queue, retry=retry)))

    def fetch(self, client: Client, *queues: str, count: int = 1) -> list[str]:
        """Fetch without waiting: what is there now, or nothing."""
        (call,) = client.send(self.broker.fetching.fetch(client.session, queues or ("default",), count))
        self.until(lambda: call.done or call.wait is not None)
        if not call.done:
            self.let_pass(self.broker.context.limits.fetch_seconds)
        return fetched(call)

    def acknowledge(self, client: Client, jid: str) -> None:
        """ACK."""
        self.ask(self.broker.jobs.acknowledge(client.session, jid), client)

    def fail(self, client: Client, jid: str) -> None:
        """FAIL."""
        self.ask(self.broker.jobs.fail(client.session, FailReport(jid=jid)), client)

    def let_pass(self, seconds: float) -> None:
        """Let time pass; fetches whose time is over are answered."""
        self.clock.now += seconds
        self.run(self._release())

    def held(self, jid: str) -> Held | None:
        """Look a job up."""
        return self.run(self.store.inner.load([jid], [])).jobs.get(jid)

    def place(self, jid: str) -> Place | None:
        """Say where a job rests."""
        held = self.held(jid)
        return None if held is None else held.place

    def figures(self) -> Figures:
        """Count what rests where."""
        return self.run(self.store.inner.figures())

    def queued(self, queue: str = "default") -> list[str]:
        """List the jids of a queue."""
        return [held.job.jid for held in self.run(self.store.inner.peek(queue, 0, 1_000_000))]

    async def _release(self) -> None:
        self.ticks.release_timed_out()


def fetched(call: Call) -> list[str]:
    """List the jids that a fetch brought."""
    assert call.done, "it still waits"
    if call.error is not None:
        raise call.error
    reserved: Sequence[Held] = call.result
    return [held.job.jid for held in reserved]
