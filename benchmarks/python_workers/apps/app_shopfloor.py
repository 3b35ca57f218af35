"""Shopfloor: a job, pushed one by one and in bulk."""

from tally import count_one, enqueue

from shopfloor import Client, job


@job
def noop(number: int) -> None:
    count_one()


@job
async def noop_later(number: int) -> None:
    count_one()


def main() -> None:
    """Enqueue as the command line says."""
    client = Client()

    def one(count: int) -> None:
        for number in range(count):
            client.push(noop.order(number))

    enqueue(one, lambda count: [client.push_bulk([noop.order(number) for number in range(count)]), None][1])
