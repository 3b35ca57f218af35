"""arq: no results kept, a hundred jobs at once, polling every 10 ms; no bulk, but many at once with gather."""

import asyncio
import os
from typing import Any, ClassVar

from arq import create_pool, func
from arq.connections import RedisSettings
from tally import count_one, enqueue

REDIS = RedisSettings.from_dsn(os.environ["BENCH_REDIS"])


async def noop(context: dict[str, Any], number: int) -> None:
    count_one()


class WorkerSettings:
    """What `arq app_arq.WorkerSettings` reads."""

    functions: ClassVar[list[Any]] = [func(noop, keep_result=0)]
    redis_settings = REDIS
    max_jobs = 100
    poll_delay = 0.01
    log_results = False


async def _push(count: int, together: int) -> None:
    pool = await create_pool(REDIS)
    for start in range(0, count, together):
        many = range(start, min(start + together, count))
        await asyncio.gather(*(pool.enqueue_job("noop", number) for number in many))
    await pool.aclose()


def main() -> None:
    """Enqueue as the command line says."""
    enqueue(lambda count: asyncio.run(_push(count, 1)), lambda count: asyncio.run(_push(count, 50)))
