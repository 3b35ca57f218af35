"""`/`: whether all is well, and what was done."""

from typing import Final

from starlette.responses import Response

from shopfloor.web.limits import DAYS_MAX
from shopfloor.web.pages.visit import Visit
from shopfloor.web.views.overview import Overview

DAYS_DEFAULT: Final = 30


async def show(visit: Visit) -> Response:
    """Show the page, with a history of `days`."""
    days = max(1, visit.number("days", DAYS_DEFAULT, DAYS_MAX))
    glance = await visit.ask(visit.site.broker.glances.whole(days))
    return await visit.show("overview.html", "Overview", "Overview", Overview.of(glance, visit.site.vitals()))
