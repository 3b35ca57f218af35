"""One queue in memory: jobs in order, of which the middle of a deep one may rest on a shelf."""

from collections import deque
from collections.abc import Iterator

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

    def warm_tail(self, keep: int) -> Iterator[Held]:
        """Remove jobs from the end, the last first, while more than `keep` are warm and the end is warm."""
        while self.warm > keep and type(self.entries[-1]) is Held:
            self.warm -= 1
            entry = self.entries.pop()
            assert isinstance(entry, Held)
            yield entry
