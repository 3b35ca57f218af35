"""The web side as one application: a row for each page, and what an error looks like."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shopfloor.broker.glance import Totals
from shopfloor.errors import Refused, StoreError
from shopfloor.store.port import Figures
from shopfloor.web.api import entrance
from shopfloor.web.assets import Assets
from shopfloor.web.forms import Form, read_form
from shopfloor.web.guard import LIVE_PATH, Guard
from shopfloor.web.pages import batches, busy, chores, cron, job, live, metrics, overview, places, queues, server
from shopfloor.web.pages.visit import Visit
from shopfloor.web.render import Page, Renderer
from shopfloor.web.site import Site
from shopfloor.web.views.frame import Frame
from shopfloor.web.views.places import KINDS

Handler = Callable[[Visit], Coroutine[Any, Any, Response]]
ABSENT = ("Job not found", "unknown worker", "no such batch", "Cron entry not found")
"""How refusals begin that say that something is not there."""
NOBODY = Totals(
    figures=Figures(working=0, scheduled=0, retries=0, dead=0, processed=0, failures=0), enqueued=0, queues=0
)
"""What the frame counts where the broker could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A page: its path, what shows it, and what a form that is sent to it does."""

    path: str
    show: Handler | None = None
    act: Handler | None = None


def rows() -> Sequence[Row]:
    """List the pages. The paths are Faktory's where it has such a page."""
    timed = [Row(path=kind.path, show=places.shows(kind), act=places.acts(kind)) for kind in KINDS]
    single = [Row(path=f"{kind.path}/{{key:path}}", show=places.leads_to_job(kind)) for kind in KINDS]
    return (
        Row(path="/", show=overview.show),
        Row(path="/queues", show=queues.show_all, act=queues.act_on_one_of_all),
        Row(path="/queues/{name}", show=queues.show, act=queues.act),
        Row(path="/busy", show=busy.show, act=busy.act),
        *timed,
        *single,
        Row(path="/batches", show=batches.show_all),
        Row(path="/batches/{bid}", show=batches.show, act=batches.act),
        Row(path="/cron", show=cron.show, act=cron.act),
        Row(path="/jobs", show=job.show, act=job.act),
        Row(path="/chores/{id}", show=chores.show, act=chores.act),
        Row(path="/debug", show=server.show),
        Row(path="/stats", show=server.stats),
        Row(path="/health", show=server.health),
        Row(path="/metrics", show=metrics.show),
        Row(path=LIVE_PATH, show=live.listen),
        Row(path="/theme", act=server.choose_theme),
    )


def make_application(site: Site) -> ASGIApp:
    """Make the application of a site, guard and all."""
    assets = Assets()
    renderer = Renderer(assets)
    routes = [Route("/static/{name}", assets.serve, methods=["GET"])]
    for row in rows():
        if row.show is not None:
            routes.append(Route(row.path, _shown(site, renderer, row.show), methods=["GET"]))
        if row.act is not None:
            routes.append(Route(row.path, _acted(site, renderer, row.act), methods=["POST"]))
    routes.extend(entrance.routes(site))
    failing = _Failing(site, renderer)
    handlers: dict[Any, Any] = dict.fromkeys(
        (HTTPException, Refused, StoreError, TimeoutError, Exception), failing.answer
    )
    return Guard(Starlette(routes=routes, exception_handlers=handlers), site)


def _shown(site: Site, renderer: Renderer, handler: Handler) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def show(request: Request) -> Response:
        return await handler(Visit(site=site, request=request, renderer=renderer, form=Form({})))

    return show


def _acted(site: Site, renderer: Renderer, handler: Handler) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """No handler of a form is reached but by a form of ours."""

    async def act(request: Request) -> Response:
        form = await read_form(request)
        return await handler(Visit(site=site, request=request, renderer=renderer, form=form))

    return act


class _Failing:
    """Says what went wrong, on a page that asks the broker nothing."""

    def __init__(self, site: Site, renderer: Renderer) -> None:
        self._site = site
        self._renderer = renderer

    async def answer(self, request: Request, error: Exception) -> Response:
        """Answer an error."""
        status, says = _judged(error)
        frame = Frame.of(self._site, request, HTTPStatus(status).phrase, "", NOBODY)
        page = Page(template="error.html", title=frame.title, section="", view=says, status=status)
        return self._renderer.write(request, page, frame)


def _judged(error: Exception) -> tuple[int, str]:
    """Give the status of an error and what is said of it; ours are not told to strangers."""
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail)
    if isinstance(error, Refused):
        is_absent = error.message.startswith(ABSENT)
        return (404 if is_absent else 409), error.message
    if isinstance(error, StoreError):
        return 503, f"the store did not answer: {error}"
    if isinstance(error, TimeoutError):
        return 503, "the answer took too long; the server is busy, or its store is"
    return 500, "something went wrong here; the log has more"
