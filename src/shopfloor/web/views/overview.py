"""The first page: whether all is well, the longest waits, the store, and what was done day by day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shopfloor.broker.glance import Day, Glance, QueueGlance
from shopfloor.broker.reports import Vitals
from shopfloor.store.port import Description
from shopfloor.web.views.chart import Chart, chart_of
from shopfloor.web.views.health import Finding, Level, findings, overall

QUEUES_SHOWN: Final = 10
SPANS: Final = (7, 30, 90, 180)
"""The histories that are offered, in days; any number up to 180 may be asked for."""

MEANINGS: Final[Mapping[str, str]] = {
    "commit": "What was answered OK is on disk. It survives the loss of the machine's power.",
    "process": "What was answered OK survives the death of the server process, but not that of the machine.",
    "none": "What was answered OK is in memory. It is lost when the server stops unexpectedly.",
}
SUMMARIES: Final[Mapping[Level, str]] = {
    "ok": "All is well",
    "attention": "Something wants attention",
    "trouble": "Something is wrong",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """See `templates/overview.html`."""

    level: Level
    summary: str
    findings: Sequence[Finding]
    queues: Sequence[QueueGlance]
    """Those whose oldest job has been waiting longest."""
    queues_unseen: int
    """Queues with jobs that are not among those looked at: each of them has fewer jobs than any of these."""
    workers: int
    store: Description
    meaning: str
    vitals: Vitals
    days: Sequence[Day]
    chart: Chart
    spans: Sequence[int]

    @classmethod
    def of(cls, glance: Glance, vitals: Vitals) -> "Overview":
        """Put the page together."""
        found = findings(glance)
        level = overall(found)
        longest = sorted(glance.queues, key=lambda queue: -queue.age_seconds)
        return cls(
            level=level,
            summary=SUMMARIES[level],
            findings=found,
            queues=longest[:QUEUES_SHOWN],
            queues_unseen=max(0, glance.queues_with_jobs - len(longest)),
            workers=len(glance.workers),
            store=glance.store,
            meaning=MEANINGS.get(glance.store.durability, glance.store.durability),
            vitals=vitals,
            days=glance.days,
            chart=chart_of(glance.days),
            spans=SPANS,
        )
