"""Faults are put in behind the broker's back: a pass over the batches mends each, and counts it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from shopfloor.broker import batch_care
from shopfloor.core import batch
from shopfloor.core.batch import BATCH
from shopfloor.core.changes import Note, Put
from shopfloor.core.job import QUEUED
from tests.broker.batch_bench import (
    BOTH,
    QUEUE,
    Bench,
    after,
    before_the_next_commit,
    every_batch,
    inject,
    rewritten,
    vanish,
)
from tests.jobs import job
from tests.stores import DURABLE_STORES, STORES, Kind


@pytest.fixture(params=STORES, ids=lambda kind: kind.name)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    kind: Kind = request.param
    made = Bench(kind.make(tmp_path))
    yield made
    made.close()


def test_a_member_that_vanished_counts_as_lost(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", "job-0002")
    bench.push(bid, "job-0003", retry=-1)
    bench.commit(bid)
    bench.work("job-0001")
    vanish(bench, "job-0002")
    bench.tend()
    assert (bench.repaired(), bench.status(bid).pending, bench.status(bid).lost) == (1, 1, 1)
    bench.fail("job-0003")
    assert bench.all_called() == [(bid, "complete")]
    bench.tend()
    assert bench.repaired() == 1


def test_a_vanished_member_is_found_among_others_that_died(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", "job-0002", retry=-1)
    bench.commit(bid)
    bench.fail("job-0001")
    vanish(bench, "job-0002")
    bench.tend()
    assert bench.repaired() == 1
    assert bench.all_called() == [(bid, "complete")]


def test_a_member_that_vanished_between_its_retries_counts_as_lost(bench: Bench) -> None:
    bid = bench.new(**BOTH, death=after())
    bench.push(bid, "job-0001")
    bench.commit(bid)
    bench.fail("job-0001")
    vanish(bench, "job-0001")
    bench.tend()
    assert bench.repaired() == 1
    assert [which for _, which in bench.all_called()] == ["complete", "death"]


def test_a_large_batch_is_counted_when_nothing_has_happened_to_it_for_a_pass(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_care, "RECOUNT_MAX", 1)
    monkeypatch.setattr(batch_care, "STEP", 2)
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", "job-0002", "job-0003", "job-0004", "job-0005", "job-0006", retry=-1)
    bench.commit(bid)
    bench.fail("job-0001")
    bench.tend()
    bench.tend()
    vanish(bench, "job-0002")
    bench.fail("job-0003")
    bench.tend()
    assert bench.repaired() == 0
    bench.tend()
    assert bench.repaired() == 1
    assert bench.status(bid).pending == 3
    bench.tend()
    bench.tend()
    assert bench.repaired() == 1


@pytest.mark.parametrize("callback", ["complete", "success"])
def test_a_callback_that_vanished_lets_the_batch_go_on(bench: Bench, callback: str) -> None:
    parent = bench.new(complete=after())
    child = bench.new(**BOTH if callback == "complete" else {"success": after()}, parent_bid=parent)
    bench.commit(parent)
    bench.commit(child)
    vanish(bench, *bench.shop.queued(QUEUE))
    bench.tend()
    assert bench.repaired() == 1
    assert bench.all_called() == [(parent, "complete")]


def test_another_callback_that_is_held_does_not_hide_one_that_vanished(bench: Bench) -> None:
    bid = bench.new(**BOTH, death=after("Death"))
    bench.push(bid, "job-0001", retry=0)
    bench.commit(bid)
    bench.fail("job-0001")
    (jid,) = [jid for jid in bench.shop.queued(QUEUE) if "complete" in jid]
    vanish(bench, jid)
    bench.tend()
    assert (bench.repaired(), bench.states(bid)) == (1, "2/")


def test_a_declared_callback_that_vanished_lets_the_batch_go_on(bench: Bench) -> None:
    step = {"jobs": [{"jobtype": "Work", "args": [], "jid": "job-0001"}]}
    owner = bench.new(jobs=[], complete=step)
    bench.tend()
    assert bench.repaired() == 0
    (born,) = [one.bid for one in every_batch(bench) if one.origin_bid == owner]
    inject(bench, (Note(BATCH, born, None, bench.shop.run(bench.shop.store.inner.records(BATCH))[born].version),))
    bench.tend()
    assert (bench.repaired(), bench.states(owner)) == (1, "2/")


def test_a_child_that_vanished_counts_as_lost(bench: Bench) -> None:
    parent = bench.new(**BOTH)
    child = bench.new(**BOTH, parent_bid=parent)
    bench.commit(parent)
    version = bench.shop.run(bench.shop.store.inner.records(BATCH))[child].version
    inject(bench, (Note(BATCH, child, None, version),))
    bench.tend()
    assert bench.repaired() == 1
    assert bench.all_called() == [(parent, "complete")]


def test_a_callback_that_was_never_enqueued_is_enqueued(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    inject(bench, rewritten(bench, bid, partial(batch.committed, now=bench.shop.clock.now)))
    bench.tend()
    assert bench.repaired() == 1
    assert bench.all_called() == [(bid, "complete"), (bid, "success")]


def test_a_batch_that_moves_while_it_is_looked_at_is_not_mended(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", "job-0002")
    bench.commit(bid)
    assert bench.shop.fetch(bench.worker, count=2) == ["job-0001", "job-0002"]
    for jid in ("job-0001", "job-0002"):
        bench.shop.server.send(bench.broker.batch_care.tend())
        bench.shop.turn()
        bench.worker.send(bench.broker.jobs.acknowledge(bench.worker.session, jid))
        bench.shop.turn(5)
    bench.tend()
    assert bench.repaired() == 0
    assert bench.all_called() == [(bid, "complete"), (bid, "success")]


def test_a_job_whose_batch_was_changed_by_another_server_is_decided_anew(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    assert bench.shop.fetch(bench.worker) == ["job-0001"]
    changed = rewritten(bench, bid, lambda before: msgspec.structs.replace(before, description="changed"))
    bench.shop.store.meanwhile = before_the_next_commit(bench, changed)
    bench.shop.acknowledge(bench.worker, "job-0001")
    assert (bench.status(bid).succeeded, bench.status(bid).description) == (1, "changed")


def test_a_callback_whose_jid_is_taken_at_the_last_moment_still_comes(bench: Bench) -> None:
    bid = bench.new(complete=after() | {"jid": "taken-jid"})
    bench.push(bid, "job-0001")
    bench.commit(bid)
    assert bench.shop.fetch(bench.worker) == ["job-0001"]
    bench.shop.store.meanwhile = before_the_next_commit(bench, (Put(job("taken-jid"), QUEUED),))
    bench.shop.acknowledge(bench.worker, "job-0001")
    assert bench.states(bid) == "1/"
    assert len(bench.shop.queued(QUEUE)) == 1


@pytest.mark.parametrize("kind", DURABLE_STORES, ids=lambda kind: kind.name)
def test_what_vanished_is_found_after_a_start_too(kind: Kind, tmp_path: Path) -> None:
    bench = Bench(kind.make(tmp_path))
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    vanish(bench, "job-0001")
    bench.close()
    bench = Bench(kind.make(tmp_path), clock=bench.shop.clock)
    bench.tend()
    assert bench.repaired() == 1
    assert bench.all_called() == [(bid, "complete")]
    bench.close()
