"""One request as operations see it, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from shopfloor.broker.asks import Verb
from shopfloor.broker.broker import Broker
from shopfloor.web.site import Site

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request. `query` and `body` are the structs that the operation names; `text` is the body as it came."""

    site: Site
    names: Mapping[str, str]
    query: Any
    body: Any
    text: bytes

    @property
    def broker(self) -> Broker:
        """Whom to ask."""
        return self.site.broker

    async def ask(self, verb: Verb[_Result]) -> _Result:
        """Have a verb carried out, in the rounds that commands are in."""
        return await self.site.ask(verb)

    @property
    def count(self) -> int:
        """How many things a page has at most."""
        return min(int(self.query.count), self.site.options.peek_jobs_max)
