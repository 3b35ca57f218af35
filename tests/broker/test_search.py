"""Finding jobs, looking at everything, and operations on all that match."""

from typing import Any

import pytest

from shopfloor.broker import search
from shopfloor.broker.progress import Progress
from shopfloor.broker.search import Found, FoundQueued, Wanted
from shopfloor.core.criteria import EVERYTHING, Criteria
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import Refused
from tests.broker.shop import Shop
from tests.jobs import NOW, pushed


def _schedule(shop: Shop, count: int, every: int = 1) -> list[str]:
    """Push jobs that are due one after the other, some of them of another type; return their jids."""
    jids = [f"later-{number:06}" for number in range(count)]
    jobs = [
        pushed(jid, jobtype="Other" if number % every else "Work", at=format_timestamp(NOW + 60 + number))
        for number, jid in enumerate(jids)
    ]
    assert shop.ask(shop.broker.jobs.push_bulk(jobs)) == {}
    return jids


def _find(shop: Shop, **wanted: Any) -> Found:
    return shop.ask(shop.broker.search.timed(Wanted(place="scheduled", **wanted)))


def _jids(found: Found | FoundQueued) -> list[str]:
    return [held.job.jid for held in found.jobs]


def test_pages_bring_every_job_once_in_both_orders(shop: Shop) -> None:
    jids = _schedule(shop, 25)
    for latest_first in (False, True):
        met: list[str] = []
        found = _find(shop, count=10, latest_first=latest_first)
        met += _jids(found)
        while found.after is not None:
            found = _find(shop, count=10, after=found.after, latest_first=latest_first)
            met += _jids(found)
        assert met == (jids[::-1] if latest_first else jids)


def test_a_page_that_ends_with_the_last_job_is_the_last_page(shop: Shop) -> None:
    _schedule(shop, 3)
    assert _find(shop, count=3, criteria=Criteria(jobtype="Work")).after is None


def test_a_search_looks_at_so_many_jobs_and_goes_on_from_there(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LOOK_STEP", 10)
    monkeypatch.setattr(search, "LOOK_JOBS_MAX", 40)
    jids = _schedule(shop, 100, every=30)
    first = _find(shop, criteria=Criteria(jobtype="Work"))
    assert (_jids(first), first.looked) == ([jids[0], jids[30]], 40)
    second = _find(shop, criteria=Criteria(jobtype="Work"), after=first.after)
    assert _jids(second) == [jids[60]]
    third = _find(shop, criteria=Criteria(jobtype="Work"), after=second.after)
    assert (_jids(third), third.looked, third.after) == ([jids[90]], 20, None)


def test_a_jid_leads_straight_to_its_job(shop: Shop) -> None:
    jids = _schedule(shop, 3)
    shop.push("queued-job")
    assert _jids(_find(shop, criteria=Criteria(jid=jids[1]))) == [jids[1]]
    assert _jids(_find(shop, criteria=Criteria(jid=jids[1], jobtype="Other"))) == []
    assert _jids(_find(shop, criteria=Criteria(jid="queued-job"))) == []
    assert _find(shop, criteria=Criteria(jid="nobody-here")).looked == 0


def test_a_queue_is_searched_from_its_head(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LOOK_STEP", 10)
    jids = [f"picture-{number:03}" for number in range(35)]
    shop.push(*jids)

    def ask(criteria: Criteria, offset: int = 0, count: int = 20) -> FoundQueued:
        return shop.ask(shop.broker.search.queued("default", criteria, offset, count))

    page = ask(EVERYTHING)
    assert (_jids(page), page.offset) == (jids[:20], 20)
    rest = ask(EVERYTHING, 20)
    assert (_jids(rest), rest.offset) == (jids[20:], None)
    one = ask(Criteria(jid=jids[33]), count=1)
    assert (_jids(one), one.looked, one.offset) == ([jids[33]], 34, 34)
    assert ask(Criteria(jobtype="Other")).looked == 35
    assert shop.queued() == jids


def test_nobody_looks_deeper_into_a_queue_than_a_store_can_bear(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PEEK_OFFSET_MAX", 30)
    monkeypatch.setattr(search, "LOOK_STEP", 10)
    shop.push(*[f"picture-{number:03}" for number in range(50)])
    found = shop.ask(shop.broker.search.queued("default", Criteria(jobtype="Other"), 0, 20))
    assert (found.looked, found.offset) == (30, None)


def test_a_search_that_stops_before_the_bottom_of_a_queue_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LOOK_JOBS_MAX", 20)
    monkeypatch.setattr(search, "LOOK_STEP", 10)
    shop.push(*[f"picture-{number:03}" for number in range(50)])
    found = shop.ask(shop.broker.search.queued("default", Criteria(jobtype="Other"), 0, 20))
    assert (found.looked, found.offset) == (20, 20)


def test_counting_says_whether_it_saw_everything(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LOOK_STEP", 10)
    jids = _schedule(shop, 45, every=3)

    def count(criteria: Criteria) -> tuple[int, int, bool]:
        counted = shop.ask(shop.broker.search.count("scheduled", criteria))
        return counted.meant, counted.looked, counted.whole

    assert count(Criteria(jobtype="Work")) == (15, 45, True)
    assert count(Criteria(jid=jids[0])) == (1, 1, True)
    monkeypatch.setattr(search, "LOOK_JOBS_MAX", 30)
    assert count(Criteria(jobtype="Work")) == (10, 30, False)


def test_an_operation_on_all_that_match_says_how_far_it_is(shop: Shop) -> None:
    _schedule(shop, 1200, every=4)
    progress = Progress()
    moved = shop.ask(shop.broker.mutations.operate("discard", "scheduled", Criteria(jobtype="Work"), progress))
    assert (moved, progress.moved, progress.looked) == (300, 300, 1200)
    assert shop.figures().scheduled == 900


def test_an_operation_that_is_stopped_leaves_the_rest(shop: Shop) -> None:
    _schedule(shop, 1200)
    progress = Progress()
    (call,) = shop.server.send(shop.broker.mutations.operate("kill", "scheduled", EVERYTHING, progress))
    shop.until(lambda: progress.moved > 0)
    progress.stopped = True
    shop.until(lambda: call.done)
    figures = shop.figures()
    assert 0 < figures.dead == progress.moved < 1200
    assert figures.scheduled == 1200 - figures.dead


def test_an_operation_on_one_jid(shop: Shop) -> None:
    jids = _schedule(shop, 3)
    progress = Progress()
    verb = shop.broker.mutations.operate("requeue", "scheduled", Criteria(jid=jids[1]), progress)
    assert (shop.ask(verb), progress.moved) == (1, 1)
    assert shop.queued() == [jids[1]]


def test_clearing_a_queue_can_be_stopped(shop: Shop) -> None:
    jobs = [pushed(f"picture-{number:05}") for number in range(1500)]
    assert shop.ask(shop.broker.jobs.push_bulk(jobs)) == {}
    progress = Progress()
    (call,) = shop.server.send(shop.broker.queues.clear("default", progress))
    shop.until(lambda: progress.moved > 0)
    progress.stopped = True
    shop.until(lambda: call.done)
    assert len(shop.queued()) == 1500 - progress.moved > 0
    assert shop.ask(shop.broker.queues.clear("default", Progress())) == 1500 - progress.moved
    assert shop.ask(shop.broker.queues.known()) == []


def test_a_worker_that_is_told_to_be_quiet_gets_nothing_and_hears_of_it(shop: Shop) -> None:
    worker = shop.client("w1")
    shop.ask(shop.broker.fleet.tell("w1", "quiet"))
    shop.push("picture-1")
    assert shop.fetch(worker) == []
    assert shop.ask(shop.broker.fleet.beat(worker.session, "w1", "", 0)).state == "quiet"
    assert [known.state for known in shop.ask(shop.broker.fleet.known())] == ["quiet"]
    with pytest.raises(Refused, match="unknown worker w2"):
        shop.ask(shop.broker.fleet.tell("w2", "quiet"))


def test_a_glance_at_everything(shop: Shop) -> None:
    shop.client("w1")
    shop.push("picture-1", "picture-2", queue="pictures")
    shop.push("letter-01", queue="mail")
    shop.ask(shop.broker.queues.pause(["mail"], True))
    shop.let_pass(90)
    glance = shop.ask(shop.broker.glances.whole(3))
    assert [(queue.name, queue.size, queue.paused, queue.age_seconds) for queue in glance.queues] == [
        ("pictures", 2, False, 90.0),
        ("mail", 1, True, 90.0),
    ]
    assert (glance.totals.enqueued, glance.totals.queues, glance.queues_with_jobs) == (3, 2, 2)
    assert glance.paused_with_jobs == ["mail"]
    assert [worker.wid for worker in glance.workers] == ["w1"]
    assert [(day.date, day.processed) for day in glance.days] == [
        ("2023-11-12", 0),
        ("2023-11-13", 0),
        ("2023-11-14", 0),
    ]
    assert glance.store.engine == "memory"


def test_many_queues_are_measured_in_several_rounds(shop: Shop) -> None:
    for number in range(45):
        shop.push(f"picture-{number:02}", queue=f"q{number:02}")
    before = shop.ticks.rounds
    assert len(shop.ask(shop.broker.queues.ages([f"q{number:02}" for number in range(45)]))) == 45
    assert shop.ticks.rounds - before >= 3


def test_a_glance_at_one_job(shop: Shop) -> None:
    shop.push("picture-1", "picture-2")
    worker = shop.client("w1")
    assert shop.fetch(worker) == ["picture-1"]
    glance = shop.ask(shop.broker.glances.job("picture-2"))
    assert (glance.held.place, glance.working_in_queue, glance.track) == ("queued", 1, None)
    assert glance.queue is not None
    assert (glance.queue.size, glance.limit) == (1, None)
    with pytest.raises(Refused, match="Job not found nobody"):
        shop.ask(shop.broker.glances.job("nobody"))
