"""One job: where it is and why, what it is, how it failed, and what can be done with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from shopfloor.broker.glance import JobGlance, QueueGlance
from shopfloor.core.job import NOTHING, Failure
from shopfloor.core.lifecycle import EVENTS, Event
from shopfloor.core.tracking import Track
from shopfloor.web import words
from shopfloor.web.limits import TEXT_CHARACTERS_MAX
from shopfloor.web.views.jobs import HIDDEN, JobLine, arguments_of

PLACES: Final[Mapping[str, str]] = {
    "queued": "in its queue",
    "scheduled": "scheduled",
    "working": "working",
    "retries": "waiting for another try",
    "dead": "dead",
}
ACTIONS: Final[tuple[tuple[str, Event, str], ...]] = (
    ("retry", "requeue", "Run now"),
    ("kill", "kill", "Move to dead"),
    ("discard", "discard", "Discard"),
    ("cancel", "cancel", "Cancel"),
)
"""For each button the word of its form, the event that has to be possible, and what stands on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A moment in the life of a job that is known."""

    at: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """See `templates/job.html`."""

    line: JobLine
    place: str
    why: Sequence[str]
    steps: Sequence[Step]
    arguments: str
    arguments_cut: bool
    custom: str
    failure: Failure | None
    backtrace: str
    retry: int
    reserve_for: int
    crashes: int
    track: Track | None
    actions: Sequence[tuple[str, str]]
    """The buttons: the word of the form, and what stands on it."""

    @classmethod
    def of(cls, glance: JobGlance, *, hides_arguments: bool) -> "JobView":
        """Put the page together."""
        held, job = glance.held, glance.held.job
        text = arguments_of(held)
        custom = "" if job.custom is NOTHING else bytes(job.custom).decode(errors="replace")
        return cls(
            line=JobLine.of(held, hides_arguments=hides_arguments),
            place=PLACES[held.place],
            why=list(reasons(glance)),
            steps=sorted(_steps(glance), key=lambda step: step.at),
            arguments=HIDDEN if hides_arguments else _laid_out(text)[:TEXT_CHARACTERS_MAX],
            arguments_cut=not hides_arguments and len(text) > TEXT_CHARACTERS_MAX,
            custom=custom[:TEXT_CHARACTERS_MAX],
            failure=job.failure,
            backtrace="" if job.failure is None else "\n".join(job.failure.backtrace)[:TEXT_CHARACTERS_MAX],
            retry=job.retry,
            reserve_for=job.reserve_for,
            crashes=job.crashes,
            track=glance.track,
            actions=[(word, label) for word, event, label in ACTIONS if held.place in EVENTS[event]],
        )


def reasons(glance: JobGlance) -> Iterator[str]:
    """Say why the job is not running, or what may end its run."""
    held, now = glance.held, glance.now
    if held.place == "working":
        yield f"Worker {held.wid or 'without a wid'} has had it for {words.span(now - held.reserved_at)}."
        yield f"It is given back {words.relative(held.expires_at, now)} unless it is settled before."
        if held.cancelled:
            yield "It is to be cancelled: its worker hears of that at its next beat, and it is not tried again."
    elif held.place == "dead":
        yield f"It is not tried again by itself, and is thrown away {words.relative(held.at, now)}."
    elif held.place == "queued":
        assert glance.queue is not None
        yield from _in_queue(glance, glance.queue)
    else:
        yield f"It is put into queue {held.job.queue} {words.relative(held.at, now)}."
        if glance.queue is not None and glance.queue.paused:
            yield f"Queue {held.job.queue} is paused, so it will then wait there."


def _in_queue(glance: JobGlance, queue: QueueGlance) -> Iterator[str]:
    limit, working = glance.limit, glance.working_in_queue
    if queue.paused:
        yield f"Queue {queue.name} is paused."
    if limit is not None and limit.concurrency and working >= limit.concurrency:
        yield f"Queue {queue.name} is throttled: {working} of {limit.concurrency} jobs at once are working."
    if not queue.fetchers:
        yield f"No worker is asking this server for jobs of queue {queue.name} at the moment."
    waited = words.span(queue.age_seconds)
    yield f"{words.plural(queue.size, 'job')} wait in queue {queue.name}; the oldest has been there for {waited}."


def _steps(glance: JobGlance) -> Iterator[Step]:
    held, job = glance.held, glance.held.job
    told = (
        (job.created_at, "created by its client"),
        (job.enqueued_at, f"put into queue {job.queue}"),
        (job.failure.failed_at if job.failure else "", "failed"),
    )
    for text, says in told:
        at = words.seconds_of(text)
        if at is not None:
            yield Step(at=at, says=says)
    if held.place == "working":
        yield Step(at=held.reserved_at, says=f"given to worker {held.wid or 'without a wid'}")


def _laid_out(text: str) -> str:
    """Break a JSON text into lines without touching what stands in it: 1.0 and large integers stay as they are."""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.MsgspecError, RecursionError):
        return text
