"""Scheduled, retries, dead: what is due, and paging through what is there in both directions."""

import pytest

from shopfloor.core.changes import Put, Take
from shopfloor.core.job import TimedPlace
from shopfloor.store.conformance.jobs import NOW, job
from shopfloor.store.conformance.subject import Subject

PLACES: tuple[TimedPlace, ...] = ("scheduled", "retries", "dead")
JIDS = ("Alpha", "Zulu", "alpha", "beta", "zulu", "Äpfel", "ж-job", "🔧-job")
"""In the order of their code points, which is also that of their bytes."""


def _fill(store: Subject, place: TimedPlace) -> list[str]:
    """Put three groups of jobs with equal times; answer their jids in the order of the place."""
    order: list[str] = []
    for group in range(3):
        jids = [f"{jid}{group}" for jid in JIDS]
        order += jids
        store.put(*(job(jid) for jid in reversed(jids)), place=place, at=NOW + group)
    return order


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_ordered_by_time_and_jid(store: Subject, place: TimedPlace) -> None:
    order = _fill(store, place)
    assert store.timed(place) == order
    assert [held.job.jid for held in store.browse(place, latest=True).jobs] == order[::-1]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 24, 25])
@pytest.mark.parametrize("latest", [False, True])
def test_pages_show_each_job_once_even_with_equal_times(store: Subject, count: int, latest: bool) -> None:
    order = _fill(store, "retries")
    after: tuple[float, str] | None = None
    seen: list[str] = []
    for _ in range(len(order) + 1):
        page = store.browse("retries", after, count, latest=latest)
        seen += [held.job.jid for held in page.jobs]
        after = page.after
        if after is None:
            break
    assert seen == (order[::-1] if latest else order)
    assert after is None


def test_the_last_page_says_that_it_is_the_last(store: Subject) -> None:
    store.put(*map(job, "abc"), place="dead", at=NOW)
    page = store.browse("dead", None, 2)
    assert page.after == (NOW, "b")
    assert store.browse("dead", page.after, 2).after is None
    assert store.browse("scheduled").after is None


@pytest.mark.parametrize("latest", [False, True])
def test_paging_goes_on_although_its_mark_has_left(store: Subject, latest: bool) -> None:
    store.put(*map(job, "abcde"), place="dead", at=NOW)
    page = store.browse("dead", None, 3, latest=latest)
    store.do(Take("c", "dead"))
    rest = store.browse("dead", page.after, 9, latest=latest)
    assert [held.job.jid for held in rest.jobs] == (["b", "a"] if latest else ["d", "e"])


@pytest.mark.parametrize("place", PLACES)
def test_what_is_due_is_listed_the_earliest_first(store: Subject, place: TimedPlace) -> None:
    for jid, at in (("late", NOW + 0.001), ("now", NOW), ("old", NOW - 1000.5), ("older", NOW - 1001)):
        store.put(job(jid), place=place, at=at)
    assert store.due(place) == ["older", "old", "now"]
    assert store.due(place, count=2) == ["older", "old"]
    assert store.due(place, NOW + 1) == ["older", "old", "now", "late"]
    assert store.due(place, NOW - 5000) == []


def test_places_do_not_see_each_other(store: Subject) -> None:
    for place in PLACES:
        store.put(job(place), place=place, at=NOW)
    for place in PLACES:
        assert (store.timed(place), store.due(place)) == ([place], [place])


def test_a_time_is_kept_exactly(store: Subject) -> None:
    at = 1_700_000_000.123456789
    store.put(job("a"), place="scheduled", at=at)
    held = store.find("a")
    assert held is not None
    assert held.at == at
    assert store.browse("scheduled").jobs[0].at == at


def test_a_job_can_move_to_another_time_of_its_place(store: Subject) -> None:
    store.put(*map(job, "ab"), place="dead", at=NOW)
    assert store.do(Take("a", "dead"), Put(job("a"), "dead", NOW + 9)) is None
    assert store.timed("dead") == ["b", "a"]
