"""What the server does for batches by itself: deadlines, forgetting, repairs; and what operators do by hand."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from shopfloor.broker import batch_care
from shopfloor.core import batch
from tests.broker.batch_bench import (
    BOTH,
    Bench,
    after,
    before_the_next_commit,
    every_batch,
    known,
    rewritten,
)
from tests.stores import STORES, Kind


@pytest.fixture(params=STORES, ids=lambda kind: kind.name)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    kind: Kind = request.param
    made = Bench(kind.make(tmp_path))
    yield made
    made.close()


# --- forgetting -----------------------------------------------------------------------------------------------------


def test_an_uncommitted_batch_lives_30_minutes_from_its_last_change(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.tend(1799)
    bench.push(bid, "job-0001")
    bench.tend(1799)
    bench.new(**BOTH, parent_bid=bid)
    bench.tend(1799)
    assert known(bench, bid)
    bench.tend(2)
    assert not known(bench, bid)
    assert bench.broker.batch_care.tally.expired == 2
    bench.work("job-0001")
    assert (bench.due(), bench.repaired()) == ([], 0)


def test_a_reopened_batch_that_nobody_commits_is_forgotten(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    bench.tend(100_000)
    bench.open(bid)
    bench.tend(1801)
    assert not known(bench, bid)


def test_a_parent_does_not_wait_for_a_child_that_was_forgotten(bench: Bench) -> None:
    parent = bench.new(**BOTH)
    child = bench.new(**BOTH, parent_bid=parent)
    bench.push(child, "job-0001")
    bench.commit(parent)
    bench.tend(1801)
    assert (known(bench, child), bench.repaired()) == (False, 0)
    assert bench.all_called() == [(parent, "complete")]


def test_a_child_that_was_made_and_never_used_leaves_no_trace(bench: Bench) -> None:
    parent = bench.new(**BOTH)
    bench.new(**BOTH, parent_bid=parent)
    bench.commit(parent)
    bench.tend(1801)
    assert bench.all_called() == [(parent, "complete"), (parent, "success")]


def test_a_declared_callback_that_is_reopened_and_forgotten_lets_its_owner_go_on(bench: Bench) -> None:
    step = {"jobs": [{"jobtype": "Work", "args": [], "queue": "later"}]}
    owner = bench.new(jobs=[], complete=step, success=after())
    ((_, held),) = [(one.bid, one) for one in every_batch(bench) if one.origin_bid == owner]
    bench.open(held.bid)
    bench.tend(1801)
    assert bench.repaired() == 0
    assert (bench.states(owner), bench.status(owner).lost) == ("2/", 1)


def test_a_batch_is_kept_for_a_day_after_it_is_through(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    bench.tend(10**6)
    bench.work("job-0001")
    bench.all_called()
    bench.tend(86_399)
    assert bench.states(bid) == "2/2"
    bench.tend(2)
    assert (known(bench, bid), bench.broker.batch_care.tally.expired) == (False, 0)


def test_a_batch_that_another_server_commits_at_the_last_moment_is_not_forgotten(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.shop.store.meanwhile = before_the_next_commit(bench, rewritten(bench, bid, partial(batch.committed, now=0.0)))
    bench.tend(1801)
    assert bench.status(bid).committed
    assert bench.broker.batch_care.tally.expired == 0


# --- deadlines ------------------------------------------------------------------------------------------------------


def test_a_deadline_cancels_what_is_not_finished_and_the_callbacks_follow(bench: Bench) -> None:
    bid = bench.new(**BOTH, deadline_in=60)
    bench.push(bid, "job-0001", "job-0002", "job-0003")
    bench.push(bid, "job-0004", at="2030-01-01T00:00:00Z")
    bench.commit(bid)
    bench.work("job-0001")
    bench.fail("job-0002")
    assert bench.shop.fetch(bench.worker) == ["job-0003"]
    bench.tend(59)
    assert bench.status(bid).pending == 2
    bench.tend(1)
    assert (bench.shop.held("job-0002"), bench.shop.held("job-0004")) == (None, None)
    running = bench.shop.held("job-0003")
    assert running is not None
    assert running.cancelled
    assert (bench.states(bid), bench.status(bid).deadline) == ("/", 0)
    bench.shop.fail(bench.worker, "job-0003")
    assert bench.all_called() == [(bid, "complete")]
    bench.tend()
    assert bench.repaired() == 0


def test_a_deadline_does_nothing_to_what_is_finished(bench: Bench) -> None:
    bid = bench.new(**BOTH, deadline_in=60)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    bench.work("job-0001")
    bench.tend(61)
    assert bench.all_called() == [(bid, "complete"), (bid, "success")]


def test_a_deadline_holds_for_a_batch_that_is_open(bench: Bench) -> None:
    bid = bench.new(**BOTH, deadline_in=60)
    bench.push(bid, "job-0001")
    bench.tend(61)
    assert bench.due() == []
    bench.commit(bid)
    assert bench.all_called() == [(bid, "complete")]


def test_a_server_that_dies_while_it_cancels_goes_on_after_its_start(bench: Bench) -> None:
    bid = bench.new(**BOTH, deadline_in=60)
    jids = [f"job-{number:04}" for number in range(batch_care.STEP + 1)]
    bench.push(bid, *jids)
    bench.commit(bid)
    bench.shop.clock.now += 61
    commits = iter([None])
    bench.shop.store.cue = lambda verb: next(commits, OSError("killed")) if verb == "commit" else None
    with pytest.raises(OSError, match="killed"):
        bench.shop.ask(bench.broker.batch_care.tend())
    bench.shop.store.cue = lambda verb: None
    assert bench.status(bid).pending > 0
    bench.tend()
    assert (bench.status(bid).pending, bench.states(bid)) == (0, "1/")


# --- by hand --------------------------------------------------------------------------------------------------------


def test_cancelling_a_batch(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", "job-0002", "job-0003")
    bench.commit(bid)
    bench.work("job-0001")
    assert bench.shop.ask(bench.broker.batch_care.cancel(bid)) == 2
    assert bench.shop.ask(bench.broker.batch_care.cancel(bid)) == 0
    assert bench.all_called() == [(bid, "complete")]
    assert bench.refusal(bench.broker.batch_care.cancel("b-nobody")) == "no such batch b-nobody"


def test_retrying_a_batch_enqueues_what_failed_and_what_died(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.push(bid, "job-0002", retry=-1)
    bench.push(bid, "job-0003", at="2030-01-01T00:00:00Z")
    bench.commit(bid)
    bench.fail("job-0001")
    bench.fail("job-0002")
    assert bench.shop.ask(bench.broker.batch_care.retry(bid)) == 2
    assert sorted(bench.shop.queued()) == ["job-0001", "job-0002"]
    assert bench.shop.ask(bench.broker.batch_care.retry(bid)) == 0
    assert bench.refusal(bench.broker.batch_care.retry("b-nobody")) == "no such batch b-nobody"
