"""A store that fails before or after it did what it was asked: nothing is lost, and it is logged once."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shopfloor.broker.asks import Verb
from shopfloor.broker.contact import Contact
from shopfloor.core.job import Held
from shopfloor.core.retry import FailReport
from shopfloor.errors import StoreUnavailable
from shopfloor.store.port import Reserve
from tests.broker.failing_store import never
from tests.broker.shop import Shop, fetched
from tests.jobs import NOW, job, pushed


class Log:
    """Keeps what is logged, as far as `Contact` uses it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def error(self, text: str, **facts: Any) -> None:
        self.lines.append((text, facts))

    info = error


@pytest.fixture(params=["before", "after"])
def failing(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Callable[[], None]]:
    """Let the next commit fail, before it is carried out or after it."""

    def fail_once() -> None:
        failures = iter([StoreUnavailable("connection lost")])

        def cue(verb: str) -> Exception | None:
            return next(failures, None) if verb == "commit" else None

        if request.param == "before":
            shop.store.cue = cue
        else:
            shop.store.afterwards = cue

    yield fail_once
    shop.store.cue = shop.store.afterwards = never


def _refused(shop: Shop, verb: Verb[Any]) -> None:
    with pytest.raises(StoreUnavailable, match="connection lost"):
        shop.ask(verb)


def test_a_push_whose_answer_was_lost_is_pushed_again(shop: Shop, failing: Callable[[], None]) -> None:
    failing()
    _refused(shop, shop.broker.jobs.push(pushed("job-0001")))
    shop.push("job-0001")
    assert shop.queued() == ["job-0001"]


def test_an_ack_whose_answer_was_lost_is_sent_again(shop: Shop, failing: Callable[[], None]) -> None:
    worker = shop.client("w1")
    shop.push("job-0001")
    shop.fetch(worker)
    failing()
    _refused(shop, shop.broker.jobs.acknowledge(worker.session, "job-0001"))
    shop.acknowledge(worker, "job-0001")
    assert shop.held("job-0001") is None
    assert shop.figures().processed == 1


def test_a_fail_whose_answer_was_lost_counts_once(shop: Shop, failing: Callable[[], None]) -> None:
    worker = shop.client("w1")
    shop.push("job-0001")
    shop.fetch(worker)
    failing()
    report = FailReport(jid="job-0001")
    _refused(shop, shop.broker.jobs.fail(worker.session, report))
    if shop.place("job-0001") == "working":
        shop.fail(worker, "job-0001")
    held = shop.held("job-0001")
    assert held is not None
    assert held.job.failure is not None
    assert (held.place, held.job.failure.retry_count) == ("retries", 0)


def test_a_fetcher_waits_while_the_store_does_not_answer(shop: Shop, failing: Callable[[], None]) -> None:
    worker = shop.client("w1")
    (call,) = worker.send(shop.broker.fetching.fetch(worker.session, ("default",)))
    failing()
    shop.turn()
    assert not call.done
    shop.push("job-0001")
    assert fetched(call) == ["job-0001"]


def test_a_job_that_was_reserved_and_told_to_nobody_goes_back_unharmed(shop: Shop) -> None:
    worker = shop.client("w1")
    shop.push("job-0001", "job-0002")
    failures = iter([StoreUnavailable("connection lost")])
    shop.store.afterwards = lambda verb: next(failures, None)
    (call,) = worker.send(shop.broker.fetching.fetch(worker.session, ("default",)))
    shop.turn()
    assert (shop.place("job-0001"), call.done) == ("working", False)
    shop.let_pass(0.5)
    assert shop.fetch(shop.client("w1")) == ["job-0002"]
    shop.let_pass(2)
    assert fetched(call) == []
    shop.ask(shop.broker.upkeep.reap_reservations())
    held = shop.held("job-0001")
    assert held is not None
    assert (held.place, held.job.crashes) == ("queued", 0)
    assert shop.place("job-0002") == "working", "its worker was told"
    shop.ask(shop.broker.upkeep.reap_reservations())
    assert shop.fetch(worker) == ["job-0001"]
    shop.let_pass(1)
    shop.ask(shop.broker.upkeep.reap_reservations())
    assert shop.figures().working == 2


def test_a_commit_that_nobody_knows_about_is_not_looked_for_for_ever() -> None:
    contact = Contact(NOW, Log())  # type: ignore[arg-type] # what it logs with
    untold = Held(job("a"), "working", 0.0, 1, "w1", NOW, NOW + 1800)
    told = Held(job("b"), "working", 0.0, 2, "w2", NOW, NOW + 1800)
    contact.unsure((), NOW)
    assert contact.undelivered([untold, told], NOW) == ()
    contact.unsure([Reserve(("default",), "w1")], NOW)
    assert contact.undelivered([untold, told], NOW + 299) == [untold]
    assert contact.undelivered([untold, told], NOW + 301) == ()


def test_workers_that_could_not_be_heard_are_not_given_up(shop: Shop) -> None:
    workers = [shop.client(f"w{number}") for number in range(3)]
    shop.push("job-0001", "job-0002", "job-0003")
    for worker in workers:
        shop.fetch(worker)
    shop.store.cue = lambda verb: StoreUnavailable("away")
    for _ in range(10):
        shop.clock.now += 20
        for worker in workers:
            with pytest.raises(StoreUnavailable):
                shop.ask(shop.broker.fleet.beat(worker.session, worker.session.wid, "", 0))
        for reap in (shop.broker.upkeep.reap_workers, shop.broker.upkeep.reap_reservations):
            with pytest.raises(StoreUnavailable):
                shop.ask(reap())
    shop.store.cue = never
    shop.ask(shop.broker.upkeep.reap_workers())
    shop.clock.now += 59
    shop.ask(shop.broker.fleet.beat(workers[0].session, "w0", "", 0))
    shop.ask(shop.broker.upkeep.reap_workers())
    assert shop.figures().working == 3
    shop.clock.now += 2
    shop.ask(shop.broker.upkeep.reap_workers())
    assert shop.figures().working == 1


def test_a_job_that_was_done_while_the_store_was_away_can_still_be_acknowledged(shop: Shop) -> None:
    worker = shop.client("w1")
    shop.push("job-0001")
    shop.fetch(worker)
    shop.store.cue = lambda verb: StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        shop.acknowledge(worker, "job-0001")
    shop.clock.now += 1801
    shop.store.cue = never
    shop.ask(shop.broker.upkeep.reap_reservations())
    assert shop.place("job-0001") == "working"
    shop.acknowledge(worker, "job-0001")
    assert shop.figures().processed == 1


def test_trouble_is_logged_once_and_its_end_too() -> None:
    log = Log()
    contact = Contact(NOW, log)  # type: ignore[arg-type] # what it logs with
    for second in range(50):
        contact.broke(StoreUnavailable("away"), 3, NOW + second)
    contact.holds(NOW + 50)
    assert log.lines == [
        ("the store refused a round", {"commands": 3, "error": "away", "exc_info": False}),
        ("the store answers again", {"seconds": 50.0, "commands_refused": 150}),
    ]
    assert (contact.trouble, contact.breaks, contact.since(NOW + 60)) == ("", 1, NOW + 50)
    assert contact.since(NOW - 7) == NOW - 7, "the clock was put back"


def test_trouble_that_comes_and_goes_is_logged_once_a_minute() -> None:
    log = Log()
    contact = Contact(NOW, log)  # type: ignore[arg-type] # what it logs with
    for second in range(120):
        contact.broke(StoreUnavailable("the disk is full"), 1, NOW + second)
        contact.holds(NOW + second + 0.5)
    assert len(log.lines) == 4
    contact.broke(KeyError("ours"), 1, NOW + 120)
    contact.broke(KeyError("ours"), 1, NOW + 120)
    assert [facts["exc_info"] for _, facts in log.lines[4:]] == [True, True], "a defect of ours is always told"
    assert contact.trouble == "'ours'"
