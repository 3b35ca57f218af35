"""taskiq on Redis: a list queue, its fastest, which forgets what was taken; and a stream, which acknowledges."""

import asyncio
import os

from tally import count_one, enqueue
from taskiq_redis import ListQueueBroker, RedisStreamBroker

Kind = RedisStreamBroker if os.environ.get("BENCH_KIND") == "stream" else ListQueueBroker
broker = Kind(os.environ["BENCH_REDIS"])


@broker.task
async def noop(number: int) -> None:
    count_one()


async def _push(count: int, together: int) -> None:
    await broker.startup()
    for start in range(0, count, together):
        await asyncio.gather(*(noop.kiq(number) for number in range(start, min(start + together, count))))
    await broker.shutdown()


def main() -> None:
    """Enqueue as the command line says."""
    enqueue(lambda count: asyncio.run(_push(count, 1)), lambda count: asyncio.run(_push(count, 50)))
