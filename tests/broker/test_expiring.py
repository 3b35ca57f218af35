"""Expiring jobs: no worker gets one whose time is over, and nobody waits longer for that."""

from collections.abc import Sequence

import pytest
from msgspec import Raw

from shopfloor.broker.calls import Call
from shopfloor.core.payload import PushedJob
from tests.broker.shop import Client, Shop, fetched


def expiring(jid: str, custom: str = '{"expires_in":60}', queue: str = "default", at: str | None = None) -> PushedJob:
    return PushedJob(jid=jid, jobtype="Work", queue=queue, args=Raw(b"[]"), custom=Raw(custom.encode()), at=at)


def push(shop: Shop, *jobs: PushedJob) -> None:
    for job in jobs:
        shop.ask(shop.broker.jobs.push(job))


def wait(shop: Shop, client: Client, queues: Sequence[str] = ("default",)) -> Call:
    (call,) = client.send(shop.broker.fetching.fetch(client.session, queues))
    shop.until(lambda: call.done or call.wait is not None)
    return call


@pytest.mark.parametrize(
    ("custom", "expires"),
    [('{"expires_in":60}', 60), ('{"expires_at":"2023-11-14T22:13:50Z"}', 30)],
)
def test_an_expired_job_is_discarded_and_the_fetch_goes_on(shop: Shop, custom: str, expires: int) -> None:
    push(shop, expiring("job-0001", custom), expiring("job-0002", custom))
    shop.push("job-0003")
    shop.clock.now += expires
    assert shop.fetch(shop.client()) == ["job-0003"]
    assert shop.place("job-0001") is None
    assert shop.place("job-0002") is None
    assert shop.broker.fetching.expired == 2
    figures = shop.figures()
    assert (figures.processed, figures.failures, figures.dead) == (0, 0, 0)


def test_a_job_in_time_is_fetched(shop: Shop) -> None:
    push(shop, expiring("job-0001"))
    shop.clock.now += 59.9
    assert shop.fetch(shop.client()) == ["job-0001"]


def test_the_time_of_a_scheduled_job_begins_when_it_is_due(shop: Shop) -> None:
    push(shop, expiring("job-0001", at="2023-11-14T23:13:20Z"), expiring("job-0002", at="2023-11-14T23:12:20Z"))
    shop.clock.now += 3620
    shop.ask(shop.broker.upkeep.promote("scheduled"))
    assert shop.fetch(shop.client()) == ["job-0001"]


def test_a_retry_that_comes_too_late_is_discarded(shop: Shop) -> None:
    push(shop, expiring("job-0001", '{"expires_in":20}'))
    client = shop.client()
    shop.fetch(client)
    shop.fail(client, "job-0001")
    shop.clock.now += 30
    shop.ask(shop.broker.upkeep.promote("retries"))
    assert shop.fetch(client) == []
    assert shop.place("job-0001") is None


def test_the_fetch_goes_on_with_the_next_queue(shop: Shop) -> None:
    push(shop, expiring("job-0001", queue="high"))
    shop.push("job-0002", queue="low")
    shop.clock.now += 60
    assert shop.fetch(shop.client(), "high", "low") == ["job-0002"]


def test_many_at_a_time_are_those_that_are_left(shop: Shop) -> None:
    push(shop, expiring("job-0001"), expiring("job-0003"))
    shop.push("job-0002")
    push(shop, expiring("job-0004", '{"expires_in":600}'))
    shop.clock.now += 60
    assert shop.fetch(shop.client(), count=4) == ["job-0002", "job-0004"]


def test_the_fetch_waits_no_longer_than_it_would_have(shop: Shop) -> None:
    client, later = shop.client(), shop.client()
    call = wait(shop, client)
    shop.clock.now += 1.5
    other = wait(shop, later, ("other",))
    push(shop, expiring("job-0001", '{"expires_in":0}'))
    shop.until(lambda: call.wait is not None)
    shop.let_pass(0.4)
    assert not call.done
    shop.let_pass(0.1)
    assert fetched(call) == []
    assert not other.done
    shop.let_pass(1.5)
    assert fetched(other) == []


def test_a_fetch_that_met_an_expired_job_is_served_the_next_one_that_comes(shop: Shop) -> None:
    call = wait(shop, shop.client())
    push(shop, expiring("job-0001", '{"expires_in":0}'))
    shop.until(lambda: call.wait is not None)
    shop.push("job-0002")
    assert fetched(call) == ["job-0002"]


def test_a_fetch_that_meets_expired_jobs_alone_ends_with_its_time(shop: Shop) -> None:
    push(shop, *(expiring(f"job-00{number}", '{"expires_in":0}') for number in range(10, 20)))
    client = shop.client()
    (call,) = client.send(shop.broker.fetching.fetch(client.session, ("default",)))
    for _ in range(8):
        shop.clock.now += 0.5
        shop.turn()
    assert fetched(call) == []
    assert shop.queued()


def test_a_fetch_that_goes_on_while_the_server_stops_is_answered(shop: Shop) -> None:
    push(shop, expiring("job-0001", '{"expires_in":0}'))
    client = shop.client()
    (call,) = client.send(shop.broker.fetching.fetch(client.session, ("default",)))
    shop.turn()
    assert not call.done
    assert call.wait is None
    shop.ticks.release_all()
    shop.turn(5)
    assert fetched(call) == []


def test_an_expired_job_for_a_connection_that_broke_goes_back(shop: Shop) -> None:
    push(shop, expiring("job-0001"))
    shop.clock.now += 60
    client = shop.client()
    client.send(shop.broker.fetching.fetch(client.session, ("default",)))

    async def hang_up(verb: str) -> None:
        client.hang_up()

    shop.store.meanwhile = hang_up
    shop.turn()
    shop.store.meanwhile = None
    shop.turn(3)
    assert shop.queued() == ["job-0001"]


def test_a_worker_gets_the_jobs_for_which_the_store_did_not_fail(shop: Shop) -> None:
    unique = '{"unique_for":60,"unique_until":"start"}'
    push(shop, expiring("job-0001", unique), expiring("job-0002", "{}"))
    commits = iter([None, OSError("no")])
    shop.store.cue = lambda verb: next(commits, None) if verb == "commit" else None
    assert shop.fetch(shop.client(), count=2) == ["job-0002"]


def test_a_fetch_for_which_the_store_failed_fails(shop: Shop) -> None:
    unique = '{"unique_for":60,"unique_until":"start"}'
    push(shop, expiring("job-0001", unique))
    shop.ask(
        shop.broker.jobs.push(PushedJob(jid="job-0002", jobtype="Other", args=Raw(b"[]"), custom=Raw(unique.encode())))
    )
    client = shop.client()
    commits = iter([None, OSError("no")])
    shop.store.cue = lambda verb: next(commits, None) if verb == "commit" else None
    with pytest.raises(OSError, match="no"):
        shop.fetch(client, "default", count=2)
