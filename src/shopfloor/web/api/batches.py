"""Operations on batches."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shopfloor.core.batch_definition import read_definition
from shopfloor.web.api import cursors
from shopfloor.web.api.asked import Asked
from shopfloor.web.api.cursors import Named
from shopfloor.web.api.shapes import BatchNamed, BatchPage, BatchShown, Changed, Nothing


async def browse(asked: Asked) -> BatchPage:
    """List batches, the newest first."""
    ended = cursors.read(asked.query.cursor, Named)
    known = sorted(await asked.ask(asked.broker.batch_view.list()), key=_key, reverse=True)
    left = [one for one in known if ended is None or _key(one) < ended.words]
    page = left[: asked.count]
    shown = [msgspec.convert(one, BatchShown) for one in page]
    return BatchPage(batches=shown, next=cursors.write(Named(_key(page[-1]))) if len(left) > len(page) else None)


async def new(asked: Asked) -> BatchNamed:
    """Make a batch."""
    return BatchNamed(bid=await asked.ask(asked.broker.batches.new(read_definition(asked.text))))


async def get(asked: Asked) -> Any:
    """Look at a batch, those below it, and what it waits for."""
    return await asked.ask(asked.broker.batch_view.show(asked.names["bid"]))


async def open_again(asked: Asked) -> BatchNamed:
    """Let more be added."""
    return BatchNamed(bid=await asked.ask(asked.broker.batches.open(asked.names["bid"])))


async def commit(asked: Asked) -> Nothing:
    """Say that it has all its jobs."""
    await asked.ask(asked.broker.batches.commit(asked.names["bid"]))
    return Nothing()


async def cancel(asked: Asked) -> Changed:
    """Cancel the members that are not finished."""
    return Changed(jobs=await asked.ask(asked.broker.batch_care.cancel(asked.names["bid"])))


async def retry(asked: Asked) -> Changed:
    """Enqueue the members that wait for a retry or are dead."""
    return Changed(jobs=await asked.ask(asked.broker.batch_care.retry(asked.names["bid"])))


def _key(told: Mapping[str, Any]) -> tuple[str, ...]:
    return told["created_at"], told["bid"]
