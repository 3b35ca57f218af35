"""One queue in memory: jobs in order, of which the middle of a deep one may rest on a shelf."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable

from shopfloor.core.job import Held


class Queue:
    """Jobs in the order in which they are fetched.

    An entry is a job, or the position of one that rests on the shelf. A job that was taken from the middle leaves its
    entry behind; `State` recognises such an entry because the job is no longer held, and skips it. `size` counts
    the jobs, not the entries.
    """

    __slots__ = ("entries", "name", "paused", "size", "warm")

    def __init__(self, name: str) -> None:
        self.name = name
        self.paused = False
        self.size = 0
        self.entries: deque[Held | int] = deque()
        self.warm = 0
        """How many entries are jobs rather than positions."""

    def append(self, held: Held) -> None:
        """Add a job at the end."""
        self.entries.append(held)
        self.size += 1
        self.warm += 1

    def appendleft(self, held: Held) -> None:
        """Add a job at the head."""
        self.entries.appendleft(held)
        self.size += 1
        self.warm += 1

    def remove(self, held: Held) -> bool:
        """A job leaves; answer whether it was at the head and its entry went with it."""
        self.size -= 1
        head = self.entries[0]
        if head is held:
            self.warm -= 1
        elif head != held.position:
            return False
        self.entries.popleft()
        return True

    def restore(self, held: Held, *, popped: bool, shelved: bool) -> None:
        """Undo `remove`."""
        self.size += 1
        if popped:
            self.entries.appendleft(held.position if shelved else held)
            self.warm += not shelved

    def cool(self, keep: int, back: int, shelve: Callable[[Held], "Held | int | None"]) -> None:
        """Let go of the jobs furthest from the head, up to position `back`, while more than `keep` of them are warm.

        `shelve` answers what takes a job's place: its position, the job itself where it must stay, or nothing. Jobs
        behind `back` are too young to be asked about; they are always warm.
        """
        entries = self.entries
        young = self._count_behind(back)
        if self.warm - young <= keep:
            return
        entries.rotate(young)
        tail: list[Held | int] = []
        while self.warm - young > keep and type(entries[-1]) is Held:
            entry = entries.pop()
            assert isinstance(entry, Held)
            self.warm -= 1
            place = shelve(entry)
            if place is not None:
                tail.append(place)
        self.warm += sum(isinstance(entry, Held) for entry in tail)
        entries.extend(reversed(tail))
        entries.rotate(-young)

    def _count_behind(self, back: int) -> int:
        """Count the entries at the end that are behind a position: they are few, however long the queue is."""
        entries, step = self.entries, 1
        while step <= len(entries) and _position(entries[-step]) > back:
            step *= 2
        most = min(step, len(entries))
        return bisect_left(range(1, most + 1), True, key=lambda count: _position(entries[-count]) <= back)


def _position(entry: Held | int) -> int:
    return entry if isinstance(entry, int) else entry.position
