"""Random lives of a server, each from a seed: whatever clients, clocks, disks and operators do, no rule is broken.

Every round is judged by tests/simulation/moves.py: a job moves only by a command that may move it, an acknowledged
push is never lost, a finished job never comes back, and nobody settles the run of somebody else. In the end the
workers keep working, and then everything that was pushed is done, dead, or was discarded.
"""

import os
from pathlib import Path

import pytest

from shopfloor.core.job import Held
from shopfloor.errors import StoreUnavailable
from shopfloor.store.embedded import boot
from shopfloor.store.embedded import store as embedded
from tests.simulation import moves
from tests.simulation.actors import Actor, Keeper, Operator, Producer, WorkerProcess
from tests.simulation.world import LIMITS, QUEUES, World
from tests.stores import IN_PROCESS, STORES, Kind

STEPS = 400
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "20"))
ONLY = os.environ.get("SIMULATION_SEED", "")
OTHERS_EVERY = 10
STORY_LINES = 80


def _seeds() -> list[int]:
    return [int(ONLY)] if ONLY else list(range(SEEDS))


def _kind(seed: int) -> Kind:
    """Choose the store: a few lives in a hundred are on one that has to be asked through a socket."""
    others = [kind for kind in STORES if kind not in IN_PROCESS]
    if seed % OTHERS_EVERY < len(others):
        return others[seed % OTHERS_EVERY]
    return IN_PROCESS[seed % len(IN_PROCESS)]


class Simulation:
    """A world with its actors, from a seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.world = world = World(seed, _kind(seed), folder)
        self.keeper = Keeper(world)
        workers = [WorkerProcess(world, f"worker-{number}") for number in range(4)]
        nobodies = [WorkerProcess(world, "nobody", anonymous=True) for _ in range(2)]
        self.processes = [*workers, *nobodies]
        self.actors: list[tuple[float, Actor]] = [
            (3, Producer(world)),
            *((2.5, worker) for worker in workers),
            *((1, nobody) for nobody in nobodies),
            (1, Operator(world)),
            (1.5, self.keeper),
        ]

    def live(self) -> None:
        """Let everybody do as they like, then let honest workers finish."""
        for _ in range(STEPS):
            self._step()
        self._finish()

    def _step(self) -> None:
        world, dice = self.world, self.world.dice
        for _ in range(dice.randint(0, 3)):
            weights = [weight for weight, _ in self.actors]
            dice.choices([actor for _, actor in self.actors], weights)[0].act()
        if dice.random() < 0.05:
            self._break_the_store()
        world.shop.store.meanwhile = self._something_happens if dice.random() < 0.2 else None
        world.round()
        world.shop.store.meanwhile = None
        if dice.random() < 0.5:
            world.shop.let_pass(dice.choice((0.01, 0.3, 1.0, 1.0, 5.0, 20.0, 61.0, 400.0)))
        if world.kind.durable and dice.random() < 0.01:
            world.restart(crash=dice.random() < 0.5)
            for _, actor in self.actors:
                actor.reconnect()

    async def _something_happens(self, verb: str) -> None:
        """While the store takes its time, connections break and fetches time out."""
        dice = self.world.dice
        if verb == "commit" and dice.random() < 0.5:
            dice.choice(self.processes).hang_up()
        elif verb == "commit":
            self.world.clock.now += LIMITS.fetch_seconds
            self.world.shop.ticks.release_timed_out()

    def _break_the_store(self) -> None:
        """Let the store refuse, for some time, whatever or only commits."""
        world, dice = self.world, self.world.dice
        left, verbs = [dice.randint(1, 6)], dice.choice((("commit",), ("commit", "load"), ()))
        world.tell(f"the store fails: {left[0]} times")

        def cue(verb: str) -> Exception | None:
            if left[0] and (verb in verbs or not verbs):
                left[0] -= 1
                return StoreUnavailable("on cue")
            return None

        world.shop.store.cue = cue

    def _finish(self) -> None:
        """Everybody goes; the dead give back what they hold; one honest worker does all that is left."""
        world = self.world
        world.everything_works_again()
        self.keeper.begin("reap workers")  # silence counts from when the store was last found to answer
        world.shop.let_pass(LIMITS.fetch_seconds)
        self._settle_down()
        for name in ("reap workers", "reap reservations"):
            world.shop.let_pass(LIMITS.worker_seconds + 1)
            self.keeper.begin(name)
            self._settle_down()
        lost = [held.job.jid for held in world.held.values() if held.place == "working" and held.wid]
        assert not lost, f"their workers are dead, and nobody gave them back: {lost}"
        world.shop.let_pass(301)
        self.keeper.begin("reap reservations")
        self._settle_down()
        assert not [held for held in world.held.values() if held.place == "working"], "it is held for ever"
        world.shop.let_pass(3900)
        self.keeper.begin("promote")
        self._settle_down()
        self._work_off()

    def _settle_down(self) -> None:
        """Run rounds until nothing is under way."""
        while self.world.flights:
            self.world.round()
            self.world.shop.let_pass(LIMITS.fetch_seconds)

    def _work_off(self) -> None:
        world = self.world
        client, jobs = world.shop.client(), world.shop.broker.jobs
        world.send_long(client, world.shop.broker.queues.pause(QUEUES, paused=False), moves.nothing())
        self._settle_down()
        for _ in range(len(world.held) + 2):
            got: list[list[Held]] = []
            fetch = world.shop.broker.fetching.fetch(client.session, QUEUES, 10)
            world.send_long(client, fetch, moves.fetch(QUEUES, ""), got.append)
            self._settle_down()
            for jid in [held.job.jid for held in got[0]]:
                world.send(client, jobs.acknowledge(client.session, jid), moves.acknowledge((jid,), ""))
            self._settle_down()
            if not got[0]:
                break
        left = {jid: held.place for jid, held in world.held.items() if held.place != "dead"}
        assert not left, f"never done: {left}"


@pytest.mark.parametrize("seed", _seeds())
def test_no_rule_is_broken_in_the_life_of(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "FOLD_STEPS", 1 + seed % 50)
    monkeypatch.setattr(boot, "WARM_JOBS_MIN", 1 + seed % 7)
    simulation = Simulation(seed, tmp_path)
    try:
        simulation.live()
    except Exception as error:
        story = "\n".join(simulation.world.story[-STORY_LINES:])
        pytest.fail(f"{error!r}\n{story}\nrun it again: make simulate SEED={seed}", pytrace=False)
    finally:
        simulation.world.close()
