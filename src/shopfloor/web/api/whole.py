"""Operations on cron entries, throttles, locks, workers, and on the server as a whole."""

from collections import Counter
from typing import Any

from shopfloor.core import cron
from shopfloor.core.timestamps import format_timestamp
from shopfloor.core.workers import State, Worker
from shopfloor.web.api import cursors
from shopfloor.web.api.asked import Asked
from shopfloor.web.api.cursors import Named
from shopfloor.web.api.shapes import (
    EntriesShown,
    EntryNamed,
    LockShown,
    LocksShown,
    Nothing,
    Pushed,
    Stats,
    ThrottlesShown,
    WorkerShown,
    WorkersShown,
)


async def entries(asked: Asked) -> EntriesShown:
    """List all cron entries."""
    known = await asked.ask(asked.broker.cron.entries())
    hides = asked.site.options.hide_arguments
    return EntriesShown(entries=[_entry(cron.describe(entry), hides=hides) for entry in known])


async def put_entry(asked: Asked) -> EntryNamed:
    """Add or change an entry."""
    return EntryNamed(name=await asked.ask(asked.broker.cron.put(asked.text)))


async def remove_entry(asked: Asked) -> Nothing:
    """Forget an entry."""
    await asked.ask(asked.broker.cron.remove(asked.names["name"]))
    return Nothing()


async def pause_entry(asked: Asked) -> Nothing:
    """Stop an entry from firing."""
    await asked.ask(asked.broker.cron.pause(asked.names["name"], True))
    return Nothing()


async def resume_entry(asked: Asked) -> Nothing:
    """Let an entry fire from now on."""
    await asked.ask(asked.broker.cron.pause(asked.names["name"], False))
    return Nothing()


async def run_entry(asked: Asked) -> Pushed:
    """Fire an entry now."""
    return Pushed(jid=await asked.ask(asked.broker.cron.run(asked.names["name"])))


async def throttles(asked: Asked) -> ThrottlesShown:
    """List the throttles and who has their slots."""
    return ThrottlesShown(throttles=list(await asked.ask(asked.broker.slot_view.throttles())))


async def locks(asked: Asked) -> LocksShown:
    """List the locks that end first."""
    return LocksShown(locks=[LockShown(**one) for one in await asked.ask(asked.broker.slot_view.locks(asked.count))])


async def workers(asked: Asked) -> WorkersShown:
    """List worker processes."""
    ended = cursors.read(asked.query.cursor, Named)
    found = await asked.ask(asked.broker.fleet.known())
    found.sort(key=_key)
    left = [one for one in found if ended is None or _key(one) > ended.words]
    page = left[: asked.count]
    working = Counter(held.wid for held in await asked.ask(asked.broker.glances.working()))
    return WorkersShown(
        workers=[
            WorkerShown(
                wid=one.wid,
                hostname=one.hostname,
                pid=one.pid,
                labels=list(one.labels),
                state=one.state,
                started_at=format_timestamp(one.started_at),
                beat_at=format_timestamp(one.beat_at),
                rss_kb=one.rss_kb,
                connected=not one.left_at,
                working=working[one.wid],
            )
            for one in page
        ],
        next=cursors.write(Named(_key(page[-1]))) if len(left) > len(page) else None,
    )


async def quiet(asked: Asked) -> Nothing:
    """Ask a worker to take no more jobs."""
    return await _tell(asked, "quiet")


async def stop(asked: Asked) -> Nothing:
    """Ask a worker to end."""
    return await _tell(asked, "terminate")


async def stats(asked: Asked) -> Stats:
    """Count what rests where."""
    totals = await asked.ask(asked.broker.glances.totals())
    told = totals.figures
    return Stats(
        enqueued=totals.enqueued,
        queues=totals.queues,
        working=told.working,
        scheduled=told.scheduled,
        retries=told.retries,
        dead=told.dead,
        processed=told.processed,
        failures=told.failures,
    )


async def info(asked: Asked) -> Any:
    """Answer what INFO answers."""
    return await asked.ask(asked.broker.reports.info(asked.site.vitals()))


async def _tell(asked: Asked, state: State) -> Nothing:
    await asked.ask(asked.broker.fleet.tell(asked.names["wid"], state))
    return Nothing()


def _entry(told: dict[str, object], *, hides: bool) -> dict[str, object]:
    """Leave the job of an entry out where arguments are hidden: they are in it."""
    return {key: value for key, value in told.items() if key != "job"} if hides else told


def _key(worker: Worker) -> tuple[str, ...]:
    return worker.hostname, worker.wid
