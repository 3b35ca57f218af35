"""Huey on Redis: no results, blocking pop; no bulk."""

import os

from huey import RedisHuey
from tally import count_one, enqueue

huey = RedisHuey("bench", url=os.environ["BENCH_REDIS"], results=False)


@huey.task()
def noop(number: int) -> None:
    count_one()


def main() -> None:
    """Enqueue as the command line says."""

    def one(count: int) -> None:
        for number in range(count):
            noop(number)

    enqueue(one, one)
