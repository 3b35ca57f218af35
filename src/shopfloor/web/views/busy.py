"""Who works: processes, and the jobs that they have."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shopfloor.core.job import Held
from shopfloor.core.workers import Worker
from shopfloor.web.limits import PAGE_WORKERS, PAGE_WORKING
from shopfloor.web.views.health import SILENT_SECONDS
from shopfloor.web.views.jobs import JobLine


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLine:
    """One process."""

    wid: str
    where: str
    labels: Sequence[str]
    state: str
    silent: bool
    started_at: float
    beat_at: float
    memory: str
    busy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyView:
    """See `templates/busy.html`."""

    workers: Sequence[WorkerLine]
    workers_total: int
    lines: Sequence[JobLine]
    """The jobs that run, those that began first in front."""
    working_total: int

    @classmethod
    def of(cls, workers: Sequence[Worker], working: Sequence[Held], now: float, *, hides: bool) -> "BusyView":
        """Put the page together."""
        busy = Counter(held.wid for held in working)
        oldest = sorted(working, key=lambda held: held.reserved_at)[:PAGE_WORKING]
        return cls(
            workers=[_line(worker, busy[worker.wid], now) for worker in workers[:PAGE_WORKERS]],
            workers_total=len(workers),
            lines=[JobLine.of(held, hides_arguments=hides) for held in oldest],
            working_total=len(working),
        )


def _line(worker: Worker, busy: int, now: float) -> WorkerLine:
    return WorkerLine(
        wid=worker.wid,
        where=f"{worker.hostname or 'unnamed host'}:{worker.pid}",
        labels=worker.labels,
        state="gone" if worker.left_at else worker.state,
        silent=now - worker.beat_at > SILENT_SECONDS,
        started_at=worker.started_at,
        beat_at=worker.beat_at,
        memory=f"{worker.rss_kb // 1024:,} MB" if worker.rss_kb else "not told",
        busy=busy,
    )
