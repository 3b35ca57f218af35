"""Operations on queues."""

from shopfloor.broker.peeking import peek as peek_on
from shopfloor.broker.progress import Progress
from shopfloor.store.port import QueueFigures
from shopfloor.web.api import cursors, shown
from shopfloor.web.api.asked import Asked
from shopfloor.web.api.cursors import Named, Queued
from shopfloor.web.api.problem import ApiError
from shopfloor.web.api.shapes import ActionTaken, Nothing, PeekPage, QueuePage, QueueShown
from shopfloor.web.chores import Errand
from shopfloor.web.limits import PAGE_QUEUES


async def browse(asked: Asked) -> QueuePage:
    """List queues by name; the oldest job of each is looked at, so a page is short."""
    ended = cursors.read(asked.query.cursor, Named)
    after = ended.words[0] if ended is not None and ended.words else ""
    known = [queue for queue in await asked.ask(asked.broker.queues.known()) if queue.name > after]
    page = sorted(known, key=lambda queue: queue.name)[: min(asked.count, PAGE_QUEUES)]
    measured = await asked.ask(asked.broker.glances.measured(page))
    goes_on = len(known) > len(page)
    return QueuePage(
        queues=[shown.queue(one) for one in measured], next=cursors.write(Named((page[-1].name,))) if goes_on else None
    )


async def get(asked: Asked) -> QueueShown:
    """Look at one queue."""
    (measured,) = await asked.ask(asked.broker.glances.measured([await _known(asked)]))
    return shown.queue(measured)


async def peek(asked: Asked) -> PeekPage:
    """List jobs of a queue, the oldest first, and touch nothing."""
    ended = cursors.read(asked.query.cursor, Queued)
    last = None if ended is None else (ended.depth, ended.position)
    await _known(asked)
    page = await asked.ask(peek_on(asked.broker.queues, asked.names["name"], last, asked.count))
    hides = asked.site.options.hide_arguments
    return PeekPage(
        jobs=[shown.job(held.job, hides_arguments=hides) for held in page.jobs],
        next=None if page.last is None else cursors.write(Queued(*page.last)),
        more=page.more,
    )


async def pause(asked: Asked) -> Nothing:
    """Give out no more of its jobs."""
    await _known(asked)
    await asked.ask(asked.broker.queues.pause([asked.names["name"]], True))
    return Nothing()


async def resume(asked: Asked) -> Nothing:
    """Give out its jobs again."""
    await _known(asked)
    await asked.ask(asked.broker.queues.pause([asked.names["name"]], False))
    return Nothing()


async def clear(asked: Asked) -> ActionTaken:
    """Discard all jobs of a queue and forget it; it is begun, and the chore says how far it is."""
    queue, progress = await _known(asked), Progress()
    errand = Errand(what=f"Clear queue {queue.name}", total=queue.size, back="/queues")
    chore = asked.site.chores.begin(errand, asked.broker.queues.clear(queue.name, progress), progress)
    return ActionTaken(chore=chore.id)


async def _known(asked: Asked) -> QueueFigures:
    name = asked.names["name"]
    for queue in await asked.ask(asked.broker.queues.known()):
        if queue.name == name:
            return queue
    raise ApiError("not-found", f"there is no queue {name}")
