"""What was done to a `State`, step by step: enough to undo it, and to write it down so that it can be done again."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from shopfloor.core.changes import Record
from shopfloor.core.job import Held
from shopfloor.store.state.queue import Queue


class Inserted(Struct, frozen=True, gc=False):
    """A job came to rest in a place that is not `working`."""

    held: Held
    front: bool


class Removed(Struct, frozen=True, gc=False):
    """A job left. `popped`: from the head of its queue, not from the middle; `shelved`: it was on the shelf."""

    held: Held
    popped: bool
    shelved: bool


class Reserved(Struct, frozen=True, gc=False):
    """A job left the head of its queue and became working."""

    before: Held
    after: Held


class Amended(Struct, frozen=True, gc=False):
    """A reservation was changed."""

    before: Held
    after: Held


class Noted(Struct, frozen=True):
    """A record was written; None where there is none."""

    key: tuple[str, str]
    before: Record | None
    after: Record | None


class Locked(Struct, frozen=True):
    """A lock changed hands; None where nobody has it."""

    key: str
    before: tuple[str, float] | None
    after: tuple[str, float] | None


class Counted(Struct, frozen=True, gc=False):
    """A total and its day grew."""

    name: Literal["processed", "failures"]
    day: str
    by: int


class QueueMade(Struct, frozen=True):
    """A queue became known."""

    queue: Queue


class QueueForgotten(Struct, frozen=True):
    """An empty queue is no longer known."""

    queue: Queue


class QueuePaused(Struct, frozen=True):
    """A queue was paused or resumed."""

    queue: Queue
    before: bool
    after: bool


class Skipped(Struct, frozen=True):
    """An entry of a job that had left from the middle was met at the head of its queue and dropped."""

    queue: Queue
    entry: Held | int


class Thawed(Struct, frozen=True):
    """The entries at the head of a queue gave way to those of their jobs that were still on the shelf."""

    queue: Queue
    positions: list[int]
    jobs: Sequence[Held]


Step = (
    Inserted
    | Removed
    | Reserved
    | Amended
    | Noted
    | Locked
    | Counted
    | QueueMade
    | QueueForgotten
    | QueuePaused
    | Skipped
    | Thawed
)
