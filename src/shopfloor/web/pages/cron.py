"""`/cron`: what fires when; run now, pause, resume."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopfloor.broker.asks import Verb
from shopfloor.broker.cron import Cron
from shopfloor.web.pages.visit import Visit
from shopfloor.web.views.cron import CronView

VERBS: Final[Mapping[str, Callable[[Cron, str], Verb[Any]]]] = {
    "run": Cron.run,
    "pause": partial(Cron.pause, paused=True),
    "resume": partial(Cron.pause, paused=False),
}
DONE: Final[Mapping[str, str]] = {"run": "fired", "pause": "paused", "resume": "resumed"}


async def show(visit: Visit) -> Response:
    """List the entries by name."""
    entries = await visit.ask(visit.site.broker.cron.entries())
    hides = visit.site.options.hide_arguments
    return await visit.show("cron.html", "Cron", "Cron", CronView.of(entries, visit.site.now, hides=hides))


async def act(visit: Visit) -> Response:
    """Do something with the entry of a form."""
    action = visit.form.text("action")
    if action not in VERBS:
        raise HTTPException(400, "there is no such action")
    await visit.ask(VERBS[action](visit.site.broker.cron, visit.form.text("name")))
    return visit.go("/cron", {"done": DONE[action]})
