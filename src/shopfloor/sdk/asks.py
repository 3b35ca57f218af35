"""What a server can be asked, once for both clients: the line to send, and how to read what comes back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from shopfloor.errors import ProtocolBroken, Refused
from shopfloor.sdk.order import Order
from shopfloor.wire.client import Reply, command, json_command

T = TypeVar("T")

BULK_JOBS_MAX = 1000
"""Jobs in one PUSHB: what Faktory's documentation recommends, and well below any server's limit."""

Place = Literal["scheduled", "retries", "dead"]


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """One command, and what its reply means."""

    line: bytes
    read: Callable[[str | bytes | None], T]
    is_repeatable: bool = True
    """Whether it may be sent again when the connection broke before the reply came."""

    def answer(self, reply: Reply) -> T:
        """Read the reply; raise it where it is a refusal."""
        if isinstance(reply, Refused):
            raise reply
        return self.read(reply)


class Selection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which jobs a mutation is about: `jids`, or those of a type that match a pattern; all where nothing is said."""

    jids: tuple[str, ...] = ()
    jobtype: str = ""
    regexp: str = ""


EVERY = Selection()


class Tracked(Struct, frozen=True, kw_only=True):
    """What is known of a tracked job."""

    jid: str
    state: str
    updated_at: str = ""
    percent: int = 0
    desc: str = ""
    result: Any = None

    @property
    def is_over(self) -> bool:
        """Whether the job has come to its end; one that failed may still be tried again."""
        return self.state in ("success", "dead")


class BatchStatus(Struct, frozen=True, kw_only=True):
    """How a batch stands."""

    bid: str
    total: int = 0
    pending: int = 0
    failed: int = 0
    description: str = ""
    created_at: str = ""
    complete_st: str = ""
    success_st: str = ""


def push(order: Order) -> Ask[str]:
    """Push a job; the answer is its jid."""
    return Ask(command("PUSH", order.text()), lambda reply: order.jid)


def push_bulk(orders: Sequence[Order]) -> Ask[dict[str, str]]:
    """Push up to `BULK_JOBS_MAX` jobs; the answer says, by jid, which were refused and why."""
    return Ask(command("PUSHB", b"[" + b",".join(order.text() for order in orders) + b"]"), _json(dict[str, str]))


def info() -> Ask[dict[str, Any]]:
    """Ask how the server does."""
    return Ask(command("INFO"), _json(dict[str, Any]))


def flush() -> Ask[None]:
    """Have the server forget everything."""
    return Ask(command("FLUSH"), _nothing)


def mutate(operation: str, place: Place, selection: Selection) -> Ask[None]:
    """Do something to the jobs of a place that are selected."""
    said: dict[str, object] = {"cmd": operation, "target": place}
    if selection != EVERY:
        said["filter"] = selection
    return Ask(json_command("MUTATE", said), _nothing)


def queue(verb: Literal["PAUSE", "RESUME", "REMOVE"], names: Iterable[str]) -> Ask[None]:
    """Pause, resume or remove queues."""
    return Ask(command(f"QUEUE {verb}", " ".join(names).encode()), _nothing)


def latency(names: Iterable[str]) -> Ask[dict[str, float]]:
    """Ask how long the oldest job of each queue has waited, in seconds."""
    return Ask(command("QUEUE LATENCY", " ".join(names).encode()), _json(dict[str, float]))


def peek(name: str, count: int, offset: int) -> Ask[list[dict[str, Any]]]:
    """Look at jobs that wait in a queue, the oldest first."""
    return Ask(command("QUEUE PEEK", f"{name} {count} {offset}".encode()), _json(list[dict[str, Any]]))


def job_get(jid: str) -> Ask[dict[str, Any]]:
    """Ask where a job is."""
    return Ask(command("JOB GET", jid.encode()), _json(dict[str, Any]))


def job_cancel(jid: str) -> Ask[None]:
    """Remove a job, or tell its worker that it is not wanted any more."""
    return Ask(command("JOB CANCEL", jid.encode()), _nothing, is_repeatable=False)


def job_list(place: Place, selection: Selection, count: int, after: object) -> Ask[dict[str, Any]]:
    """List a page of the jobs in a place."""
    said = {"count": count, "after": after, "filter": selection}
    line = command(f"JOB LIST {place}", msgspec.json.encode(said))
    return Ask(line, _json(dict[str, Any]))


def track_get(jid: str) -> Ask[Tracked]:
    """Ask how a tracked job does."""
    return Ask(command("TRACK GET", jid.encode()), _json(Tracked))


def track_set(jid: str, report: Mapping[str, object]) -> Ask[None]:
    """Say how a job does."""
    return Ask(json_command("TRACK SET", {"jid": jid, **report}), _nothing)


def batch_new(definition: Mapping[str, object]) -> Ask[str]:
    """Make a batch; the answer is its bid. A lost reply may leave an empty one, which the server forgets."""
    return Ask(json_command("BATCH NEW", definition), _text, is_repeatable=False)


def batch_open(bid: str) -> Ask[str]:
    """Open a batch again."""
    return Ask(command("BATCH OPEN", bid.encode()), _text)


def batch_commit(bid: str) -> Ask[None]:
    """Say that a batch is complete as it is."""
    return Ask(command("BATCH COMMIT", bid.encode()), _nothing)


def batch_status(bid: str) -> Ask[BatchStatus]:
    """Ask how a batch stands."""
    return Ask(command("BATCH STATUS", bid.encode()), _json(BatchStatus))


def cron_put(entry: Mapping[str, object]) -> Ask[None]:
    """Add an entry that pushes a job by a schedule, or change the one of that name."""
    return Ask(json_command("CRON PUT", entry), _nothing)


def cron_list() -> Ask[list[dict[str, Any]]]:
    """List the entries that push jobs by a schedule."""
    return Ask(command("CRON LIST"), lambda reply: _json(dict[str, list[dict[str, Any]]])(reply)["entries"])


def cron(verb: Literal["REMOVE", "PAUSE", "RESUME"], name: str) -> Ask[None]:
    """Remove, pause or resume an entry."""
    return Ask(command(f"CRON {verb}", name.encode()), _nothing)


def cron_run(name: str) -> Ask[str]:
    """Push an entry's job now; the answer is its jid."""
    read = _json(dict[str, str])
    return Ask(command("CRON RUN", name.encode()), lambda reply: read(reply)["jid"], is_repeatable=False)


def _nothing(reply: str | bytes | None) -> None:
    return None


def _text(reply: str | bytes | None) -> str:
    return reply.decode() if isinstance(reply, bytes) else reply or ""


def _json(shape: type[T]) -> Callable[[str | bytes | None], T]:
    """Read a body that is JSON of this shape."""

    def read(reply: str | bytes | None) -> T:
        try:
            return msgspec.json.decode(reply or b"null", type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolBroken(f"the server answered what was not expected: {error}") from error

    return read
