"""The record of a batch: what each event makes of its counts, and which callbacks it makes due."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from shopfloor.core import batch
from shopfloor.core.batch import Batch, Standing
from shopfloor.core.facts import Callback
from shopfloor.core.job import NOTHING
from shopfloor.errors import Refused
from tests.jobs import NOW

JOB = Raw(b'{"jobtype":"After","args":[]}')


def some(**known: Any) -> Batch:
    """Make a committed batch with both callbacks, unless told otherwise."""
    usual: dict[str, Any] = {
        "bid": "b-1",
        "created_at": NOW,
        "changed_at": NOW,
        "committed": True,
        "complete": JOB,
        "success": JOB,
    }
    return Batch(**(usual | known))


def succeed(one: Batch) -> Batch:
    return batch.member_succeeded(one, counted=False)


def lose(one: Batch) -> Batch:
    return batch.member_lost(one, counted=False)


def advanced(one: Batch) -> tuple[Callback, ...]:
    return batch.advance(one)[1]


def test_no_callback_is_due_while_it_is_open() -> None:
    assert advanced(some(committed=False)) == ()
    assert advanced(some(committed=False, total=1, executed=1, lost=1, death=JOB)) == ()


def test_no_callback_is_due_while_a_member_was_not_executed_or_a_child_is_open() -> None:
    assert advanced(some(total=2, executed=1, succeeded=1)) == ()
    assert advanced(some(children=1, children_open=1)) == ()


def test_complete_is_due_before_success_which_waits_for_its_acknowledgement() -> None:
    one, due = batch.advance(succeed(some(total=1)))
    assert (due, one.complete_st, one.success_st) == (("complete",), "1", "")
    assert advanced(one) == ()
    one, due = batch.advance(batch.acknowledged(one, "complete"))
    assert (due, one.complete_st, one.success_st) == (("success",), "2", "1")
    one = batch.acknowledged(one, "success")
    assert one.success_st == "2"
    assert advanced(one) == ()


def test_success_without_complete_is_due_at_once() -> None:
    assert advanced(some(complete=NOTHING)) == ("success",)


def test_complete_without_success() -> None:
    one, due = batch.advance(some(success=NOTHING))
    assert due == ("complete",)
    assert advanced(batch.acknowledged(one, "complete")) == ()


def test_success_waits_for_the_retry_of_a_member_that_failed() -> None:
    one = batch.member_failed(some(total=1), counted=False)
    assert (one.executed, one.failed, one.pending) == (1, 1, 0)
    assert batch.member_failed(one, counted=True) == one
    one = batch.acknowledged(batch.advance(one)[0], "complete")
    assert advanced(one) == ()
    one = batch.member_succeeded(one, counted=True)
    assert (one.executed, one.failed, one.succeeded) == (1, 0, 1)
    assert advanced(one) == ("success",)


@pytest.mark.parametrize("counted", [False, True])
def test_a_lost_member_counts_as_executed_and_success_never_comes(counted: bool) -> None:
    one = some(total=1)
    if counted:
        one = batch.member_failed(one, counted=False)
    one = batch.member_lost(one, counted=counted)
    assert (one.executed, one.failed, one.lost) == (1, 1, 1)
    assert advanced(batch.acknowledged(batch.advance(one)[0], "complete")) == ()


def test_death_is_due_once_at_the_first_loss() -> None:
    one, due = batch.advance(lose(some(total=3, death=JOB)))
    assert (due, one.death_st) == (("death",), "1")
    one, due = batch.advance(lose(one))
    assert due == ()
    assert batch.advance(lose(one))[1] == ("complete",)
    assert batch.acknowledged(one, "death").death_st == "2"


def test_death_and_complete_may_be_due_together() -> None:
    assert advanced(lose(some(total=1, death=JOB))) == ("death", "complete")
    assert advanced(some(death=JOB, children=1, children_lost=1)) == ("death", "complete")


def test_a_callback_that_was_not_enqueued_cannot_be_acknowledged() -> None:
    for callback in ("complete", "success", "death"):
        assert batch.acknowledged(some(), callback) == some()
        assert batch.callback_lost(some(), callback) == some()


def test_a_batch_whose_callback_died_is_through_and_no_success() -> None:
    one = batch.callback_lost(batch.advance(some())[0], "complete")
    assert (one.complete_st, one.lost, batch.standing(one)) == ("2", 1, "lost")
    assert advanced(one) == ()


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (some(committed=False), "open"),
        (some(total=1), "open"),
        (some(children=1, children_open=1), "open"),
        (some(complete_st="1"), "open"),
        (some(complete_st="2", success_st="1"), "open"),
        (some(complete_st="2", success_st="2"), "succeeded"),
        (some(complete=NOTHING, success=NOTHING), "succeeded"),
        (some(complete=NOTHING), "open"),
        (some(complete_st="2", total=1, executed=1, failed=1), "complete"),
        (some(complete_st="2", children=1), "complete"),
        (some(complete_st="2", total=1, executed=1, lost=1), "lost"),
        (some(complete_st="2", children=1, children_lost=1), "lost"),
    ],
)
def test_what_a_batch_is_to_its_parent(one: Batch, expected: Standing) -> None:
    assert batch.standing(one) == expected
    assert batch.is_through(one) == (expected in ("succeeded", "lost"))


def test_a_parent_counts_its_children_by_their_standing() -> None:
    parent = batch.with_child(some(committed=False), NOW + 1, strict=True)
    assert (parent.children, parent.children_open, parent.changed_at) == (1, 1, NOW + 1)
    through = batch.child_moved(parent, "open", "complete")
    assert (through.children_open, through.children_succeeded, through.all_well) == (0, 0, False)
    again = batch.child_moved(through, "complete", "open")
    assert again == parent
    done = batch.child_moved(again, "open", "succeeded")
    assert (done.children_open, done.children_succeeded, done.all_well) == (0, 1, True)
    assert batch.child_moved(parent, "open", "lost").children_lost == 1
    assert batch.child_withdrawn(parent).children == batch.child_withdrawn(parent).children_open == 0


REFUSED_COMMITTED: list[tuple[str, Callable[[Batch], Batch]]] = [
    ("push into", lambda one: batch.with_member(one, NOW, strict=True)),
    ("make a batch under", lambda one: batch.with_child(one, NOW, strict=True)),
]
REFUSED_COMPLETING = [*REFUSED_COMMITTED, ("open", lambda one: batch.opened(one, NOW, strict=True))]


@pytest.mark.parametrize(("what", "act"), REFUSED_COMMITTED)
def test_a_committed_batch_takes_nothing_until_it_is_opened(what: str, act: Callable[[Batch], Batch]) -> None:
    with pytest.raises(Refused, match=f"^cannot {what} batch b-1: it is committed; open it first$"):
        act(some(total=1))
    act(batch.opened(some(total=1), NOW, strict=True))


@pytest.mark.parametrize(("what", "act"), REFUSED_COMPLETING)
@pytest.mark.parametrize(
    ("one", "first"), [(some(complete_st="1"), "complete"), (some(complete=NOTHING, success_st="2"), "success")]
)
def test_nothing_is_added_once_a_callback_was_enqueued(
    what: str, act: Callable[[Batch], Batch], one: Batch, first: str
) -> None:
    with pytest.raises(Refused, match=f"^cannot {what} batch b-1: its {first} callback was already enqueued$"):
        act(one)


def test_the_lenient_rule_takes_everything_and_fires_nothing_twice() -> None:
    one = some(complete_st="2", success_st="2")
    more = batch.with_member(batch.opened(one, NOW, strict=False), NOW, strict=False)
    assert batch.with_child(more, NOW, strict=False).children == 1
    done = succeed(batch.committed(more, NOW))
    assert (done.total, done.pending, advanced(done)) == (1, 0, ())


def test_batches_do_not_nest_without_end() -> None:
    assert batch.nested(some(), some(depth=batch.DEPTH_MAX - 1)).depth == batch.DEPTH_MAX
    with pytest.raises(Refused, match="batches nest at most 100 deep"):
        batch.nested(some(), some(depth=batch.DEPTH_MAX))


def test_a_new_batch_is_open_to_its_parent() -> None:
    assert batch.standing(batch.blank(some())) == "open"


@pytest.mark.parametrize(("end", "lost"), [("succeeded", 0), ("lost", 1)])
def test_the_end_of_a_declared_callback_is_its_acknowledgement(end: Standing, lost: int) -> None:
    born = some(bid="b-2", origin_bid="b-1", origin_callback="complete")
    owner = batch.origin_step(born, end)(batch.advance(some())[0])
    assert (owner.complete_st, owner.lost) == ("2", lost)


def test_when_a_batch_is_forgotten() -> None:
    def over(one: Batch, seconds: float) -> bool:
        return batch.is_over(one, NOW + seconds, 1800, 86_400)

    assert over(some(committed=False), 1801)
    assert not over(some(committed=False), 1799)
    assert over(some(complete_st="2", success_st="2"), 86_401)
    assert not over(some(complete_st="2", success_st="2"), 86_399)
    assert not over(some(total=1), 10**9)


def test_a_deadline_passes_once() -> None:
    assert batch.without_deadline(some(deadline=NOW)).deadline == 0


def test_missing_members_count_as_lost() -> None:
    one = some(total=5, executed=2, succeeded=2)
    assert batch.members_missing(one, 3, 3) == one
    mended = batch.members_missing(one, 1, 1)
    assert (mended.executed, mended.lost, mended.pending) == (4, 2, 1)
    mended = batch.members_missing(some(total=2, executed=1, failed=1), 1, 0)
    assert (mended.executed, mended.lost) == (2, 1)
    mended = batch.members_missing(some(total=2, executed=2, failed=1, succeeded=1), 0, 0)
    assert (mended.executed, mended.lost) == (2, 1)
    dead = some(total=2, executed=2, failed=1, succeeded=1, lost=1)
    assert batch.members_missing(dead, 1, 0) == batch.members_missing(dead, 0, 0) == dead


def test_missing_children_count_as_lost() -> None:
    mended = batch.children_missing(some(children=3, children_open=2), 1)
    assert (mended.children_open, mended.children_lost) == (1, 1)


def test_which_callbacks_are_waited_for() -> None:
    assert batch.waiting_for(some()) == ()
    assert batch.waiting_for(some(complete_st="1", death_st="1")) == ("complete",)
    assert batch.waiting_for(some(complete_st="2", success_st="1")) == ("success",)


def test_the_status_that_clients_read() -> None:
    told = batch.status(some(total=3, executed=2, failed=1, complete_st="1"))
    assert told == {
        "bid": "b-1",
        "description": "",
        "created_at": "2023-11-14T22:13:20.000000Z",
        "total": 3,
        "pending": 1,
        "failed": 1,
        "complete_st": "1",
        "success_st": "",
    }
    assert batch.status(some(parent_bid="b-0"))["parent_bid"] == "b-0"


def test_a_record_is_read_as_it_was_written() -> None:
    one = some(total=2, parent_bid="b-0", death=JOB, origin_bid="b-2", origin_callback="success", deadline=NOW + 0.5)
    assert batch.decode(batch.encode(one)) == one
    assert msgspec.json.decode(batch.encode(some()))["complete"] == {"jobtype": "After", "args": []}
