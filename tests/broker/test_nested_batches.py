"""Nested batches, declared sequences, and what a batch takes when: each promise as a test, on every store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shopfloor.broker.context import BrokerLimits
from tests.broker.batch_bench import BOTH, QUEUE, Bench, after, member, read
from tests.jobs import pushed
from tests.stores import DURABLE_STORES, STORES, Kind


@pytest.fixture(params=STORES, ids=lambda kind: kind.name)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    kind: Kind = request.param
    made = Bench(kind.make(tmp_path))
    yield made
    made.tend()
    assert made.repaired() == 0
    made.close()


@pytest.fixture
def lenient() -> Iterator[Bench]:
    made = Bench(limits=BrokerLimits(batches_reopen="lenient"))
    yield made
    made.close()


# --- nesting --------------------------------------------------------------------------------------------------------


def test_a_parent_waits_until_its_childs_callbacks_are_acknowledged(bench: Bench) -> None:
    parent = bench.new(**BOTH)
    child = bench.new(**BOTH, parent_bid=parent)
    bench.push(child, "job-0001")
    bench.commit(child)
    bench.commit(parent)
    bench.work("job-0001")
    assert bench.all_called() == [(child, "complete"), (child, "success"), (parent, "complete"), (parent, "success")]


def test_a_parent_waits_for_a_child_that_is_open(bench: Bench) -> None:
    parent = bench.new(**BOTH)
    child = bench.new(**BOTH, parent_bid=parent)
    bench.commit(parent)
    assert (bench.due(), bench.status(parent).children_open) == ([], 1)
    bench.commit(child)
    assert [bid for bid, _ in bench.all_called()] == [child, child, parent, parent]


def test_complete_of_a_parent_does_not_wait_for_a_childs_retries(bench: Bench) -> None:
    parent = bench.new(**BOTH)
    child = bench.new(**BOTH, parent_bid=parent)
    bench.push(child, "job-0001")
    bench.commit(child)
    bench.commit(parent)
    bench.fail("job-0001")
    assert bench.all_called() == [(child, "complete"), (parent, "complete")]
    bench.shop.clock.now += 60
    bench.shop.ask(bench.broker.upkeep.promote("retries"))
    bench.work("job-0001")
    assert bench.all_called() == [(child, "success"), (parent, "success")]


def test_a_parent_of_a_child_with_losses_completes_and_never_succeeds(bench: Bench) -> None:
    parent = bench.new(**BOTH, death=after())
    child = bench.new(**BOTH, parent_bid=parent)
    bench.push(child, "job-0001", retry=0)
    bench.commit(child)
    bench.commit(parent)
    bench.fail("job-0001")
    assert bench.all_called() == [(child, "complete"), (parent, "death"), (parent, "complete")]


@pytest.mark.parametrize("depth", [10, 101])
def test_batches_nest(bench: Bench, depth: int) -> None:
    bids = [bench.new(**BOTH)]
    while len(bids) < depth:
        bids.append(bench.new(**BOTH, parent_bid=bids[-1]))
    bench.push(bids[-1], "job-0001")
    for bid in bids:
        bench.commit(bid)
    bench.work("job-0001")
    assert bench.all_called() == [(bid, which) for bid in reversed(bids) for which in ("complete", "success")]


def test_batches_without_callbacks_nested_as_deep_as_allowed_move_on_in_one_step(bench: Bench) -> None:
    bids = [bench.new(**BOTH)]
    while len(bids) < 101:
        bids.append(bench.new(parent_bid=bids[-1]))
    assert "batches nest at most 100 deep" in bench.refusal(bench.broker.batches.new(read(parent_bid=bids[-1])))
    bench.push(bids[-1], "job-0001")
    for bid in bids:
        bench.commit(bid)
    bench.work("job-0001")
    assert bench.all_called() == [(bids[0], "complete"), (bids[0], "success")]


def test_a_nested_batch_under_a_committed_parent_is_refused(bench: Bench) -> None:
    parent = bench.new(**BOTH)
    bench.push(parent, "job-0001")
    bench.commit(parent)
    refusal = bench.refusal(bench.broker.batches.new(read(**BOTH, parent_bid=parent)))
    assert refusal == f"cannot make a batch under batch {parent}: it is committed; open it first"
    assert bench.status(parent).children == 0
    bench.open(parent)
    bench.new(**BOTH, parent_bid=parent)


def test_a_childs_callback_reopens_its_parent_and_adds_the_next_step(bench: Bench) -> None:
    parent = bench.new(success=after())
    steps = [bench.new(success=after(), parent_bid=parent)]
    bench.push(steps[0], "job-0000")
    bench.commit(steps[0])
    bench.commit(parent)
    for number in range(1, 4):
        bench.work(f"job-{number - 1:04}")
        (jid,) = bench.shop.fetch(bench.worker, QUEUE)
        bench.open(parent)
        steps.append(bench.new(success=after(), parent_bid=parent))
        bench.push(steps[-1], f"job-{number:04}")
        bench.commit(steps[-1])
        bench.commit(parent)
        bench.shop.acknowledge(bench.worker, jid)
        assert bench.states(parent) == "/"
    bench.work("job-0003")
    assert bench.all_called() == [(steps[-1], "success"), (parent, "success")]


# --- declared sequences ---------------------------------------------------------------------------------------------


def work_of(jid: str) -> dict[str, Any]:
    return {"jobtype": "Work", "args": [], "jid": jid}


def test_a_sequence_as_one_declaration(bench: Bench) -> None:
    third = {"jobs": [work_of("job-0003")], "success": after("End")}
    second = {"jobs": [work_of("job-0021"), work_of("job-0022")], "success": third}
    bid = bench.new(jobs=[work_of("job-0001")], success=second, description="three levels")
    bench.work("job-0001")
    bench.work("job-0021", "job-0022")
    assert (bench.states(bid), bench.due()) == ("/1", [])
    bench.work("job-0003")
    ((_, which),) = bench.due()
    assert which == "success"
    bench.called()
    assert bench.states(bid) == "/2"


def test_a_declared_callback_that_is_through_at_once_moves_the_parent_once(bench: Bench) -> None:
    parent = bench.new(**BOTH)
    empty: dict[str, Any] = {"jobs": []}
    child = bench.new(jobs=[work_of("job-0001")], complete=empty, success=empty, parent_bid=parent)
    other = bench.new(**BOTH, parent_bid=parent)
    bench.commit(parent)
    bench.work("job-0001")
    assert (bench.states(child), bench.status(parent).children_open, bench.due()) == ("2/2", 1, [])
    bench.commit(other)
    assert bench.all_called() == [(other, "complete"), (other, "success"), (parent, "complete"), (parent, "success")]


def test_a_declared_sequence_as_long_as_allowed_moves_on_in_one_step(bench: Bench) -> None:
    bids = [bench.new(**BOTH)]
    while len(bids) < 100:
        bids.append(bench.new(parent_bid=bids[-1]))
    definition: dict[str, Any] = {"jobs": []}
    for _ in range(98):
        definition = {"jobs": [], "success": definition}
    bench.new(**definition | {"jobs": [work_of("job-0001")]}, parent_bid=bids[-1])
    for bid in bids:
        bench.commit(bid)
    bench.work("job-0001")
    assert bench.all_called() == [(bids[0], "complete"), (bids[0], "success")]


def test_declared_jobs_with_one_jid_all_come(bench: Bench) -> None:
    bench.new(jobs=[work_of("same-jid"), work_of("same-jid")], success=after())
    assert len(set(bench.shop.queued())) == 2


def test_a_loss_in_a_declared_step_stops_the_sequence(bench: Bench) -> None:
    second = {"jobs": [work_of("job-0002") | {"retry": 0}], "complete": after("SecondDone"), "success": after("Never")}
    bid = bench.new(jobs=[work_of("job-0001")], success=second)
    bench.work("job-0001")
    bench.fail("job-0002")
    assert [which for _, which in bench.all_called()] == ["complete"]
    assert (bench.states(bid), bench.status(bid).lost) == ("/2", 1)


# --- strict and lenient ---------------------------------------------------------------------------------------------


def test_a_push_into_a_committed_batch_is_refused_and_takes_nothing(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001")
    bench.commit(bid)
    says = f"cannot push into batch {bid}: it is committed; open it first"
    assert bench.refusal(bench.broker.jobs.push(member("job-0002", bid))) == says
    refusals = bench.shop.ask(bench.broker.jobs.push_bulk([member("job-0002", bid), pushed("job-0003")]))
    assert refusals == {"job-0002": says}
    assert (bench.shop.held("job-0002"), bench.shop.place("job-0003"), bench.status(bid).total) == (None, "queued", 1)
    bench.open(bid)
    bench.push(bid, "job-0002")


def test_nothing_is_added_after_the_first_callback_was_enqueued(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    bench.commit(bid)
    because = f"batch {bid}: its complete callback was already enqueued"
    assert bench.refusal(bench.broker.batches.open(bid)) == f"cannot open {because}"
    assert bench.refusal(bench.broker.jobs.push(member("job-0001", bid))) == f"cannot push into {because}"
    nested = read(**BOTH, parent_bid=bid)
    assert bench.refusal(bench.broker.batches.new(nested)) == f"cannot make a batch under {because}"
    assert bench.shop.held("job-0001") is None
    assert bench.all_called() == [(bid, "complete"), (bid, "success")]


def test_the_lenient_rule_takes_everything_and_fires_no_callback_twice(lenient: Bench) -> None:
    bid = lenient.new(**BOTH)
    lenient.commit(bid)
    assert lenient.all_called() == [(bid, "complete"), (bid, "success")]
    lenient.push(bid, "job-0001")
    lenient.open(bid)
    child = lenient.new(**BOTH, parent_bid=bid)
    lenient.commit(bid)
    assert (lenient.status(bid).total, lenient.status(bid).pending, lenient.states(bid)) == (1, 1, "2/2")
    lenient.work("job-0001")
    lenient.commit(child)
    assert lenient.all_called() == [(child, "complete"), (child, "success")]


def test_a_batch_that_is_not_known(bench: Bench) -> None:
    for verb in (bench.broker.batches.open, bench.broker.batches.commit, bench.broker.batches.status):
        assert bench.refusal(verb("b-nobody")) == "no such batch b-nobody"
    assert bench.refusal(bench.broker.jobs.push(member("job-0001", "b-nobody"))) == "no such batch b-nobody"
    assert bench.refusal(bench.broker.batches.new(read(parent_bid="b-nobody"))) == "no such batch b-nobody"


def test_batches_have_different_names_whatever_is_drawn(bench: Bench) -> None:
    bench.broker.context.dice = lambda sides: 0
    one, other = bench.new(**BOTH), bench.new(**BOTH)
    assert one == "b-AAAAAAAAAAAAAA" != other
    clients = [bench.shop.client() for _ in range(3)]
    calls = [client.send(bench.broker.batches.new(read(**BOTH)))[0] for client in clients]
    bench.shop.until(lambda: all(call.done for call in calls))
    assert len({call.result for call in calls} | {one, other}) == 5


# --- restarts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DURABLE_STORES, ids=lambda kind: kind.name)
def test_a_batch_survives_the_server(kind: Kind, tmp_path: Path) -> None:
    bench = Bench(kind.make(tmp_path))
    bid = bench.new(**BOTH)
    bench.push(bid, "job-0001", "job-0002")
    bench.commit(bid)
    bench.work("job-0001")
    bench.close()
    bench = Bench(kind.make(tmp_path), clock=bench.shop.clock)
    bench.work("job-0002")
    bench.close()
    bench = Bench(kind.make(tmp_path), clock=bench.shop.clock)
    assert bench.all_called() == [(bid, "complete"), (bid, "success")]
    bench.tend()
    assert bench.repaired() == 0
    bench.close()
