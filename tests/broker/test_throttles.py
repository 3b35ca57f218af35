"""Throttles: never more at once than allowed, no slot that is lost, and nobody waits longer than it takes."""

from collections.abc import Iterator, Sequence

import pytest
from msgspec import Raw

from shopfloor.broker.calls import Call
from shopfloor.core import throttle
from shopfloor.core.changes import Note
from shopfloor.core.payload import PushedJob
from shopfloor.core.throttle import THROTTLE, Kind, Limit, Slots, Table, Throttle
from tests.broker.shop import Client, Shop, fetched
from tests.jobs import NOW


def throttled(jid: str, *, jobtype: str = "Work", queue: str = "default", key: str = "") -> PushedJob:
    custom = Raw(f'{{"throttle":"{key}"}}'.encode() if key else b"")
    return PushedJob(jid=jid, jobtype=jobtype, queue=queue, args=Raw(b"[]"), custom=custom)


def push(shop: Shop, *jobs: PushedJob) -> None:
    for job in jobs:
        shop.ask(shop.broker.jobs.push(job))


def apply(shop: Shop, *lines: tuple[Kind, str, Limit]) -> None:
    table = Table(tuple(Throttle(kind=kind, name=name, limit=limit) for kind, name, limit in lines))
    shop.broker.throttles.apply(table)


def wait(shop: Shop, client: Client, *queues: str) -> Call:
    (call,) = client.send(shop.broker.fetching.fetch(client.session, queues or ("default",)))
    shop.until(lambda: call.done or call.wait is not None)
    return call


def slots(shop: Shop) -> dict[str, list[str]]:
    """List who holds slots, by record."""
    records = shop.run(shop.store.inner.records(THROTTLE))
    return {name: sorted(throttle.decode(record.value).holders) for name, record in records.items()}


def promote(shop: Shop, seconds: float) -> None:
    shop.clock.now += seconds
    shop.ask(shop.broker.upkeep.promote("scheduled"))


@pytest.fixture
def worker(shop: Shop) -> Client:
    return shop.client("worker-1")


ONE = Limit(concurrency=1)


def test_a_queue_gives_out_no_more_than_its_limit(shop: Shop, worker: Client) -> None:
    apply(shop, ("queue", "scrape", Limit(concurrency=2)))
    shop.push("job-0001", "job-0002", "job-0003", queue="scrape")
    shop.push("job-0004", queue="other")
    assert shop.fetch(worker, "scrape", count=5) == ["job-0001", "job-0002"]
    assert shop.fetch(worker, "scrape", "other") == ["job-0004"]
    assert shop.queued("scrape") == ["job-0003"]


@pytest.mark.parametrize("how", ["acknowledge", "fail", "give back", "expire"])
def test_a_slot_that_is_free_serves_a_fetcher_that_waits(shop: Shop, worker: Client, how: str) -> None:
    apply(shop, ("queue", "scrape", ONE))
    shop.push("job-0001", "job-0002", queue="scrape")
    shop.fetch(worker, "scrape")
    call = wait(shop, shop.client(), "scrape")
    assert not call.done
    if how == "acknowledge":
        shop.acknowledge(worker, "job-0001")
    elif how == "fail":
        shop.fail(worker, "job-0001")
    elif how == "give back":
        shop.ask(shop.broker.jobs.give_back(worker.session, "job-0001"), worker)
    else:
        shop.clock.now += 1801
        shop.ask(shop.broker.upkeep.reap_reservations())
    assert fetched(call) == ["job-0002" if how in ("acknowledge", "fail") else "job-0001"]


def test_a_worker_at_its_limit_does_not_keep_the_job_from_others(shop: Shop, worker: Client) -> None:
    apply(shop, ("queue", "img", Limit(worker=1)))
    shop.push("job-0001", queue="img")
    assert shop.fetch(worker, "img") == ["job-0001"]
    full = wait(shop, worker, "img")
    free = wait(shop, shop.client("worker-2"), "img")
    shop.push("job-0002", queue="img")
    assert fetched(free) == ["job-0002"]
    assert not full.done


def test_limits_of_a_reload_hold_for_those_who_wait(shop: Shop, worker: Client) -> None:
    apply(shop, ("queue", "scrape", Limit(concurrency=2)))
    shop.push("job-0001", queue="scrape")
    shop.fetch(worker, "scrape")
    call = wait(shop, worker, "scrape")
    apply(shop, ("queue", "scrape", ONE))
    shop.push("job-0002", queue="scrape")
    assert not call.done
    apply(shop)
    shop.push("job-0003", queue="scrape")
    assert fetched(call) == ["job-0002"]


def test_a_type_is_limited_over_all_queues_and_others_go_on(shop: Shop, worker: Client) -> None:
    apply(shop, ("type", "Resize", ONE))
    push(shop, throttled("job-0001", jobtype="Resize", queue="a"), throttled("job-0002", jobtype="Resize", queue="b"))
    push(shop, throttled("job-0003", queue="b"))
    assert shop.fetch(worker, "a", "b") == ["job-0001"]
    assert shop.fetch(worker, "a", "b") == ["job-0003"]
    assert shop.place("job-0002") == "scheduled"
    assert shop.broker.throttles.held_back == 1
    shop.acknowledge(worker, "job-0001")
    promote(shop, 1)
    assert shop.fetch(worker, "a", "b") == ["job-0002"]
    held = shop.held("job-0002")
    assert held is not None
    assert (held.job.failure, held.job.retry, held.job.crashes) == (None, 25, 0)
    assert slots(shop) == {"type:Resize": ["job-0002"]}


def test_each_key_has_slots_of_its_own(shop: Shop, worker: Client) -> None:
    apply(shop, ("key", "customer-*", ONE))
    push(shop, throttled("job-0001", key="customer-1"), throttled("job-0002", key="customer-1"))
    push(shop, throttled("job-0003", key="customer-2"), throttled("job-0004", key="other"))
    assert shop.fetch(worker, count=4) == ["job-0001", "job-0003", "job-0004"]
    assert slots(shop) == {"key:customer-1": ["job-0001"], "key:customer-2": ["job-0003"]}


def test_a_rate_spreads_the_starts(shop: Shop, worker: Client) -> None:
    apply(shop, ("type", "Mail", Limit(rate=2, period=10.0)))
    jids = [f"job-00{number}" for number in range(10, 16)]
    push(shop, *(throttled(jid, jobtype="Mail") for jid in jids))
    begun: list[tuple[float, str]] = []
    for _ in range(60):
        promote(shop, 0.5)
        for jid in shop.fetch(worker, count=6) if shop.queued() else []:
            begun.append((shop.clock.now - NOW, jid))
            shop.acknowledge(worker, jid)
    assert [jid for _, jid in begun] == jids
    for at, _ in begun:
        assert sum(at <= other < at + 10 for other, _ in begun) <= 2
    assert begun[-1][0] <= 36


def test_those_who_are_held_back_keep_their_order(shop: Shop, worker: Client) -> None:
    apply(shop, ("type", "Work", ONE))
    shop.push(*(f"job-000{number}" for number in range(5)))
    assert shop.fetch(worker, count=5) == ["job-0000"]
    promote(shop, 2)
    assert shop.queued() == ["job-0001", "job-0002", "job-0003", "job-0004"]


@pytest.mark.parametrize("how", ["acknowledge", "fail", "give back", "die", "expire"])
def test_a_slot_ends_with_its_reservation(shop: Shop, worker: Client, how: str) -> None:
    apply(shop, ("type", "Work", ONE))
    shop.push("job-0001")
    shop.fetch(worker)
    assert slots(shop) == {"type:Work": ["job-0001"]}
    if how == "acknowledge":
        shop.acknowledge(worker, "job-0001")
    elif how == "fail":
        shop.fail(worker, "job-0001")
    elif how == "give back":
        shop.ask(shop.broker.jobs.give_back(worker.session, "job-0001"), worker)
    elif how == "die":
        shop.clock.now += 61
        shop.ask(shop.broker.upkeep.reap_workers())
    else:
        shop.clock.now += 1801
        shop.ask(shop.broker.upkeep.reap_reservations())
    assert slots(shop) == {"type:Work": []}
    shop.clock.now += 60
    shop.ask(shop.broker.throttles.reconcile())
    assert slots(shop) == {}
    assert shop.broker.throttles.repairs == 0


def test_a_cancelled_job_is_not_held_back_but_leaves(shop: Shop, worker: Client) -> None:
    apply(shop, ("type", "Work", ONE))
    shop.push("job-0001", "job-0002")
    shop.fetch(worker)
    (call,) = worker.send(shop.broker.fetching.fetch(worker.session, ("default",)))
    shop.turn()
    assert not call.done
    canceller = shop.client()
    canceller.send(shop.broker.jobs.cancel("job-0002"))
    shop.turn(10)
    assert shop.place("job-0002") in (None, "scheduled")


def test_a_reservation_that_ends_before_the_slot_is_taken_takes_none(shop: Shop) -> None:
    apply(shop, ("type", "Work", ONE))
    shop.push("job-0001")
    client = shop.client()
    (call,) = client.send(shop.broker.fetching.fetch(client.session, ("default",)))
    shop.turn()
    thief = shop.client()
    thief.send(shop.broker.jobs.acknowledge(thief.session, "job-0001"))
    shop.let_pass(0)
    shop.turn(10)
    shop.let_pass(2)
    shop.turn(3)
    assert call.done
    assert slots(shop).get("type:Work", []) == []


def test_a_throttle_that_is_no_more_frees_its_slots(shop: Shop, worker: Client) -> None:
    apply(shop, ("type", "Work", ONE), ("key", "*", ONE))
    push(shop, throttled("job-0001", key="x"))
    shop.fetch(worker)
    apply(shop)
    shop.push("job-0002")
    assert shop.fetch(worker) == ["job-0002"]
    shop.acknowledge(worker, "job-0001")
    assert slots(shop) == {"type:Work": [], "key:x": []}
    shop.ask(shop.broker.throttles.reconcile())
    assert slots(shop) == {}


def test_slots_without_a_reservation_are_found_and_counted(shop: Shop, worker: Client) -> None:
    apply(shop, ("type", "Work", ONE))
    shop.ask(shop.broker.throttles.reconcile())

    def lose() -> Iterator[object]:
        yield (Note(THROTTLE, "type:Work", throttle.encode(Slots(holders={"nobody-1": "w"})), 0),)

    shop.ask(lose())  # type: ignore[arg-type]
    shop.push("job-0001")
    assert shop.fetch(worker) == []
    shop.ask(shop.broker.throttles.reconcile())
    assert shop.broker.throttles.repairs == 1
    promote(shop, 5)
    assert shop.fetch(worker) == ["job-0001"]


def test_many_fetchers_at_once_never_get_more_than_there_are_slots(shop: Shop) -> None:
    apply(shop, ("type", "Work", Limit(concurrency=3)))
    shop.push(*(f"job-00{number}" for number in range(10, 40)))
    clients = [shop.client() for _ in range(12)]
    for client in clients:
        client.send(shop.broker.fetching.fetch(client.session, ("default",)))
    shop.until(lambda: not shop.ticks.waiting.count < 9)
    replies: list[Sequence[object]] = [client.replies[0] for client in clients if client.replies]  # type: ignore[misc]
    assert sum(len(reply) for reply in replies) == 3
    assert len(slots(shop)["type:Work"]) == 3
