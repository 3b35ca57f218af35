"""What tests of several servers on one store do with them."""

from collections.abc import Callable
from typing import Any

from shopfloor.broker.asks import Verb
from shopfloor.core import workers
from shopfloor.core.workers import WORKER, Worker
from tests.broker.shop import Client, Shop

Two = tuple[Shop, Shop]


def beat(shop: Shop, client: Client, state: str = "") -> Worker:
    """BEAT."""
    return shop.ask(shop.broker.fleet.beat(client.session, client.session.wid, state, 0))


def reap(*shops: Shop) -> None:
    """Let servers look for workers that are dead and for reservations that ended."""
    for shop in shops:
        shop.ask(shop.broker.upkeep.reap_workers())
        shop.ask(shop.broker.upkeep.reap_reservations())


def leave(shop: Shop, client: Client) -> None:
    """The connection of a worker breaks."""
    client.hang_up()
    shop.ask(shop.broker.fleet.leave(client.session))


def known(shop: Shop) -> dict[str, Worker]:
    """Read the records of all workers."""
    records = shop.run(shop.store.inner.records(WORKER))
    return {wid: workers.decode(record.value) for wid, record in records.items() if record.value is not None}


def meanwhile(shop: Shop, happens: Callable[[], Verb[Any]], other: Shop, *, at: str = "commit") -> None:
    """The next time that a verb of the store is on its way for one server, let the other carry something out."""

    async def once(verb: str) -> None:
        if verb != at:
            return
        shop.store.meanwhile = None
        (call,) = other.server.send(happens())
        while not call.done and call.wait is None:
            await other.ticks.round()
        assert call.error is None, call.error

    shop.store.meanwhile = once
