"""Fetchers that wait for a job: who is parked, on which queues, and until when."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from shopfloor.broker.asks import Wait


class Parked(Protocol):
    """Whatever waits; it is parked as long as `wait` is not None."""

    wait: Wait | None


_Fetcher = TypeVar("_Fetcher", bound=Parked)


class Waiting(Generic[_Fetcher]):
    """Parked fetchers by queue, those that came first in front.

    Fetchers park for the same time, so they time out in the order in which they came; only one that parks a second
    time within its time is put before others. One that was served leaves its place in that order behind; the place is
    dropped when its time comes.
    """

    def __init__(self) -> None:
        self._by_queue: dict[str, dict[_Fetcher, None]] = {}
        self._order: deque[tuple[_Fetcher, Wait]] = deque()
        self.count = 0

    def park(self, fetcher: _Fetcher, wait: Wait) -> None:
        """Let it wait on all queues of its request."""
        assert fetcher.wait is None
        fetcher.wait = wait
        self.count += 1
        self._order.insert(self._place_of(wait), (fetcher, wait))
        for queue in wait.request.queues:
            waiting = self._by_queue.get(queue)
            if waiting is None:
                waiting = self._by_queue[queue] = {}
            waiting[fetcher] = None

    def _place_of(self, wait: Wait) -> int:
        place = len(self._order)
        while place and self._order[place - 1][1].until > wait.until:
            place -= 1
        return place

    def unpark(self, fetcher: _Fetcher) -> None:
        """It got a job, its time is over, or it has gone."""
        wait = fetcher.wait
        if wait is None:
            return
        fetcher.wait = None
        self.count -= 1
        for queue in wait.request.queues:
            waiting = self._by_queue.get(queue)
            if waiting is not None and waiting.pop(fetcher, 0) is None and not waiting:
                del self._by_queue[queue]

    def on(self, queue: str) -> Iterator[_Fetcher]:
        """Yield those that wait on a queue, first come first; they stay parked."""
        yield from self._by_queue.get(queue, ())

    def queues(self) -> list[str]:
        """List the queues that somebody waits on."""
        return list(self._by_queue)

    def many(self, queue: str) -> int:
        """Count those that wait on a queue."""
        return len(self._by_queue.get(queue, ()))

    def timed_out(self, now: float) -> Iterator[_Fetcher]:
        """Yield, and unpark, those whose time is over."""
        order = self._order
        while order and (order[0][1].until <= now or order[0][0].wait is not order[0][1]):
            fetcher, wait = order.popleft()
            if fetcher.wait is wait:
                self.unpark(fetcher)
                yield fetcher

    def all(self) -> list[_Fetcher]:
        """List everybody who is parked."""
        return [fetcher for fetcher, wait in self._order if fetcher.wait is wait]
