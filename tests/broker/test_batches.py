"""What is promised of batches, each promise as a test that names it, on every store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shopfloor.core.mutation import COMMANDS, Filter, Mutation
from tests.broker.batch_bench import BOTH, QUEUE, Bench, after, member
from tests.stores import STORES, Kind


@pytest.fixture(params=STORES, ids=lambda kind: kind.name)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    kind: Kind = request.param
    made = Bench(kind.make(tmp_path))
    yield made
    made.tend()
    assert made.repaired() == 0
    made.close()


# --- when callbacks come --------------------------------------------------------------------------------------------


def test_no_callback_comes_while_the_batch_is_open(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", "job-0002")
    bench.work("job-0001", "job-0002")
    assert (bench.due(), bench.states(bid), bench.status(bid).pending) == ([], "/", 0)
    bench.commit(bid)
    assert bench.due() == [(bid, "complete")]


def test_the_last_acknowledgement_enqueues_the_callback_in_the_same_commit(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    assert bench.shop.fetch(bench.worker) == ["job-0001"]
    commits: list[str] = []
    bench.shop.store.cue = lambda verb: commits.append(verb) if verb == "commit" else None
    bench.shop.acknowledge(bench.worker, "job-0001")
    bench.shop.store.cue = lambda verb: None
    assert commits == ["commit"]
    assert bench.due() == [(bid, "complete")]


def test_the_last_failure_enqueues_the_callback_in_the_same_commit(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    assert bench.shop.fetch(bench.worker) == ["job-0001"]
    commits: list[str] = []
    bench.shop.store.cue = lambda verb: commits.append(verb) if verb == "commit" else None
    bench.shop.fail(bench.worker, "job-0001")
    bench.shop.store.cue = lambda verb: None
    assert commits == ["commit"]
    assert bench.due() == [(bid, "complete")]


def test_the_commit_of_a_batch_with_nothing_pending_enqueues_the_callback(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.work("job-0001")
    bench.commit(bid)
    assert bench.states(bid) == "1/"


def test_an_empty_batch_completes_with_its_commit(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.commit(bid)
    assert bench.all_called() == [(bid, "complete"), (bid, "success")]


def test_complete_comes_before_success_which_waits_for_its_acknowledgement(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    bench.work("job-0001")
    (jid,) = bench.shop.fetch(bench.worker, QUEUE)
    bench.shop.fail(bench.worker, jid)
    assert (bench.states(bid), bench.due()) == ("1/", [])
    bench.shop.clock.now += 60
    bench.shop.ask(bench.broker.upkeep.promote("retries"))
    assert bench.called() == (bid, "complete")
    assert (bench.states(bid), bench.due()) == ("2/1", [(bid, "success")])
    assert bench.called() == (bid, "success")
    assert (bench.states(bid), bench.due()) == ("2/2", [])


def test_each_callback_comes_once_however_often_the_batch_is_committed(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    for _ in range(3):
        bench.commit(bid)
    assert bench.all_called() == [(bid, "complete"), (bid, "success")]
    bench.commit(bid)
    assert bench.due() == []


def test_success_alone_comes_at_once(bench: Bench) -> None:
    bid = bench.new(success=after())
    bench.push(bid, "job-0001")
    bench.commit(bid)
    bench.work("job-0001")
    assert bench.due() == [(bid, "success")]


def test_success_waits_for_the_retry_of_a_failed_member(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    bench.fail("job-0001")
    assert (bench.status(bid).pending, bench.status(bid).failed) == (0, 1)
    assert bench.all_called() == [(bid, "complete")]
    bench.shop.clock.now += 60
    bench.shop.ask(bench.broker.upkeep.promote("retries"))
    bench.work("job-0001")
    assert bench.status(bid).failed == 0
    assert bench.all_called() == [(bid, "success")]


def test_callbacks_come_whatever_jobs_have_their_jid(bench: Bench) -> None:
    bid = bench.new(complete=after() | {"jid": "taken-jid"}, success=after() | {"jid": "taken-jid"})
    bench.shop.push("taken-jid", f"{bid}-success")
    bench.commit(bid)
    assert [named for _, named in bench.all_called()] == ["complete", "success"]


# --- members that do not succeed ------------------------------------------------------------------------------------


def _discarded(bench: Bench, bid: str) -> None:
    bench.push(bid, "job-0001", retry=0)
    bench.fail("job-0001")


def _dead(bench: Bench, bid: str) -> None:
    bench.push(bid, "job-0001", retry=-1)
    bench.fail("job-0001")


def _crashed(bench: Bench, bid: str) -> None:
    bench.push(bid, "job-0001")
    for _ in range(bench.shop.rules.crashes_max + 1):
        assert bench.shop.fetch(bench.shop.client()) == ["job-0001"]
        bench.shop.clock.now += bench.shop.rules.reserve_seconds_default + 1
        bench.shop.ask(bench.broker.upkeep.reap_reservations())
    assert bench.shop.place("job-0001") == "dead"


def _cancelled(bench: Bench, bid: str) -> None:
    bench.push(bid, "job-0001")
    bench.shop.ask(bench.broker.jobs.cancel("job-0001"))


def _cancelled_while_it_ran(bench: Bench, bid: str) -> None:
    bench.push(bid, "job-0001")
    assert bench.shop.fetch(bench.worker) == ["job-0001"]
    bench.shop.ask(bench.broker.jobs.cancel("job-0001"))
    assert bench.status(bid).pending == 1
    bench.shop.fail(bench.worker, "job-0001")


def _queue_removed(bench: Bench, bid: str) -> None:
    bench.push(bid, "job-0001")
    bench.shop.ask(bench.broker.queues.remove(["default"]))


def _mutated(command: str, target: str, *, jids: tuple[str, ...] = ()) -> Callable[[Bench, str], None]:
    def lose(bench: Bench, bid: str) -> None:
        bench.push(bid, "job-0001", at="2030-01-01T00:00:00Z" if target == "scheduled" else None)
        if target == "retries":
            bench.fail("job-0001")
        known = next(one for one in COMMANDS if one == command)
        place: Any = target
        bench.shop.ask(bench.broker.mutations.mutate(Mutation(command=known, target=place, filter=Filter(jids=jids))))

    return lose


LOSSES = {
    "dies": _dead,
    "is discarded": _discarded,
    "crashes too often": _crashed,
    "is cancelled": _cancelled,
    "is cancelled while it runs": _cancelled_while_it_ran,
    "is deleted with its queue": _queue_removed,
    "is killed": _mutated("kill", "scheduled", jids=("job-0001",)),
    "is killed between retries": _mutated("kill", "retries"),
    "is deleted by an operator": _mutated("discard", "scheduled", jids=("job-0001",)),
    "is cleared away": _mutated("clear", "scheduled"),
    "is cleared away between retries": _mutated("clear", "retries"),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())
def test_a_lost_member_counts_as_executed_and_success_never_comes(
    bench: Bench, lose: Callable[[Bench, str], None]
) -> None:
    bid = bench.new(**BOTH, death=after("Death"))
    lose(bench, bid)
    assert (bench.status(bid).pending, bench.status(bid).lost) == (0, 1)
    bench.commit(bid)
    assert bench.all_called() == [(bid, "death"), (bid, "complete")]
    bench.commit(bid)
    assert (bench.all_called(), bench.states(bid)) == ([], "2/")


def test_death_comes_once_at_the_first_loss(bench: Bench) -> None:
    bid = bench.new(**BOTH, death=after("Death"))
    bench.push(bid, "job-0001", "job-0002", "job-0003", retry=0)
    bench.commit(bid)
    bench.fail("job-0001")
    assert bench.due() == [(bid, "death")]
    bench.fail("job-0002")
    assert bench.all_called() == [(bid, "death")]
    bench.fail("job-0003")
    assert bench.all_called() == [(bid, "complete")]


def test_a_dead_member_that_succeeds_later_counts_once_and_brings_no_success(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", retry=-1)
    bench.push(bid, "job-0002")
    bench.commit(bid)
    bench.fail("job-0001")
    bench.shop.ask(bench.broker.jobs.run_now("job-0001"))
    bench.work("job-0002", "job-0001")
    assert (bench.status(bid).executed, bench.status(bid).pending) == (2, 0)
    assert bench.all_called() == [(bid, "complete")]


def test_a_member_that_is_given_back_was_not_executed(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    assert bench.shop.fetch(bench.worker) == ["job-0001"]
    bench.shop.ask(bench.broker.jobs.give_back(bench.worker.session, "job-0001"))
    assert (bench.status(bid).pending, bench.states(bid)) == (1, "/")


def test_a_late_acknowledgement_moves_no_batch(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    assert bench.shop.fetch(bench.worker) == ["job-0001"]
    bench.shop.acknowledge(bench.shop.client("worker-2"), "job-0001")
    assert bench.status(bid).pending == 1
    bench.shop.acknowledge(bench.worker, "job-0001")
    bench.shop.acknowledge(bench.worker, "job-0001")
    assert (bench.status(bid).succeeded, bench.due()) == (1, [(bid, "complete")])


def test_a_repeated_push_adds_one_member(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", "job-0001")
    refusals = bench.shop.ask(bench.broker.jobs.push_bulk([member("job-0001", bid), member("job-0002", bid)] * 2))
    assert (refusals, bench.status(bid).total) == ({}, 2)


def test_a_callback_that_dies_ends_the_batch_without_success(bench: Bench) -> None:
    parent = bench.new(complete=after())
    child = bench.new(complete=after() | {"retry": 0}, success=after(), parent_bid=parent)
    bench.commit(parent)
    bench.commit(child)
    (jid,) = bench.shop.fetch(bench.worker, QUEUE)
    bench.shop.fail(bench.worker, jid)
    assert bench.states(child) == "2/"
    assert bench.all_called() == [(parent, "complete")]


def test_members_of_one_batch_acknowledged_together_all_count(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    jids = [f"job-{number:04}" for number in range(50)]
    assert bench.shop.ask(bench.broker.jobs.push_bulk([member(jid, bid) for jid in jids])) == {}
    bench.commit(bid)
    assert bench.shop.fetch(bench.worker, count=50) == jids
    others = [bench.shop.client() for _ in jids[:25]]
    for other, jid in zip(others, jids, strict=False):
        other.send(bench.broker.jobs.acknowledge(other.session, jid))
    bench.shop.ask(bench.broker.jobs.acknowledge_bulk(bench.worker.session, jids[25:]), bench.worker)
    bench.shop.until(lambda: all(other.replies for other in others))
    assert bench.status(bid).succeeded == 50
    assert bench.all_called() == [(bid, "complete"), (bid, "success")]
