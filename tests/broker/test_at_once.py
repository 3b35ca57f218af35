"""Two servers at work on the same: what is to happen once happens once, and no limit is exceeded."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest

from shopfloor.broker.asks import Verb
from shopfloor.core import throttle
from shopfloor.core.lifecycle import Rules
from shopfloor.core.throttle import Limit, Table, Throttle
from shopfloor.core.timestamps import format_timestamp
from tests.broker.batch_bench import Bench, after
from tests.broker.shared_memory import SharedMemory
from tests.broker.shop import Clock, Shop, fetched
from tests.broker.side_by_side import Two, beat, meanwhile, reap
from tests.broker.test_throttles import throttled
from tests.broker.test_unique import push, unique_job
from tests.jobs import NOW, pushed


def test_what_is_due_is_enqueued_once_though_both_look(two: Two) -> None:
    one, _ = two
    at = format_timestamp(NOW + 10)
    one.ask(one.broker.jobs.push_bulk([pushed(f"job-{n:04}", at=at) for n in range(1200)]))
    one.clock.now += 11
    calls = [(shop, shop.server.send(shop.broker.upkeep.promote("scheduled"))[0]) for shop in two]
    while not all(call.done for _, call in calls):
        for shop, _ in calls:
            shop.turn()
    assert len(one.queued()) == 1200
    assert sum(shop.broker.upkeep.tally.passes["scheduled"].moved for shop in two) == 1200


@pytest.fixture
def benches(shared: SharedMemory) -> Iterator[tuple[Bench, Bench]]:
    """Two servers with what tests of batches need."""
    clock = Clock()
    pair = Bench(shared.door(), clock=clock), Bench(shared.door(), clock=clock)
    yield pair
    for bench in pair:
        bench.tend()
        assert bench.repaired() == 0
        bench.close()


def test_a_batch_whose_members_end_by_both_servers_calls_back_once(benches: tuple[Bench, Bench]) -> None:
    one, other = benches
    bid = one.new(success=after())
    jids = [f"job-{number:04}" for number in range(20)]
    one.push(bid, *jids)
    one.commit(bid)
    session = other.worker.session
    for mine, theirs in zip(jids[::2], jids[1::2], strict=True):
        assert one.due() == []
        assert [one.shop.fetch(one.worker), other.shop.fetch(other.worker)] == [[mine], [theirs]]
        meanwhile(one.shop, partial(other.broker.jobs.acknowledge, session, theirs), other.shop)
        one.shop.acknowledge(one.worker, mine)
    assert other.due() == [(bid, "success")]
    assert (other.status(bid).pending, one.shop.figures().processed) == (0, 20)


def test_a_unique_job_is_unique_for_both(two: Two) -> None:
    one, other = two
    assert push(one, unique_job("job-0001"))
    assert not push(other, unique_job("job-0002"))
    worker = other.client("w1")
    assert other.fetch(worker) == ["job-0001"]
    assert not push(one, unique_job("job-0002"))
    other.acknowledge(worker, "job-0001")
    assert push(one, unique_job("job-0002"))


# --- limits ---------------------------------------------------------------------------------------------------------


def _throttle(two: Two, *lines: Throttle) -> None:
    for shop in two:
        shop.broker.throttles.apply(Table(lines))


def test_a_queues_limit_counts_what_the_other_server_gave_out(two: Two) -> None:
    _throttle(two, Throttle(kind="queue", name="default", limit=Limit(concurrency=3)))
    one, other = two
    one.push(*(f"job-{number:04}" for number in range(6)))
    here, there = one.client("w1"), other.client("w2")
    got = [shop.fetch(client) for shop, client in [(one, here), (other, there)] * 3]
    assert got == [["job-0000"], ["job-0001"], ["job-0002"], [], [], []]
    (call,) = there.send(other.broker.fetching.fetch(there.session, ("default",)))
    other.turn()
    assert not call.done
    one.acknowledge(here, "job-0000")
    other.turn()
    assert fetched(call) == ["job-0003"], "a slot that became free there lets a fetcher go on here"


@pytest.mark.parametrize("kind", ["type", "key"])
def test_slots_of_types_and_keys_are_exact_though_both_begin_jobs_at_once(two: Two, kind: throttle.Kind) -> None:
    _throttle(two, Throttle(kind=kind, name="Resize" if kind == "type" else "k", limit=Limit(concurrency=2)))
    one, other = two
    for number in range(8):
        job = throttled(f"job-{number:04}", jobtype="Resize", key="k")
        one.ask(one.broker.jobs.push(job))
    here, there = one.client("w1"), other.client("w2")
    working = []
    for _ in range(4):
        taken: list[str] = []

        def their_fetch() -> Verb[None]:
            held = yield from other.broker.fetching.fetch(there.session, ("default",))
            taken.extend(one.job.jid for one in held)  # noqa: B023 - read in the same turn

        meanwhile(one, their_fetch, other)
        (call,) = here.send(one.broker.fetching.fetch(here.session, ("default",)))
        for _ in range(12):
            one.turn()
            other.turn()
        one.let_pass(2)
        other.let_pass(0)
        other.turn(3)
        working += fetched(call) + taken
        assert one.figures().working <= 2
    assert len(working) == 2


def test_a_rate_holds_for_both_together(two: Two) -> None:
    _throttle(two, Throttle(kind="type", name="Resize", limit=Limit(rate=3, period=60.0)))
    one, other = two
    for number in range(8):
        one.ask(one.broker.jobs.push(throttled(f"job-{number:04}", jobtype="Resize")))
    clients = [(one, one.client("w1")), (other, other.client("w2"))] * 4
    started = [jid for shop, client in clients for jid in shop.fetch(client)]
    assert len(started) == 3


# --- standing still -------------------------------------------------------------------------------------------------


def test_an_acknowledgement_that_stood_still_settles_nothing_of_another_worker(two: Two) -> None:
    """The server is stopped between looking and committing; meanwhile the other gives the job to somebody else."""
    one, other = two
    one.push("job-0001")
    here, heir = one.client("w1"), other.client("w2")
    one.fetch(here)

    def given_away() -> Verb[None]:
        one.clock.now += 61
        return give_away()

    def give_away() -> Verb[None]:
        yield from other.broker.fleet.beat(heir.session, "w2", "", 0)
        yield from other.broker.upkeep.reap_workers()
        held = yield from other.broker.fetching.fetch(heir.session, ("default",))
        assert [one.job.jid for one in held] == ["job-0001"]

    meanwhile(one, given_away, other)
    one.acknowledge(here, "job-0001")
    held = one.held("job-0001")
    assert held is not None
    assert (held.place, held.wid) == ("working", "w2")
    assert one.figures().processed == 0


def test_a_reaper_that_stood_still_gives_up_nobody_who_was_heard_meanwhile(two: Two) -> None:
    one, other = two
    one.push("job-0001")
    worker = other.client("w1")
    other.fetch(worker)
    one.clock.now += 61
    meanwhile(one, lambda: other.broker.fleet.beat(worker.session, "w1", "", 0), other)
    one.ask(one.broker.upkeep.reap_workers())
    assert one.place("job-0001") == "working"


def test_nobody_is_given_up_for_silence_while_the_server_itself_stood_still(two: Two) -> None:
    one, _ = two
    one.push("job-0001")
    worker = one.client("w1")
    one.fetch(worker)
    one.clock.now += 300
    one.ticks.contact.interrupted(one.clock.now)
    reap(one)
    assert one.place("job-0001") == "working"
    one.clock.now += 59
    reap(one)
    assert one.place("job-0001") == "working"
    one.clock.now += 2
    reap(one)
    assert one.place("job-0001") == "queued"


def test_a_server_that_starts_gives_all_workers_time_to_beat(two: Two, shared: SharedMemory) -> None:
    one, _ = two
    one.push("job-0001")
    one.fetch(one.client("w1"))
    one.clock.now += 300
    started = Shop(shared.door(), clock=one.clock)
    reap(started)
    assert one.place("job-0001") == "working"
    started.clock.now += 61
    reap(started)
    assert one.place("job-0001") == "queued"
    started.close()


def test_clocks_that_differ_by_less_than_a_worker_may_be_silent_cost_no_worker(shared: SharedMemory) -> None:
    behind, ahead = Clock(), Clock()
    ahead.now += 30
    one, other = Shop(shared.door(), clock=behind), Shop(shared.door(), clock=ahead)
    worker = one.client("w1")
    one.push("job-0001")
    one.fetch(worker)
    for _ in range(10):
        behind.now, ahead.now = behind.now + 20, ahead.now + 20
        beat(one, worker)
        reap(other, one)
    assert one.place("job-0001") == "working"
    other.close()
    one.close()


def test_servers_come_to_rest() -> None:
    """A rumour between servers never becomes a question that asks for another one."""
    shared = SharedMemory(Rules())
    shops = [Shop(shared.door()) for _ in range(3)]
    for shop in shops:
        client = shop.client()
        client.send(shop.broker.fetching.fetch(client.session, ("default",)))
        shop.turn()
    shops[0].push("job-0001", queue="other")
    for shop in shops:
        shop.turn(3)

    async def rests(shop: Shop) -> int:
        before = shop.ticks.rounds
        serving = asyncio.create_task(shop.ticks.serve())
        await asyncio.sleep(0.01)
        shop.ticks.stop()
        await serving
        return shop.ticks.rounds - before

    assert [shop.run(rests(shop)) <= 1 for shop in shops] == [True] * 3
    for shop in shops:
        shop.close()
