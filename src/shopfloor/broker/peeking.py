"""Reading a queue page by page while workers take from its head: a page goes on behind the last job of the one before.

How deep that job was says little a moment later. Its position in the queue stays, and positions only grow from the head
on, so that its place is found by halving.
"""

from collections.abc import Sequence

from msgspec import Struct

from shopfloor.broker.asks import Load, Verb
from shopfloor.broker.queues import Queues
from shopfloor.broker.search import PEEK_OFFSET_MAX
from shopfloor.core.job import Held
from shopfloor.errors import Refused

TRIES_MAX = 5
"""How often the place is looked for where other servers move the queue meanwhile."""

Last = tuple[int, int]
"""How deep the last job of a page was, and its position."""


class Peeked(Struct, frozen=True, kw_only=True):
    """Some jobs of a queue, and the last of them where there are more; `more` alone where one cannot look deeper."""

    jobs: Sequence[Held]
    last: Last | None
    more: bool


def peek(queues: Queues, name: str, last: Last | None, count: int) -> Verb[Peeked]:
    """List jobs of a queue behind `last`, the oldest first, and touch nothing."""
    begin, jobs = 0, (yield from queues.peek(name, count + 1, 0)) if last is None else ()
    if last is not None:
        begin, jobs = yield from _read_on(queues, name, last[1], count + 1)
    shown = jobs[: max(0, min(count, PEEK_OFFSET_MAX - begin))]
    more = len(jobs) > len(shown)
    goes_on = more and bool(shown)
    return Peeked(jobs=shown, last=(begin + len(shown) - 1, shown[-1].position) if goes_on else None, more=more)


def _read_on(queues: Queues, name: str, position: int, count: int) -> Verb[tuple[int, Sequence[Held]]]:
    """Read behind a position; the job before is read too, to see that none between them was passed over.

    All this is done within one round, so that nothing moves meanwhile but what other servers do.
    """
    for _ in range(TRIES_MAX):
        begin = yield from _behind(queues, name, position)
        jobs = yield from queues.peek(name, count + 1, max(0, begin - 1))
        if not begin or (jobs and jobs[0].position <= position):
            later = [held for held in jobs if held.position > position]
            return begin, later[:count]
        yield Load()
    raise Refused(f"queue {name} moves too fast to be paged: begin again")


def _behind(queues: Queues, name: str, position: int) -> Verb[int]:
    """Find how many jobs of the queue are at the position or before it, as far as one may look."""
    low, high = 0, PEEK_OFFSET_MAX
    while low < high:
        middle = (low + high) // 2
        jobs = yield from queues.peek(name, 1, middle)
        if jobs and jobs[0].position <= position:
            low = middle + 1
        else:
            high = middle
    return low
