"""Whether all is well, and if not, why: rules over what one glance shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shopfloor.broker.glance import Glance, QueueGlance
from shopfloor.web import words

Level = Literal["ok", "attention", "trouble"]
ORDER: Final[tuple[Level, ...]] = ("ok", "attention", "trouble")

WAITING_SECONDS_ATTENTION: Final = 60.0
WAITING_SECONDS_TROUBLE: Final = 600.0
"""Age of a queue's oldest job. Work that nobody waits for has its own pace, but ten minutes are seldom meant."""
SILENT_SECONDS: Final = 30.0
"""Workers beat every 10 to 20 seconds."""
FAILED_SHARE_ATTENTION: Final = 0.1
FAILED_SHARE_TROUBLE: Final = 0.5
FAILED_RUNS_MIN: Final = 20
"""Fewer runs on a day say nothing about a share."""
NAMED_MAX: Final = 5
"""Queues that are named one by one; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be, and the page that shows more of it."""

    level: Level
    says: str
    path: str = ""


def findings(glance: Glance) -> list[Finding]:
    """List what is wrong, the worst first; nothing where all is well."""
    found = [*_store(glance), *_queues(glance), *_workers(glance), *_failures(glance)]
    return sorted(found, key=lambda finding: -ORDER.index(finding.level))


def overall(found: Sequence[Finding]) -> Level:
    """Sum up."""
    return max((finding.level for finding in found), key=ORDER.index, default="ok")


def _store(glance: Glance) -> Iterator[Finding]:
    trouble = str(glance.store.facts.get("trouble", ""))
    if trouble:
        yield Finding(level="trouble", says=f"The store has trouble: {trouble}", path="/debug")
    if glance.push_refusal:
        yield Finding(level="trouble", says=f"No job is taken: {glance.push_refusal}", path="/debug")


def _queues(glance: Glance) -> Iterator[Finding]:
    late = [queue for queue in glance.queues if not queue.paused and queue.age_seconds >= WAITING_SECONDS_ATTENTION]
    late.sort(key=lambda queue: -queue.age_seconds)
    for queue in late[:NAMED_MAX]:
        level: Level = "trouble" if queue.age_seconds >= WAITING_SECONDS_TROUBLE else "attention"
        yield Finding(level=level, says=_late(queue), path=f"/queues/{queue.name}")
    if len(late) > NAMED_MAX:
        says = (
            f"{words.plural(len(late) - NAMED_MAX, 'more queue')} with jobs that have been waiting for over a minute."
        )
        yield Finding(level="attention", says=says, path="/queues")
    for name in glance.paused_with_jobs[:NAMED_MAX]:
        yield Finding(level="attention", says=f"Queue {name} is paused and has jobs.", path=f"/queues/{name}")
    if len(glance.paused_with_jobs) > NAMED_MAX:
        says = f"{len(glance.paused_with_jobs) - NAMED_MAX} more paused queues have jobs."
        yield Finding(level="attention", says=says, path="/queues")


def _late(queue: QueueGlance) -> str:
    says = f"The oldest job of queue {queue.name} has been waiting for {words.span(queue.age_seconds)}"
    return f"{says}." if queue.fetchers else f"{says}; no worker is asking for jobs of this queue at the moment."


def _workers(glance: Glance) -> Iterator[Finding]:
    if not glance.workers and glance.totals.enqueued:
        says = f"No worker is connected, and {words.plural(glance.totals.enqueued, 'job')} wait."
        yield Finding(level="trouble", says=says, path="/busy")
    silent = [worker for worker in glance.workers if glance.now - worker.beat_at > SILENT_SECONDS]
    if silent:
        says = f"{words.plural(len(silent), 'worker')} silent for more than {int(SILENT_SECONDS)} s."
        yield Finding(level="attention", says=says, path="/busy")


def _failures(glance: Glance) -> Iterator[Finding]:
    """Look at today: `processed` counts every run, those that failed too."""
    today = glance.days[-1]
    if today.processed < FAILED_RUNS_MIN:
        return
    share = today.failures / today.processed
    if share >= FAILED_SHARE_ATTENTION:
        level: Level = "trouble" if share >= FAILED_SHARE_TROUBLE else "attention"
        says = f"{share:.0%} of today's runs failed: {words.count(today.failures)} of {words.count(today.processed)}."
        yield Finding(level=level, says=says, path="/retries")
