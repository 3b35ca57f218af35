"""Random interleavings of several clients: push, open, commit, fetch, ack, fail, die, cancel, kill -9 and restart.

Behind every step: each callback came exactly if it is due and never twice, counts are those of the jobs that are there,
locks that are held are those of live jobs, slots in use are those of live reservations. In the end no batch is left
behind, no lock and no slot, and nothing had to be repaired.
"""

import os
from pathlib import Path

import pytest

from shopfloor.core import batch, throttle
from shopfloor.core.batch import BATCH
from shopfloor.core.throttle import THROTTLE
from shopfloor.core.timestamps import SECONDS_MAX
from tests.simulation.crowd import QUEUES, Crowd
from tests.simulation.crowd_rules import Judge
from tests.stores import STORES, Kind, part_of

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "12"))
ONLY = os.environ.get("SIMULATION_SEED", "")
STEPS = 100
ROUNDS_MAX = 300


def drain(crowd: Crowd, judge: Judge) -> None:
    """Let everybody finish: all batches are committed, and one honest worker does what is left."""
    shop, broker = crowd.shop, crowd.shop.broker
    shop.turn(60)
    for wid in crowd.workers:
        crowd.workers[wid] = shop.client(wid)
    for bid in shop.run(shop.store.inner.records(BATCH)):
        shop.ask(broker.batches.commit(bid))
    worker = shop.client("honest")
    for _ in range(ROUNDS_MAX):
        judge.look(crowd)
        waiting = [held for held in crowd.everything() if held.place != "dead"]
        if not waiting:
            return
        for held in waiting:
            if held.place == "working":
                shop.acknowledge(crowd.workers.get(held.wid, worker), held.job.jid)
            elif held.place != "queued":
                shop.ask(broker.jobs.run_now(held.job.jid))
        worker.send(broker.fetching.fetch(worker.session, QUEUES, 20))
        shop.turn(6)
        shop.let_pass(3.0)
    raise AssertionError("it never came to an end")


def check_the_end(crowd: Crowd) -> None:
    """Nothing is left behind."""
    shop = crowd.shop
    for record in shop.run(shop.store.inner.records(BATCH)).values():
        assert record.value is not None
        one = batch.decode(record.value)
        assert batch.standing(one) in ("succeeded", "lost"), f"{one.bid} is left behind: {one}"
    shop.ask(shop.broker.upkeep.drop_ended_locks())
    assert shop.run(shop.store.inner.locks(SECONDS_MAX, 9)) == []
    assert not any(throttle.decode(one.value).holders for one in shop.run(shop.store.inner.records(THROTTLE)).values())
    for _ in range(3):
        shop.ask(shop.broker.batch_care.tend())
        shop.ask(shop.broker.throttles.reconcile())
    assert (shop.broker.batch_care.tally.repaired, shop.broker.throttles.repairs) == (0, 0)


def _live(seed: int, kind: Kind, folder: Path) -> None:
    crowd, judge = Crowd(seed, kind, folder), Judge()
    try:
        for _ in range(STEPS):
            crowd.step(judge.look)
        drain(crowd, judge)
        check_the_end(crowd)
    finally:
        crowd.shop.close()


LIVES = [
    pytest.param(kind, seed, id=f"{kind.name}-{seed}")
    for kind in STORES
    for seed in ([int(ONLY)] if ONLY else range(part_of(SEEDS, kind)))
]


@pytest.mark.parametrize(("kind", "seed"), LIVES)
def test_callbacks_slots_and_locks_are_exact_whatever_a_crowd_does(kind: Kind, seed: int, tmp_path: Path) -> None:
    _live(seed, kind, tmp_path)
