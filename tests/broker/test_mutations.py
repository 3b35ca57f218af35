"""MUTATE and FLUSH: which jobs are meant, what becomes of them, and that others have their turn meanwhile."""

import pytest

from shopfloor.core.job import TimedPlace
from shopfloor.core.mutation import Command, Filter, Mutation
from shopfloor.core.timestamps import format_timestamp
from tests.broker.shop import Shop
from tests.jobs import NOW, pushed


def _mutate(shop: Shop, command: Command, target: TimedPlace = "scheduled", filter: Filter | None = None) -> None:
    shop.ask(shop.broker.mutations.mutate(Mutation(command=command, target=target, filter=filter or Filter())))


def _schedule(shop: Shop, *jids: str, jobtype: str = "Work") -> None:
    at = format_timestamp(NOW + 100)
    for start in range(0, len(jids), 500):
        jobs = [pushed(jid, jobtype=jobtype, at=at) for jid in jids[start : start + 500]]
        assert shop.ask(shop.broker.jobs.push_bulk(jobs)) == {}


def _places(shop: Shop, *jids: str) -> list[str | None]:
    return [shop.place(jid) for jid in jids]


@pytest.mark.parametrize(
    ("command", "place"), [("kill", "dead"), ("requeue", "queued"), ("discard", None), ("clear", None)]
)
def test_without_a_filter_everything_in_the_place_is_meant(shop: Shop, command: Command, place: str | None) -> None:
    _schedule(shop, "job-0001", "job-0002")
    shop.push("job-0003")
    _mutate(shop, command)
    assert _places(shop, "job-0001", "job-0002", "job-0003") == [place, place, "queued"]


FILTERS = [
    (Filter(jids=("job-0001", "unknown", "job-0001")), ["job-0001"]),
    (Filter(jobtype="Other"), ["job-0002"]),
    (Filter(pattern="*job-0003*"), ["job-0003"]),
    (Filter(pattern='*"jobtype":"Work"*'), ["job-0001", "job-0003"]),
    (Filter(pattern="*job-000[12]*", jobtype="Other"), ["job-0002"]),
    (Filter(pattern="*job-0003*", jobtype="Other"), []),
    (Filter(jids=("job-0001",), jobtype="Other", pattern="nothing"), ["job-0001"]),
    (Filter(jids=("queued-1",)), []),
]


@pytest.mark.parametrize(("wanted", "meant"), FILTERS, ids=range(len(FILTERS)))
@pytest.mark.parametrize("command", ["kill", "requeue", "discard"])
def test_a_filter_says_which_jobs_are_meant(shop: Shop, command: Command, wanted: Filter, meant: list[str]) -> None:
    jids = ("job-0001", "job-0002", "job-0003")
    _schedule(shop, "job-0001", "job-0003")
    _schedule(shop, "job-0002", jobtype="Other")
    shop.push("queued-1")
    _mutate(shop, command, filter=wanted)
    assert [jid for jid in jids if shop.place(jid) != "scheduled"] == meant
    assert shop.place("queued-1") == "queued"


def test_killing_the_dead_gives_them_another_term_once(shop: Shop) -> None:
    _schedule(shop, *(f"job-{n:05}" for n in range(700)))
    _mutate(shop, "kill")
    shop.clock.now = NOW + 50
    _mutate(shop, "kill", "dead", Filter(jobtype="Work"))
    held = shop.held("job-00000")
    assert held is not None
    assert held.at == NOW + 50 + shop.rules.dead_seconds
    assert shop.figures().dead == 700


@pytest.mark.parametrize("wanted", [Filter(), Filter(jobtype="Work")], ids=["everything", "filter"])
@pytest.mark.parametrize("command", ["kill", "requeue", "discard", "clear"])
def test_thousands_are_mutated_while_others_have_their_turn(shop: Shop, command: Command, wanted: Filter) -> None:
    _schedule(shop, *(f"job-{n:05}" for n in range(2700)))
    operator, client = shop.client(), shop.client()
    mutation = Mutation(command=command, target="scheduled", filter=wanted)
    (mutating,) = operator.send(shop.broker.mutations.mutate(mutation))
    for number in range(2):
        client.send(shop.broker.jobs.push(pushed(f"quick-{number:04}")))
        shop.turn()
        assert len(client.replies) == number + 1
        assert not mutating.done
    shop.until(lambda: mutating.done)
    figures = shop.figures()
    assert figures.scheduled == 0
    assert figures.dead == (2700 if command == "kill" else 0)
    assert len(shop.queued()) == (2702 if command == "requeue" else 2)


def test_a_job_that_left_meanwhile_is_not_brought_back(shop: Shop) -> None:
    _schedule(shop, "job-0001", "job-0002")
    mutation = Mutation(command="requeue", target="scheduled", filter=Filter(jobtype="Work"))
    (mutating,) = shop.client().send(shop.broker.mutations.mutate(mutation))
    operator = shop.client()
    operator.send(shop.broker.jobs.cancel("job-0001"))
    shop.until(lambda: mutating.done and bool(operator.replies))
    assert shop.held("job-0001") is None
    assert shop.place("job-0002") == "queued"


def test_flush_forgets_jobs_but_not_who_is_connected(shop: Shop) -> None:
    _schedule(shop, "job-0001")
    shop.push("job-0002", "job-0003")
    worker = shop.client("w1")
    shop.fetch(worker)
    shop.ask(shop.broker.mutations.flush())
    figures = shop.figures()
    assert (figures.scheduled, figures.working, shop.queued()) == (0, 0, [])
    assert shop.ask(shop.broker.fleet.beat(worker.session, "w1", "", 0)).state == "running"
    shop.acknowledge(worker, "job-0002")
    shop.push("job-0002")
    assert shop.fetch(worker) == ["job-0002"]
