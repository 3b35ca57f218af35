"""When a failed job runs again, and what is kept of its failure (reference 1.4 FAIL, 3.2)."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from shopfloor.core.job import Failure, Job
from shopfloor.core.timestamps import format_timestamp

Dice = Callable[[int], int]
"""`dice(n)` throws a whole number from 0 to n - 1."""

ERRTYPE_BYTES_MAX = 100
MESSAGE_BYTES_MAX = 1000
BACKTRACE_LINES_MAX = 50
BACKTRACE_LINE_BYTES_MAX = 1000
RETRY_IN_SECONDS_MAX = 315_360_000.0
"""Ten years; nobody waits for longer, and every due time is one that a date can hold."""
BACKOFF_COUNT_MAX = 100
"""Beyond it (three years a try) the delay stays the same; it keeps due times within what a date can hold."""


class FailReport(Struct, frozen=True, kw_only=True):
    """What a worker says of a failure: the argument of FAIL."""

    jid: str
    errtype: str = "unknown"
    message: str = "unknown"
    backtrace: tuple[str, ...] = ()
    retry_in: float | None = None
    """Seconds until the next try, where the worker knows better than the back-off (extension)."""


def retry_seconds(job: Job, report: FailReport, dice: Dice) -> float:
    """Say how long to wait before the next try of a job whose failure was noted."""
    assert job.failure is not None
    return backoff_seconds(job.failure.retry_count, dice) if report.retry_in is None else report.retry_in


def backoff_seconds(retry_count: int, dice: Dice) -> int:
    """Say how long to wait before the next try: about 20 days for 25 of them (reference 3.2)."""
    count = min(retry_count, BACKOFF_COUNT_MAX)
    return count**4 + 15 + dice(30) * (count + 1)


def failed(job: Job, report: FailReport, now: float) -> Job:
    """Write one more failure into the job; `retry_at` notes when it runs again, which stays if it dies."""
    before = job.failure
    next_at = ""
    if before is None:
        count, remaining, failed_at = 0, job.retry, format_timestamp(now)
    else:
        count = before.retry_count + 1
        remaining = max(before.remaining - 1, 0) if job.retry >= 0 else job.retry
        failed_at, next_at = before.failed_at, before.next_at
    failure = Failure(
        retry_count=count,
        remaining=remaining,
        failed_at=failed_at,
        next_at=next_at,
        message=_cut(report.message.strip(), MESSAGE_BYTES_MAX) or "unknown",
        errtype=_cut(report.errtype.strip(), ERRTYPE_BYTES_MAX) or "unknown",
        backtrace=tuple(_cut(line, BACKTRACE_LINE_BYTES_MAX) for line in report.backtrace[:BACKTRACE_LINES_MAX]),
    )
    return msgspec.structs.replace(job, failure=failure, counted=True)


def retry_at(job: Job, at: float) -> Job:
    """Note in the failure when the job runs again."""
    assert job.failure is not None
    return msgspec.structs.replace(job, failure=msgspec.structs.replace(job.failure, next_at=format_timestamp(at)))


def _cut(text: str, bytes_max: int) -> str:
    """Shorten to so many bytes of UTF-8 without splitting a character."""
    if len(text) * 4 <= bytes_max:
        return text
    return text.encode(errors="replace")[:bytes_max].decode(errors="ignore")
