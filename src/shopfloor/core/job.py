"""A job: the unit of work that clients push and workers carry out, exactly as the protocol spells it."""

from typing import Literal

from msgspec import Raw, Struct

Place = Literal["queued", "scheduled", "retries", "dead", "working"]
"""Where a held job rests. A job is in exactly one place; a finished job is in none."""

TimedPlace = Literal["scheduled", "retries", "dead"]
"""The places that are ordered by time: when a job is due or, for `dead`, when it is thrown away."""

QUEUED: Literal["queued"] = "queued"
SCHEDULED: Literal["scheduled"] = "scheduled"
RETRIES: Literal["retries"] = "retries"
DEAD: Literal["dead"] = "dead"
WORKING: Literal["working"] = "working"

NOTHING = Raw(b"")
"""An absent JSON value (`custom` of a job that has none)."""


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of a job's failures (reference 2.1, `failure`), in the order in which it is written."""

    failed_at: str
    """When it failed first, RFC 3339."""
    next_at: str = ""
    """When it is retried, RFC 3339; kept on a dead job."""
    message: str = ""
    errtype: str = ""
    backtrace: tuple[str, ...] = ()
    retry_count: int
    """0 after the first failure, one more at each later one."""
    remaining: int
    """Retries left; never below 0, except that a negative `retry` is shown as it is."""


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One job. Field order is the order in which it is written to the wire (reference 2.2).

    `args` and `custom` are the JSON texts that the client sent, never parsed and written again, so that
    integers beyond 2^53, `1.0` and the order of keys survive.
    """

    retry: int
    failure: Failure | None = None
    custom: Raw = NOTHING
    jid: str
    queue: str
    jobtype: str
    created_at: str = ""
    enqueued_at: str = ""
    """When it was last put into its queue, RFC 3339; empty while it is scheduled."""
    at: str = ""
    args: Raw
    reserve_for: int = 0
    """Seconds that a worker may hold it; 0 means the default."""
    backtrace: int = 0
    crashes: int = 0
    """How often a worker died, or let the reservation run out, while it held this job. Never on the wire."""
    counted: bool = False
    """Whether its batch has counted it as executed. Never on the wire."""


class Held(Struct, frozen=True, gc=False):
    """A job together with where it rests: what a store answers when asked for a jid."""

    job: Job
    place: Place
    at: float
    """Due time or expiry in a timed place, seconds since 1970; 0 elsewhere."""
    position: int
    """Order within a queue; unique in a store. A smaller position is fetched earlier."""
    wid: str = ""
    """The worker that has it, while `working`; empty for a client that never gave a wid."""
    reserved_at: float = 0.0
    expires_at: float = 0.0
    cancelled: bool = False
    """Somebody asked for it to be cancelled while it runs."""
