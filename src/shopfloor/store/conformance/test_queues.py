"""Reserve, Pause, Clear and peek: what happens at the queues."""

import pytest

from shopfloor.core.changes import Clear, Conflict, Note, Pause, Put, Take
from shopfloor.core.job import Place
from shopfloor.store.conformance.conftest import Open
from shopfloor.store.conformance.jobs import NOW, job
from shopfloor.store.conformance.kind import Tuning
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.port import QueueFigures, QueueLimit, Reserve


def test_jobs_are_given_out_in_the_order_they_were_put(store: Subject) -> None:
    for jid in "abc":
        store.put(job(jid))
    assert [store.fetch("default") for _ in range(4)] == [["a"], ["b"], ["c"], []]


def test_the_first_queue_that_has_a_job_is_served(store: Subject) -> None:
    store.put(job("a", "low"), job("b", "high"), job("c", "high"))
    order = ("none", "high", "low")
    assert [store.fetch(*order) for _ in range(4)] == [["b"], ["c"], ["a"], []]


def test_many_jobs_come_from_one_queue_only(store: Subject) -> None:
    store.put(job("a", "high"), job("b", "low"), job("c", "high"), job("d", "high"))
    assert store.fetch("high", "low", count=2) == ["a", "c"]
    assert store.fetch("high", "low", count=5) == ["d"]
    assert store.fetch("high", "low", count=5) == ["b"]


def test_requests_of_one_commit_are_served_in_order(store: Subject) -> None:
    store.put(*map(job, "abc"))
    asks = [
        Reserve(("default",), "w1"),
        Reserve(("other",), "w2"),
        Reserve(("default",), "w3", 5),
        Reserve(("default",), ""),
    ]
    reserved = store.commit([], asks).reserved
    assert [[(held.job.jid, held.wid) for held in jobs] for jobs in reserved] == [
        [("a", "w1")], [], [("b", "w3"), ("c", "w3")], [],
    ]  # fmt: skip


def test_a_request_without_queues_gets_nothing(store: Subject) -> None:
    store.put(job("a"))
    assert store.fetch() == []


def test_a_reserved_job_left_its_queue_in_the_same_step(store: Subject) -> None:
    store.put(*map(job, "ab"))
    store.fetch("default")
    figures = store.figures()
    assert (store.queues(), figures.working, store.peek("default")) == ({"default": 1}, 1, ["b"])


def test_a_job_put_in_a_commit_is_reserved_in_the_same_commit(store: Subject) -> None:
    committed = store.commit([(Put(job("a"), "queued"),)], [Reserve(("default",), "w1")])
    assert [held.job.jid for held in committed.reserved[0]] == ["a"]
    assert store.place("a") == "working"


def test_a_paused_queue_gives_out_nothing_until_it_is_resumed(store: Subject) -> None:
    store.put(job("a", "high"), job("b", "low"))
    assert store.do(Pause("high", True)) is None
    assert store.fetch("high", "low", count=5) == ["b"]
    assert store.fetch("high", "low") == []
    store.do(Pause("high", False))
    assert store.fetch("high", "low") == ["a"]


def test_a_paused_queue_still_takes_jobs(store: Subject) -> None:
    store.do(Pause("high", True))
    store.put(job("a", "high"))
    assert store.peek("high") == ["a"]
    assert list(store.run(store.store.queues())) == [QueueFigures(name="high", size=1, paused=True)]


def test_pausing_makes_a_queue_known_and_repeats_harmlessly(store: Subject) -> None:
    for paused in (True, True, False, False):
        assert store.why(Pause("high", paused)) == ""
        assert list(store.run(store.store.queues())) == [QueueFigures(name="high", size=0, paused=paused)]


def test_resuming_an_unknown_queue_makes_it_known(store: Subject) -> None:
    store.do(Pause("high", False))
    assert store.queues() == {"high": 0}


def test_queues_are_listed_by_name(store: Subject) -> None:
    store.put(job("a", "b"), job("b", "a"), job("c", "B"), job("d", "_x"))
    assert list(store.queues()) == ["B", "_x", "a", "b"]


def test_peek_shows_a_part_of_a_queue_the_oldest_first(store: Subject) -> None:
    store.put(*map(job, "abcdef"))
    assert store.peek("default", 0, 2) == ["a", "b"]
    assert store.peek("default", 4, 5) == ["e", "f"]
    assert store.peek("default", 6, 5) == []
    assert store.peek("default", 0, 0) == []
    assert store.peek("unknown", 0, 5) == []


def test_peek_counts_the_jobs_that_are_still_there(store: Subject) -> None:
    store.put(*map(job, "abcdef"))
    store.do(Take("b", "queued"))
    store.do(Take("e", "queued"))
    assert store.peek("default", 1, 2) == ["c", "d"]
    assert store.peek("default", 3, 2) == ["f"]


def test_questions_change_nothing(store: Subject) -> None:
    store.put(*map(job, "abc"))
    store.put(job("s"), place="scheduled", at=NOW)
    store.do(Take("b", "queued"))
    store.do(Note("batch", "b1", b"one", 0))
    before = store.snapshot()
    assert [store.snapshot() for _ in range(3)] == [before] * 3
    assert store.fetch("default", count=9) == ["a", "c"]


@pytest.mark.parametrize("place", ["scheduled", "retries", "dead"])
def test_a_timed_place_is_cleared_in_steps_from_its_beginning(store: Subject, place: Place) -> None:
    for at, jid in enumerate("dcba"):
        store.put(job(jid), place=place, at=NOW + at)
    store.put(job("x"))
    assert store.do(Clear(place, count=3)) is None
    assert [jid for jid in "abcdx" if store.find(jid)] == ["a", "x"]
    assert store.do(Clear(place, count=3)) is None
    assert [jid for jid in "abcdx" if store.find(jid)] == ["x"]
    assert store.do(Clear(place, count=3)) is None


def test_a_queue_is_cleared_in_steps_and_then_forgotten(store: Subject) -> None:
    store.put(*map(job, "abcd"))
    store.put(job("x", "other"))
    store.do(Pause("default", True))
    store.do(Clear("queued", "default", count=3))
    assert store.peek("default") == ["d"]
    assert QueueFigures(name="default", size=1, paused=True) in store.run(store.store.queues())
    store.do(Clear("queued", "default", count=3))
    assert store.queues() == {"other": 1}
    store.put(job("a"))
    assert store.fetch("default") == ["a"], "a queue that was forgotten is no longer paused"


def test_a_queue_that_is_exactly_emptied_is_forgotten(store: Subject) -> None:
    store.put(*map(job, "ab"))
    store.do(Clear("queued", "default", count=2))
    assert store.queues() == {}


def test_clearing_a_queue_leaves_its_running_jobs_alone(store: Subject) -> None:
    store.put(*map(job, "ab"))
    store.fetch("default")
    store.do(Clear("queued", "default"))
    assert (store.place("a"), store.place("b")) == ("working", None)
    assert store.do(Take("a", "working", "w1"), Put(job("a"), "queued", front=True)) is None
    assert store.queues() == {"default": 1}


def test_clearing_an_unknown_queue_is_no_conflict(store: Subject) -> None:
    assert store.why(Clear("queued", "unknown")) == ""
    assert store.queues() == {}


def test_a_forgotten_queue_makes_room_for_another(open_store: Open) -> None:
    store = open_store(Tuning(queues_max=1))
    store.put(job("a", "one"))
    change = Put(job("b", "two"), "queued", new=True)
    assert store.do(change) == Conflict(change, "queues")
    store.do(Clear("queued", "one"))
    assert store.do(change) is None


def test_a_queue_that_was_emptied_from_the_middle_gives_out_what_comes_next(store: Subject) -> None:
    store.put(*map(job, "abc"))
    for jid in "abc":
        store.do(Take(jid, "queued"))
    assert (store.fetch("default"), store.peek("default")) == ([], [])
    store.put(job("b"))
    store.do(Put(job("a"), "queued", front=True))
    assert store.fetch("default", count=5) == ["a", "b"]


def _limited(store: Subject, wid: str, *queues: str, count: int = 1, limit: QueueLimit) -> list[str]:
    request = Reserve(queues, wid, count, {"default": limit})
    return [held.job.jid for held in store.commit([], [request]).reserved[0]]


def test_a_queue_at_its_limit_is_passed_over(store: Subject) -> None:
    store.put(*map(job, "abcd"), job("e", "other"))
    two = QueueLimit(concurrency=2)
    assert _limited(store, "w1", "default", count=5, limit=two) == ["a", "b"]
    assert _limited(store, "w2", "default", limit=two) == []
    assert _limited(store, "w2", "default", "other", limit=two) == ["e"]
    assert store.do(Take("a", "working")) is None
    assert _limited(store, "w2", "default", limit=two) == ["c"]
    assert store.fetch("default") == ["d"]


def test_what_ran_before_there_was_a_limit_is_counted(store: Subject) -> None:
    store.put(*map(job, "abc"))
    assert store.fetch("default", count=2) == ["a", "b"]
    assert _limited(store, "w1", "default", limit=QueueLimit(concurrency=2)) == []
    assert _limited(store, "w1", "default", limit=QueueLimit(concurrency=3)) == ["c"]


def test_a_worker_at_its_limit_leaves_the_queue_to_others(store: Subject) -> None:
    store.put(*map(job, "abcd"))
    one = QueueLimit(worker=1)
    assert _limited(store, "w1", "default", count=3, limit=one) == ["a"]
    assert _limited(store, "w1", "default", limit=one) == []
    assert _limited(store, "w2", "default", limit=one) == ["b"]
    assert store.do(Take("b", "working"), Put(job("b"), "queued", front=True)) is None
    assert _limited(store, "w1", "default", limit=one) == []
    assert _limited(store, "w2", "default", limit=QueueLimit(concurrency=1, worker=1)) == []
    assert _limited(store, "w2", "default", limit=QueueLimit(concurrency=2, worker=1)) == ["b"]


def test_a_limit_is_counted_anew_after_a_restart(durable: Subject) -> None:
    durable.put(*map(job, "ab"))
    two = QueueLimit(concurrency=1)
    assert _limited(durable, "w1", "default", limit=two) == ["a"]
    durable.reopen()
    assert _limited(durable, "w1", "default", limit=two) == []


def test_a_commit_that_came_to_nothing_leaves_the_count_as_it_was(store: Subject) -> None:
    store.put(*map(job, "ab"))
    one = QueueLimit(concurrency=1)
    assert _limited(store, "w1", "default", limit=one) == ["a"]
    assert store.why(Take("a", "working"), Take("nobody", "working")) == "gone"
    assert _limited(store, "w1", "default", limit=one) == []
