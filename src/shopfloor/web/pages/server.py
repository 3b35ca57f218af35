"""`/debug`, `/stats` and `/health`: the server and its store, for people and for programs."""

import msgspec
from starlette.responses import RedirectResponse, Response

from shopfloor.broker.reports import FAKTORY_VERSION
from shopfloor.web.pages.visit import Visit
from shopfloor.web.render import THEME_COOKIE
from shopfloor.web.views.frame import THEMES
from shopfloor.web.views.server import ServerView

JSON = "application/json"
YEAR_SECONDS = 365 * 86_400


async def show(visit: Visit) -> Response:
    """Show what the server and its store say of themselves."""
    description = await visit.ask(visit.site.broker.glances.store())
    view = ServerView.of(description, visit.site.vitals(), visit.site.broker.ticks.rounds)
    return await visit.show("server.html", "Server", "", view)


async def stats(visit: Visit) -> Response:
    """Answer INFO as JSON, as Faktory does."""
    told = await visit.ask(visit.site.broker.reports.info(visit.site.vitals()))
    return Response(msgspec.json.encode(told), media_type=JSON)


async def health(visit: Visit) -> Response:
    """Answer, without a password, that the server lives: it asks the rounds, so it is silent where they stand still."""
    told = await visit.ask(visit.site.broker.reports.info(visit.site.vitals()))
    server = told["server"]
    shown = {
        "description": server["description"],
        "faktory_version": FAKTORY_VERSION,
        "connections": server["connections"],
        "command_count": server["command_count"],
    }
    return Response(msgspec.json.encode({"now": told["now"], "server": shown}), media_type=JSON)


async def choose_theme(visit: Visit) -> Response:
    """Keep in a cookie whether the pages are to be light or dark."""
    theme, back = visit.form.text("theme"), visit.form.text("here")
    is_ours = back.startswith("/") and not back.startswith(("//", "/\\"))
    prefix = visit.request.scope["root_path"]
    response = RedirectResponse(f"{prefix}{back}" if is_ours else f"{prefix}/", 303)
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE, theme, max_age=YEAR_SECONDS, path=prefix or "/", httponly=True, samesite="strict"
        )
    return response
