"""How jobs, batches and the like are shown to programs."""

from msgspec import UNSET

from shopfloor.broker.glance import QueueGlance
from shopfloor.core.job import NOTHING, Failure, Held, Job
from shopfloor.core.timestamps import format_timestamp
from shopfloor.web.api.shapes import ChoreShown, FailureShown, HeldShown, JobShown, QueueShown
from shopfloor.web.chores import Chore


def job(one: Job, *, hides_arguments: bool) -> JobShown:
    """Show a job; its arguments are the client's own text."""
    failure = one.failure
    return JobShown(
        jid=one.jid,
        queue=one.queue,
        jobtype=one.jobtype,
        args=UNSET if hides_arguments else one.args,
        custom=UNSET if hides_arguments or one.custom is NOTHING else one.custom,
        retry=one.retry,
        created_at=one.created_at,
        enqueued_at=one.enqueued_at,
        at=one.at,
        reserve_for=one.reserve_for,
        backtrace=one.backtrace,
        failure=None if failure is None else _failure(failure),
    )


def held(one: Held, *, hides_arguments: bool) -> HeldShown:
    """Show a job and where it rests."""
    shown = job(one.job, hides_arguments=hides_arguments)
    if one.place != "working":
        return HeldShown(place=one.place, job=shown, at=format_timestamp(one.at) if one.at else "")
    return HeldShown(
        place=one.place,
        job=shown,
        wid=one.wid,
        reserved_at=format_timestamp(one.reserved_at),
        expires_at=format_timestamp(one.expires_at),
        cancelled=one.cancelled,
    )


def queue(one: QueueGlance) -> QueueShown:
    """Show a queue."""
    return QueueShown(
        name=one.name,
        size=one.size,
        paused=one.paused,
        latency_seconds=one.age_seconds,
        fetchers=one.fetchers,
    )


def chore(one: Chore) -> ChoreShown:
    """Show an operation on many jobs."""
    return ChoreShown(
        id=one.id,
        what=one.what,
        total=one.total,
        looked=one.progress.looked,
        moved=one.progress.moved,
        running=one.running,
        error=one.error,
    )


def _failure(one: Failure) -> FailureShown:
    return FailureShown(
        failed_at=one.failed_at,
        next_at=one.next_at,
        message=one.message,
        errtype=one.errtype,
        backtrace=one.backtrace,
        retry_count=one.retry_count,
        remaining=one.remaining,
    )
