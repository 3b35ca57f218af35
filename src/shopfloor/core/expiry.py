"""Expiring jobs: when a job is no longer worth the work (reference 4.6).

It is asked at the moment a worker would get the job, and only then: until somebody wants it, an expired job costs
nothing.
"""

from shopfloor.core.facts import Facts
from shopfloor.core.job import Job
from shopfloor.core.timestamps import parse_timestamp


def is_expired(job: Job, known: Facts, now: float) -> bool:
    """Say whether the time is over by which the job had to be begun."""
    return now >= expires(job, known)


def expires(job: Job, known: Facts) -> float:
    """Say when a job expires, in seconds since 1970; infinity for one that does not.

    `expires_in` counts from when the job was made or, if that is later, from when it was scheduled for. Where both
    keys are given, the earlier time counts.
    """
    times: list[float] = []
    if known.expires_at:
        times.append(_moment(known.expires_at))
    if known.expires_in is not None:
        begins = [moment for text in (job.created_at, job.at) if (moment := _moment(text)) < float("inf")]
        times += [max(begins) + known.expires_in] if begins else []
    return min(times, default=float("inf"))


def _moment(text: str) -> float:
    """Read a time; a client's text that is none is infinitely far away."""
    try:
        return parse_timestamp(text)
    except (ValueError, OverflowError):
        return float("inf")
