"""What may happen to a job: every pair of a place and an event, and what each event leaves behind."""

import itertools
import typing
from collections.abc import Callable, Iterator

import msgspec
import pytest

from shopfloor.core import lifecycle
from shopfloor.core.changes import Amend, Change, Count, Put, Take, Transition
from shopfloor.core.job import Held, Job, Place
from shopfloor.core.lifecycle import EVENTS, Event, Rules
from shopfloor.core.retry import FailReport
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import Refused
from tests.jobs import DAY, NOW, job

RULES = Rules()
REPORT = FailReport(jid="job-0001", errtype="Oops", message="it broke")
PLACES: tuple[Place, ...] = typing.get_args(Place)
PAIRS = [(event, place) for event in EVENTS for place in PLACES]

CARRIED_OUT: dict[Event, Callable[[Held], Transition]] = {
    "acknowledge": lambda held: lifecycle.acknowledge(held, DAY),
    "fail": lambda held: lifecycle.fail(held, REPORT, NOW, lambda faces: 0, RULES),
    "give_back": lambda held: lifecycle.give_back(held, NOW),
    "crash": lambda held: lifecycle.crash(held, REPORT, NOW, RULES),
    "promote": lambda held: lifecycle.requeue(held, NOW),
    "requeue": lambda held: lifecycle.requeue(held, NOW),
    "kill": lambda held: lifecycle.kill(held, NOW, RULES),
    "discard": lifecycle.discard,
    "cancel": lifecycle.cancel,
    "expire": lifecycle.expire,
    "hold_back": lambda held: lifecycle.hold_back(held, NOW + 1),
}
"""How each event is carried out; `reserve` is the one that stores know themselves."""


def held(one: Job, place: Place = "working", wid: str = "w1", *, cancelled: bool = False) -> Held:
    return Held(one, place, position=1, at=0.0, wid=wid, expires_at=NOW + 1800, cancelled=cancelled)


def variants(place: Place) -> Iterator[Held]:
    """Give every kind of job that the rules tell apart."""
    for retry, crashes, cancelled in itertools.product((0, 3, -1), (0, RULES.crashes_max), (False, True)):
        one = msgspec.structs.replace(job("job-0001", retry=retry), crashes=crashes)
        yield held(one, place, cancelled=cancelled and place == "working")


def whereabouts(transition: Transition) -> str:
    """Say where the job is once the transition was applied."""
    found = "gone"
    for change in transition:
        if isinstance(change, Put):
            found = change.place
        elif isinstance(change, Amend):
            found = "working"
    return found


@pytest.mark.parametrize(("event", "place"), PAIRS)
def test_every_event_in_every_place_is_decided(event: Event, place: Place) -> None:
    possible = EVENTS[event].get(place)
    one = held(job("job-0001"), place)
    if possible is None:
        with pytest.raises(Refused, match=f"^cannot {event} job job-0001: it is {place}$"):
            lifecycle.check_possible(event, one)
        return
    lifecycle.check_possible(event, one)
    if event != "reserve":
        reached = {whereabouts(CARRIED_OUT[event](variant)) for variant in variants(place)}
        assert reached == set(possible)


@pytest.mark.parametrize(("event", "place"), PAIRS)
def test_every_event_takes_the_job_from_where_it_was_found_and_from_whoever_has_it(event: Event, place: Place) -> None:
    if event == "reserve" or place not in EVENTS[event]:
        return
    for variant in variants(place):
        guard = CARRIED_OUT[event](variant)[0]
        if isinstance(guard, Amend):
            assert (guard.jid, guard.holder) == ("job-0001", "w1")
        else:
            assert guard == Take("job-0001", place, "w1" if place == "working" else None)


@pytest.mark.parametrize(
    ("asked", "granted"), [(0, 1800), (-5, 60), (1, 60), (59, 60), (60, 60), (7200, 7200), (10**6, 86_400)]
)
def test_a_reservation_lasts_a_minute_to_a_day(asked: int, granted: int) -> None:
    one = msgspec.structs.replace(job("job-0001"), reserve_for=asked)
    assert lifecycle.reserve_seconds(one, RULES) == granted


def test_a_pushed_job_is_enqueued_under_the_limit_of_its_queue() -> None:
    one = job("job-0001")
    assert lifecycle.push(one, 0.0, Rules(queue_jobs_max=5)) == (Put(one, "queued", limit=5, new=True),)


def test_a_pushed_job_with_a_time_is_scheduled() -> None:
    one = job("job-0001")
    assert lifecycle.push(one, NOW + 9, RULES) == (Put(one, "scheduled", NOW + 9),)


def test_an_acknowledged_job_is_counted_as_processed() -> None:
    transition = lifecycle.acknowledge(held(job("job-0001")), DAY)
    assert transition == (Take("job-0001", "working", "w1"), Count("processed", DAY))


def counts(transition: Transition) -> list[Change]:
    return [change for change in transition if isinstance(change, Count)]


def test_a_failed_job_is_counted_as_processed_and_as_a_failure() -> None:
    transition = CARRIED_OUT["fail"](held(job("job-0001")))
    assert counts(transition) == [Count("processed", DAY), Count("failures", DAY)]


def last_put(transition: Transition) -> Put:
    put = transition[-1]
    assert isinstance(put, Put)
    return put


def test_a_failed_job_waits_for_its_next_try() -> None:
    put = last_put(CARRIED_OUT["fail"](held(job("job-0001"))))
    assert (put.place, put.at) == ("retries", NOW + 15)
    assert put.job.failure is not None
    assert put.job.failure.next_at == format_timestamp(NOW + 15)


@pytest.mark.parametrize(("retry", "runs"), [(0, 1), (-1, 1), (1, 2), (25, 26)])
def test_a_job_runs_once_more_than_it_has_retries(retry: int, runs: int) -> None:
    one, done = job("job-0001", retry=retry), 0
    place = "retries"
    while place == "retries":
        done += 1
        transition = CARRIED_OUT["fail"](held(one))
        place = whereabouts(transition)
        if place != "gone":
            one = last_put(transition).job
    assert (done, place) == (runs, "gone" if retry == 0 else "dead")


def test_a_dead_job_is_kept_for_half_a_year() -> None:
    put = last_put(CARRIED_OUT["fail"](held(job("job-0001", retry=-1))))
    assert (put.place, put.at) == ("dead", NOW + 180 * 86_400)


def test_a_dead_job_that_is_killed_is_kept_for_another_term() -> None:
    put = last_put(lifecycle.kill(held(job("job-0001"), "dead"), NOW, Rules(dead_seconds=100)))
    assert (put.place, put.at) == ("dead", NOW + 100)


@pytest.mark.parametrize("event", ["give_back", "crash"])
def test_a_job_given_back_goes_to_the_head_of_its_queue_without_using_a_retry(event: Event) -> None:
    put = last_put(CARRIED_OUT[event](held(job("job-0001"))))
    assert (put.place, put.front, put.job.failure) == ("queued", True, None)
    assert put.job.enqueued_at == format_timestamp(NOW)


def test_a_job_that_took_too_many_workers_with_it_dies_and_is_counted() -> None:
    one = msgspec.structs.replace(job("job-0001"), crashes=RULES.crashes_max)
    transition = CARRIED_OUT["crash"](held(one))
    put = last_put(transition)
    assert put.place == "dead"
    assert put.job.failure is not None
    assert put.job.failure.errtype == "Oops"
    assert counts(transition) == [Count("processed", DAY), Count("failures", DAY)]


@pytest.mark.parametrize("event", ["fail", "give_back", "crash"])
def test_a_job_cancelled_while_it_ran_does_not_come_back(event: Event) -> None:
    assert whereabouts(CARRIED_OUT[event](held(job("job-0001"), cancelled=True))) == "gone"


def test_a_job_that_is_due_goes_to_the_end_of_its_queue_with_a_new_time() -> None:
    put = last_put(lifecycle.requeue(held(job("job-0001"), "scheduled"), NOW + 60))
    assert (put.place, put.front, put.limit) == ("queued", False, 0)
    assert put.job.enqueued_at == format_timestamp(NOW + 60)


def test_cancelling_a_running_job_leaves_its_reservation_as_long_as_it_was() -> None:
    assert lifecycle.cancel(held(job("job-0001"))) == (Amend("job-0001", "w1", NOW + 1800, cancelled=True),)


@pytest.mark.parametrize(
    ("place", "holder", "wid", "settled"),
    [
        ("working", "w1", "w1", True),
        ("working", "w1", "w2", False),
        ("working", "w1", "", True),
        ("working", "", "", True),
        ("working", "", "w1", False),
        ("queued", "", "", False),
        ("retries", "", "w1", False),
    ],
)
def test_a_worker_settles_its_own_runs_and_a_client_without_a_wid_is_believed(
    place: Place, holder: str, wid: str, settled: bool
) -> None:
    assert lifecycle.settles(held(job("job-0001"), place, holder), wid) is settled


def test_a_job_that_nobody_holds_is_settled_by_nobody() -> None:
    assert not lifecycle.settles(None, "")


def test_history_is_counted_by_utc_days() -> None:
    assert [lifecycle.utc_day(NOW), lifecycle.utc_day(NOW + 86_400)] == ["2023-11-14", "2023-11-15"]
