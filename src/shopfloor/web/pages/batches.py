"""`/batches` and `/batches/<bid>`: what each batch waits for; cancel and retry."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopfloor.broker.progress import Progress
from shopfloor.errors import Refused
from shopfloor.web.chores import Errand
from shopfloor.web.limits import PAGE_BATCHES
from shopfloor.web.pages.visit import Visit
from shopfloor.web.views.batches import BatchesView, BatchView

CANCEL: Final = "cancel"
RETRY: Final = "retry"


async def show_all(visit: Visit) -> Response:
    """List batches, the newest first; those that are through only where they are asked for."""
    told = await visit.ask(visit.site.broker.batch_view.list())
    every = visit.asked.get("all") == "yes"
    begin = visit.number("begin", 0, max(0, len(told) - 1))
    return await visit.show(
        "batches.html", "Batches", "Batches", BatchesView.of(told, begin=begin, count=PAGE_BATCHES, every=every)
    )


async def show(visit: Visit) -> Response:
    """Show a batch with all below it."""
    bid = visit.named("bid")
    try:
        told = await visit.ask(visit.site.broker.batch_view.show(bid))
    except Refused as refused:
        raise HTTPException(404, f"{refused}: it is forgotten some time after it is through") from refused
    return await visit.show(
        "batch.html", f"Batch {bid}", "Batches", BatchView.of(told, asks=visit.asked.get("preview"))
    )


async def act(visit: Visit) -> Response:
    """Cancel what is not finished, once the word was typed, or retry what failed."""
    bid, action = visit.named("bid"), visit.form.text("action")
    path, care = f"/batches/{bid}", visit.site.broker.batch_care
    if action == CANCEL and visit.form.text("confirmation") != CANCEL:
        return visit.go(path, {"preview": CANCEL})
    if action not in (CANCEL, RETRY):
        raise HTTPException(400, "there is no such action")
    told = await visit.ask(visit.site.broker.batches.status(bid))
    verb = care.cancel(bid) if action == CANCEL else care.retry(bid)
    errand = Errand(what=f"{action.capitalize()} batch {bid}", total=told.total, back=path, stoppable=False)
    chore = visit.site.chores.begin(errand, verb, Progress())
    return visit.go(f"/chores/{chore.id}")
