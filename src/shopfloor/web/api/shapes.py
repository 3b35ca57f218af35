"""What operations take and answer: each struct is a schema of the document, and what it says is what is checked."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from shopfloor.core.payload import INTEGER_MAX, JID_BYTES_MIN, RESERVE_SECONDS_MAX

COUNT_DEFAULT = 50
COUNT_MAX = 1_000
"""Things on a page, whatever `peek_jobs_max` allows beyond that."""
CURSOR_LETTERS_MAX = 2_048
WORDS_LETTERS_MAX = 1_024
JIDS_MAX = 1_000
"""Jobs that are named in one request; more of them are better meant by a filter."""

Array = Annotated[Raw, Meta(description="Kept byte for byte.", extra_json_schema={"type": "array"})]
Object = Annotated[Raw, Meta(description="Kept byte for byte.", extra_json_schema={"type": "object"})]
Anything = Annotated[Raw, Meta(description="Any JSON value.")]
Jid = Annotated[str, Meta(min_length=1, max_length=WORDS_LETTERS_MAX)]
Count = Annotated[int, Meta(ge=1, le=COUNT_MAX, description="At most so many.")]
Cursor = Annotated[
    str, Meta(max_length=CURSOR_LETTERS_MAX, pattern="^[A-Za-z0-9_-]*$", description="`next` of the page before.")
]
Words = Annotated[str, Meta(max_length=WORDS_LETTERS_MAX)]
Whole = Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
QueueName = Annotated[str, Meta(min_length=1, max_length=1_024, pattern="^[a-zA-Z0-9._-]+$")]


class Shape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all of them are: keys that are not listed are errors, on both sides."""


class Nothing(Shape, frozen=True, kw_only=True):
    """Takes, or answers, no keys."""


class Paging(Shape, frozen=True, kw_only=True):
    """Which part of a list is meant."""

    count: Count = COUNT_DEFAULT
    cursor: Cursor = ""


class Search(Paging, frozen=True, kw_only=True):
    """Which jobs are meant; each word that is given must hold."""

    jid: Words = ""
    jobtype: Annotated[str, Meta(max_length=WORDS_LETTERS_MAX, description="The name, or a pattern with `*`.")] = ""
    queue: Annotated[str, Meta(max_length=WORDS_LETTERS_MAX, description="The name, or a pattern with `*`.")] = ""
    error: Annotated[str, Meta(max_length=WORDS_LETTERS_MAX, description="A part of the failure.")] = ""
    argument: Annotated[str, Meta(max_length=WORDS_LETTERS_MAX, description="A part of the arguments' JSON.")] = ""


class NewJob(Shape, frozen=True, kw_only=True):
    """A job to be pushed."""

    jobtype: Annotated[str, Meta(min_length=1)]
    args: Array
    jid: (
        Annotated[
            str,
            Meta(min_length=JID_BYTES_MIN, max_length=WORDS_LETTERS_MAX, description="Made up where there is none."),
        ]
        | UnsetType
    ) = UNSET
    queue: QueueName | UnsetType = UNSET
    retry: Whole | UnsetType = UNSET
    reserve_for: Annotated[int, Meta(ge=0, le=RESERVE_SECONDS_MAX)] | UnsetType = UNSET
    at: Annotated[str, Meta(description="When it is due, RFC 3339.")] | UnsetType = UNSET
    created_at: str | UnsetType = UNSET
    backtrace: Whole | UnsetType = UNSET
    custom: Object | UnsetType = UNSET


class NewJobs(Shape, frozen=True, kw_only=True):
    """Jobs to be pushed, each for itself."""

    jobs: list[NewJob]


class Pushed(Shape, frozen=True, kw_only=True):
    """The job is held, now or since it was pushed before."""

    jid: str


class PushedMany(Shape, frozen=True, kw_only=True):
    """The jids in the order of the jobs, and which of them were refused and why."""

    jids: list[str]
    refused: dict[str, str]


class FailureShown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is known of a job's failures."""

    failed_at: str
    next_at: str = ""
    message: str = ""
    errtype: str = ""
    backtrace: tuple[str, ...] = ()
    retry_count: int
    remaining: int


class JobShown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A job as it is held. Where the settings hide arguments there are no `args` and no `custom`."""

    jid: str
    queue: str
    jobtype: str
    args: Array | UnsetType = UNSET
    custom: Object | UnsetType = UNSET
    retry: int
    created_at: str = ""
    enqueued_at: str = ""
    at: str = ""
    reserve_for: int = 0
    backtrace: int = 0
    failure: FailureShown | None = None


class HeldShown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A job and where it rests. `at` is when it is due, or thrown away; the rest is there while it is working."""

    place: Literal["queued", "scheduled", "retries", "dead", "working"]
    job: JobShown
    at: str = ""
    wid: str = ""
    reserved_at: str = ""
    expires_at: str = ""
    cancelled: bool = False


class JobPage(Shape, frozen=True, kw_only=True):
    """Some jobs, and how many were looked at to find them. `next` is null where nothing is left."""

    jobs: list[HeldShown]
    looked: int
    next: str | None


class PeekPage(Shape, frozen=True, kw_only=True):
    """Some jobs of a queue, the oldest first; `more` without a `next` is where one cannot look any deeper."""

    jobs: list[JobShown]
    next: str | None
    more: bool


class QueueShown(Shape, frozen=True, kw_only=True):
    """A queue; its latency is how long its oldest job has been waiting."""

    name: str
    size: int
    paused: bool
    latency_seconds: float
    fetchers: Annotated[int, Meta(description="Fetches of this server that wait for a job of it.")]


class QueuePage(Shape, frozen=True, kw_only=True):
    """Some queues by name."""

    queues: list[QueueShown]
    next: str | None


class Meant(Shape, frozen=True, kw_only=True):
    """What a job must be; each word that is given must hold, and one is given."""

    jid: Words = ""
    jobtype: Words = ""
    queue: Words = ""
    error: Words = ""
    argument: Words = ""


class Action(Shape, frozen=True, kw_only=True):
    """Do something with jobs: those named, those that a filter means, or everything there."""

    action: Literal["requeue", "kill", "discard"]
    jids: Annotated[list[Jid], Meta(min_length=1, max_length=JIDS_MAX)] | UnsetType = UNSET
    filter: Meant | UnsetType = UNSET
    everything: bool = False
    dry_run: Annotated[bool, Meta(description="Only count.")] = False


class ActionTaken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Named jobs: how many were `moved`. Otherwise the `chore` that was begun. Dry run: how many are `meant`."""

    moved: int | None = None
    chore: str | None = None
    meant: int | None = None
    counted_all: Annotated[bool, Meta(description="False: `meant` is the least that there are.")] = False


class ChoreShown(Shape, frozen=True, kw_only=True):
    """An operation on many jobs, and how far it is."""

    id: str
    what: str
    total: int
    looked: int
    moved: int
    running: bool
    error: str


class BatchShown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A batch. What it `waits_for` and its `children` are there where one batch was asked for."""

    bid: str
    description: str
    created_at: str
    total: int
    pending: int
    failed: int
    complete_st: str
    success_st: str
    death_st: str
    standing: str
    committed: bool
    executed: int
    succeeded: int
    lost: int
    children_open: int
    parent_bid: str = ""
    waits_for: list[str] = msgspec.field(default_factory=list)
    children: "list[BatchShown]" = msgspec.field(default_factory=list)


class BatchPage(Shape, frozen=True, kw_only=True):
    """Some batches, the newest first."""

    batches: list[BatchShown]
    next: str | None


class NewBatch(Shape, frozen=True, kw_only=True):
    """A batch to be made, as BATCH NEW has it: with `jobs` it is committed at once."""

    parent_bid: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    complete: Object | UnsetType = UNSET
    success: Object | UnsetType = UNSET
    death: Object | UnsetType = UNSET
    jobs: list[NewJob] | UnsetType = UNSET
    deadline_in: Annotated[float, Meta(gt=0, le=10**9)] | UnsetType = UNSET


class BatchNamed(Shape, frozen=True, kw_only=True):
    """Which batch."""

    bid: str


class Changed(Shape, frozen=True, kw_only=True):
    """How many jobs it concerned."""

    jobs: int


class CronJob(Shape, frozen=True, kw_only=True):
    """The job of an entry."""

    jobtype: Annotated[str, Meta(min_length=1)]
    args: Array | UnsetType = UNSET
    queue: QueueName | UnsetType = UNSET
    retry: Whole | UnsetType = UNSET
    reserve_for: Annotated[int, Meta(ge=0, le=RESERVE_SECONDS_MAX)] | UnsetType = UNSET
    backtrace: Whole | UnsetType = UNSET
    custom: Object | UnsetType = UNSET


class NewEntry(Shape, frozen=True, kw_only=True):
    """A cron entry; one of that name is changed."""

    schedule: str
    job: CronJob
    name: str | UnsetType = UNSET
    zone: str | UnsetType = UNSET
    catch_up: Literal["none", "last", "all"] = "none"
    window: Annotated[float, Meta(ge=0)] = 0.0
    jitter: Annotated[float, Meta(ge=0)] = 0.0
    paused: bool = False


class EntryNamed(Shape, frozen=True, kw_only=True):
    """Which entry."""

    name: str


class EntriesShown(Shape, frozen=True, kw_only=True):
    """All cron entries by name, as CRON LIST tells them."""

    entries: list[dict[str, Any]]


class ThrottlesShown(Shape, frozen=True, kw_only=True):
    """All throttles by name, as THROTTLE LIST tells them."""

    throttles: list[dict[str, Any]]


class LockShown(Shape, frozen=True, kw_only=True):
    """The lock of a unique job."""

    key: str
    jid: str
    until: str


class LocksShown(Shape, frozen=True, kw_only=True):
    """The locks that end first."""

    locks: list[LockShown]


class Some(Shape, frozen=True, kw_only=True):
    """How many."""

    count: Count = COUNT_DEFAULT


class WorkerShown(Shape, frozen=True, kw_only=True):
    """A worker process."""

    wid: str
    hostname: str
    pid: int
    labels: list[str]
    state: Literal["running", "quiet", "terminate"]
    started_at: str
    beat_at: str
    rss_kb: int
    connected: bool
    working: Annotated[int, Meta(description="Jobs that it has now.")]


class WorkersShown(Shape, frozen=True, kw_only=True):
    """The worker processes by host."""

    workers: list[WorkerShown]
    next: str | None


class TrackShown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is told of a tracked job, as TRACK GET tells it."""

    jid: str
    state: str
    updated_at: str
    percent: int | None = None
    desc: str | None = None
    result: Anything | UnsetType = UNSET


class Stats(Shape, frozen=True, kw_only=True):
    """What rests where, and all-time totals."""

    enqueued: int
    queues: int
    working: int
    scheduled: int
    retries: int
    dead: int
    processed: int
    failures: int


class Info(Struct, frozen=True, kw_only=True):
    """What INFO tells."""

    now: str
    server_utc_time: str
    faktory: dict[str, Any]
    server: dict[str, Any]
