"""Put, Take and Amend: how jobs come, go, and are changed while they run."""

import msgspec
import pytest

from shopfloor.core.changes import Amend, Conflict, Pause, Put, Take
from shopfloor.core.job import Place
from shopfloor.core.lifecycle import Rules
from shopfloor.store.conformance.conftest import Open
from shopfloor.store.conformance.jobs import NOW, job
from shopfloor.store.conformance.kind import Tuning
from shopfloor.store.conformance.subject import Subject

PLACES: tuple[Place, ...] = ("queued", "scheduled", "retries", "dead", "working")
RESTING: tuple[Place, ...] = PLACES[:4]


@pytest.mark.parametrize("place", RESTING)
def test_a_job_rests_where_it_was_put(store: Subject, place: Place) -> None:
    at = 0.0 if place == "queued" else NOW + 5
    assert store.do(Put(job("a"), place, at)) is None
    held = store.find("a")
    assert held is not None
    assert (held.job, held.place, held.at, held.wid, held.cancelled) == (job("a"), place, at, "", False)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("again", RESTING)
def test_a_held_jid_cannot_be_put_again(store: Subject, place: Place, again: Place) -> None:
    store.put(job("a"), place=place, at=0.0 if place == "queued" else NOW)
    before = store.snapshot()
    change = Put(job("a", "other"), again, NOW)
    assert store.do(change) == Conflict(change, "held", store.find("a"))
    assert store.snapshot() == before


def test_a_jid_can_be_put_again_once_it_has_left(store: Subject) -> None:
    store.put(job("a"))
    assert store.do(Take("a", "queued"), Put(job("a", "other"), "queued")) is None
    assert store.queues() == {"default": 0, "other": 1}


def test_a_job_moves_from_place_to_place_in_one_transition(store: Subject) -> None:
    store.put(job("a"), place="scheduled", at=NOW)
    assert store.do(Take("a", "scheduled"), Put(job("a"), "queued")) is None
    assert (store.timed("scheduled"), store.peek("default")) == ([], ["a"])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("asked", PLACES)
def test_a_job_is_taken_only_from_where_it_is(store: Subject, place: Place, asked: Place) -> None:
    store.put(job("a"), place=place, at=0.0 if place == "queued" else NOW)
    change = Take("a", asked)
    if asked == place:
        assert store.do(change) is None
        assert store.find("a") is None
    else:
        assert store.do(change) == Conflict(change, "gone")
        assert store.place("a") == place


def test_an_unknown_job_cannot_be_taken(store: Subject) -> None:
    assert store.why(Take("a", "queued")) == "gone"


@pytest.mark.parametrize(("wid", "holder", "outcome"), [
    ("w1", "w1", ""), ("w1", None, ""), ("w1", "w2", "gone"), ("w1", "", "gone"),
    ("", "", ""), ("", None, ""), ("", "w1", "gone"),
])  # fmt: skip
def test_a_running_job_is_taken_by_its_holder_alone(store: Subject, wid: str, holder: str | None, outcome: str) -> None:
    store.put(job("a"))
    store.fetch("default", wid=wid)
    assert store.why(Take("a", "working", holder)) == outcome
    assert (store.find("a") is None) == (outcome == "")


def test_a_job_taken_from_the_middle_of_its_queue_is_not_given_out(store: Subject) -> None:
    store.put(*map(job, "abcde"))
    store.do(Take("a", "queued"))
    store.do(Take("c", "queued"))
    store.do(Take("e", "queued"))
    assert store.peek("default") == ["b", "d"]
    assert store.queues() == {"default": 2}
    assert store.fetch("default", count=9) == ["b", "d"]


def test_a_jid_that_left_the_middle_of_its_queue_comes_back_at_the_end(store: Subject) -> None:
    store.put(*map(job, "abc"))
    store.do(Take("a", "queued"), Put(job("a"), "queued"))
    assert store.peek("default") == ["b", "c", "a"]
    assert store.fetch("default", count=9) == ["b", "c", "a"]


def test_a_job_put_in_front_is_given_out_first(store: Subject) -> None:
    store.put(*map(job, "ab"))
    store.do(Put(job("c"), "queued", front=True))
    store.do(Put(job("d"), "queued", front=True))
    store.put(job("e"))
    assert store.peek("default") == ["d", "c", "a", "b", "e"]
    assert store.fetch("default", count=9) == ["d", "c", "a", "b", "e"]


def test_a_full_queue_takes_no_more(store: Subject) -> None:
    store.put(*map(job, "ab"))
    change = Put(job("c"), "queued", limit=2)
    assert store.do(change) == Conflict(change, "full")
    assert store.why(Put(job("c"), "queued", limit=3)) == ""
    assert store.why(Put(job("d", "other"), "queued", limit=1)) == ""


def test_a_queue_without_a_limit_is_never_full(store: Subject) -> None:
    store.put(*map(job, "abc"))
    assert store.why(Put(job("d"), "queued", limit=0)) == ""


def test_a_full_queue_takes_one_more_when_one_was_given_out(store: Subject) -> None:
    store.put(*map(job, "ab"))
    store.fetch("default")
    assert store.why(Put(job("c"), "queued", limit=2)) == ""
    assert store.why(Put(job("d"), "queued", limit=2)) == "full"


def test_a_queue_beyond_the_limit_of_queues_is_not_made(open_store: Open) -> None:
    store = open_store(Tuning(queues_max=2))
    store.put(job("a", "one"), job("b", "two"))
    before = store.snapshot()
    change = Put(job("c", "three"), "queued", new=True)
    assert store.do(change) == Conflict(change, "queues")
    assert store.why(Pause("three", True)) == "queues"
    assert store.snapshot() == before
    assert store.why(Put(job("c", "two"), "queued", new=True)) == ""


def test_a_job_that_was_taken_in_finds_its_queue_however_many_there_are(open_store: Open) -> None:
    store = open_store(Tuning(queues_max=1))
    store.put(job("a", "one"))
    store.put(job("b", "two"), place="scheduled", at=NOW)
    assert store.why(Take("b", "scheduled"), Put(job("b", "two"), "queued")) == ""
    assert store.queues() == {"one": 1, "two": 1}
    assert store.why(Put(job("c", "two"), "queued", new=True)) == ""
    assert store.why(Put(job("d", "three"), "queued", new=True)) == "queues"


def test_an_empty_queue_stays_known(store: Subject) -> None:
    store.put(job("a"))
    store.fetch("default")
    assert store.queues() == {"default": 0}


def test_a_job_in_a_timed_place_does_not_make_its_queue_known(store: Subject) -> None:
    store.put(job("a"), place="scheduled", at=NOW)
    assert store.queues() == {}


def test_a_reservation_says_who_has_the_job_and_until_when(store: Subject) -> None:
    store.put(job("a"))
    (held,) = store.reserve("default", wid="w1", now=NOW + 1)
    assert held == store.find("a")
    assert (held.place, held.wid, held.reserved_at, held.expires_at) == ("working", "w1", NOW + 1, NOW + 1801)


@pytest.mark.parametrize(("asked", "seconds"), [(0, 90), (1, 60), (60, 60), (7200, 7200), (86400, 86400)])
def test_a_reservation_lasts_as_long_as_the_job_says(open_store: Open, asked: int, seconds: int) -> None:
    store = open_store(Tuning(rules=Rules(reserve_seconds_default=90)))
    store.put(msgspec.structs.replace(job("a"), reserve_for=asked))
    (held,) = store.reserve("default")
    assert held.expires_at == NOW + seconds


def test_a_reservation_is_extended_and_cancelled(store: Subject) -> None:
    store.put(job("a"), place="working")
    assert store.do(Amend("a", "w1", NOW + 9999, cancelled=True)) is None
    held = store.find("a")
    assert held is not None
    assert (held.expires_at, held.cancelled, held.wid, held.reserved_at) == (NOW + 9999, True, "w1", NOW)
    assert list(store.run(store.store.reservations())) == [held]


def test_no_amendment_shortens_a_reservation_or_takes_a_cancellation_back(store: Subject) -> None:
    store.put(job("a"), place="working")
    assert store.do(Amend("a", "w1", NOW + 9999, cancelled=True)) is None
    assert store.do(Amend("a", "w1", NOW + 99)) is None
    held = store.find("a")
    assert held is not None
    assert (held.expires_at, held.cancelled) == (NOW + 9999, True)


def test_whoever_does_not_say_which_holder_amends_any_reservation(store: Subject) -> None:
    store.put(job("a"), place="working")
    assert store.why(Amend("a", None, NOW + 99)) == ""


@pytest.mark.parametrize("place", RESTING)
def test_only_a_running_job_can_be_amended(store: Subject, place: Place) -> None:
    store.put(job("a"), place=place, at=0.0 if place == "queued" else NOW)
    change = Amend("a", None, NOW + 99)
    assert store.do(change) == Conflict(change, "gone")


def test_a_reservation_of_another_worker_is_not_amended(store: Subject) -> None:
    store.put(job("a"), place="working")
    before = store.snapshot()
    assert store.why(Amend("a", "w2", NOW + 99)) == "gone"
    assert store.why(Amend("b", "w1", NOW + 99)) == "gone"
    assert store.snapshot() == before


def test_an_amended_job_can_be_taken_and_comes_back_unamended(store: Subject) -> None:
    store.put(job("a"), place="working")
    store.do(Amend("a", "w1", NOW + 99, cancelled=True))
    assert store.do(Take("a", "working", "w1"), Put(job("a"), "queued", front=True)) is None
    (held,) = store.reserve("default", wid="w2")
    assert (held.wid, held.cancelled, held.expires_at) == ("w2", False, NOW + 1800)
