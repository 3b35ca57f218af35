"""`/chores/<id>`: how far an operation on many jobs is."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopfloor.web.chores import Chore
from shopfloor.web.pages.visit import Visit


async def show(visit: Visit) -> Response:
    """Show an operation."""
    return await visit.show("chore.html", "Operation", "", _found(visit))


async def act(visit: Visit) -> Response:
    """Stop an operation; what it did stays done."""
    chore = _found(visit)
    chore.progress.stopped = True
    return visit.go(f"/chores/{chore.id}")


def _found(visit: Visit) -> Chore:
    chore = visit.site.chores.find(visit.named("id"))
    if chore is None:
        raise HTTPException(404, "this operation is not known: the server has been restarted, or it was long ago")
    return chore
