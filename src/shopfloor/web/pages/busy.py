"""`/busy`: worker processes and their jobs; quiet, stop and cancel."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopfloor.broker.asks import Fork, Verb
from shopfloor.core.workers import State
from shopfloor.web.pages.visit import Visit
from shopfloor.web.views.busy import BusyView

SIGNALS: Final[Mapping[str, State]] = {"quiet": "quiet", "terminate": "terminate", "stop": "terminate"}
ALL: Final = "all"


async def show(visit: Visit) -> Response:
    """Show who works."""
    workers = await visit.ask(visit.site.broker.fleet.known())
    working = await visit.ask(visit.site.broker.glances.working())
    view = BusyView.of(workers, working, visit.site.now, hides=visit.site.options.hide_arguments)
    return await visit.show("busy.html", "Busy", "Busy", view)


async def act(visit: Visit) -> Response:
    """Cancel the job of a form, or tell its worker, or all of them, to be quiet or to stop."""
    jid = visit.form.text("jid")
    if jid:
        await visit.ask(visit.site.broker.jobs.cancel(jid))
        return visit.go("/busy", {"done": "cancel", "jobs": 1})
    signal, wid = visit.form.text("signal"), visit.form.text("wid")
    if signal not in SIGNALS or not wid:
        raise HTTPException(400, "a form of this page names a worker and a signal")
    await visit.ask(_told(visit, wid, SIGNALS[signal]))
    return visit.go("/busy", {"done": "quiet" if signal == "quiet" else "stop"})


def _told(visit: Visit, wid: str, state: State) -> Verb[None]:
    fleet = visit.site.broker.fleet
    if wid != ALL:
        yield from fleet.tell(wid, state)
        return
    workers = yield from fleet.known()
    yield Fork(tuple([fleet.tell(worker.wid, state) for worker in workers]))
