"""Random lives of batches, with several workers and a server that is killed between any two rounds.

After each step every batch is compared with `batch_model`: each callback is there exactly if it is due, none comes
twice, none too early; at the end nothing is left behind and nothing had to be repaired.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shopfloor.broker.asks import Verb
from shopfloor.broker.calls import Call
from shopfloor.broker.context import BrokerLimits
from shopfloor.core.facts import Callback
from shopfloor.core.job import Held, Place
from shopfloor.core.retry import FailReport
from shopfloor.errors import Refused
from tests.broker.batch_bench import QUEUE, Bench, after, member, read
from tests.broker.batch_model import Expected, Fate, Member
from tests.broker.shop import Client
from tests.stores import STORES, Kind, part_of

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "20"))
STEPS = 120
WORKERS = ("worker-1", "worker-2", "worker-3")
KINDS: tuple[tuple[Callback, ...], ...] = (("complete", "success"), ("success",), ("complete",))
FOREVER = BrokerLimits(batch_open_seconds=1e9, batch_kept_seconds=1e9)


class History:
    """One life: what the server holds, what the model says, and dice."""

    def __init__(self, kind: Kind, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.kind = kind
        self.folder = folder
        self.lives = 0
        self.batches: dict[str, Expected] = {}
        self.jobs: dict[str, Expected] = {}
        self.callbacks: dict[str, tuple[Expected, Callback]] = {}
        self.reserved: dict[str, str] = {}
        """Jids, and the worker that has each."""
        self.bench = self._start(0)

    def _start(self, count: int) -> Bench:
        where = self.folder / str(self.lives)
        if not where.is_symlink():
            where.mkdir(exist_ok=True)
        bench = Bench(self.kind.make(where), FOREVER)
        bench.count = count
        self.workers = {wid: bench.shop.client(wid) for wid in WORKERS}
        return bench

    def kill(self) -> None:
        """End the server as a kill does, and start it with what its files say at that moment."""
        if not self.kind.durable:
            return
        before, self.lives = self.folder / str(self.lives), self.lives + 1
        if not self.kind.shared:
            shutil.copytree(before, self.folder / str(self.lives), ignore=shutil.ignore_patterns("*-shm"))
        else:
            (self.folder / str(self.lives)).symlink_to(before)
        self.bench.close()
        self.bench = self._start(self.bench.count)

    def carry_out(self, verb: Verb[Any], client: Client | None = None) -> bool:
        """Carry a verb out, or kill the server meanwhile; answer whether it succeeded, False also for a refusal."""
        if self.dice.random() < 0.04 and self.kind.durable:
            (call,) = (client or self.bench.shop.server).send(verb)
            self.bench.shop.turn(self.dice.randrange(3))
            self.kill()
            return call.done and call.error is None
        try:
            self.bench.shop.ask(verb, client)
        except Refused:
            return False
        return True

    # What clients do; each reads the outcome off the jobs, which say what happened even where no reply came.

    def new(self) -> None:
        """Make a batch, under another one perhaps."""
        parent = self.any_batch() if self.dice.random() < 0.6 else None
        wanted = self.dice.choice(KINDS) + (("death",) if self.dice.random() < 0.5 else ())
        definition = {callback: after() for callback in wanted} | ({"parent_bid": parent.bid} if parent else {})
        known = self.bids()
        done = self.carry_out(self.bench.broker.batches.new(read(**definition)))
        made = self.bids() - known
        assert len(made) <= 1
        assert not done or made
        assert parent is None or parent.takes_more or not made
        for bid in made:
            self.batches[bid] = Expected(bid, parent, wanted)
            if parent is not None:
                parent.children.append(self.batches[bid])

    def push(self) -> None:
        """Push a job into a batch that may take it or not."""
        known = self.any_batch()
        if known is None:
            return
        jid = f"job-{len(self.jobs):05}"
        retry = self.dice.choice((25, 25, 0, -1))
        done = self.carry_out(self.bench.broker.jobs.push(member(jid, known.bid, retry=retry)))
        assert not done or known.takes_more
        if self.bench.shop.held(jid) is not None:
            assert known.takes_more
            known.members[jid] = Member()
            self.jobs[jid] = known

    def open(self) -> None:
        """Open a batch."""
        known = self.any_batch()
        if known is not None:
            done = self.carry_out(self.bench.broker.batches.open(known.bid))
            assert known.can_open or not done
            known.committed = self.bench.status(known.bid).committed

    def commit(self) -> None:
        """Commit a batch."""
        known = self.any_batch()
        if known is not None:
            self.carry_out(self.bench.broker.batches.commit(known.bid))
            known.committed = self.bench.status(known.bid).committed

    def fetch(self) -> None:
        """Let a worker fetch some jobs."""
        wid = self.dice.choice(WORKERS)
        queues = self.dice.choice((("default", QUEUE), (QUEUE,)))
        for jid in self.bench.shop.fetch(self.workers[wid], *queues, count=self.dice.randrange(1, 5)):
            self.reserved[jid] = wid

    def settle_some(self) -> None:
        """Let workers acknowledge or fail several jobs in one round."""
        jids = self.dice.sample(sorted(self.reserved), min(len(self.reserved), self.dice.randrange(1, 5)))
        fails = {jid for jid in jids if self.dice.random() < 0.35}
        calls: list[Call] = []
        for jid in jids:
            client, jobs = self.workers[self.reserved[jid]], self.bench.broker.jobs
            if jid in fails:
                calls += client.send(jobs.fail(client.session, FailReport(jid=jid)))
            else:
                calls += client.send(jobs.acknowledge(client.session, jid))
        if self.dice.random() < 0.1 and self.kind.durable:
            self.bench.shop.turn(self.dice.randrange(4))
            self.kill()
        else:
            self.bench.shop.until(lambda: all(call.done for call in calls))
        for jid in jids:
            self.note_end(jid, "failed" if jid in fails else "succeeded")

    def cancel(self) -> None:
        """Cancel a job, wherever it is."""
        self.operate(self.bench.broker.jobs.cancel, ("queued", "retries", "working", "dead"))

    def requeue(self) -> None:
        """Enqueue a job that waits for a retry, or is dead."""
        jids = self.held(("retries", "dead"))
        if jids:
            self.carry_out(self.bench.broker.jobs.run_now(self.dice.choice(jids)))

    def tend(self) -> None:
        """Let the server look at its batches."""
        self.carry_out(self.bench.broker.batch_care.tend())
        assert self.bench.repaired() == 0

    def operate(self, act: Callable[[str], Verb[None]], places: tuple[Place, ...]) -> None:
        """Let an operator do something to some job."""
        jids = self.held(places)
        if not jids:
            return
        jid = self.dice.choice(jids)
        was = self.bench.shop.held(jid)
        assert was is not None
        self.carry_out(act(jid))
        now = self.bench.shop.held(jid)
        if now is None and was.place != "dead":
            self.note_lost(jid)
        elif now is not None and now.cancelled and jid in self.jobs:
            self.jobs[jid].members[jid].cancelled = True

    # What the model makes of it.

    def note_end(self, jid: str, end: Fate) -> None:
        """A worker reported on a job; whether that was carried out is seen from where the job is now."""
        now = self.bench.shop.held(jid)
        if now is not None and now.place == "working":
            return
        del self.reserved[jid]
        if end == "succeeded":
            assert now is None
            self.note(jid, "succeeded")
        elif now is None or now.place == "dead":
            self.note_lost(jid)
        else:
            self.note(jid, "failed")

    def note_lost(self, jid: str) -> None:
        """A job is dead or gone without success."""
        self.note(jid, "lost")

    def note(self, jid: str, fate: Fate) -> None:
        """Something happened to a member or to a callback."""
        if jid in self.jobs:
            found = self.jobs[jid].members[jid]
            found.fate = "lost" if found.fate == "lost" else fate
        elif fate != "failed":
            batch, callback = self.callbacks[jid]
            if fate == "lost" and callback not in batch.ended:
                batch.lost_callbacks.add(callback)
            batch.ended.add(callback)

    def check(self) -> None:
        """Compare the callbacks that are there with those that must be."""
        for _ in self.batches:  # as often as a callback of the deepest batch may move the ones above it
            for known in self.batches.values():
                self.check_callbacks(known)
        for known in self.batches.values():
            told = self.bench.status(known.bid)
            waiting = sum(one.fate == "waiting" for one in known.members.values())
            assert (told.total, told.pending) == (len(known.members), waiting)
            assert told.committed == known.committed

    def check_callbacks(self, known: Expected) -> None:
        """No callback before its time, and none late."""
        for callback in ("complete", "success", "death"):
            jid = f"{known.bid}-{callback}"
            named: Callback = callback
            if self.bench.shop.held(jid) is not None and named not in known.enqueued:
                assert named in known.due(), f"{jid} came before its time"
                known.enqueued.add(named)
                self.callbacks[jid] = (known, named)
        assert known.due() <= known.enqueued, f"{known.bid} waits for {known.due() - known.enqueued}"
        for callback in known.ended - known.lost_callbacks:
            assert self.bench.shop.held(f"{known.bid}-{callback}") is None, "a callback came twice"
        assert set(self.bench.callback_jids(known.bid)) <= {f"{known.bid}-{one}" for one in known.wanted}

    def drain(self) -> None:
        """Let everything come to its end."""
        for known in self.batches.values():
            self.bench.commit(known.bid)
            known.committed = True
        self.check()
        while jids := self.held(("queued", "retries", "working")):
            for jid in jids:
                held = self.bench.shop.held(jid)
                if held is not None and held.place == "retries":
                    self.bench.shop.ask(self.bench.broker.jobs.run_now(jid))
            worker = self.workers["worker-1"]
            for jid in self.bench.shop.fetch(worker, "default", QUEUE, count=10):
                self.reserved[jid] = "worker-1"
            for jid, wid in sorted(self.reserved.items()):
                self.bench.shop.acknowledge(self.workers[wid], jid)
                self.note_end(jid, "succeeded")
                self.check()
        for known in self.batches.values():
            assert known.settled
            assert ("complete" in known.enqueued) == ("complete" in known.wanted)
            well = known.well or "success" in known.lost_callbacks
            assert ("success" in known.enqueued) == ("success" in known.wanted and well)
        for _ in range(3):
            self.tend()

    # What there is.

    def any_batch(self) -> Expected | None:
        return self.dice.choice(list(self.batches.values())) if self.batches else None

    def bids(self) -> set[str]:
        return {told["bid"] for told in self.bench.shop.ask(self.bench.broker.batch_view.list())}

    def held(self, places: tuple[Place, ...]) -> list[str]:
        every = [*self.jobs, *self.callbacks]
        found: dict[str, Held] = self.bench.shop.run(self.bench.shop.store.inner.load(every, [])).jobs
        return sorted(jid for jid, held in found.items() if held.place in places)


STEP_KINDS: tuple[tuple[Callable[[History], None], int], ...] = (
    (History.new, 2),
    (History.push, 6),
    (History.open, 1),
    (History.commit, 3),
    (History.fetch, 6),
    (History.settle_some, 8),
    (History.cancel, 1),
    (History.requeue, 3),
    (History.kill, 1),
    (History.tend, 1),
)


@pytest.fixture
def histories(tmp_path: Path) -> Iterator[list[History]]:
    made: list[History] = []
    yield made
    for history in made:
        history.bench.close()


LIVES = [pytest.param(kind, seed, id=f"{kind.name}-{seed}") for kind in STORES for seed in range(part_of(SEEDS, kind))]


@pytest.mark.parametrize(("kind", "seed"), LIVES)
def test_every_callback_comes_exactly_as_often_as_promised_and_never_before_its_time(
    kind: Kind, seed: int, tmp_path: Path, histories: list[History]
) -> None:
    history = History(kind, tmp_path, seed)
    histories.append(history)
    steps, weights = zip(*STEP_KINDS, strict=True)
    for step in history.dice.choices(steps, weights, k=STEPS):
        step(history)
        history.check()
    history.drain()
