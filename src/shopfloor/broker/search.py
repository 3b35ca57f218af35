"""Finding jobs by criteria, for people: a bounded number of jobs is looked at, and the answer says how many."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from msgspec import Struct

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.core.criteria import EVERYTHING, Criteria, Finder
from shopfloor.core.job import Held, TimedPlace
from shopfloor.store.port import Page

LOOK_STEP = 250
"""Jobs looked at in one round; other commands get their turn in between."""
LOOK_JOBS_MAX = 5_000
"""Jobs looked at for one answer, some 50 ms of work; it says where to go on."""
PEEK_OFFSET_MAX = 10_000
"""How deep one may look into a queue: a store finds the way to a place far behind the head by walking there."""

Cursor = tuple[float, str]


class Wanted(Struct, frozen=True, kw_only=True):
    """What is looked for in a timed place, and how much of it."""

    place: TimedPlace
    criteria: Criteria = EVERYTHING
    after: Cursor | None = None
    count: int = 50
    latest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Some jobs of a timed place, how many were looked at for them, and where to go on: None where nothing is left."""

    jobs: Sequence[Held]
    looked: int
    after: Cursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundQueued:
    """Some jobs of a queue, how many were looked at for them, and at which offset to go on: None for nowhere."""

    jobs: Sequence[Held]
    looked: int
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many of those looked at are meant; `whole` where no job was left out."""

    meant: int
    looked: int
    whole: bool


class Search:
    """Questions; nothing changes."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def timed(self, wanted: Wanted) -> Verb[Found]:
        """Find jobs of a timed place, in the order of their times."""
        if wanted.criteria.jid:
            return (yield from self._named(wanted))
        finder, after, looked = Finder(wanted.criteria), wanted.after, 0
        step = wanted.count if wanted.criteria == EVERYTHING else LOOK_STEP
        found: list[Held] = []
        while looked < LOOK_JOBS_MAX:
            page: Page = yield from self._page(wanted, after, step)
            for held in page.jobs:
                looked += 1
                if finder.finds(held.job):
                    found.append(held)
                if len(found) == wanted.count:
                    return Found(jobs=found, looked=looked, after=_end(held, page))
            after = page.after
            if after is None:
                break
        return Found(jobs=found, looked=looked, after=after)

    def queued(self, queue: str, criteria: Criteria, offset: int, count: int) -> Verb[FoundQueued]:
        """Find jobs of a queue, the oldest first, beginning at `offset`."""
        finder, at = Finder(criteria), offset
        step = count if criteria == EVERYTHING else LOOK_STEP
        end = min(offset + LOOK_JOBS_MAX, PEEK_OFFSET_MAX)
        found: list[Held] = []
        while at < end:
            jobs: Sequence[Held] = yield Query(partial(self._context.store.peek, queue, at, min(step, end - at)))
            for held in jobs:
                at += 1
                if finder.finds(held.job):
                    found.append(held)
                if len(found) == count:
                    return FoundQueued(jobs=found, looked=at - offset, offset=at)
            if not jobs:
                return FoundQueued(jobs=found, looked=at - offset, offset=None)
            yield Load()
        return FoundQueued(jobs=found, looked=at - offset, offset=at if at < PEEK_OFFSET_MAX else None)

    def count(self, place: TimedPlace, criteria: Criteria) -> Verb[Counted]:
        """Count the jobs of a timed place that are meant, among a bounded number of them."""
        wanted = Wanted(place=place, criteria=criteria)
        if criteria.jid:
            named = yield from self._named(wanted)
            return Counted(meant=len(named.jobs), looked=named.looked, whole=True)
        finder, looked, meant = Finder(criteria), 0, 0
        after: Cursor | None = None
        while looked < LOOK_JOBS_MAX:
            page: Page = yield from self._page(wanted, after, LOOK_STEP)
            looked += len(page.jobs)
            meant += sum(finder.finds(held.job) for held in page.jobs)
            after = page.after
            if after is None:
                return Counted(meant=meant, looked=looked, whole=True)
        return Counted(meant=meant, looked=looked, whole=False)

    def _named(self, wanted: Wanted) -> Verb[Found]:
        """A jid leads straight to its job, however many others there are."""
        loaded = yield Load((wanted.criteria.jid,))
        held: Held | None = loaded.jobs.get(wanted.criteria.jid)
        if held is None or held.place != wanted.place or not Finder(wanted.criteria).finds(held.job):
            return Found(jobs=(), looked=int(held is not None), after=None)
        return Found(jobs=(held,), looked=1, after=None)

    def _page(self, wanted: Wanted, after: Cursor | None, count: int) -> Verb[Page]:
        """Read on, in a round of its own."""
        yield Load()
        page: Page = yield Query(
            partial(self._context.store.browse, wanted.place, after, count, latest_first=wanted.latest_first)
        )
        return page


def _end(held: Held, page: Page) -> Cursor | None:
    """Say where a full page ended: behind its last job, or nowhere where that is the last of all."""
    if held is page.jobs[-1] and page.after is None:
        return None
    return held.at, held.job.jid
