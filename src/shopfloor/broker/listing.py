"""JOB LIST: what rests in a timed place, a page at a time, without touching it."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.core.job import Held, TimedPlace
from shopfloor.core.mutation import Filter, Matcher
from shopfloor.store.port import Page

LOOK_STEP = 500
"""Jobs looked at in one round; other commands get their turn in between."""
LOOK_JOBS_MAX = 10_000
"""Jobs looked at for one page. Where few match, a page is short, or empty, and still says where to go on."""


class Wanted(Protocol):
    """Which jobs are to be listed: the fields of `wire.commands.JobList`."""

    @property
    def place(self) -> TimedPlace:
        """Where to look."""

    @property
    def count(self) -> int:
        """How many at most."""

    @property
    def after(self) -> tuple[float, str] | None:
        """Where an earlier page ended."""

    @property
    def filter(self) -> Filter:
        """What a job must be."""

    @property
    def latest_first(self) -> bool:
        """Whether to begin at the end."""


class Listing:
    """Pages of timed places."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def jobs(self, wanted: Wanted) -> Verb[Page]:
        """List jobs that a filter means, in the order of their times; `after` is None after the last."""
        if wanted.filter.jids:
            return (yield from self._named(wanted))
        return (yield from self._matching(wanted))

    def _named(self, wanted: Wanted) -> Verb[Page]:
        """Jobs named by jid make one page, whatever its size."""
        jids = tuple(dict.fromkeys(wanted.filter.jids))
        loaded = yield Load(jids)
        found: Sequence[Held] = [loaded.jobs[jid] for jid in jids if jid in loaded.jobs]
        held = [one for one in found if one.place == wanted.place]
        order = sorted(held, key=lambda one: (one.at, one.job.jid), reverse=wanted.latest_first)
        return Page(jobs=order, after=None)

    def _matching(self, wanted: Wanted) -> Verb[Page]:
        matcher = Matcher.of(wanted.filter)
        found: list[Held] = []
        after = wanted.after
        for _ in range(LOOK_JOBS_MAX // LOOK_STEP):
            browse = partial(
                self._context.store.browse, wanted.place, after, LOOK_STEP, latest_first=wanted.latest_first
            )
            page: Page = yield Query(browse)
            meant = [held for held in page.jobs if matcher.matches(held.job)]
            found += meant[: wanted.count - len(found)]
            if len(found) == wanted.count:
                return Page(jobs=found, after=_end(found[-1], page))
            after = page.after
            if after is None:
                break
        return Page(jobs=found, after=after)


def _end(held: Held, page: Page) -> tuple[float, str] | None:
    """Say where a full page ended: behind its last job, or nowhere where that is the last of all."""
    if held is page.jobs[-1] and page.after is None:
        return None
    return held.at, held.job.jid
