"""Procrastinate on PostgreSQL: `defer` one by one, `batch_defer` in bulk."""

import os

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from tally import count_one, enqueue

URL = os.environ["BENCH_POSTGRES"]
app = App(connector=PsycopgConnector(conninfo=URL))


@app.task(name="noop")
async def noop(number: int) -> None:
    count_one()


def main() -> None:
    """Enqueue as the command line says."""
    with app.replace_connector(SyncPsycopgConnector(conninfo=URL)) as pushing, pushing.open():

        def one(count: int) -> None:
            for number in range(count):
                noop.defer(number=number)

        def bulk(count: int) -> None:
            for start in range(0, count, 1000):
                noop.batch_defer(*({"number": number} for number in range(start, min(start + 1000, count))))

        enqueue(one, bulk)
