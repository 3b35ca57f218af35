"""Pause, remove, latency and peek, and the bound on how often latency may be asked."""

import pytest

from shopfloor.broker.context import BrokerLimits
from shopfloor.broker.rate import Rate
from shopfloor.errors import Refused
from tests.broker.shop import Shop
from tests.jobs import pushed


def _paused(shop: Shop) -> dict[str, bool]:
    return {queue.name: queue.paused for queue in shop.ask(shop.broker.queues.known())}


def test_named_queues_are_paused_and_resumed(shop: Shop) -> None:
    shop.push("job-0001", queue="a")
    shop.ask(shop.broker.queues.pause(("a", "b"), paused=True))
    assert _paused(shop) == {"a": True, "b": True}
    shop.ask(shop.broker.queues.pause(("b",), paused=False))
    assert _paused(shop) == {"a": True, "b": False}


def test_all_known_queues_are_paused_and_resumed(shop: Shop) -> None:
    shop.push("job-0001", queue="a")
    shop.push("job-0002", queue="b")
    shop.ask(shop.broker.queues.pause(None, paused=True))
    assert _paused(shop) == {"a": True, "b": True}
    shop.ask(shop.broker.queues.pause(None, paused=False))
    assert _paused(shop) == {"a": False, "b": False}


def test_a_bad_name_pauses_none_of_the_queues(shop: Shop) -> None:
    with pytest.raises(Refused, match="queue names must match"):
        shop.ask(shop.broker.queues.pause(("a", "not a name"), paused=True))
    assert _paused(shop) == {}


def test_a_removed_queue_is_gone_with_its_jobs_and_its_pause(shop: Shop) -> None:
    shop.ask(shop.broker.jobs.push_bulk([pushed(f"job-{n:05}", "a") for n in range(2500)]))
    shop.push("job-other", queue="b")
    shop.ask(shop.broker.queues.pause(None, paused=True))
    shop.ask(shop.broker.queues.remove(("a", "unknown")))
    assert _paused(shop) == {"b": True}
    assert shop.held("job-00042") is None
    shop.ask(shop.broker.queues.remove(None))
    assert _paused(shop) == {}


def test_removing_a_queue_is_not_kept_up_by_those_who_push_into_it(shop: Shop) -> None:
    shop.ask(shop.broker.jobs.push_bulk([pushed(f"job-{n:05}", "a") for n in range(2500)]))
    (removing,) = shop.server.send(shop.broker.queues.remove(("a",)))
    producer = shop.client()
    for number in range(20):
        producer.send(shop.broker.jobs.push(pushed(f"late-{number:04}", "a")))
        shop.turn()
    assert removing.done
    assert shop.held("job-02499") is None
    assert shop.queued("a")[-1] == "late-0019"


def test_latency_is_the_wait_of_the_oldest_job(shop: Shop) -> None:
    shop.push("job-0001", queue="a")
    shop.clock.now += 2.5
    shop.push("job-0002", queue="a")
    shop.push("job-0003", queue="b")
    latency = shop.ask(shop.broker.queues.latency(("a", "b", "unknown")))
    assert latency == {"a": 2.5, "b": 0, "unknown": 0}


def test_latency_of_a_job_with_a_strange_time_is_nothing(shop: Shop) -> None:
    job = pushed("job-0001", "a")
    job.enqueued_at = "yesterday"
    shop.ask(shop.broker.jobs.push(job))
    assert shop.ask(shop.broker.queues.latency(("a",))) == {"a": 0}


def test_latency_is_answered_so_many_times_a_second() -> None:
    shop = Shop(limits=BrokerLimits(latency_calls_per_second_max=2))
    for _ in range(2):
        for _ in range(2):
            shop.ask(shop.broker.queues.latency(("a",)))
        with pytest.raises(Refused, match="too many QUEUE LATENCY: the limit is 2 a second"):
            shop.ask(shop.broker.queues.latency(("a",)))
        shop.clock.now += 1
    shop.close()


def test_peeking_shows_jobs_and_changes_nothing(shop: Shop) -> None:
    shop.push(*(f"job-000{number}" for number in range(5)))
    for _ in range(2):
        seen = shop.ask(shop.broker.queues.peek("default", 2, 1))
        assert [held.job.jid for held in seen] == ["job-0001", "job-0002"]
    assert shop.ask(shop.broker.queues.peek("unknown", 5, 0)) == []
    assert shop.fetch(shop.client(), count=9) == [f"job-000{number}" for number in range(5)]


def test_a_rate_counts_whole_seconds_and_0_is_no_bound() -> None:
    rate = Rate(2)
    assert [rate.allows(now) for now in (1.0, 1.5, 1.9, 2.0, 2.1, 2.2)] == [True, True, False] * 2
    assert all(Rate(0).allows(1.0) for _ in range(5000))
