"""What the store tells of jobs that came by another server: who is asked for, and that it costs little."""

from collections.abc import Sequence

import pytest

from shopfloor.broker.calls import Call
from shopfloor.core.changes import Pause, Put, Transition
from shopfloor.store.port import Committed, Reserve
from tests.broker.shop import Shop, fetched
from tests.jobs import job


@pytest.fixture
def asked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests went to the store with each commit."""
    counts: list[int] = []
    commit = shop.store.commit

    async def counted(transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        counts.append(len(requests))
        return await commit(transitions, requests, now)

    monkeypatch.setattr(shop.store, "commit", counted)
    return counts


def _wait(shop: Shop, *queues: str) -> Call:
    client = shop.client()
    (call,) = client.send(shop.broker.fetching.fetch(client.session, queues or ("default",)))
    shop.turn()
    return call


def _behind_its_back(shop: Shop, *transitions: Transition) -> None:
    """Commit as another server would: this one's rounds know nothing of it."""
    shop.run(shop.store.inner.commit(transitions, (), shop.clock.now))


def test_a_job_that_came_by_another_server_is_given_out(shop: Shop) -> None:
    call = _wait(shop, "other", "default")
    _behind_its_back(shop, (Put(job("job-0001"), "queued"),))
    shop.ticks.arrived(["default"])
    shop.turn()
    assert fetched(call) == ["job-0001"]


def test_any_queue_means_every_queue_that_somebody_waits_on(shop: Shop) -> None:
    calls = [_wait(shop, "a"), _wait(shop, "b")]
    _behind_its_back(shop, (Put(job("job-0001", "a"), "queued"),), (Put(job("job-0002", "b"), "queued"),))
    shop.ticks.arrived(None)
    shop.turn()
    assert [fetched(call) for call in calls] == [["job-0001"], ["job-0002"]]


def test_a_queue_that_another_server_resumed(shop: Shop) -> None:
    _behind_its_back(shop, (Put(job("job-0001"), "queued"), Pause("default", True)))
    call = _wait(shop)
    _behind_its_back(shop, (Pause("default", False),))
    shop.ticks.arrived({"default"})
    shop.turn()
    assert fetched(call) == ["job-0001"]


def test_a_rumour_that_is_wrong_costs_one_question_for_a_few(shop: Shop, asked: list[int]) -> None:
    calls = [_wait(shop) for _ in range(50)]
    asked.clear()
    for _ in range(9):
        shop.ticks.arrived(["default", "nobody-waits-here"])
    shop.turn(5)
    assert asked == [8]
    assert not any(call.done for call in calls)


def test_a_rumour_of_many_jobs_is_followed_until_they_are_gone(shop: Shop, asked: list[int]) -> None:
    calls = [_wait(shop) for _ in range(50)]
    asked.clear()
    _behind_its_back(shop, *((Put(job(f"job-{number:04}"), "queued"),) for number in range(20)))
    shop.ticks.arrived(["default"])
    shop.turn(9)
    assert asked == [8, 16]
    assert sum(call.done for call in calls) == 20


def test_where_each_worker_has_a_limit_all_who_wait_are_asked_for(shop: Shop, asked: list[int]) -> None:
    for _ in range(20):
        _wait(shop)
    shop.ticks.limited = {"default": True}
    asked.clear()
    shop.ticks.arrived(["default"])
    shop.turn()
    assert asked == [20]


def test_nobody_waits_so_nothing_is_asked(shop: Shop, asked: list[int]) -> None:
    shop.ticks.arrived(["default"])
    shop.ticks.arrived(None)
    shop.turn(2)
    assert asked == []


def test_a_rumour_while_the_store_fails_leaves_everybody_waiting(shop: Shop) -> None:
    call = _wait(shop)
    _behind_its_back(shop, (Put(job("job-0001"), "queued"),))
    shop.store.cue = lambda verb: OSError("away")
    shop.ticks.arrived(["default"])
    shop.turn()
    assert not call.done
    shop.store.cue = lambda verb: None
    shop.ticks.arrived(["default"])
    shop.turn()
    assert fetched(call) == ["job-0001"]
