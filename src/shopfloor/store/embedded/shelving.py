"""Choosing whose text need not stay in memory: jobs that have a row, and whose turn is far away."""

from collections.abc import Sequence
from typing import Final

from shopfloor.core.job import QUEUED, WORKING, Held
from shopfloor.store.embedded.boot import warm_jobs
from shopfloor.store.embedded.shelf import FileShelf
from shopfloor.store.state.state import State

TOGETHER: Final = 4096
"""Jobs shelved in one go, 2 to 3 ms."""


class Shelving:
    """Puts jobs on the shelf. `settled` are the positions of which every held job has its row."""

    def __init__(self, state: State, shelf: FileShelf, hot_jobs_max: int) -> None:
        self._state = state
        self._shelf = shelf
        self._hot_jobs_max = hot_jobs_max
        self._written: list[Held] = []

    def shelve(self, written: Sequence[Held], settled: tuple[int, int], *, is_last: bool = True) -> None:
        """Some jobs got their row: forget the texts of those, and of older ones, that are not needed soon.

        Unless they are the last ones for a while, some more may be waited for: each time costs something.
        """
        self._written += written
        if len(self._written) >= TOGETHER or is_last:
            written, self._written = self._written, []
            self._shelve(written, settled)

    def _shelve(self, written: Sequence[Held], settled: tuple[int, int]) -> None:
        front, back = settled
        state = self._state

        def shelved(held: Held) -> Held | int | None:
            if state.jobs.get(held.job.jid) is not held:
                return None  # it left the middle of its queue
            return self._shelved(held) if held.position >= front else held

        keep = warm_jobs(state, self._hot_jobs_max)
        for queue in state.queues.values():
            if queue.warm > keep:
                queue.cool(keep, back, shelved)
        for held in written:
            if len(state.jobs) <= self._hot_jobs_max:
                break
            if held.place not in (QUEUED, WORKING) and state.jobs.get(held.job.jid) is held:
                self._shelved(held)

    def _shelved(self, held: Held) -> Held | int:
        """Move a job to the shelf and answer its position; the job itself where that cannot be."""
        if not self._shelf.put(held.job.jid, held.position):
            return held
        del self._state.jobs[held.job.jid]
        return held.position
