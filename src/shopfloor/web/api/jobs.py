"""Operations on single jobs: push, look up, cancel, requeue, tracking."""

from secrets import token_hex
from typing import Any

import msgspec
from msgspec import Raw, Struct

from shopfloor.core import tracking
from shopfloor.core.payload import decode_pushed, decode_pushed_many
from shopfloor.web.api import shown
from shopfloor.web.api.asked import Asked
from shopfloor.web.api.problem import ApiError
from shopfloor.web.api.shapes import HeldShown, Nothing, Pushed, PushedMany

JID_BYTES = 12


class _Jobs(Struct):
    """Where in a body the jobs stand, as their own text."""

    jobs: Raw


_bodies = msgspec.json.Decoder(_Jobs)


async def push(asked: Asked) -> Pushed:
    """Take a job; the very same one again while it is held changes nothing."""
    pushed = decode_pushed(asked.text)
    jid = pushed.jid = pushed.jid or token_hex(JID_BYTES)
    await asked.ask(asked.broker.jobs.push(pushed))
    return Pushed(jid=jid)


async def push_many(asked: Asked) -> PushedMany:
    """Take many jobs, each for itself."""
    most = asked.site.options.bulk_jobs_max
    if len(asked.body.jobs) > most:
        raise ApiError("too-large", f"{len(asked.body.jobs)} jobs: the limit is {most}")
    pushed = decode_pushed_many(bytes(_bodies.decode(asked.text).jobs))
    jids: list[str] = []
    for one in pushed:
        jid = one.jid = one.jid or token_hex(JID_BYTES)
        jids.append(jid)
    return PushedMany(jids=jids, refused=await asked.ask(asked.broker.jobs.push_bulk(pushed)))


async def get(asked: Asked) -> HeldShown:
    """Look a job up wherever it rests."""
    held = await asked.ask(asked.broker.jobs.get(asked.names["jid"]))
    return shown.held(held, hides_arguments=asked.site.options.hide_arguments)


async def cancel(asked: Asked) -> Nothing:
    """Remove a job, or tell its worker while it runs."""
    await asked.ask(asked.broker.jobs.cancel(asked.names["jid"]))
    return Nothing()


async def requeue(asked: Asked) -> Nothing:
    """Enqueue a job that waits in a timed place."""
    await asked.ask(asked.broker.jobs.run_now(asked.names["jid"]))
    return Nothing()


async def track(asked: Asked) -> Any:
    """Tell how far a tracked job is."""
    jid = asked.names["jid"]
    return tracking.status(jid, await asked.ask(asked.broker.tracking.get(jid)))
