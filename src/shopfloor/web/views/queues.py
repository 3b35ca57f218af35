"""The list of queues, and one queue with the jobs in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopfloor.broker.glance import QueueGlance
from shopfloor.core.criteria import Criteria
from shopfloor.web.views.jobs import JobLine


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuesView:
    """See `templates/queues.html`."""

    queues: Sequence[QueueGlance]
    name: str
    """The part of a name that is looked for."""
    total: int
    begin: int
    """How many queues stand on earlier pages."""
    before: int | None
    after: int | None
    """Where the pages before and after this one begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """See `templates/queue.html`."""

    queue: QueueGlance
    lines: Sequence[JobLine]
    begin: int
    after: int | None
    deepest: bool
    """Whether the page ends where one cannot look any deeper."""
    criteria: Criteria
    filtered: bool
    query: Mapping[str, str]
    searched: str
    clears: bool
    """Whether the page asks if the queue is to be cleared."""
