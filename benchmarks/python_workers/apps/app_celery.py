"""Celery on Redis: results ignored, prefetching 128 as its optimizing guide says for short tasks; no bulk."""

import os

from celery import Celery
from tally import count_one, enqueue

app = Celery("app_celery", broker=os.environ["BENCH_REDIS"])
app.conf.update(
    task_ignore_result=True, worker_prefetch_multiplier=128, task_serializer="json", worker_disable_rate_limits=True
)


@app.task
def noop(number: int) -> None:
    count_one()


def main() -> None:
    """Enqueue as the command line says."""

    def one(count: int) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for number in range(count):
                noop.apply_async((number,), producer=producer)

    enqueue(one, one)
