"""Several clients at once, with every feature: what they do, and what the simulation remembers of it.

Nothing is asked one after the other: commands of several clients are under way in the same rounds, and the server may
be killed between any two of them. What must hold whatever happens is in `crowd_rules`.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from msgspec import Raw, Struct

from shopfloor.broker.asks import Verb
from shopfloor.broker.calls import Call
from shopfloor.broker.context import BrokerLimits
from shopfloor.core.batch import BATCH
from shopfloor.core.job import Held, TimedPlace
from shopfloor.core.mutation import Filter, Mutation
from shopfloor.core.payload import PushedJob
from shopfloor.core.retry import FailReport
from shopfloor.core.throttle import Limit, Table, Throttle
from shopfloor.core.tracking import Report
from shopfloor.core.workers import Worker
from shopfloor.errors import Refused, StoreUnavailable
from tests.broker.batch_bench import read
from tests.broker.failing_store import never
from tests.broker.shop import Client, Shop
from tests.stores import EMBEDDED, Kind

QUEUES = ("default", "two", "callbacks")
WORKERS = ("worker-1", "worker-2", "worker-3", "")
LIMITS = BrokerLimits(batch_open_seconds=1e9, batch_kept_seconds=1e9)
TABLE = Table(
    (
        Throttle(kind="queue", name="two", limit=Limit(concurrency=2)),
        Throttle(kind="type", name="Narrow", limit=Limit(concurrency=2)),
        Throttle(kind="key", name="*", limit=Limit(worker=1)),
    )
)
FEATURES: tuple[dict[str, Any], ...] = (
    {"unique_for": 1e6},
    {"unique_for": 1e6, "unique_until": "start"},
    {"unique_for": 20},
    {"track": 1},
    {"throttle": "key-1"},
    {"expires_in": 60},
)
TIMED: tuple[TimedPlace, ...] = ("scheduled", "retries", "dead")
ALL = 100_000


class Begun(Struct, frozen=True):
    """A worker heard of a job: from then on its slot is taken."""

    wid: str
    position: int
    """One that was given back meanwhile has another."""


class Crowd:
    """One life of a server with many clients, step by random step."""

    def __init__(self, seed: int, kind: Kind, folder: Path) -> None:
        self.dice = Random(seed)
        self.kind = kind
        self.folder = folder
        self.lives = 0
        self.made = 0
        self.begun: dict[str, Begun] = {}
        self.fetching: list[Call] = []
        self.shop = self._open()

    def _open(self) -> Shop:
        clock = self.shop.clock if self.lives else None
        where = self.folder / str(self.lives if self.kind is EMBEDDED else 0)
        where.mkdir(exist_ok=True)
        shop = Shop(self.kind.make(where), limits=LIMITS, dice=self.dice.randrange, clock=clock)
        shop.broker.throttles.apply(TABLE)
        self.workers = {wid: shop.client(wid) for wid in WORKERS}
        return shop

    def kill(self) -> None:
        """End the server as a kill does; whatever was under way is never answered."""
        if not self.kind.durable:
            return
        self._hear()
        before, self.lives = self.folder / str(self.lives), self.lives + 1
        if self.kind is EMBEDDED:
            shutil.copytree(before, self.folder / str(self.lives), ignore=shutil.ignore_patterns("*-shm"))
        self.shop.close()
        self.fetching.clear()
        self.shop = self._open()

    def step(self, look: Callable[["Crowd"], None]) -> None:
        """Let several clients act at once, and something go wrong meanwhile; `look` behind every round."""
        dice = self.dice
        for _ in range(dice.choice((1, 2, 4, 8))):
            deeds, weights = zip(*DEEDS, strict=True)
            dice.choices(deeds, weights)[0](self)
        if dice.random() < 0.1:
            failures = iter([None] * dice.randrange(3) + [StoreUnavailable("on cue")])
            self.shop.store.cue = lambda verb: next(failures, None) if verb == "commit" else None
        for _ in range(dice.choice((1, 1, 2, 4))):
            self.shop.turn()
            self._hear()
            look(self)
        self.shop.store.cue = never
        if dice.random() < 0.04:
            self.kill()
        self.shop.let_pass(dice.choice((0.0, 0.0, 0.1, 1.5, 10.0)))

    def send(self, verb: Verb[Any], client: Client | None = None) -> Call:
        """Send a command; it begins with the next round."""
        (call,) = (client or self.shop.server).send(verb)
        return call

    # Producers.

    def new(self) -> None:
        """Make a batch, under another one perhaps, with callbacks that may be batches."""
        definition: dict[str, Any] = {
            name: self._callback(2) for name in ("complete", "success", "death") if self._odds(0.6)
        }
        if self._odds(0.5) and (bid := self._any_bid()):
            definition["parent_bid"] = bid
        if self._odds(0.2):
            definition["jobs"] = [self._job() for _ in range(self.dice.randrange(3))]
        self.send(self.shop.broker.batches.new(read(**definition)))

    def push(self) -> None:
        """Push a job, mostly into a batch, which may take it or not."""
        self.made += 1
        job = self._job()
        custom = job["custom"]
        bid = self._any_bid()
        if bid and self._odds(0.7):
            custom["bid"] = bid
        if self._odds(0.1):
            custom["_batch"] = {"jobs": [self._job()], "success": self._callback(1)}
        pushed = PushedJob(
            jid=f"job-{self.made:05}",
            jobtype=job["jobtype"],
            queue=job["queue"],
            args=Raw(json.dumps(job["args"]).encode()),
            custom=Raw(json.dumps(custom).encode()),
            retry=self.dice.choice((25, 25, 0, -1)),
        )
        self.send(self.shop.broker.jobs.push(pushed))

    def open(self) -> None:
        """Open a batch."""
        if bid := self._any_bid():
            self.send(self.shop.broker.batches.open(bid))

    def commit(self) -> None:
        """Commit a batch."""
        if bid := self._any_bid():
            self.send(self.shop.broker.batches.commit(bid))

    # Workers.

    def fetch(self) -> None:
        """Let a worker ask for jobs; it may hang up before they come."""
        client = self.workers[wid := self.dice.choice(WORKERS)]
        queues = self.dice.sample(QUEUES, self.dice.randint(1, 3))
        call = self.send(self.shop.broker.fetching.fetch(client.session, queues, self.dice.choice((1, 2, 5))), client)
        if self._odds(0.1):
            client.hang_up()
            self._reconnect(wid)
        else:
            self.fetching.append(call)

    def _reconnect(self, wid: str) -> None:
        """Connect again; nothing happens before the next round."""
        client = self.workers[wid] = Client(self.shop)
        if wid:
            now = self.shop.clock.now
            worker = Worker(wid=wid, started_at=now, beat_at=now)
            client.session.wid = wid
            self.send(self.shop.broker.fleet.join(client.session, worker, client.hang_up), client)

    def settle(self) -> None:
        """Acknowledge, fail or give back what one worker has, sometimes twice, sometimes another's."""
        working = self.shop.run(self.shop.store.inner.reservations())
        if not working:
            return
        held = self.dice.choice(working)
        client = self.workers[held.wid if self._odds(0.95) else self.dice.choice(WORKERS)]
        jobs, jid = self.shop.broker.jobs, held.job.jid
        for _ in range(1 + self._odds(0.1)):
            how = self.dice.random()
            if how < 0.6:
                self.send(jobs.acknowledge(client.session, jid), client)
            elif how < 0.85:
                self.send(jobs.fail(client.session, FailReport(jid=jid)), client)
            else:
                self.send(jobs.give_back(client.session, jid), client)

    def report(self) -> None:
        """Tell how far a job is."""
        working = self.shop.run(self.shop.store.inner.reservations())
        if working:
            held = self.dice.choice(working)
            client = self.workers[held.wid]
            self.send(self.shop.broker.tracking.tell(client.session, Report(jid=held.job.jid, percent=5)), client)

    def die(self) -> None:
        """A worker is not heard of for so long that it is dead."""
        self.shop.clock.now += 70
        self.send(self.shop.broker.upkeep.reap_workers())

    # Operators, and the server itself.

    def cancel(self) -> None:
        """Cancel a job, wherever it is."""
        every = list(self.everything())
        if every:
            self.send(self.shop.broker.jobs.cancel(self.dice.choice(every).job.jid))

    def mutate(self) -> None:
        """Throw away, kill or enqueue what waits for its time."""
        command, target = self.dice.choice((("kill", "retries"), ("discard", "scheduled"), ("requeue", "retries")))
        filter_ = Filter(pattern=f"*{self.dice.randrange(10)}*")
        self.send(self.shop.broker.mutations.mutate(Mutation(command=command, target=target, filter=filter_)))  # type: ignore[arg-type]

    def tend(self) -> None:
        """Let the server do what it does by itself."""
        upkeep, broker = self.shop.broker.upkeep, self.shop.broker
        passes: tuple[Callable[[], Verb[None]], ...] = (
            lambda: upkeep.promote("scheduled"),
            lambda: upkeep.promote("retries"),
            upkeep.reap_reservations,
            upkeep.drop_ended_locks,
            broker.throttles.reconcile,
            broker.batch_care.tend,
            broker.tracking.purge,
        )
        self.send(self.dice.choice(passes)())

    # What there is.

    def everything(self) -> Iterator[Held]:
        """List every job."""
        shop, store = self.shop, self.shop.store.inner
        yield from shop.run(store.reservations())
        for queue in shop.run(store.queues()):
            yield from shop.run(store.peek(queue.name, 0, ALL))
        for place in TIMED:
            yield from shop.run(store.browse(place, None, ALL)).jobs

    def _hear(self) -> None:
        """Note which jobs workers have heard of."""
        for call in [call for call in self.fetching if call.done]:
            self.fetching.remove(call)
            assert call.error is None or isinstance(call.error, Refused | StoreUnavailable)
            for held in call.result or ():
                self.begun[held.job.jid] = Begun(held.wid, held.position)

    def _any_bid(self) -> str:
        records = self.shop.run(self.shop.store.inner.records(BATCH))
        return self.dice.choice(sorted(records)) if records else ""

    def _callback(self, depth: int) -> dict[str, Any]:
        """Describe a callback: a job, or a batch with jobs and callbacks of its own."""
        if depth and self._odds(0.3):
            return {"jobs": [self._job()], "success": self._callback(depth - 1)}
        return {"jobtype": "After", "args": [], "queue": "callbacks", "custom": {"track": 1}}

    def _job(self) -> dict[str, Any]:
        custom: dict[str, Any] = {}
        for feature in self.dice.sample(FEATURES, self.dice.choice((0, 1, 1, 2, 3))):
            custom |= feature
        jobtype, queue = self.dice.choice(("Wide", "Narrow")), self.dice.choice(QUEUES[:2])
        return {"jobtype": jobtype, "queue": queue, "args": [self.dice.randrange(3)], "custom": custom}

    def _odds(self, odds: float) -> bool:
        return self.dice.random() < odds


DEEDS: tuple[tuple[Callable[[Crowd], None], int], ...] = (
    (Crowd.new, 2),
    (Crowd.push, 8),
    (Crowd.open, 2),
    (Crowd.commit, 4),
    (Crowd.fetch, 8),
    (Crowd.settle, 12),
    (Crowd.report, 1),
    (Crowd.die, 1),
    (Crowd.cancel, 1),
    (Crowd.mutate, 1),
    (Crowd.tend, 4),
)
