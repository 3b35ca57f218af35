"""What every page works with: the broker, the server's vitals, who may come in, and what is under way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from shopfloor.broker.asks import Verb
from shopfloor.broker.broker import Broker
from shopfloor.broker.reports import Vitals
from shopfloor.web.api.scopes import Tokens
from shopfloor.web.chores import Chores
from shopfloor.web.limits import ANSWER_SECONDS
from shopfloor.web.pulse import Pulse

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the settings say about the pages."""

    environment: str
    hide_arguments: bool = False
    job_bytes_max: int = 4 << 20
    line_bytes_max: int = 64 << 20
    bulk_jobs_max: int = 10_000
    peek_jobs_max: int = 1_000


class Site:
    """One for each server; the only state of the web side that outlives a request."""

    def __init__(self, broker: Broker, vitals: Callable[[], Vitals], password: str, options: Options) -> None:
        self.broker = broker
        self.vitals = vitals
        self.password = password
        self.options = options
        self.tokens = Tokens()
        self.chores = Chores(broker)
        self.pulse = Pulse(broker)

    @property
    def now(self) -> float:
        """The server's time."""
        return self.broker.ticks.clock()

    async def ask(self, verb: Verb[_Result]) -> _Result:
        """Have a verb carried out in the rounds, together with everybody else's.

        Raises what the verb raised, and `TimeoutError` where it did not come to an end in time; what it had begun then
        goes on.
        """
        running: asyncio.Future[Any] = self.broker.ticks.run(verb)
        async with asyncio.timeout(ANSWER_SECONDS):
            result: _Result = await asyncio.shield(running)
        return result
