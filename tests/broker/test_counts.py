"""What has happened, as it is counted."""

import pytest

from shopfloor.broker import counts
from shopfloor.broker.counts import OTHERS, Counts
from shopfloor.core.job import Held, Job
from shopfloor.core.mutation import Mutation
from tests.broker.shop import Shop
from tests.jobs import NOW, job, pushed


def _held(job_: Job, reserved_at: float) -> Held:
    return Held(job_, "working", 0.0, 1, "w1", reserved_at, reserved_at + 60)


def test_the_life_of_jobs_is_counted_by_queue_and_type(shop: Shop) -> None:
    worker = shop.client("w1")
    shop.push("picture-1", "picture-2", "picture-3", queue="pictures")
    shop.push("picture-1", queue="pictures")
    shop.push("letter-01", queue="mail", retry=-1)
    assert shop.ask(shop.broker.jobs.push_bulk([pushed("letter-02", "mail"), pushed("letter-02", "mail")])) == {}
    shop.let_pass(3)
    shop.fetch(worker, "pictures", count=2)
    shop.fetch(worker, "mail")
    shop.let_pass(30)
    shop.acknowledge(worker, "picture-1")
    shop.acknowledge(worker, "picture-1")
    shop.fail(worker, "picture-2")
    shop.fail(worker, "letter-01")
    counted = shop.broker.context.counts
    counted.fold()
    assert counted.totals == {
        "pushed": {("pictures", "Work"): 3, ("mail", "Work"): 2},
        "started": {("pictures", "Work"): 2, ("mail", "Work"): 1},
        "done": {("pictures", "Work"): 1},
        "failed": {("pictures", "Work"): 1},
        "died": {("mail", "Work"): 1},
        "expired": {},
    }
    assert counted.waits["pictures"].total == pytest.approx(6.0)
    assert counted.runs["Work"].total == pytest.approx(90.0)
    assert sum(counted.runs["Work"].counts) == 3


def test_what_is_given_back_has_no_end(shop: Shop) -> None:
    worker = shop.client("w1")
    shop.push("picture-1")
    shop.fetch(worker)
    shop.ask(shop.broker.jobs.give_back(worker.session, "picture-1"), worker)
    shop.broker.context.counts.fold()
    assert shop.broker.context.counts.runs == {}


def test_a_bulk_push_counts_what_was_taken(shop: Shop) -> None:
    shop.push("picture-1")
    refusals = shop.ask(shop.broker.jobs.push_bulk([pushed("picture-1", "other"), pushed("picture-2", "other")]))
    assert list(refusals) == ["picture-1"]
    counted = shop.broker.context.counts
    counted.fold()
    assert counted.totals["pushed"] == {("default", "Work"): 1, ("other", "Work"): 1}


def test_full_batches_are_counted_without_being_asked() -> None:
    counted = Counts()
    some = job("picture-1")
    for _ in range(counts.BATCH):
        counted.pushed(some)
        counted.started(_held(some, NOW + 1))
        counted.done(_held(some, NOW), NOW + 2)
    assert counted.totals["pushed"] == {("default", "Work"): counts.BATCH}
    assert counted.totals["started"] == counted.totals["done"] == counted.totals["pushed"]
    before = list(counted.runs["Work"].counts)
    counted.fold()
    assert counted.runs["Work"].counts == before


def test_strange_names_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "KINDS_MAX", 2)
    counted = Counts()
    for queue in ("a", "b", "c", "d", "a"):
        counted.pushed(job("picture-1", queue))
        counted.expired(job("picture-1", queue))
    counted.fold()
    assert counted.totals["pushed"] == {("a", "Work"): 2, ("b", "Work"): 1, OTHERS: 2}
    assert counted.totals["expired"][OTHERS] == 2


def test_a_value_lies_in_the_first_bucket_whose_bound_it_does_not_exceed() -> None:
    one_by_one, together = counts.Histogram(counts.SPANS), Counts()
    spans = [0.0, 0.005, 0.006, 0.5, 60.0, 7200.0, 7200.1]
    for seconds in spans:
        one_by_one.add(seconds)
        together.done(_held(job("picture-1"), 0.0), seconds)
    together.fold()
    assert one_by_one.counts == [2, 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1]
    assert together.runs["Work"].counts == one_by_one.counts
    assert together.runs["Work"].total == pytest.approx(sum(spans))


def test_clocks_that_were_set_back_and_times_that_are_none_count_as_nothing() -> None:
    counted = Counts()
    counted.done(_held(job("picture-1"), NOW), NOW - 10)
    counted.failed(_held(job("picture-1"), NOW), NOW - 10, dies=False)
    odd = Job(retry=0, jid="picture-2", queue="default", jobtype="Work", args=job("x").args, enqueued_at="soon")
    counted.started(_held(odd, NOW))
    counted.fold()
    assert counted.runs["Work"].counts[0] == 2
    assert counted.runs["Work"].total == 0.0
    assert counted.waits["default"].counts[0] == 1
    assert counted.waits["default"].total == 0.0


def test_commits_are_timed(shop: Shop) -> None:
    shop.push(*[f"picture-{number:02}" for number in range(20)])
    commits = shop.ticks.commits
    assert sum(commits.counts) > 0
    assert 0 < commits.total < 10


def test_what_is_overdue_is_told(shop: Shop) -> None:
    shop.ask(shop.broker.jobs.push(pushed("later-01", at="2023-11-14T22:14:20Z")))
    shop.clock.now += 100
    watched = shop.ask(shop.broker.glances.watched(10))
    assert watched.late_seconds == {"scheduled": 40.0, "retries": 0.0}
    shop.ask(shop.broker.mutations.mutate(Mutation(command="requeue", target="scheduled")))
    assert shop.ask(shop.broker.glances.watched(10)).late_seconds["scheduled"] == 0.0
