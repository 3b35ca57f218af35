"""Push, acknowledge, fail, give back, look up, cancel: each with the clients that may and those that may not."""

import pytest
from msgspec import Raw

from shopfloor.core.lifecycle import Rules
from shopfloor.core.retry import FailReport
from shopfloor.errors import Refused
from shopfloor.store.memory.store import MemoryStore
from tests.broker.shop import Shop
from tests.jobs import NOW, pushed


def test_pushing_the_same_job_again_changes_nothing(shop: Shop) -> None:
    shop.push("job-0001", "job-0001")
    assert shop.queued() == ["job-0001"]
    shop.fetch(shop.client("w1"))
    shop.push("job-0001")
    assert (shop.queued(), shop.place("job-0001")) == ([], "working")


def test_pushing_another_job_under_a_held_jid_is_refused(shop: Shop) -> None:
    shop.push("job-0001")
    with pytest.raises(Refused, match="another job with jid job-0001 is held"):
        shop.ask(shop.broker.jobs.push(pushed("job-0001", jobtype="Other")))
    refusals = shop.ask(shop.broker.jobs.push_bulk([pushed("job-0001", "other"), pushed("job-0002")]))
    assert refusals == {"job-0001": "another job with jid job-0001 is held"}
    assert shop.queued() == ["job-0001", "job-0002"]


def test_a_full_queue_refuses_pushes_and_nothing_else() -> None:
    shop = Shop(rules=Rules(queue_jobs_max=1))
    shop.push("job-0001")
    with pytest.raises(Refused, match="queue default is full: the limit is 1 jobs"):
        shop.push("job-0002")
    worker = shop.client("w1")
    assert shop.fetch(worker) == ["job-0001"]
    shop.push("job-0002")
    shop.ask(shop.broker.jobs.give_back(worker.session, "job-0001"))
    assert shop.queued() == ["job-0001", "job-0002"]
    shop.close()


def test_too_many_queues_refuse_pushes_into_another() -> None:
    shop = Shop(MemoryStore(Rules(), queues_max=1))
    shop.push("job-0001")
    with pytest.raises(Refused, match="cannot make queue other: there are too many queues"):
        shop.push("job-0002", queue="other")
    with pytest.raises(Refused, match="cannot make another queue: there are too many"):
        shop.ask(shop.broker.queues.pause(("other",), paused=True))
    shop.close()


@pytest.mark.parametrize("how", ["give back", "promote", "reap"])
def test_a_job_that_was_taken_in_finds_its_queue_however_many_there_are(how: str) -> None:
    shop = Shop(MemoryStore(Rules(), queues_max=1))
    shop.push("job-0001", queue="first")
    worker = shop.client("w1")
    assert shop.fetch(worker, "first") == ["job-0001"]
    if how == "promote":
        shop.fail(worker, "job-0001")
    shop.ask(shop.broker.queues.remove(("first",)))
    shop.push("job-0002", queue="second")
    if how == "give back":
        shop.ask(shop.broker.jobs.give_back(worker.session, "job-0001"))
    elif how == "reap":
        shop.clock.now += 3600
        shop.ask(shop.broker.upkeep.reap_reservations())
    else:
        shop.clock.now += 3600
        shop.ask(shop.broker.upkeep.promote("retries"))
    assert shop.queued("first") == ["job-0001"]
    shop.close()


def test_nothing_is_pushed_while_pushes_are_refused(shop: Shop) -> None:
    shop.broker.context.push_refusal = "server is out of memory"
    with pytest.raises(Refused, match="server is out of memory"):
        shop.push("job-0001")
    assert shop.ask(shop.broker.jobs.push_bulk([pushed("job-0002")])) == {"job-0002": "server is out of memory"}
    assert shop.queued() == []


def test_an_acknowledged_job_is_gone_and_counted(shop: Shop) -> None:
    shop.push("job-0001")
    worker = shop.client("w1")
    shop.fetch(worker)
    shop.acknowledge(worker, "job-0001")
    assert shop.held("job-0001") is None
    assert (shop.figures().processed, shop.figures().failures) == (1, 0)


def test_acknowledging_twice_or_what_is_unknown_is_no_error_and_counts_nothing(shop: Shop) -> None:
    shop.push("job-0001")
    worker = shop.client("w1")
    shop.fetch(worker)
    jobs = shop.broker.jobs
    worker.send(*(jobs.acknowledge(worker.session, jid) for jid in ("job-0001", "job-0001", "unknown")))
    shop.turn(4)
    assert worker.replies[-3:] == [True, False, False]
    assert shop.figures().processed == 1


@pytest.mark.parametrize("late", ["acknowledge", "fail", "give back", "acknowledge many"])
def test_who_lost_a_job_does_not_settle_the_run_of_who_has_it_now(shop: Shop, late: str) -> None:
    shop.push("job-0001")
    slow = shop.client("slow")
    shop.fetch(slow)
    shop.clock.now += 1801
    shop.ask(shop.broker.upkeep.reap_reservations())
    quick = shop.client("quick")
    assert shop.fetch(quick) == ["job-0001"]
    if late == "acknowledge":
        shop.acknowledge(slow, "job-0001")
    elif late == "acknowledge many":
        shop.ask(shop.broker.jobs.acknowledge_bulk(slow.session, ["job-0001", "unknown"]), slow)
    else:
        jobs, report = shop.broker.jobs, FailReport(jid="job-0001")
        verb = jobs.fail(slow.session, report) if late == "fail" else jobs.give_back(slow.session, report.jid)
        with pytest.raises(Refused, match="Job not found job-0001"):
            shop.ask(verb, slow)
    held = shop.held("job-0001")
    assert held is not None
    assert (held.place, held.wid) == ("working", "quick")
    assert shop.figures().processed == 0
    shop.acknowledge(quick, "job-0001")
    assert shop.held("job-0001") is None


def test_a_client_that_never_gave_a_wid_is_believed(shop: Shop) -> None:
    shop.push("job-0001")
    shop.fetch(shop.client("w1"))
    shop.acknowledge(shop.client(), "job-0001")
    assert shop.held("job-0001") is None


def test_many_are_acknowledged_at_once_but_only_ones_own(shop: Shop) -> None:
    jids = [f"job-{number:05}" for number in range(1200)]
    shop.ask(shop.broker.jobs.push_bulk([pushed(jid) for jid in jids]))
    mine, other = shop.client("mine"), shop.client("other")
    assert shop.fetch(mine, count=1199) == jids[:-1]
    assert shop.fetch(other) == jids[-1:]
    shop.ask(shop.broker.jobs.acknowledge_bulk(mine.session, [*jids, *jids, "unknown"]), mine)
    assert (shop.figures().working, shop.figures().processed) == (1, 1199)


def test_a_failed_job_is_tried_again_as_often_as_it_says(shop: Shop) -> None:
    shop.push("job-0001", retry=2)
    worker = shop.client("w1")
    for tries in range(3):
        assert shop.fetch(worker) == ["job-0001"]
        shop.fail(worker, "job-0001")
        assert shop.place("job-0001") == ("dead" if tries == 2 else "retries")
        shop.clock.now += 3600
        shop.ask(shop.broker.upkeep.promote("retries"))
    figures = shop.figures()
    assert (figures.dead, figures.processed, figures.failures) == (1, 3, 3)


@pytest.mark.parametrize(("retry", "place"), [(0, None), (-1, "dead"), (None, "retries")])
def test_what_becomes_of_a_job_that_fails_once(shop: Shop, retry: int | None, place: str | None) -> None:
    shop.push("job-0001", retry=retry)
    worker = shop.client("w1")
    shop.fetch(worker)
    shop.fail(worker, "job-0001")
    assert shop.place("job-0001") == place


def test_a_job_given_back_is_the_next_and_used_no_retry(shop: Shop) -> None:
    shop.push("job-0001", "job-0002", retry=1)
    worker = shop.client("w1")
    shop.fetch(worker)
    shop.ask(shop.broker.jobs.give_back(worker.session, "job-0001"), worker)
    held = shop.held("job-0001")
    assert held is not None
    assert (held.job.failure, held.job.crashes) == (None, 0)
    assert shop.queued() == ["job-0001", "job-0002"]


def test_a_job_is_looked_up_wherever_it_is(shop: Shop) -> None:
    shop.push("job-0001")
    assert shop.ask(shop.broker.jobs.get("job-0001")).place == "queued"
    with pytest.raises(Refused, match="Job not found job-0002"):
        shop.ask(shop.broker.jobs.get("job-0002"))


def test_a_cancelled_job_that_waits_is_gone(shop: Shop) -> None:
    shop.push("job-0001", "job-0002", "job-0003")
    shop.ask(shop.broker.jobs.push(pushed("job-0004", at="2033-01-01T00:00:00Z")))
    for jid in ("job-0002", "job-0004"):
        shop.ask(shop.broker.jobs.cancel(jid))
    assert (shop.queued(), shop.figures().scheduled) == (["job-0001", "job-0003"], 0)
    with pytest.raises(Refused, match="Job not found job-0002"):
        shop.ask(shop.broker.jobs.cancel("job-0002"))


@pytest.mark.parametrize("how", ["fail", "give back", "crash", "acknowledge"])
def test_a_job_cancelled_while_it_runs_does_not_come_back(shop: Shop, how: str) -> None:
    shop.push("job-0001")
    worker = shop.client("w1", ("cancel",))
    shop.fetch(worker)
    shop.ask(shop.broker.jobs.cancel("job-0001"))
    assert shop.place("job-0001") == "working"
    if how == "fail":
        shop.fail(worker, "job-0001")
    elif how == "give back":
        shop.ask(shop.broker.jobs.give_back(worker.session, "job-0001"), worker)
    elif how == "acknowledge":
        shop.acknowledge(worker, "job-0001")
    else:
        shop.clock.now = NOW + 1801
        shop.ask(shop.broker.upkeep.reap_reservations())
    assert shop.held("job-0001") is None


def test_cancelling_and_settling_at_once_leaves_one_of_them_the_winner(shop: Shop) -> None:
    shop.push("job-0001")
    worker, operator = shop.client("w1"), shop.client()
    shop.fetch(worker)
    operator.send(shop.broker.jobs.cancel("job-0001"))
    worker.send(shop.broker.jobs.acknowledge(worker.session, "job-0001"))
    shop.turn(5)
    assert shop.held("job-0001") is None
    assert worker.replies[-1] is True
    assert len(operator.replies) == 1


def test_a_bulk_push_keeps_its_order_whatever_the_jobs_ask_for(shop: Shop) -> None:
    jobs = [pushed(f"job-{number:04}") for number in range(9)]
    for tracked in jobs[::3]:
        tracked.custom = Raw(b'{"track":1}')
    client = shop.client()
    calls = client.send(shop.broker.jobs.push_bulk(jobs), shop.broker.jobs.push(pushed("job-last")))
    shop.until(lambda: all(call.done for call in calls))
    assert shop.queued() == [*(f"job-{number:04}" for number in range(9)), "job-last"]
