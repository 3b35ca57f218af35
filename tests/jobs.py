"""Jobs for tests, those of the conformance suite and some as a client pushes them."""

from msgspec import Raw

from shopfloor.core.payload import PushedJob
from shopfloor.store.conformance.jobs import DAY, NOW, job

__all__ = ["DAY", "NOW", "job", "pushed"]


def pushed(
    jid: str,
    queue: str = "default",
    *,
    jobtype: str = "Work",
    at: str | None = None,
    retry: int | None = None,
) -> PushedJob:
    """Make a job as a client pushes it."""
    return PushedJob(jid=jid, jobtype=jobtype, queue=queue, args=Raw(b"[1]"), at=at, retry=retry)
