"""What a client can ask: one frozen message per verb, and one row per verb that reads its argument.

To add a verb: a message here, a row in `VERBS`, a row in `server.dispatch`, a method of the broker.
"""

from msgspec import Struct

from shopfloor.core.batch_definition import Definition
from shopfloor.core.job import TimedPlace
from shopfloor.core.mutation import Filter, Mutation
from shopfloor.core.payload import PushedJob
from shopfloor.core.retry import FailReport
from shopfloor.core.tracking import Report


class Push(Struct, frozen=True, gc=False):
    """`PUSH {job}`."""

    job: PushedJob


class PushBulk(Struct, frozen=True):
    """`PUSHB [{job},…]`."""

    jobs: list[PushedJob]


class Fetch(Struct, frozen=True, gc=False):
    """`FETCH q1 [q2 …]`."""

    queues: tuple[str, ...]


class FetchBulk(Struct, frozen=True):
    """`FETCHB {"queues":[…],"count":n}` (extension)."""

    queues: tuple[str, ...]
    count: int


class Ack(Struct, frozen=True, gc=False):
    """`ACK {"jid":…}`."""

    jid: str


class AckBulk(Struct, frozen=True):
    """`ACKB {"jids":[…]}` (extension)."""

    jids: tuple[str, ...]


class Fail(Struct, frozen=True):
    """`FAIL {"jid":…,"errtype":…,"message":…,"backtrace":[…]}`."""

    report: FailReport


class Requeue(Struct, frozen=True):
    """`REQUEUE {"jid":…}` (extension): give back without a failure."""

    jid: str


class Beat(Struct, frozen=True):
    """`BEAT {"wid":…,"current_state":…,"rss_kb":…}`."""

    wid: str
    state: str
    rss_kb: int


class Info(Struct, frozen=True):
    """`INFO`."""


class Flush(Struct, frozen=True):
    """`FLUSH`."""


class End(Struct, frozen=True):
    """`END`: the client is done."""


class Mutate(Struct, frozen=True):
    """`MUTATE {op}`."""

    mutation: Mutation


class QueuePause(Struct, frozen=True):
    """`QUEUE PAUSE|RESUME names…`; `names` None means all known queues (`*`)."""

    names: tuple[str, ...] | None
    paused: bool


class QueueRemove(Struct, frozen=True):
    """`QUEUE REMOVE names…`; `names` None means all known queues (`*`)."""

    names: tuple[str, ...] | None


class QueueLatency(Struct, frozen=True):
    """`QUEUE LATENCY names…`."""

    names: tuple[str, ...]


class QueuePeek(Struct, frozen=True):
    """`QUEUE PEEK name [count [offset]]` (extension)."""

    name: str
    count: int
    offset: int


class JobGet(Struct, frozen=True):
    """`JOB GET jid` (extension)."""

    jid: str


class JobCancel(Struct, frozen=True):
    """`JOB CANCEL jid` (extension)."""

    jid: str


class JobList(Struct, frozen=True, kw_only=True):
    """`JOB LIST scheduled|retries|dead [{"count":…,"after":[…],"filter":{…},"latest_first":…}]` (extension).

    `after` is what an earlier page of the same listing said; the filter is that of MUTATE.
    """

    place: TimedPlace
    count: int
    after: tuple[float, str] | None
    filter: Filter
    latest_first: bool


class StoreBackup(Struct, frozen=True):
    """`STORE BACKUP name` (extension): write a copy of the store into the server's backup folder."""

    name: str


class TrackSet(Struct, frozen=True):
    """`TRACK SET {"jid":…,"percent":…,"desc":…,"reserve_until":…,"result":…}`; `result` is an extension."""

    report: Report


class TrackGet(Struct, frozen=True):
    """`TRACK GET jid`."""

    jid: str


class BatchNew(Struct, frozen=True):
    """`BATCH NEW {batch}`."""

    definition: Definition


class BatchOpen(Struct, frozen=True):
    """`BATCH OPEN bid`."""

    bid: str


class BatchCommit(Struct, frozen=True):
    """`BATCH COMMIT bid`."""

    bid: str


class BatchList(Struct, frozen=True):
    """`BATCH LIST` (extension)."""


class BatchShow(Struct, frozen=True):
    """`BATCH SHOW bid` (extension): with all below it, and what it waits for."""

    bid: str


class BatchCancel(Struct, frozen=True):
    """`BATCH CANCEL bid` (extension): cancel its unfinished members."""

    bid: str


class BatchRetry(Struct, frozen=True):
    """`BATCH RETRY bid` (extension): enqueue its failed and dead members."""

    bid: str


class BatchStatus(Struct, frozen=True):
    """`BATCH STATUS bid`."""

    bid: str


class CronList(Struct, frozen=True):
    """`CRON LIST` (extension)."""


class CronPut(Struct, frozen=True):
    """`CRON PUT {entry}` (extension): add an entry, or change the one of that name."""

    text: bytes


class CronRemove(Struct, frozen=True):
    """`CRON REMOVE name` (extension)."""

    name: str


class CronPause(Struct, frozen=True):
    """`CRON PAUSE name` (extension)."""

    name: str


class CronResume(Struct, frozen=True):
    """`CRON RESUME name` (extension)."""

    name: str


class CronRun(Struct, frozen=True):
    """`CRON RUN name` (extension): fire it now."""

    name: str


class ThrottleList(Struct, frozen=True):
    """`THROTTLE LIST` (extension)."""


class LockList(Struct, frozen=True):
    """`LOCK LIST [count]` (extension): those that end first."""

    count: int


Command = (
    ThrottleList
    | LockList
    | CronList
    | CronPut
    | CronRemove
    | CronPause
    | CronResume
    | CronRun
    | BatchNew
    | BatchOpen
    | BatchCommit
    | BatchStatus
    | BatchList
    | BatchShow
    | BatchCancel
    | BatchRetry
    | Push
    | PushBulk
    | Fetch
    | FetchBulk
    | Ack
    | AckBulk
    | Fail
    | Requeue
    | Beat
    | Info
    | Flush
    | End
    | Mutate
    | QueuePause
    | QueueRemove
    | QueueLatency
    | QueuePeek
    | JobGet
    | JobCancel
    | JobList
    | StoreBackup
    | TrackSet
    | TrackGet
)

EXTENSIONS = (
    "ACKB",
    "BATCH CANCEL",
    "BATCH LIST",
    "BATCH RETRY",
    "BATCH SHOW",
    "CRON LIST",
    "CRON PAUSE",
    "CRON PUT",
    "CRON REMOVE",
    "CRON RESUME",
    "CRON RUN",
    "FETCHB",
    "JOB CANCEL",
    "JOB GET",
    "JOB LIST",
    "LOCK LIST",
    "QUEUE PEEK",
    "REQUEUE",
    "STORE BACKUP",
    "THROTTLE LIST",
)
"""What this server understands beyond Faktory, as INFO announces it."""
