"""A shop with what tests of batches need: definitions, members, callbacks, and a worker for each."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Raw

from shopfloor.broker.context import BrokerLimits
from shopfloor.core import batch
from shopfloor.core.batch import BATCH, Batch, Step
from shopfloor.core.batch_definition import Definition, read_definition
from shopfloor.core.changes import Note, Take, Transition
from shopfloor.core.facts import facts
from shopfloor.core.payload import PushedJob
from shopfloor.errors import Refused
from shopfloor.store.port import Store
from tests.broker.shop import Clock, Shop

QUEUE = "callbacks"


def after(kind: str = "After") -> dict[str, Any]:
    """A callback as clients write it: a job in a queue of its own."""
    return {"jobtype": kind, "args": [], "queue": QUEUE}


BOTH = {"complete": after("Complete"), "success": after("Success")}


def member(jid: str, bid: str, *, retry: int = 25, at: str | None = None) -> PushedJob:
    """A job of a batch."""
    custom = Raw(json.dumps({"bid": bid}).encode())
    return PushedJob(jid=jid, jobtype="Work", queue="default", args=Raw(b"[]"), custom=custom, retry=retry, at=at)


def read(**definition: Any) -> Definition:
    """Read the argument of BATCH NEW."""
    return read_definition(json.dumps(definition).encode())


class Bench:
    """Verbs about batches, one after the other."""

    def __init__(self, store: Store | None = None, limits: BrokerLimits | None = None, clock: Clock | None = None):
        self.count = 0
        self.shop = Shop(store, limits=limits, clock=clock)
        self.shop.broker.context.dice = self._dice
        self.broker = self.shop.broker
        self.worker = self.shop.client("worker-1")

    def _dice(self, sides: int) -> int:
        self.count += 1
        return self.count * 7 // (1 + self.count // 251) % sides

    def new(self, **definition: Any) -> str:
        """BATCH NEW."""
        return self.shop.ask(self.broker.batches.new(read(**definition)))

    def push(self, bid: str, *jids: str, retry: int = 25, at: str | None = None) -> None:
        """Push members."""
        for jid in jids:
            self.shop.ask(self.broker.jobs.push(member(jid, bid, retry=retry, at=at)))

    def open(self, bid: str) -> None:
        """BATCH OPEN."""
        assert self.shop.ask(self.broker.batches.open(bid)) == bid

    def commit(self, bid: str) -> None:
        """BATCH COMMIT."""
        self.shop.ask(self.broker.batches.commit(bid))

    def status(self, bid: str) -> Batch:
        """BATCH STATUS."""
        return self.shop.ask(self.broker.batches.status(bid))

    def states(self, bid: str) -> str:
        """The states of the callbacks, as `complete/success`."""
        known = self.status(bid)
        return f"{known.complete_st}/{known.success_st}"

    def tend(self, seconds: float = 0.0) -> None:
        """Let time pass, then let the server look at its batches."""
        self.shop.clock.now += seconds
        self.shop.ask(self.broker.batch_care.tend())

    def refusal(self, what: Any) -> str:
        """Say with which words a verb is refused."""
        try:
            self.shop.ask(what)
        except Refused as refused:
            return refused.message
        raise AssertionError("it was not refused")

    def work(self, *jids: str) -> None:
        """Fetch the next jobs, which must be these, and acknowledge them."""
        for jid in jids:
            assert self.shop.fetch(self.worker) == [jid]
            self.shop.acknowledge(self.worker, jid)

    def fail(self, jid: str) -> None:
        """Fetch the next job, which must be this one, and let it fail."""
        assert self.shop.fetch(self.worker) == [jid]
        self.shop.fail(self.worker, jid)

    def due(self) -> list[tuple[str, str]]:
        """List the callbacks that wait in their queue: of which batch, and which."""
        return [self._named(jid) for jid in self.shop.queued(QUEUE)]

    def callback_jids(self, bid: str) -> Sequence[str]:
        """List the callbacks of a batch that are held."""
        return self.shop.run(self.shop.store.inner.batch_jobs(bid)).callbacks

    def called(self) -> tuple[str, str]:
        """Work the next callback off."""
        (jid,) = self.shop.fetch(self.worker, QUEUE)
        named = self._named(jid)
        self.shop.acknowledge(self.worker, jid)
        return named

    def all_called(self) -> Sequence[tuple[str, str]]:
        """Work all callbacks off that there are, and come to be."""
        called = []
        while self.due():
            called.append(self.called())
        return called

    def _named(self, jid: str) -> tuple[str, str]:
        held = self.shop.held(jid)
        assert held is not None
        known = facts(held.job)
        assert known.callback_bid is not None
        assert known.callback is not None
        return known.callback_bid, known.callback

    def repaired(self) -> int:
        """How many batches were mended."""
        return self.broker.batch_care.tally.repaired

    def close(self) -> None:
        """Let go of the store."""
        self.shop.close()


def known(bench: Bench, bid: str) -> bool:
    """Say whether a batch is known."""
    records = bench.shop.run(bench.shop.store.inner.records(BATCH))
    return bid in records and records[bid].value is not None


def inject(bench: Bench, transition: Transition) -> None:
    """Change what is held behind the broker's back."""
    committed = bench.shop.run(bench.shop.store.inner.commit([transition], [], bench.shop.clock.now))
    assert committed.outcomes == [None]


def vanish(bench: Bench, *jids: str) -> None:
    """Let jobs be gone as if they had never been."""
    for jid in jids:
        held = bench.shop.held(jid)
        assert held is not None
        inject(bench, (Take(jid, held.place),))


def rewritten(bench: Bench, bid: str, step: Step) -> Transition:
    """Answer the change of a record that a step amounts to, without what follows from it."""
    record = bench.shop.run(bench.shop.store.inner.records(BATCH))[bid]
    assert record.value is not None
    return (Note(BATCH, bid, batch.encode(step(batch.decode(record.value))), record.version),)


def before_the_next_commit(bench: Bench, transition: Transition) -> Callable[[str], Awaitable[None]]:
    """Do what another server might: once, just before this one commits."""

    async def meanwhile(verb: str) -> None:
        if verb == "commit":
            bench.shop.store.meanwhile = None
            assert (await bench.shop.store.inner.commit([transition], [], 0.0)).outcomes == [None]

    return meanwhile


def every_batch(bench: Bench) -> list[Batch]:
    """List all batches that are known."""
    records = bench.shop.run(bench.shop.store.inner.records(BATCH))
    return [batch.decode(record.value) for record in records.values() if record.value is not None]
