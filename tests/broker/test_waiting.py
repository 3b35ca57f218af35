"""Fetchers that wait: who gets the job, when they stop waiting, and what becomes of those that have gone."""

import pytest

from shopfloor.broker.calls import Call
from tests.broker.shop import Client, Shop, fetched
from tests.jobs import pushed


def _wait(shop: Shop, *queues: str, client: Client | None = None, count: int = 1) -> Call:
    """Let a client fetch, and wait for what is not there."""
    who = client or shop.client()
    (call,) = who.send(shop.broker.fetching.fetch(who.session, queues or ("default",), count))
    shop.turn()
    return call


def test_a_fetch_is_answered_at_once_where_there_is_a_job(shop: Shop) -> None:
    shop.push("job-0001")
    assert fetched(_wait(shop)) == ["job-0001"]


def test_a_fetch_waits_for_a_push(shop: Shop) -> None:
    call = _wait(shop)
    assert not call.done
    shop.push("job-0001")
    assert fetched(call) == ["job-0001"]


def test_a_fetch_and_a_push_of_the_same_round_meet(shop: Shop) -> None:
    one, two = shop.client(), shop.client()
    (call,) = one.send(shop.broker.fetching.fetch(one.session, ("default",)))
    two.send(shop.broker.jobs.push(pushed("job-0001")))
    shop.turn()
    assert fetched(call) == ["job-0001"]


def test_who_came_first_is_served_first(shop: Shop) -> None:
    calls = [_wait(shop) for _ in range(3)]
    for number in range(3):
        shop.push(f"job-000{number}")
        assert [call.done for call in calls] == [waited <= number for waited in range(3)]
    assert [fetched(call) for call in calls] == [["job-0000"], ["job-0001"], ["job-0002"]]


def test_many_pushes_of_one_round_serve_as_many_fetchers(shop: Shop) -> None:
    calls = [_wait(shop) for _ in range(5)]
    producer = shop.client()
    producer.send(*(shop.broker.jobs.push(pushed(f"job-000{number}")) for number in range(3)))
    shop.turn()
    assert [fetched(call) for call in calls[:3]] == [["job-0000"], ["job-0001"], ["job-0002"]]
    assert [call.done for call in calls[3:]] == [False, False]


def test_only_those_who_wait_on_that_queue_are_served(shop: Shop) -> None:
    other, both = _wait(shop, "other"), _wait(shop, "default", "other")
    shop.push("job-0001")
    assert fetched(both) == ["job-0001"]
    assert not other.done


def test_a_served_fetcher_waits_on_none_of_its_queues_any_more(shop: Shop) -> None:
    call = _wait(shop, "default", "other")
    shop.push("job-0001")
    shop.push("job-0002", queue="other")
    assert fetched(call) == ["job-0001"]
    assert shop.place("job-0002") == "queued"
    assert shop.ticks.waiting.count == 0


def test_nobody_waits_on_while_a_job_is_there_that_another_could_have_taken(shop: Shop) -> None:
    choosy = _wait(shop, "b", "a")
    only_a = _wait(shop, "a")
    only_b = _wait(shop, "b")
    producer = shop.client()
    producer.send(shop.broker.jobs.push(pushed("job-in-a", "a")), shop.broker.jobs.push(pushed("job-in-b", "b")))
    shop.turn()
    assert fetched(choosy) == ["job-in-b"]
    assert fetched(only_a) == ["job-in-a"]
    assert not only_b.done


def test_a_fetch_gives_up_when_its_time_is_over(shop: Shop) -> None:
    early = _wait(shop)
    shop.let_pass(1.5)
    late = _wait(shop)
    shop.let_pass(0.49)
    assert not early.done
    shop.let_pass(0.01)
    assert fetched(early) == []
    assert not late.done
    shop.let_pass(1.5)
    assert fetched(late) == []


def test_a_served_fetcher_that_waits_again_has_its_full_time(shop: Shop) -> None:
    client = shop.client()
    first = _wait(shop, client=client)
    shop.push("job-0001")
    assert fetched(first) == ["job-0001"]
    shop.let_pass(1.5)
    second = _wait(shop, client=client)
    shop.let_pass(1)
    assert not second.done
    shop.let_pass(1)
    assert fetched(second) == []


def test_a_fetcher_that_went_away_takes_no_job(shop: Shop) -> None:
    gone, here = shop.client(), shop.client()
    _wait(shop, client=gone)
    call = _wait(shop, client=here)
    gone.hang_up()
    shop.push("job-0001")
    assert fetched(call) == ["job-0001"]
    assert shop.ticks.waiting.count == 0


def test_a_job_reserved_for_a_client_that_went_away_meanwhile_goes_back(shop: Shop) -> None:
    shop.push("job-0001", "job-0002")
    client = shop.client("worker-1")

    async def hang_up(verb: str) -> None:
        if verb == "commit" and not client.session.closed:
            client.hang_up()

    client.send(shop.broker.fetching.fetch(client.session, ("default",)))
    shop.store.meanwhile = hang_up
    shop.turn(3)
    assert shop.queued() == ["job-0001", "job-0002"]
    assert shop.figures().working == 0


def test_a_woken_client_that_goes_away_while_it_is_served_loses_no_job(shop: Shop) -> None:
    client = shop.client("worker-1")
    _wait(shop, client=client)

    async def hang_up(verb: str) -> None:
        if verb == "commit" and not client.session.closed:
            client.hang_up()

    shop.store.meanwhile = hang_up
    shop.push("job-0001")
    shop.turn(3)
    assert shop.queued() == ["job-0001"]
    assert shop.ticks.waiting.count == 0


def test_a_fetch_whose_time_is_over_while_it_is_served_loses_no_job(shop: Shop) -> None:
    call = _wait(shop)

    async def time_passes(verb: str) -> None:
        if verb == "commit":
            shop.clock.now += 5
            shop.ticks.release_timed_out()

    shop.store.meanwhile = time_passes
    shop.push("job-0001")
    shop.turn(2)
    assert fetched(call) == ["job-0001"]
    assert shop.place("job-0001") == "working"


def test_a_fetch_whose_time_is_over_while_the_store_has_nothing_for_it_ends(shop: Shop) -> None:
    call = _wait(shop)

    async def time_passes(verb: str) -> None:
        if verb == "commit":
            shop.clock.now += 5
            shop.ticks.release_timed_out()

    shop.ask(shop.broker.queues.pause(("default",), paused=True))
    shop.store.meanwhile = time_passes
    shop.push("job-0001")
    shop.turn(2)
    assert fetched(call) == []
    assert shop.place("job-0001") == "queued"


def test_pausing_stops_those_who_wait_already(shop: Shop) -> None:
    call = _wait(shop)
    shop.ask(shop.broker.queues.pause(("default",), paused=True))
    shop.push("job-0001")
    assert not call.done
    assert shop.place("job-0001") == "queued"


def test_resuming_serves_those_who_wait(shop: Shop) -> None:
    shop.ask(shop.broker.queues.pause(("default",), paused=True))
    shop.push("job-0001", "job-0002")
    calls = [_wait(shop) for _ in range(3)]
    shop.ask(shop.broker.queues.pause(("default",), paused=False))
    assert [fetched(call) for call in calls[:2]] == [["job-0001"], ["job-0002"]]
    assert not calls[2].done


@pytest.mark.parametrize("how", ["give back", "requeue", "promote", "worker died"])
def test_a_job_that_comes_back_serves_those_who_wait(shop: Shop, how: str) -> None:
    shop.push("job-0001")
    holder = shop.client("worker-1")
    assert shop.fetch(holder) == ["job-0001"]
    if how in ("requeue", "promote"):
        shop.fail(holder, "job-0001")
        shop.clock.now += 3600 if how == "promote" else 0
    if how == "worker died":
        shop.clock.now += 61
    call = _wait(shop)
    if how == "give back":
        shop.ask(shop.broker.jobs.give_back(holder.session, "job-0001"), holder)
    elif how == "worker died":
        shop.ask(shop.broker.upkeep.reap_workers())
    else:
        shop.clock.now += 0 if how == "promote" else 3600
        shop.ask(shop.broker.upkeep.promote("retries"))
    assert fetched(call) == ["job-0001"]


def test_a_fetcher_that_wants_many_takes_what_is_there(shop: Shop) -> None:
    call = _wait(shop, count=10)
    producer = shop.client()
    producer.send(*(shop.broker.jobs.push(pushed(f"job-000{number}")) for number in range(3)))
    shop.turn()
    assert fetched(call) == ["job-0000", "job-0001", "job-0002"]


def test_a_quiet_worker_gets_nothing_but_waits_its_time(shop: Shop) -> None:
    client = shop.client("worker-1")
    shop.ask(shop.broker.fleet.beat(client.session, "worker-1", "quiet", 0))
    shop.push("job-0001")
    call = _wait(shop, client=client)
    assert not call.done
    shop.let_pass(2)
    assert fetched(call) == []


def test_a_stopping_server_answers_all_who_wait(shop: Shop) -> None:
    calls = [_wait(shop), _wait(shop, "other")]
    shop.ticks.release_all()
    assert [fetched(call) for call in calls] == [[], []]


def test_a_store_that_fails_while_serving_leaves_those_who_wait_waiting(shop: Shop) -> None:
    call = _wait(shop)
    producer = shop.client()
    (push,) = producer.send(shop.broker.jobs.push(pushed("job-0001")))
    shop.store.cue = lambda verb: OSError("no") if verb == "commit" else None
    shop.turn()
    assert isinstance(push.error, OSError)
    assert not call.done
    shop.store.cue = lambda verb: None
    shop.push("job-0002")
    assert fetched(call) == ["job-0002"]


def test_a_queue_that_nobody_waits_on_any_more_is_forgotten(shop: Shop) -> None:
    for number in range(50):
        _wait(shop, f"queue-{number}")
    shop.let_pass(2)
    assert shop.ticks.waiting.count == 0
    assert not list(shop.ticks.waiting.on("queue-7"))
    assert shop.ticks.waiting.all() == []
