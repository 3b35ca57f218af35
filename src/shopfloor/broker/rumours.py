"""What the store tells of queues that another server may have made give out jobs, and whom to ask it for.

A rumour does not say how many jobs there are, and is often wrong: the other server's own fetchers were quicker. So it
costs a request for a few fetchers first. Where all of those were served there may be more, and twice as many are
asked for in the next round.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Generic, TypeVar

from shopfloor.broker.waiting import Parked, Waiting

FIRST_FETCHERS = 8
"""Asked for when a rumour is heard: as cheap for a store as one, and as much as most rumours are worth."""

_Fetcher = TypeVar("_Fetcher", bound=Parked)


class Rumours(Generic[_Fetcher]):
    """Rumours that nobody looked into yet; true while there are some. The same one twice is one."""

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}
        self._asked: list[tuple[str, list[_Fetcher]]] = []

    def __bool__(self) -> bool:
        return bool(self._heard)

    def hear(self, queues: Collection[str]) -> None:
        """Keep in mind that these queues may give out jobs."""
        for queue in queues:
            self._heard.setdefault(queue, FIRST_FETCHERS)

    def fetchers(self, waiting: Waiting[_Fetcher], each_worker: Mapping[str, bool]) -> Iterable[_Fetcher]:
        """Yield the parked fetchers to ask for, and forget the rumours.

        In a queue whose limit is for `each_worker` those who came first may be at it, so all are asked for.
        """
        heard, self._heard = self._heard, {}
        for queue, count in heard.items():
            asked = list(islice(waiting.on(queue), None if each_worker.get(queue) else count))
            if asked:
                self._asked.append((queue, asked))
            yield from asked

    def follow(self) -> None:
        """The fetchers were asked for: a queue that served all of its own may have more."""
        asked, self._asked = self._asked, []
        for queue, fetchers in asked:
            if all(fetcher.wait is None for fetcher in fetchers):
                self._heard[queue] = 2 * len(fetchers)
