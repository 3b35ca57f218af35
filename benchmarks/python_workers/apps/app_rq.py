"""RQ: no results kept; bulk is `enqueue_many` within its pipeline."""

import os

from redis import Redis
from rq import Queue
from tally import count_one, enqueue


def noop(number: int) -> None:
    count_one()


def main() -> None:
    """Enqueue as the command line says."""
    queue = Queue(connection=Redis.from_url(os.environ["BENCH_REDIS"]))

    def one(count: int) -> None:
        for number in range(count):
            queue.enqueue("app_rq.noop", number, result_ttl=0)

    def bulk(count: int) -> None:
        for start in range(0, count, 1000):
            many = range(start, min(start + 1000, count))
            queue.enqueue_many([Queue.prepare_data("app_rq.noop", (number,), result_ttl=0) for number in many])

    enqueue(one, bulk)
