"""Jobs for tests: whatever a test does not care about is filled in."""

from msgspec import Raw

from shopfloor.core.job import NOTHING, Job

NOW = 1_700_000_000.0
"""The time at which most tests happen: 2023-11-14, 22:13:20 UTC."""
DAY = "2023-11-14"


def job(jid: str, queue: str = "default", *, args: str = "[]", custom: str = "", retry: int = 25) -> Job:
    """Make a job as the core made it of a push."""
    return Job(
        retry=retry,
        custom=Raw(custom.encode()) if custom else NOTHING,
        jid=jid,
        queue=queue,
        jobtype="Work",
        created_at="2023-11-14T22:13:20.000000Z",
        enqueued_at="2023-11-14T22:13:20.000000Z",
        args=Raw(args.encode()),
    )
