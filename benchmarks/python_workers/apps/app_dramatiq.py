"""Dramatiq on Redis: no results, messages one by one; no bulk."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from tally import count_one, enqueue

broker = RedisBroker(url=os.environ["BENCH_REDIS"])
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(number: int) -> None:
    count_one()


def main() -> None:
    """Enqueue as the command line says."""

    def one(count: int) -> None:
        for number in range(count):
            noop.send(number)

    enqueue(one, one)
