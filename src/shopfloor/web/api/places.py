"""Operations on retries, scheduled and dead jobs, and the chores that they begin."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from shopfloor.broker.progress import Progress
from shopfloor.broker.search import Wanted
from shopfloor.core.criteria import EVERYTHING, Criteria
from shopfloor.core.job import TimedPlace
from shopfloor.core.mutation import TARGETS, Filter, Mutation
from shopfloor.web.api import cursors, shown
from shopfloor.web.api.asked import Asked
from shopfloor.web.api.cursors import Timed
from shopfloor.web.api.problem import ApiError
from shopfloor.web.api.shapes import Action, ActionTaken, ChoreShown, JobPage, Nothing
from shopfloor.web.chores import Chore, Errand
from shopfloor.wire.commands import JobList

PATHS: Final[Mapping[TimedPlace, str]] = {"scheduled": "/scheduled", "retries": "/retries", "dead": "/morgue"}
"""The page of each place."""
WORDS: Final = tuple(Criteria.__struct_fields__)


async def browse(asked: Asked) -> JobPage:
    """List jobs by time, the dead ones latest first."""
    place, ended = _place(asked), cursors.read(asked.query.cursor, Timed)
    wanted = Wanted(
        place=place,
        criteria=_criteria(asked, asked.query),
        after=None if ended is None else (ended.at, ended.jid),
        count=asked.count,
        latest_first=place == "dead",
    )
    found = await asked.ask(asked.broker.search.timed(wanted))
    hides = asked.site.options.hide_arguments
    return JobPage(
        jobs=[shown.held(held, hides_arguments=hides) for held in found.jobs],
        looked=found.looked,
        next=None if found.after is None else cursors.write(Timed(*found.after)),
    )


async def act(asked: Asked) -> ActionTaken:
    """Do something with jobs that are named, or meant; or only count them."""
    place, action = _place(asked), asked.body
    if (action.jids is not UNSET) + (action.filter is not UNSET) + action.everything != 1:
        raise ApiError("malformed", "one of jids, filter and everything says which jobs are meant")
    if action.jids is not UNSET:
        return await _act_on_named(asked, place, action)
    criteria = EVERYTHING if action.everything else _criteria(asked, action.filter)
    if criteria == EVERYTHING and not action.everything:
        raise ApiError("malformed", "a filter without a word would mean everything: say so")
    total = getattr((await asked.ask(asked.broker.glances.totals())).figures, place)
    if action.dry_run:
        return await _count(asked, place, criteria, total)
    progress = Progress()
    verb = asked.broker.mutations.operate(action.action, place, criteria, progress)
    words = {word: text for word, text in msgspec.structs.asdict(criteria).items() if text}
    which = "".join(f", {word} {text[:60]}" for word, text in words.items())
    errand = Errand(what=f"API: {action.action} {place}{which}", total=total, back=PATHS[place])
    return ActionTaken(chore=asked.site.chores.begin(errand, verb, progress).id)


async def chore(asked: Asked) -> ChoreShown:
    """Say how far an operation on many jobs is."""
    return shown.chore(_chore(asked))


async def stop(asked: Asked) -> Nothing:
    """Stop an operation; what it did stays done."""
    _chore(asked).progress.stopped = True
    return Nothing()


async def _act_on_named(asked: Asked, place: TimedPlace, action: Action) -> ActionTaken:
    assert action.jids is not UNSET
    named = Filter(jids=tuple(action.jids))
    if action.dry_run:
        wanted = JobList(place=place, count=1, after=None, filter=named, latest_first=False)
        page = await asked.ask(asked.broker.listing.jobs(wanted))
        return ActionTaken(meant=len(page.jobs), counted_all=True)
    mutation = Mutation(command=action.action, target=place, filter=named)
    return ActionTaken(moved=await asked.ask(asked.broker.mutations.mutate(mutation)))


async def _count(asked: Asked, place: TimedPlace, criteria: Criteria, total: int) -> ActionTaken:
    if criteria == EVERYTHING:
        return ActionTaken(meant=total, counted_all=True)
    counted = await asked.ask(asked.broker.search.count(place, criteria))
    return ActionTaken(meant=counted.meant, counted_all=counted.whole)


def _place(asked: Asked) -> TimedPlace:
    for place in TARGETS:
        if place == asked.names["place"]:
            return place
    raise ApiError("not-found", f"sets are {', '.join(TARGETS)}")


def _criteria(asked: Asked, said: Any) -> Criteria:
    """Read what is looked for. Where arguments are hidden, nobody may find out by asking what is in them."""
    if said.argument and asked.site.options.hide_arguments:
        raise ApiError("forbidden", "arguments are hidden here (web_hide_arguments), so nobody looks for them either")
    return Criteria(**{word: getattr(said, word) for word in WORDS})


def _chore(asked: Asked) -> Chore:
    found = asked.site.chores.find(asked.names["id"])
    if found is None:
        raise ApiError("not-found", "no such operation: the server has been restarted, or it was long ago")
    return found
