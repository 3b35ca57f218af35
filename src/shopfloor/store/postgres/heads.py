"""Where the heads of queues were lately, so that a claim does not walk over all that was taken before.

What was deleted stays in an index until a vacuum comes, and while somebody holds an old snapshot none does. A
claim that begins at the head of the queue then passes every job that was ever given out. So it begins
at a position below which nothing was a moment ago. Another server may commit a job below it later than ours
saw the head, so every `LOOK_SECONDS` a claim begins at the very beginning, less often where that takes long.
"""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

LAG_SECONDS: Final = 0.25
"""A position is begun at when it was the head that long ago: commits that were under way then are done."""
LOOK_SECONDS: Final = 2.0
LOOK_SHARE: Final = 50
"""A look from the very beginning costs at most that part of the time."""
QUEUES_MAX: Final = 10_000


class Head:
    """One queue: where to begin, what will be next, and when."""

    __slots__ = ("look_at", "low", "next_low", "since")

    def __init__(self, now: float) -> None:
        self.low: int | None = None
        self.next_low: int | None = None
        self.since = now
        self.look_at = now


class Heads:
    """The queues that this server asked for jobs lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heads: dict[str, Head] = {}
        self._looking: dict[str, Head] = {}
        self._highest: int | None = None
        """The highest position seen: what is put from now on comes behind it, whatever its queue."""
        self._began = 0.0

    def forget(self) -> None:
        """Begin at the beginning again."""
        self._heads.clear()
        self._highest = None

    def low(self, queue: str) -> int | None:
        """Say where a claim begins; None is at the very beginning."""
        now = self._clock()
        if not self._looking:
            self._began = now
        head = self._heads.get(queue)
        if head is None:
            if len(self._heads) >= QUEUES_MAX:
                self._heads.clear()
            head = self._heads[queue] = Head(now)
        if head.low is None or now >= head.look_at:
            self._looking[queue] = head
            return None
        return head.low

    def claimed(self, rows: Sequence[tuple[str, int]], bare: Collection[str]) -> None:
        """The claim is done: these jobs were handed out, by queue and position; `bare` queues had nothing."""
        now = self._clock()
        firsts: dict[str, int] = {}
        for queue, position in rows:
            if position > 0:
                firsts[queue] = min(position, firsts.get(queue, position))
                self._highest = max(position, self._highest or 0)
        looked, self._looking = self._looking, {}
        for queue, head in looked.items():
            low = self._highest if queue in bare else firsts.get(queue)
            if low is not None:
                head.low, head.next_low, head.since = low, low, now
                head.look_at = now + max(LOOK_SECONDS, LOOK_SHARE * (now - self._began))
        for queue, position in firsts.items():
            known = self._heads.get(queue)
            if known is not None and known.low is not None and now - known.since >= LAG_SECONDS:
                known.low, known.next_low, known.since = known.next_low, position, now
