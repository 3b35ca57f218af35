"""Note, Claim, Release and Count: small records, locks, totals."""

import pytest

from shopfloor.core.changes import ABSENT, Claim, Conflict, Count, Note, Record, Release, Take
from shopfloor.store.conformance.jobs import DAY, NOW
from shopfloor.store.conformance.subject import DAYS, NOBODY, Subject
from shopfloor.store.port import Lock


def test_a_record_is_written_and_read(store: Subject) -> None:
    assert store.record("batch", "b1") == ABSENT
    assert store.do(Note("batch", "b1", b"\x00\xffone", 0)) is None
    assert store.record("batch", "b1") == Record(b"\x00\xffone", 1)


def test_each_write_of_a_record_adds_one_to_its_version(store: Subject) -> None:
    for version in range(3):
        assert store.do(Note("batch", "b1", b"%d" % version, version)) is None
    assert store.record("batch", "b1") == Record(b"2", 3)


@pytest.mark.parametrize("expected", [0, 2, 99])
def test_a_record_that_somebody_else_wrote_first_is_left_alone(store: Subject, expected: int) -> None:
    store.do(Note("batch", "b1", b"one", 0))
    change = Note("batch", "b1", b"two", expected)
    assert store.do(change) == Conflict(change, "version")
    assert store.why(Note("batch", "b1", None, expected)) == "version"
    assert store.record("batch", "b1") == Record(b"one", 1)


def test_a_record_that_is_not_there_cannot_be_rewritten_or_removed(store: Subject) -> None:
    assert store.why(Note("batch", "b1", b"two", 1)) == "version"
    assert store.why(Note("batch", "b1", None, 1)) == "version"


def test_a_record_is_removed_and_made_anew(store: Subject) -> None:
    store.do(Note("batch", "b1", b"one", 0))
    assert store.do(Note("batch", "b1", None, 1)) is None
    assert store.record("batch", "b1") == ABSENT
    assert store.run(store.store.records("batch")) == {}
    assert store.do(Note("batch", "b1", b"two", 0)) is None
    assert store.record("batch", "b1") == Record(b"two", 1)


def test_an_empty_value_is_a_value(store: Subject) -> None:
    store.do(Note("batch", "b1", b"", 0))
    assert store.record("batch", "b1") == Record(b"", 1)


def test_removing_what_is_not_there_is_no_conflict(store: Subject) -> None:
    assert store.why(Note("batch", "b1", None, 0)) == ""
    assert store.record("batch", "b1") == ABSENT


def test_records_of_one_kind_are_listed_by_id(store: Subject) -> None:
    store.do(Note("batch", "b1", b"one", 0), Note("batch", "b2", b"two", 0), Note("cron", "b1", b"three", 0))
    assert store.run(store.store.records("batch")) == {"b1": Record(b"one", 1), "b2": Record(b"two", 1)}
    assert store.run(store.store.records("cron")) == {"b1": Record(b"three", 1)}
    assert store.run(store.store.records("worker")) == {}


def test_jobs_and_records_are_looked_up_together(store: Subject) -> None:
    store.do(Note("batch", "b1", b"one", 0))
    loaded = store.run(store.store.load(["a"], [("batch", "b1"), ("batch", "b2")]))
    assert loaded.jobs == {}
    assert loaded.records == {("batch", "b1"): Record(b"one", 1), ("batch", "b2"): ABSENT}


def test_a_lock_belongs_to_one_until_its_end(store: Subject) -> None:
    assert store.why(Claim("unique:a", "one", NOW + 10, NOW)) == ""
    change = Claim("unique:a", "two", NOW + 20, NOW + 9)
    assert store.do(change) == Conflict(change, "claimed")
    assert store.why(Claim("unique:b", "two", NOW + 10, NOW)) == ""


def test_a_lock_that_has_ended_is_free(store: Subject) -> None:
    store.do(Claim("unique:a", "one", NOW + 10, NOW))
    assert store.why(Claim("unique:a", "two", NOW + 20, NOW + 10)) == ""
    assert store.why(Claim("unique:a", "one", NOW + 30, NOW + 10)) == "claimed"


def test_its_owner_claims_a_lock_again_with_another_end(store: Subject) -> None:
    store.do(Claim("unique:a", "one", NOW + 10, NOW))
    assert store.why(Claim("unique:a", "one", NOW + 50, NOW + 5)) == ""
    assert store.why(Claim("unique:a", "two", NOW + 90, NOW + 49)) == "claimed"
    assert store.why(Claim("unique:a", "one", NOW + 6, NOW + 5)) == ""
    assert store.why(Claim("unique:a", "two", NOW + 90, NOW + 6)) == ""


def test_a_released_lock_is_free(store: Subject) -> None:
    store.do(Claim("unique:a", "one", NOW + 10, NOW))
    assert store.why(Release("unique:a", "one")) == ""
    assert store.why(Claim("unique:a", "two", NOW + 10, NOW)) == ""


def test_a_lock_is_released_by_its_owner_alone_and_silently(store: Subject) -> None:
    store.do(Claim("unique:a", "one", NOW + 10, NOW))
    assert store.why(Release("unique:a", "two")) == ""
    assert store.why(Release("unique:c", "two")) == ""
    assert store.why(Claim("unique:a", "two", NOW + 10, NOW)) == "claimed"


def test_locks_are_listed_by_their_end_and_those_that_ended_stay_until_somebody_takes_them(store: Subject) -> None:
    store.do(Claim("unique:b", "one", NOW + 10, NOW), Claim("unique:c", "two", NOW + 10, NOW))
    store.do(Claim("unique:a", "three", NOW + 20.5, NOW), Claim("unique:d", "four", NOW + 30, NOW))
    every = [
        Lock(key="unique:b", owner="one", until=NOW + 10),
        Lock(key="unique:c", owner="two", until=NOW + 10),
        Lock(key="unique:a", owner="three", until=NOW + 20.5),
        Lock(key="unique:d", owner="four", until=NOW + 30),
    ]
    assert store.locks() == every
    assert store.locks(until=NOW + 20.5) == every[:3]
    assert store.locks(until=NOW + 9.9) == []
    assert store.locks(count=2) == every[:2]
    store.do(Claim("unique:b", "five", NOW + 99, NOW + 50), Release("unique:d", "four"))
    assert store.locks() == [every[1], every[2], Lock(key="unique:b", owner="five", until=NOW + 99)]


def test_a_lock_whose_end_was_moved_is_listed_once(store: Subject) -> None:
    for end in (50, 10, 20):
        store.do(Claim("unique:a", "one", NOW + end, NOW))
    assert store.locks() == [Lock(key="unique:a", owner="one", until=NOW + 20)]


def test_a_claim_that_came_to_nothing_leaves_the_lock_as_it_was(store: Subject) -> None:
    store.do(Claim("unique:a", "one", NOW + 10, NOW))
    assert store.why(Claim("unique:a", "one", NOW + 99, NOW), Take(NOBODY, "dead")) == "gone"
    assert store.why(Release("unique:a", "one"), Take(NOBODY, "dead")) == "gone"
    assert store.locks() == [Lock(key="unique:a", owner="one", until=NOW + 10)]


def test_totals_and_days_grow_together(store: Subject) -> None:
    store.do(Count("processed", DAY), Count("processed", DAY), Count("failures", DAY))
    store.do(Count("processed", "2023-11-15", 40))
    figures = store.figures()
    assert (figures.processed, figures.failures) == (42, 1)
    assert list(store.run(store.store.history(DAYS))) == [(0, 0), (2, 1), (40, 0)]


def test_history_answers_in_the_order_of_the_question(store: Subject) -> None:
    store.do(Count("processed", DAY, 7))
    assert list(store.run(store.store.history([DAY, "1970-01-01", DAY]))) == [(7, 0), (0, 0), (7, 0)]
    assert list(store.run(store.store.history([]))) == []


def test_flush_forgets_all_but_soft_records(store: Subject) -> None:
    empty = store.snapshot()
    store.do(Note("batch", "b1", b"one", 0), Note("worker", "w1", b"alive", 0), Note("worker", "w1", b"well", 1))
    store.do(Claim("unique:a", "one", NOW + 500, NOW), Count("processed", DAY))
    store.run(store.store.flush())
    assert store.record("worker", "w1") == Record(b"well", 2)
    assert store.why(Note("worker", "w1", None, 2)) == ""
    assert store.snapshot() == empty
