"""What may happen to a job and where it goes then: each event as a function that returns a transition.

`EVENTS` lists which event is possible in which place; the table in docs/concepts/lifecycle.md is written from
it and a test walks every pair. The functions below are the only ones that decide where a job moves.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from shopfloor.core import retry
from shopfloor.core.changes import Amend, Count, Put, Take, Transition
from shopfloor.core.job import DEAD, QUEUED, RETRIES, SCHEDULED, WORKING, Held, Job, Place
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import Refused

Event = Literal[
    "reserve",
    "acknowledge",
    "fail",
    "give_back",
    "crash",
    "promote",
    "requeue",
    "kill",
    "discard",
    "cancel",
    "expire",
    "hold_back",
]

EVENTS: Mapping[Event, Mapping[Place, tuple[str, ...]]] = {
    "reserve": {"queued": ("working",)},
    "acknowledge": {"working": ("gone",)},
    "fail": {"working": ("retries", "dead", "gone")},
    "give_back": {"working": ("queued", "gone")},
    "crash": {"working": ("queued", "dead", "gone")},
    "promote": {"scheduled": ("queued",), "retries": ("queued",)},
    "requeue": {"scheduled": ("queued",), "retries": ("queued",), "dead": ("queued",)},
    "kill": {"scheduled": ("dead",), "retries": ("dead",), "dead": ("dead",)},
    "discard": {"scheduled": ("gone",), "retries": ("gone",), "dead": ("gone",)},
    "cancel": {
        "queued": ("gone",),
        "scheduled": ("gone",),
        "retries": ("gone",),
        "dead": ("gone",),
        "working": ("working",),
    },
    "expire": {"working": ("gone",)},
    "hold_back": {"working": ("scheduled", "gone")},
}
"""For each event the places it may find a job in, and where the job can be afterwards."""

RESERVE_SECONDS_MIN = 60
RESERVE_SECONDS_MAX = 86_400


class Rules(Struct, frozen=True, kw_only=True):
    """The numbers that the rules depend on; each is a setting of the same name."""

    reserve_seconds_default: int = 1800
    dead_seconds: float = 180 * 86_400.0
    crashes_max: int = 3
    queue_jobs_max: int = 0


def reserve_seconds(job: Job, rules: Rules) -> int:
    """Say how long a worker may hold the job (reference 2.1, `reserve_for`)."""
    asked = job.reserve_for or rules.reserve_seconds_default
    if asked < RESERVE_SECONDS_MIN:  # not min and max: these are worth half a microsecond of each reservation
        return RESERVE_SECONDS_MIN
    return asked if asked < RESERVE_SECONDS_MAX else RESERVE_SECONDS_MAX


def push(job: Job, due: float, rules: Rules) -> Transition:
    """Enqueue a new job, or schedule it where `due` is not 0."""
    if due:
        return (Put(job, SCHEDULED, due),)
    return (Put(job, QUEUED, limit=rules.queue_jobs_max, new=True),)


def acknowledge(held: Held, day: str) -> Transition:
    """The job is done and leaves."""
    return (Take(held.job.jid, WORKING, held.wid), Count("processed", day))


def fail(held: Held, report: retry.FailReport, now: float, dice: retry.Dice, rules: Rules) -> Transition:
    """The job failed: it is tried again later, dies when no retry is left, or leaves when it has none."""
    day = utc_day(now)
    leave = (Take(held.job.jid, WORKING, held.wid), Count("processed", day), Count("failures", day))
    if held.cancelled or held.job.retry == 0:
        return leave
    job = retry.failed(held.job, report, now)
    assert job.failure is not None
    if job.failure.retry_count < job.retry:
        at = now + retry.retry_seconds(job, report, dice)
        return (*leave, Put(retry.retry_at(job, at), RETRIES, at))
    return (*leave, Put(job, DEAD, now + rules.dead_seconds))


def give_back(held: Held, now: float) -> Transition:
    """A worker returns the job unharmed: it goes to the head of its queue and no retry is used."""
    if held.cancelled:
        return (Take(held.job.jid, WORKING, held.wid),)
    return (Take(held.job.jid, WORKING, held.wid), Put(_enqueued(held.job, now), QUEUED, front=True))


def crash(held: Held, report: retry.FailReport, now: float, rules: Rules) -> Transition:
    """Its worker died, or kept it too long: it is given back, and dies itself when that happens too often."""
    if held.cancelled:
        return (Take(held.job.jid, WORKING, held.wid),)
    job = msgspec.structs.replace(held.job, crashes=held.job.crashes + 1)
    leave = Take(job.jid, WORKING, held.wid)
    if job.crashes > rules.crashes_max:
        day = utc_day(now)
        dead = Put(retry.failed(job, report, now), DEAD, now + rules.dead_seconds)
        return (leave, Count("processed", day), Count("failures", day), dead)
    return (leave, Put(_enqueued(job, now), QUEUED, front=True))


def requeue(held: Held, now: float) -> Transition:
    """The job moves from a timed place to the end of its queue: it is due, or an operator wants it now."""
    return (Take(held.job.jid, held.place), Put(_enqueued(held.job, now), QUEUED))


def kill(held: Held, now: float, rules: Rules) -> Transition:
    """The job goes to the dead set; a dead one stays there for another full term."""
    job = msgspec.structs.replace(held.job, counted=True)
    return (Take(job.jid, held.place), Put(job, DEAD, now + rules.dead_seconds))


def discard(held: Held) -> Transition:
    """The job leaves a timed place for good."""
    return (Take(held.job.jid, held.place),)


def cancel(held: Held) -> Transition:
    """The job leaves at once; while it runs, its worker is told and a failure will not bring it back."""
    if held.place == WORKING:
        return (Amend(held.job.jid, held.wid, held.expires_at, cancelled=True),)
    return (Take(held.job.jid, held.place),)


def expire(held: Held) -> Transition:
    """Its time was over when it was reserved: it leaves without having been worked on."""
    return (Take(held.job.jid, WORKING, held.wid),)


def hold_back(held: Held, at: float) -> Transition:
    """It was reserved but may not begin yet, because of a throttle: it waits until `at`, and no retry is used."""
    if held.cancelled:
        return (Take(held.job.jid, WORKING, held.wid),)
    return (Take(held.job.jid, WORKING, held.wid), Put(held.job, SCHEDULED, at))


def check_possible(event: Event, held: Held) -> None:
    """Raise `Refused` where the event cannot happen to a job in that place."""
    if held.place not in EVENTS[event]:
        raise Refused(f"cannot {event} job {held.job.jid}: it is {held.place}")


def settles(held: Held | None, wid: str) -> bool:
    """Say whether an ACK, FAIL or REQUEUE of worker `wid` concerns this reservation (fencing).

    A client that never gave a wid is believed, as Faktory does; one that did settles its own runs only.
    """
    return held is not None and held.place == WORKING and (not wid or held.wid == wid)


def utc_day(now: float) -> str:
    """Name the UTC day under which history is counted."""
    return format_timestamp(now)[:10]


def _enqueued(job: Job, now: float) -> Job:
    return msgspec.structs.replace(job, enqueued_at=format_timestamp(now))
