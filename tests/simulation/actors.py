"""Those who use the server in a simulation: producers, workers of every kind of conduct, an operator, the upkeep."""

from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

from shopfloor.core.job import Held
from shopfloor.core.mutation import Command, Filter, Mutation
from shopfloor.core.retry import FailReport
from shopfloor.core.timestamps import format_timestamp
from shopfloor.core.workers import Worker
from shopfloor.errors import StoreUnavailable
from tests.broker.shop import Client
from tests.jobs import pushed
from tests.simulation import moves
from tests.simulation.moves import Known, State
from tests.simulation.world import QUEUES, TIMED, World


class Actor(Protocol):
    """Does one thing when its turn comes."""

    def act(self) -> None:
        """Do something."""

    def reconnect(self) -> None:
        """The server has started again."""


def always_fails(jid: str) -> bool:
    """Some jobs never succeed."""
    return int(jid[-5:]) % 6 == 1


def kills_its_worker(jid: str) -> bool:
    """Some jobs are poison."""
    return int(jid[-5:]) % 17 == 3


class Producer:
    """Pushes jobs, one by one, scheduled, in bulk, or the same one again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = count()
        self.reconnect()

    def reconnect(self) -> None:
        """Connect."""
        self._client = self._world.shop.client()

    def act(self) -> None:
        """Push something."""
        dice = self._world.dice.random()
        if dice < 0.1:
            self._push_bulk()
        elif dice < 0.2 and self._world.held:
            self._push_again(self._world.dice.choice(sorted(self._world.held)))
        else:
            for _ in range(self._world.dice.randint(1, 3)):
                self._push()

    def _push(self) -> None:
        world, jid = self._world, self._make()
        world.tell(f"push {jid}")
        verb = world.shop.broker.jobs.push(self._pushed(jid))
        world.send(self._client, verb, moves.push((jid,)), lambda answer: self._promise(answer, jid))

    def _push_bulk(self) -> None:
        world = self._world
        jids = [self._make() for _ in range(world.dice.randint(2, 20))]
        world.tell(f"push {jids[0]} to {jids[-1]}")
        verb = world.shop.broker.jobs.push_bulk([self._pushed(jid) for jid in jids])

        def promise(answer: Any) -> None:
            assert answer == {} or isinstance(answer, StoreUnavailable)
            for jid in jids:
                self._promise(answer, jid)

        world.send_long(self._client, verb, moves.push(jids), promise)

    def _push_again(self, jid: str) -> None:
        """Repeat a push that was acknowledged: it adds nothing while the job is held."""
        world = self._world
        world.tell(f"push {jid} again")
        verb = world.shop.broker.jobs.push(self._pushed(jid))
        world.send(self._client, verb, moves.push((jid,)), lambda answer: self._promise(answer, jid))

    def _promise(self, answer: Any, jid: str) -> None:
        if answer is None or answer == {}:
            self._world.promised.add(jid)
        else:
            assert isinstance(answer, StoreUnavailable), answer

    def _make(self) -> str:
        dice = self._world.dice
        jid = f"job-{next(self._numbers):05}"
        at = self._world.clock.now + dice.uniform(1, 200) if dice.random() < 0.3 else 0.0
        retry = dice.choice((0, 1, 2, 25, -1))
        self._world.pushed[jid] = Known(jid, dice.choice(QUEUES), retry, at, 0.0, False)
        return jid

    def _pushed(self, jid: str) -> Any:
        known = self._world.pushed[jid]
        at = format_timestamp(known.at) if known.at else None
        return pushed(jid, known.queue, retry=known.retry, at=at)


class WorkerProcess:
    """Fetches and settles jobs; it may stall, lose its connection, die, and settle late what is no longer its own."""

    def __init__(self, world: World, name: str, *, anonymous: bool = False) -> None:
        self._world = world
        self._name = name
        self._anonymous = anonymous
        self._lives = count()
        self._fetching = False
        self.holding: list[str] = []
        self._be_born()

    def act(self) -> None:
        """Do one of the things that workers do, or that happen to them."""
        if self._client.session.closed:
            self.reconnect()
            return
        deeds: list[tuple[float, Callable[[], None]]] = [
            (0.35, self._fetch),
            (0.35, self._settle),
            (0.15, self._beat),
            (0.09, self._stall),
            (0.03, self.hang_up),
            (0.03, self._die),
        ]
        dice = self._world.dice.random()
        for likely, deed in deeds:
            dice -= likely
            if dice < 0:
                deed()
                return

    def reconnect(self) -> None:
        """Connect with the same wid, still believing to hold what it held."""
        self._fetching = False
        self._client = Client(self._world.shop)
        if not self._wid:
            return
        now = self._world.clock.now
        worker = Worker(wid=self._wid, started_at=now, beat_at=now)
        self._client.session.wid = self._wid
        join = self._world.shop.broker.fleet.join(self._client.session, worker, self._client.hang_up)
        self._world.send(self._client, join, moves.nothing())

    def _be_born(self) -> None:
        self._wid = "" if self._anonymous else f"{self._name}-{next(self._lives)}"
        self.holding.clear()
        self.reconnect()

    def _fetch(self) -> None:
        if self._fetching:
            return
        world, dice = self._world, self._world.dice
        queues = tuple(dice.sample(QUEUES, dice.randint(1, 3)))
        self._fetching = True
        verb = world.shop.broker.fetching.fetch(self._client.session, queues, dice.choice((1, 1, 3)))
        world.send_long(self._client, verb, moves.fetch(queues, self._wid), self._fetched)

    def _fetched(self, answer: Any) -> None:
        self._fetching = False
        if isinstance(answer, StoreUnavailable):
            return
        got: list[Held] = list(answer)
        self.holding += [held.job.jid for held in got]
        for held in got:
            self._world.tell(f"{self._wid or 'nobody'} has {held.job.jid}")
            assert held.wid == self._wid
            known = self._world.pushed[held.job.jid]
            assert (held.job.queue, held.job.retry) == (known.queue, known.retry)
        if any(kills_its_worker(held.job.jid) for held in got) and not self._anonymous:
            self._die()

    def _settle(self) -> None:
        if not self.holding:
            return
        world, dice = self._world, self._world.dice
        jobs, session = world.shop.broker.jobs, self._client.session
        jid = self.holding.pop(dice.randrange(len(self.holding)))
        how = dice.random()
        world.tell(f"{self._wid or 'nobody'} settles {jid}: {how:.2f}")
        if how < 0.6 and not always_fails(jid):
            world.send(self._client, jobs.acknowledge(session, jid), moves.acknowledge((jid,), self._wid))
        elif how < 0.7 and not always_fails(jid):
            jids = [jid, *self.holding]
            self.holding.clear()
            world.send_long(self._client, jobs.acknowledge_bulk(session, jids), moves.acknowledge(jids, self._wid))
        elif how < 0.9:
            world.send(self._client, jobs.fail(session, FailReport(jid=jid)), moves.fail(jid, self._wid))
        else:
            world.send(self._client, jobs.give_back(session, jid), moves.give_back(jid, self._wid))

    def _beat(self) -> None:
        if self._wid:
            beat = self._world.shop.broker.fleet.beat(self._client.session, self._wid, "", 1)
            self._world.send(self._client, beat, moves.nothing())

    def _stall(self) -> None:
        """Nothing is heard of it for some of its turns."""

    def hang_up(self) -> None:
        """Its connection breaks; it will come back with the same wid."""
        if not self._client.session.closed:
            self._world.tell(f"{self._wid or 'nobody'} hangs up")
            self._leave()

    def _die(self) -> None:
        """It is killed; another process takes its place under a wid of its own."""
        self._world.tell(f"{self._wid or 'nobody'} dies")
        self._leave()
        self._be_born()

    def _leave(self) -> None:
        self._client.hang_up()
        if self._wid:
            leave = self._world.shop.broker.fleet.leave(self._client.session)
            self._world.send(self._world.shop.server, leave, moves.nothing())


class Operator:
    """Pauses, mutates, cancels, removes queues, and very rarely flushes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reconnect()

    def reconnect(self) -> None:
        """Connect."""
        self._client = self._world.shop.client()

    def act(self) -> None:
        """Do one of these things."""
        dice = self._world.dice
        dice.choices((self._pause, self._cancel, self._mutate, self._remove, self._flush), (40, 30, 25, 3, 1))[0]()

    def _pause(self) -> None:
        world = self._world
        queue, paused = world.dice.choice(QUEUES), world.dice.random() < 0.4
        world.tell(f"{'pause' if paused else 'resume'} {queue}")
        world.send(self._client, world.shop.broker.queues.pause((queue,), paused), moves.nothing())

    def _cancel(self) -> None:
        world = self._world
        if world.held:
            jid = world.dice.choice(sorted(world.held))
            world.tell(f"cancel {jid}")
            world.cancelled.add(jid)
            world.send(self._client, world.shop.broker.jobs.cancel(jid), moves.cancel(jid))

    def _mutate(self) -> None:
        world, dice = self._world, self._world.dice
        command: Command = dice.choice(("kill", "requeue", "requeue", "discard", "clear"))
        target = dice.choice(TIMED)
        wanted = dice.choice((Filter(), Filter(jobtype="Work"), Filter(pattern=f"*job-???{dice.randrange(10)}*")))
        world.tell(f"{command} {target} {wanted}")
        mutation = Mutation(command=command, target=target, filter=wanted)
        world.send_long(
            self._client, world.shop.broker.mutations.mutate(mutation), moves.mutate(command, State(target))
        )

    def _remove(self) -> None:
        world = self._world
        queue = world.dice.choice(QUEUES)
        world.tell(f"remove {queue}")
        world.send_long(self._client, world.shop.broker.queues.remove((queue,)), moves.remove(queue))

    def _flush(self) -> None:
        self._world.tell("flush")
        self._world.send_long(self._client, self._world.shop.broker.mutations.flush(), moves.flush())


class Keeper:
    """The server's own passes, at random moments."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reconnect(self) -> None:
        """It is a part of the server."""

    def act(self) -> None:
        """Begin one of the passes."""
        self.begin(self._world.dice.choice(("promote", "promote", "purge", "reap reservations", "reap workers")))

    def begin(self, name: str) -> None:
        """Begin a pass."""
        world, upkeep = self._world, self._world.shop.broker.upkeep
        world.tell(name)
        server = world.shop.server
        if name == "promote":
            for place in TIMED[:2]:
                world.send_long(server, upkeep.promote(place), moves.promote(State(place), world.clock))
        elif name == "purge":
            world.send_long(server, upkeep.purge_dead(), moves.purge())
        else:
            verb = upkeep.reap_workers() if name == "reap workers" else upkeep.reap_reservations()
            world.send_long(server, verb, moves.reap(world.clock, world.is_lost)).reaps = True
