"""`/jobs?jid=…`: one job, wherever it rests, and what can be done with it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopfloor.broker.asks import Verb
from shopfloor.broker.broker import Broker
from shopfloor.core import lifecycle
from shopfloor.core.job import Held
from shopfloor.core.lifecycle import Event
from shopfloor.core.mutation import TARGETS, Command, Filter, Mutation
from shopfloor.errors import Refused
from shopfloor.web import words
from shopfloor.web.pages.visit import Visit
from shopfloor.web.views.job import JobView


def _mutated(command: Command) -> Callable[[Broker, Held], Verb[Any]]:
    def mutate(broker: Broker, held: Held) -> Verb[int]:
        target = next(place for place in TARGETS if place == held.place)
        wanted = Filter(jids=(held.job.jid,))
        return (yield from broker.mutations.mutate(Mutation(command=command, target=target, filter=wanted)))

    return mutate


VERBS: Final[Mapping[str, tuple[Event, Callable[[Broker, Held], Verb[Any]]]]] = {
    "retry": ("requeue", lambda broker, held: broker.jobs.run_now(held.job.jid)),
    "kill": ("kill", _mutated("kill")),
    "discard": ("discard", _mutated("discard")),
    "cancel": ("cancel", lambda broker, held: broker.jobs.cancel(held.job.jid)),
}
"""For each action the event that has to be possible, and the verb."""


async def show(visit: Visit) -> Response:
    """Show a job; one that is not held may have been done, or never have been."""
    jid = visit.asked.get("jid", "").strip()
    if not jid:
        return await visit.show("find.html", "Find a job", "", None)
    try:
        glance = await visit.ask(visit.site.broker.glances.job(jid))
    except Refused as refused:
        says = "it is finished, was removed, or never was here"
        raise HTTPException(404, f"no job {words.cut(jid, 100)} is held: {says}") from refused
    view = JobView.of(glance, hides_arguments=visit.site.options.hide_arguments)
    return await visit.show("job.html", f"Job {words.cut(jid, 40)}", "", view)


async def act(visit: Visit) -> Response:
    """Do something with the job."""
    jid, word = visit.asked.get("jid", ""), visit.form.text("action")
    if word not in VERBS:
        raise HTTPException(400, "there is no such action")
    broker = visit.site.broker
    event, verb = VERBS[word]
    held = await visit.ask(broker.jobs.get(jid))
    lifecycle.check_possible(event, held)
    await visit.ask(verb(broker, held))
    stays = word in ("retry", "kill") or held.place == "working"
    done = {"done": word, "jobs": 1}
    return visit.go("/jobs", {"jid": jid, **done}) if stays else visit.go("/", done)
