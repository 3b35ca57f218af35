"""Where jobs rest whose text is not kept in memory: the question that `State` asks of it, and the empty one."""

from collections.abc import Sequence
from typing import Protocol

from shopfloor.core.job import Held


class Shelf(Protocol):
    """Jobs on a shelf are held, but only their position is in memory."""

    def find(self, jid: str) -> Held | None:
        """Read one job; None where it is not on the shelf."""

    def contains(self, jid: str) -> bool:
        """Say whether the job is on the shelf."""

    def read(self, positions: Sequence[int]) -> Sequence[Held]:
        """Read those of the positions that are still on the shelf, in the order given."""

    def remove(self, held: Held) -> None:
        """The job is no longer on the shelf: it was taken, or is in memory from now on."""

    def restore(self, held: Held) -> None:
        """Undo `remove`."""

    def __len__(self) -> int:
        """Count the jobs on the shelf."""


class NoShelf:
    """The shelf of a store that keeps everything in memory."""

    def find(self, jid: str) -> Held | None:
        """Nothing is here."""
        return None

    def contains(self, jid: str) -> bool:
        """Nothing is here."""
        return False

    def read(self, positions: Sequence[int]) -> Sequence[Held]:
        """Nothing is here."""
        raise AssertionError(f"no job can be at {positions}")

    def remove(self, held: Held) -> None:
        """Nothing is here."""
        raise AssertionError(f"{held.job.jid} is not on a shelf")

    def restore(self, held: Held) -> None:
        """Nothing is here."""
        raise AssertionError(f"{held.job.jid} was not on a shelf")

    def __len__(self) -> int:
        """Nothing is here."""
        return 0
