"""`/retries`, `/scheduled` and `/morgue`: finding jobs, and doing something with those ticked or all that match."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopfloor.broker.progress import Progress
from shopfloor.broker.search import Cursor, Wanted
from shopfloor.core.criteria import EVERYTHING, Criteria
from shopfloor.core.mutation import Filter, Mutation
from shopfloor.web import words
from shopfloor.web.chores import Errand
from shopfloor.web.limits import PAGE_JOBS
from shopfloor.web.pages.visit import Visit
from shopfloor.web.views.jobs import JobLine
from shopfloor.web.views.places import (
    Action,
    PlaceKind,
    PlaceView,
    Preview,
    criteria_of,
    meant,
    query_of,
    searched,
)

Handler = Callable[[Visit], Coroutine[Any, Any, Response]]
WORDS: Final[Mapping[str, str]] = {"scheduled": "the scheduled jobs", "retries": "the retries", "dead": "the dead jobs"}


def shows(kind: PlaceKind) -> Handler:
    """Make the handler that shows a place."""

    async def show(visit: Visit) -> Response:
        criteria = criteria_of(visit.asked)
        total = await _total(visit, kind)
        after = _cursor(visit.asked.get("after", ""))
        wanted = Wanted(
            place=kind.place, criteria=criteria, after=after, count=PAGE_JOBS, latest_first=kind.place == "dead"
        )
        found = await visit.ask(visit.site.broker.search.timed(wanted))
        hides = visit.site.options.hide_arguments
        view = PlaceView(
            kind=kind,
            total=total,
            lines=[JobLine.of(held, hides_arguments=hides) for held in found.jobs],
            criteria=criteria,
            filtered=criteria != EVERYTHING,
            query=query_of(criteria),
            searched=searched(found.looked, total, len(found.jobs), goes_on=found.after is not None),
            after="" if found.after is None else f"{found.after[0]!r},{found.after[1]}",
            is_first=after is None,
            preview=await _preview(visit, kind, criteria, total),
        )
        return await visit.show("place.html", kind.title, kind.title, view)

    return show


def acts(kind: PlaceKind) -> Handler:
    """Make the handler that does something with jobs of a place."""

    async def act(visit: Visit) -> Response:
        action = _action(kind, visit.form.text("action"))
        if visit.form.text("scope") == "matching":
            return await _begin(visit, kind, action)
        jids = tuple(visit.form.texts("jid"))
        mutation = Mutation(command=action.command, target=kind.place, filter=Filter(jids=jids))
        moved = await visit.ask(visit.site.broker.mutations.mutate(mutation)) if jids else 0
        query = query_of(criteria_of(visit.asked))
        return visit.go(kind.path, {**query, "done": action.word, "jobs": moved})

    return act


def leads_to_job(kind: PlaceKind) -> Handler:
    """Make the handler of Faktory's addresses of single jobs, `/retries/<time>|<jid>`."""

    async def go(visit: Visit) -> Response:
        return visit.go("/jobs", {"jid": visit.named("key").rpartition("|")[2]})

    return go


async def _begin(visit: Visit, kind: PlaceKind, action: Action) -> Response:
    """Begin a chore on everything that matches, once its word was typed; before that, say what it would be."""
    criteria = criteria_of(visit.asked)
    query = query_of(criteria)
    if visit.form.text("confirmation") != action.word:
        return visit.go(kind.path, {**query, "preview": action.word})
    broker, progress = visit.site.broker, Progress()
    what = f"{action.label}: {WORDS[kind.place]}{_which(query)}"
    errand = Errand(what=what, total=await _total(visit, kind), back=kind.path)
    verb = broker.mutations.operate(action.command, kind.place, criteria, progress)
    chore = visit.site.chores.begin(errand, verb, progress)
    return visit.go(f"/chores/{chore.id}")


def _which(query: Mapping[str, str]) -> str:
    return " with " + ", ".join(f"{name} {words.cut(text, 60)}" for name, text in query.items()) if query else ""


async def _preview(visit: Visit, kind: PlaceKind, criteria: Criteria, total: int) -> Preview | None:
    word = visit.asked.get("preview", "")
    if not word:
        return None
    action = _action(kind, word)
    if criteria == EVERYTHING:
        return Preview(action=action, meant=words.plural(total, "job"))
    counted = await visit.ask(visit.site.broker.search.count(kind.place, criteria))
    return Preview(action=action, meant=meant(counted, total))


async def _total(visit: Visit, kind: PlaceKind) -> int:
    totals = await visit.ask(visit.site.broker.glances.totals())
    total: int = getattr(totals.figures, kind.place)
    return total


def _action(kind: PlaceKind, word: str) -> Action:
    action = next((action for action in kind.actions if action.word == word), None)
    if action is None:
        raise HTTPException(400, f"there is no action {words.cut(word, 60)} here")
    return action


def _cursor(text: str) -> Cursor | None:
    """Read where a page begins; what cannot be read is the first page."""
    at, comma, jid = text.partition(",")
    try:
        return (float(at), jid) if comma else None
    except ValueError:
        return None
