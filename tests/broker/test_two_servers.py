"""Two servers on one store: a client may come by either, and a worker is one worker for both."""

from tests.broker.shared_memory import SharedMemory
from tests.broker.shop import fetched
from tests.broker.side_by_side import Two, beat, known, leave, reap

REAPS = ("reap_workers", "reap_reservations")

# --- a client may come by either ------------------------------------------------------------------------------------


def test_a_job_is_pushed_fetched_and_acknowledged_by_different_servers(two: Two) -> None:
    one, other = two
    here, there = one.client("w1"), other.client("w1")
    one.push("job-0001")
    assert other.fetch(there) == ["job-0001"]
    one.acknowledge(here, "job-0001")
    assert one.held("job-0001") is None
    other.push("job-0002")
    assert one.fetch(here) == ["job-0002"]
    other.fail(there, "job-0002")
    assert one.place("job-0002") == "retries"


def test_another_worker_cannot_settle_it_by_the_other_server(two: Two) -> None:
    one, other = two
    one.push("job-0001")
    assert one.fetch(one.client("w1")) == ["job-0001"]
    other.acknowledge(other.client("w2"), "job-0001")
    assert one.place("job-0001") == "working"


def test_a_fetcher_waits_here_for_a_job_that_is_pushed_there(two: Two) -> None:
    one, other = two
    client = other.client("w1")
    (call,) = client.send(other.broker.fetching.fetch(client.session, ("default",)))
    other.turn()
    one.push("job-0001")
    other.turn()
    assert fetched(call) == ["job-0001"]


def test_a_job_comes_back_by_the_other_server_and_finds_who_waits(two: Two) -> None:
    one, other = two
    one.push("job-0001")
    holder, waits = one.client("w1"), other.client("w2")
    one.fetch(holder)
    (call,) = waits.send(other.broker.fetching.fetch(waits.session, ("default",)))
    other.turn()
    one.ask(one.broker.jobs.give_back(holder.session, "job-0001"), holder)
    other.turn()
    assert fetched(call) == ["job-0001"]


def test_a_queue_that_is_resumed_there_gives_out_jobs_here(two: Two) -> None:
    one, other = two
    one.push("job-0001")
    one.ask(one.broker.queues.pause(["default"], True))
    client = other.client()
    (call,) = client.send(other.broker.fetching.fetch(client.session, ("default",)))
    other.turn()
    assert not call.done
    one.ask(one.broker.queues.pause(["default"], False))
    other.turn()
    assert fetched(call) == ["job-0001"]


# --- workers --------------------------------------------------------------------------------------------------------


def test_a_worker_that_beats_by_one_server_lives_for_both(two: Two) -> None:
    one, other = two
    one.push("job-0001")
    one.fetch(one.client("w1"))
    there = other.client("w1")
    for _ in range(5):
        one.clock.now += 50
        beat(other, there)
        reap(*two)
    assert one.place("job-0001") == "working"


def test_what_a_worker_told_one_server_holds_at_the_other(two: Two) -> None:
    one, other = two
    here, there = one.client("w1"), other.client("w1")
    beat(one, here, "quiet")
    reap(other)
    one.push("job-0001")
    assert other.fetch(there) == []
    assert beat(other, there).state == "quiet"


def test_a_cancellation_by_one_server_is_heard_with_a_beat_at_the_other(two: Two) -> None:
    one, other = two
    there = other.client("w1", ("cancel",))
    one.push("job-0001")
    assert other.fetch(there) == ["job-0001"]
    one.ask(one.broker.jobs.cancel("job-0001"))
    assert beat(other, there).cancels == ("job-0001",)
    assert beat(other, there).cancels == ()


def test_a_worker_whose_connections_to_one_server_broke_has_not_left_the_other(two: Two) -> None:
    one, other = two
    here, _ = one.client("w1"), other.client("w1")
    one.push("job-0001")
    one.fetch(here)
    leave(one, here)
    one.clock.now += 5
    reap(other)
    one.clock.now += 16
    reap(one, other)
    assert one.place("job-0001") == "working"
    assert known(one)["w1"].left_at == 0


def test_a_worker_that_comes_back_by_the_other_server_keeps_its_jobs(two: Two) -> None:
    one, other = two
    here = one.client("w1")
    one.push("job-0001")
    one.fetch(here)
    leave(one, here)
    one.clock.now += 10
    back = other.client("w1")
    one.clock.now += 10
    reap(one, other)
    assert one.place("job-0001") == "working"
    other.acknowledge(back, "job-0001")
    assert one.held("job-0001") is None


def test_a_connection_that_breaks_after_its_worker_came_by_the_other_server(two: Two) -> None:
    one, other = two
    here = one.client("w1")
    one.push("job-0001")
    one.fetch(here)
    other.client("w1")
    leave(one, here)
    reap(other)
    one.clock.now += 20
    reap(one, other)
    assert one.place("job-0001") == "working"


def test_a_dead_worker_is_given_up_once_though_both_look(two: Two) -> None:
    one, _ = two
    one.push("job-0001")
    one.fetch(one.client("w1"))
    one.clock.now += 61
    for name in REAPS:
        verbs = [(shop, getattr(shop.broker.upkeep, name)) for shop in two]
        calls = [(shop, shop.server.send(verb())[0]) for shop, verb in verbs]
        while not all(call.done for _, call in calls):
            for shop, _ in calls:
                shop.turn()
    held = one.held("job-0001")
    assert held is not None
    assert (held.place, held.job.crashes) == ("queued", 1)
    assert sum(shop.broker.upkeep.tally.workers_reaped for shop in two) == 1


def test_connections_here_of_a_worker_that_was_given_up_there_are_closed(two: Two) -> None:
    one, other = two
    one.client("w1")
    there = other.client("w1")
    one.clock.now += 61
    reap(one)
    reap(other)
    looks = [there.session.closed]
    reap(other)
    looks.append(there.session.closed)
    assert looks == [False, True], "at the first look it could be one that is just saying HELLO"
    assert not other.client("w1").session.closed


def test_a_worker_that_was_given_up_there_and_beats_here_begins_anew(two: Two) -> None:
    one, other = two
    one.push("job-0001")
    there = other.client("w1")
    other.fetch(there)
    one.clock.now += 61
    reap(one)
    assert one.place("job-0001") == "queued"
    assert beat(other, there).state == "running"
    assert known(one)["w1"].beat_at == one.clock.now
    assert other.fetch(there) == ["job-0001"]


def test_a_store_that_forgets_its_soft_records_costs_no_worker_its_jobs(two: Two, shared: SharedMemory) -> None:
    one, other = two
    here = one.client("w1")
    one.push("job-0001", "job-0002")
    one.fetch(here)
    dies = other.client("w2")
    other.fetch(dies)
    for _ in range(6):
        one.clock.now += 50
        beat(one, here)
        beat(other, dies)
        reap(*two)
    shared.forget_workers()
    leave(other, dies)
    one.clock.now += 15
    reap(*two)
    beat(one, here)
    assert one.figures().working == 2, "they had no time to beat again"
    one.clock.now += 50
    beat(one, here)
    reap(*two)
    assert (one.place("job-0001"), one.place("job-0002")) == ("working", "queued")
