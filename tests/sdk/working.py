"""A worker in the test's own event loop, whose children are real processes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from shopfloor import AsyncClient, Worker, WorkerSettings
from tests.sdk import shop

PATIENCE_SECONDS = 40.0
SHOP = shop.__name__


@asynccontextmanager
async def working(url: str, *targets: Any, **settings: Any) -> AsyncIterator[Worker]:
    """Let a worker work for the block, and stop it behind it."""
    defaults: dict[str, Any] = {"beat_seconds": 0.1, "stop_seconds": 10.0}
    worker = Worker(targets or (SHOP,), WorkerSettings(**(defaults | settings)), url)
    serving = asyncio.create_task(worker.serve())
    try:
        yield worker
        worker.stop()
        await asyncio.wait_for(serving, PATIENCE_SECONDS)
    finally:
        if not serving.done():
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[object]] | Callable[[], object]) -> None:
    """Wait until the condition holds; fail where it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = condition()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.01)


async def counts(client: AsyncClient) -> dict[str, int]:
    """Ask how many jobs are where."""
    told = (await client.info())["faktory"]
    sets: dict[str, int] = told["sets"]
    return {"queued": told["total_enqueued"], **sets}


async def is_settled(client: AsyncClient) -> bool:
    """Say whether nothing waits and nothing is in anybody's hands."""
    told = await counts(client)
    return not told["queued"] and not told["working"]
