"""The world of a simulation: a broker on a store, the commands under way, and the judgement behind every round."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from shopfloor.broker.asks import Verb
from shopfloor.broker.calls import Call
from shopfloor.broker.context import BrokerLimits
from shopfloor.core import workers
from shopfloor.core.job import Held, TimedPlace
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import Refused, StoreUnavailable
from shopfloor.store.port import Store
from tests.broker.failing_store import never
from tests.broker.shop import Client, Clock, Shop
from tests.simulation.moves import GONE, QUEUED, SCHEDULED, Known, Moves, reachable, state_of
from tests.stores import Kind, Tuning

QUEUES = ("high", "low", "slow")
ROUNDS_MAX = 400
"""A command that is under way for more rounds, and does not wait for a job, goes round in circles."""
RULES = Rules(reserve_seconds_default=300, crashes_max=2, dead_seconds=4000.0)
LIMITS = BrokerLimits(worker_seconds=60.0, worker_grace_seconds=15.0, dead_jobs_max=40)
PATIENCE = workers.Patience(silence_seconds=60.0, grace_seconds=15.0)
TIMED: tuple[TimedPlace, ...] = ("scheduled", "retries", "dead")
ALL = 1_000_000


class Flight(Struct, eq=False):
    """A command under way: what it may do, whose it is, and who wants to hear the reply."""

    call: Call
    moves: Moves
    client: Client
    reply: Callable[[Any], None] | None
    single: bool = True
    """One commit carries it out: where that failed, it did nothing."""
    reaps: bool = False
    """It looks for workers that are lost."""
    rounds: int = 0


class World:
    """Everything but the actors."""

    def __init__(self, seed: int, kind: Kind, folder: Path) -> None:
        self.dice = Random(seed)
        self.clock = Clock()
        self.kind = kind
        self.folder = folder
        self.restarts = 0
        self.flights: list[Flight] = []
        self.held: dict[str, Held] = {}
        self.pushed: dict[str, Known] = {}
        """Every job that was ever sent."""
        self.promised: set[str] = set()
        """Jobs whose push was acknowledged and that have not been seen in the store yet."""
        self.seen: set[str] = set()
        self.cancelled: set[str] = set()
        self.revived: set[str] = set()
        """Jobs that an operator brought back from the dead: their counts no longer bound them."""
        self.lost: set[str] = set()
        self.story: list[str] = []
        self.shop = self._open()

    def tell(self, text: str) -> None:
        """Write the story, which is printed where the simulation fails."""
        self.story.append(f"{self.clock.now:.2f} {text}")

    def send(self, client: Client, verb: Verb[Any], moves: Moves, reply: Callable[[Any], None] | None = None) -> Flight:
        """Send a command that one commit carries out; it begins with the next round."""
        (call,) = client.send(verb)
        flight = Flight(call, moves, client, reply)
        self.flights.append(flight)
        return flight

    def send_long(
        self, client: Client, verb: Verb[Any], moves: Moves, reply: Callable[[Any], None] | None = None
    ) -> Flight:
        """Send a command that takes several commits: where it fails, it may have done a part."""
        flight = self.send(client, verb, moves, reply)
        flight.single = False
        return flight

    def round(self) -> None:
        """Run a round, judge what happened to every job, and hand over the replies."""
        self._note_the_lost()
        self.shop.turn()
        before, self.held = self.held, self._everything()
        commands = [flight.moves for flight in self.flights if not _did_nothing(flight)]
        for jid in before.keys() | self.held.keys():
            self._judge(before.get(jid), self.held.get(jid), commands)
        self.seen |= self.held.keys()
        self._deliver()
        self._check_promises(commands)

    def restart(self, *, crash: bool) -> None:
        """The server stops, or is killed, and starts again: no command under way is ever answered."""
        self.tell("crash" if crash else "restart")
        if crash and self.kind.durable:
            self.restarts += 1
            if not self.kind.shared:
                shutil.copytree(self._place(self.restarts - 1), self._place(self.restarts))
            else:
                self._place(0).mkdir(exist_ok=True)
                self._place(self.restarts).symlink_to(self._place(0))
        self.shop.close()
        self.flights.clear()
        self.shop = self._open()
        found = self._everything()
        assert _bare(found) == _bare(self.held), "a restart changed what is held"
        self.held = found

    def everything_works_again(self) -> None:
        """Let the store fail no more."""
        self.shop.store.cue = never

    def close(self) -> None:
        """Let go of the store."""
        self.shop.close()

    def is_lost(self, wid: str) -> bool:
        """Say whether a worker may be taken for dead: it was, or is, while a pass looks for such workers."""
        return wid in self.lost or self._is_lost_now(wid)

    def _note_the_lost(self) -> None:
        """A pass acts on what it read some rounds ago; forget it only when no pass is under way."""
        if not any(flight.reaps for flight in self.flights):
            self.lost.clear()
            return
        self.lost |= {held.wid for held in self.held.values() if held.wid and self._is_lost_now(held.wid)}

    def _is_lost_now(self, wid: str) -> bool:
        record = self.shop.run(self.shop.store.inner.records(workers.WORKER)).get(wid)
        if not wid or record is None or record.value is None:
            return bool(wid)
        worker = workers.decode(record.value)
        return workers.is_dead(worker, self.clock.now, PATIENCE)

    def _open(self) -> Shop:
        tuning = Tuning(rules=RULES, hot_jobs_max=3)
        store: Store = self.kind.make(self._place(self.restarts), tuning)
        shop = Shop(store, RULES, LIMITS, dice=self.dice.randrange, clock=self.clock)
        shop.store.cue = never
        return shop

    def _place(self, number: int) -> Path:
        return self.folder / str(number)

    def _everything(self) -> dict[str, Held]:
        """Read every job, and check that none is in two places."""
        shop, store = self.shop, self.shop.store.inner
        jobs = list(shop.run(store.reservations()))
        for queue in shop.run(store.queues()):
            jobs += shop.run(store.peek(queue.name, 0, ALL))
        for place in TIMED:
            jobs += shop.run(store.browse(place, None, ALL)).jobs
        by_jid = {held.job.jid: held for held in jobs}
        assert len(by_jid) == len(jobs), "a job is in two places"
        return by_jid

    def _judge(self, before: Held | None, after: Held | None, commands: list[Moves]) -> None:
        """What happened to a job has a cause, and left it as the rules want it."""
        if before is after or before == after:
            return
        held = after or before
        assert held is not None
        known = self._known(held.job.jid, before or after)
        start, end = state_of(before), state_of(after)
        assert start == end or reachable(start, end, known, commands), f"{known.jid}: {start} -> {end} without a cause"
        if start.place == "dead" and end.place in ("queued", "working"):
            self.revived.add(known.jid)
        if after is not None:
            self._check_counts(after)

    def _check_counts(self, held: Held) -> None:
        job = held.job
        if job.jid in self.revived or held.place == "dead":
            return
        assert job.crashes <= RULES.crashes_max, f"{job.jid} should be dead: {job.crashes} crashes"
        assert job.failure is None or job.failure.retry_count < job.retry, f"{job.jid} was retried too often"

    def _check_promises(self, commands: list[Moves]) -> None:
        """An acknowledged job is in the store, or was, or what befell it at once has a cause."""
        for jid in self.promised - self.seen:
            known = self._known(jid, None)
            assert any(reachable(state, GONE, known, commands) for state in (QUEUED, SCHEDULED)), f"{jid} was lost"
        self.promised.clear()

    def _known(self, jid: str, held: Held | None) -> Known:
        known = self.pushed[jid]._replace(cancelled=jid in self.cancelled)
        return known if held is None else known._replace(at=held.at, expires_at=held.expires_at)

    def _deliver(self) -> None:
        """Hand the replies over; whoever hung up hears nothing."""
        flying, self.flights = self.flights, []
        for flight in flying:
            call = flight.call
            if not call.done:
                flight.rounds += call.wait is None
                assert flight.rounds < ROUNDS_MAX, f"{call.verb} goes round in circles"
                self.flights.append(flight)
                continue
            if call.error is not None and not isinstance(call.error, Refused | StoreUnavailable):
                raise call.error
            if flight.reply is not None and not flight.client.session.closed:
                flight.reply(call.error if call.error is not None else call.result)


def _did_nothing(flight: Flight) -> bool:
    return flight.single and flight.call.done and flight.call.error is not None


def _bare(held: dict[str, Held]) -> dict[str, Held]:
    return {jid: msgspec.structs.replace(one, position=0) for jid, one in held.items()}
