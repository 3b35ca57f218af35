"""`/queues` and `/queues/<name>`: what waits, and pausing, resuming and clearing."""

from functools import partial
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopfloor.broker.asks import Fork, Verb
from shopfloor.broker.progress import Progress
from shopfloor.broker.search import PEEK_OFFSET_MAX
from shopfloor.core.criteria import EVERYTHING
from shopfloor.errors import Refused
from shopfloor.store.port import QueueFigures
from shopfloor.web.chores import Errand
from shopfloor.web.limits import PAGE_JOBS, PAGE_QUEUES
from shopfloor.web.pages.visit import Visit
from shopfloor.web.views.jobs import JobLine
from shopfloor.web.views.places import criteria_of, query_of, searched
from shopfloor.web.views.queues import QueuesView, QueueView

CONFIRMATION: Final = "clear"
"""What has to be typed before a queue is cleared."""


async def show_all(visit: Visit) -> Response:
    """List queues by name."""
    name = visit.asked.get("name", "").strip()
    known = [queue for queue in await visit.ask(visit.site.broker.queues.known()) if name in queue.name]
    begin = visit.number("begin", 0, max(0, len(known) - 1))
    end = begin + PAGE_QUEUES
    view = QueuesView(
        queues=await visit.ask(visit.site.broker.glances.measured(known[begin:end])),
        name=name,
        total=len(known),
        begin=begin,
        before=max(0, begin - PAGE_QUEUES) if begin else None,
        after=end if end < len(known) else None,
    )
    return await visit.show("queues.html", "Queues", "Queues", view)


async def act_on_one_of_all(visit: Visit) -> Response:
    """Pause or resume the queue named in a form, and come back to the list."""
    await _pause(visit, visit.form.text("queue"))
    done = {"done": f"{visit.form.text('action')}d"}
    return visit.go("/queues", {**_kept(visit, "name", "begin"), **done})


async def show(visit: Visit) -> Response:
    """Show the jobs of one queue; nothing changes."""
    name = visit.named("name")
    criteria = criteria_of({**visit.asked, "queue": ""})
    begin = visit.number("begin", 0, PEEK_OFFSET_MAX)
    broker, hides = visit.site.broker, visit.site.options.hide_arguments
    (queue,) = await visit.ask(broker.glances.measured([await _known(visit, name)]))
    found = await visit.ask(broker.search.queued(name, criteria, begin, PAGE_JOBS))
    view = QueueView(
        queue=queue,
        lines=[JobLine.of(held, hides_arguments=hides) for held in found.jobs],
        begin=begin,
        after=found.offset if found.offset is not None and found.offset < queue.size else None,
        deepest=found.offset is None and begin + found.looked >= PEEK_OFFSET_MAX,
        criteria=criteria,
        filtered=criteria != EVERYTHING,
        query=query_of(criteria),
        searched=searched(begin + found.looked, queue.size, len(found.jobs), goes_on=found.offset is not None),
        clears=visit.asked.get("preview") == CONFIRMATION,
    )
    return await visit.show("queue.html", f"Queue {name}", "Queues", view)


async def act(visit: Visit) -> Response:
    """Pause, resume or clear a queue, or cancel jobs that were ticked."""
    name, action = visit.named("name"), visit.form.text("action")
    if action == "clear":
        return await _clear(visit, name)
    if action == "cancel":
        jids = list(dict.fromkeys(visit.form.texts("jid")))
        cancelled = await visit.ask(_cancelled(visit, jids))
        return visit.go(f"/queues/{name}", {**_kept(visit, *visit.asked), "done": "cancel", "jobs": cancelled})
    await _pause(visit, name)
    return visit.go(f"/queues/{name}", {"done": f"{action}d"})


async def _pause(visit: Visit, name: str) -> None:
    """Pause or resume, whichever the form says."""
    action = visit.form.text("action")
    if action not in ("pause", "resume"):
        raise HTTPException(400, f"there is no action {action}")
    await _known(visit, name)
    await visit.ask(visit.site.broker.queues.pause([name], action == "pause"))


async def _clear(visit: Visit, name: str) -> Response:
    if visit.form.text("confirmation") != CONFIRMATION:
        return visit.go(f"/queues/{name}", {"preview": CONFIRMATION})
    queue, progress = await _known(visit, name), Progress()
    errand = Errand(what=f"Clear queue {name}", total=queue.size, back="/queues")
    chore = visit.site.chores.begin(errand, visit.site.broker.queues.clear(name, progress), progress)
    return visit.go(f"/chores/{chore.id}")


async def _known(visit: Visit, name: str) -> QueueFigures:
    known = await visit.ask(visit.site.broker.queues.known())
    queue = next((queue for queue in known if queue.name == name), None)
    if queue is None:
        raise HTTPException(404, f"there is no queue {name}: a queue is forgotten when it is cleared")
    return queue


def _cancelled(visit: Visit, jids: list[str]) -> Verb[int]:
    """Cancel jobs side by side; one that is gone meanwhile is left out."""
    cancel = partial(visit.site.broker.jobs.cancel)
    prongs = yield Fork(tuple([cancel(jid) for jid in jids]))
    failed = [prong.error for prong in prongs if prong.error is not None and not isinstance(prong.error, Refused)]
    if failed:
        raise failed[0]
    return sum(prong.error is None for prong in prongs)


def _kept(visit: Visit, *names: str) -> dict[str, Any]:
    """Give the words of the address that the next page is to have, too."""
    return {
        name: visit.asked[name] for name in names if name in visit.asked and name not in ("done", "jobs", "preview")
    }
