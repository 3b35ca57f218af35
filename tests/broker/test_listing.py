"""JOB LIST: pages of a timed place."""

from shopfloor.broker import listing
from shopfloor.core.job import TimedPlace
from shopfloor.core.mutation import Filter
from shopfloor.core.timestamps import format_timestamp
from shopfloor.store.port import Page
from shopfloor.wire.commands import JobList
from tests.broker.shop import Shop
from tests.jobs import NOW, pushed

EVERYTHING = Filter()


def _schedule(shop: Shop, count: int, *, jobtype: str = "Work", first: int = 0) -> list[str]:
    """Push jobs that are due one after the other; return their jids."""
    jids = [f"scheduled-{number:06}" for number in range(first, first + count)]
    jobs = [
        pushed(jid, jobtype=jobtype, at=format_timestamp(NOW + 60 + first + number)) for number, jid in enumerate(jids)
    ]
    assert shop.ask(shop.broker.jobs.push_bulk(jobs)) == {}
    return jids


def _page(
    shop: Shop,
    count: int = 100,
    wanted: Filter = EVERYTHING,
    *,
    after: tuple[float, str] | None = None,
    latest_first: bool = False,
    place: TimedPlace = "scheduled",
) -> Page:
    asked = JobList(place=place, count=count, after=after, filter=wanted, latest_first=latest_first)
    return shop.ask(shop.broker.listing.jobs(asked))


def _jids(page: Page) -> list[str]:
    return [held.job.jid for held in page.jobs]


def test_an_empty_place(shop: Shop) -> None:
    page = _page(shop, place="dead")
    assert (_jids(page), page.after) == ([], None)


def test_page_after_page_brings_every_job_once(shop: Shop) -> None:
    jids = _schedule(shop, 25)
    for latest_first in (False, True):
        met: list[str] = []
        page = _page(shop, 10, latest_first=latest_first)
        while True:
            met += _jids(page)
            if page.after is None:
                break
            page = _page(shop, 10, after=page.after, latest_first=latest_first)
        assert met == (jids[::-1] if latest_first else jids)


def test_a_page_that_ends_with_the_last_job_says_so(shop: Shop) -> None:
    jids = _schedule(shop, 3)
    page = _page(shop, 3)
    assert (_jids(page), page.after) == (jids, None)
    assert _page(shop, 2).after is not None


def test_matching_jobs_are_found_behind_many_others(shop: Shop) -> None:
    _schedule(shop, listing.LOOK_STEP + 7)
    rare = _schedule(shop, 2, jobtype="Rare", first=listing.LOOK_STEP + 7)
    page = _page(shop, 5, Filter(jobtype="Rare"))
    assert (_jids(page), page.after) == (rare, None)


def test_a_page_goes_on_behind_the_last_job_that_it_shows(shop: Shop) -> None:
    jids = _schedule(shop, 10)
    first = _page(shop, 4)
    shop.ask(shop.broker.jobs.cancel(jids[3]))
    assert _jids(_page(shop, 4, after=first.after)) == jids[4:8]


def test_a_filter_that_nothing_fits_looks_at_so_many_jobs_and_says_where_to_go_on(shop: Shop) -> None:
    _schedule(shop, listing.LOOK_JOBS_MAX + 1)
    page = _page(shop, 5, Filter(jobtype="None"))
    assert page.jobs == []
    assert page.after == (NOW + 60 + listing.LOOK_JOBS_MAX - 1, f"scheduled-{listing.LOOK_JOBS_MAX - 1:06}")
    assert _page(shop, 5, Filter(jobtype="None"), after=page.after).after is None


def test_named_jobs_are_listed_where_they_are_in_that_place(shop: Shop) -> None:
    jids = _schedule(shop, 3)
    shop.push("waiting-job")
    wanted = Filter(jids=(jids[2], "unknown", "waiting-job", jids[0], jids[2]), jobtype="ignored")
    page = _page(shop, 1, wanted)
    assert (_jids(page), page.after) == ([jids[0], jids[2]], None)
    assert _jids(_page(shop, 1, wanted, latest_first=True)) == [jids[2], jids[0]]
