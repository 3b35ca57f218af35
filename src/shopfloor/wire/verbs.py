"""Reading command lines: `VERBS` has one row per verb, each a function from the argument to a message.

The error texts are those of the protocol (reference 1.3); where Faktory answers "internal error" for a
missing argument, these say what is missing.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from shopfloor.core.leniency import known_keys, readable, valid_utf8, without_lone_surrogates
from shopfloor.core.mutation import COMMANDS, TARGETS, Filter, Mutation
from shopfloor.core.payload import Integer, decode_pushed, decode_pushed_many
from shopfloor.core.retry import RETRY_IN_SECONDS_MAX, FailReport
from shopfloor.errors import Refused
from shopfloor.wire.batch_verbs import read_batch
from shopfloor.wire.commands import (
    Ack,
    AckBulk,
    Beat,
    Command,
    End,
    Fail,
    Fetch,
    FetchBulk,
    Flush,
    Info,
    JobCancel,
    JobGet,
    JobList,
    Mutate,
    Push,
    PushBulk,
    QueueLatency,
    QueuePause,
    QueuePeek,
    QueueRemove,
    Requeue,
    StoreBackup,
)
from shopfloor.wire.cron_verbs import read_cron
from shopfloor.wire.slot_verbs import read_lock, read_throttle
from shopfloor.wire.track_verbs import read_track


class WireLimits(Struct, frozen=True, kw_only=True):
    """How much a command may bring; each is a setting of the same name."""

    line_bytes_max: int = 64 * 1024 * 1024
    job_bytes_max: int = 4 * 1024 * 1024
    bulk_jobs_max: int = 10_000
    queues_per_fetch_max: int = 100
    latency_queues_max: int = 100
    peek_jobs_max: int = 1000


Reader = Callable[[bytes, WireLimits], Command]
_Shape = TypeVar("_Shape")


class _AckText(Struct, forbid_unknown_fields=True):
    jid: str | None


class _FailText(Struct, kw_only=True):
    jid: str | None = None
    errtype: str | None = None
    message: str | None = None
    backtrace: tuple[str | None, ...] | None = None
    retry_in: Annotated[float, Meta(ge=0, le=RETRY_IN_SECONDS_MAX)] | None = None


class _BeatText(Struct, kw_only=True):
    wid: str | None = None
    current_state: str | None = None
    rss_kb: Integer | None = None


class _FilterText(Struct, kw_only=True):
    jids: tuple[str | None, ...] | None = None
    regexp: str | None = None
    jobtype: str | None = None


class _MutateText(Struct, kw_only=True):
    cmd: str | None = None
    target: str | None = None
    filter: Raw = Raw(b"null")


class _ListText(Struct, kw_only=True):
    count: int | None = None
    after: tuple[float, str] | None = None
    filter: Raw = Raw(b"null")
    latest_first: bool = False


class _FetchBulkText(Struct, kw_only=True):
    queues: tuple[str, ...]
    count: int = 1


class _JidText(Struct, kw_only=True):
    jid: str


class _JidsText(Struct, kw_only=True):
    jids: tuple[str, ...]


LIST_JOBS_DEFAULT = 100
REPEATED_BYTES_MAX = 512
"""Of a FETCH that is kept as read; with `REPEATED_COUNT_MAX` of them less than a MB, whatever clients send."""
REPEATED_COUNT_MAX = 1024
_BACKUP_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", re.ASCII)
"""Never a path, nor hidden; short enough for any file system, with what is added while it is written."""

_ack = msgspec.json.Decoder(_AckText)
_ack_loose = msgspec.json.Decoder(dict[str, str | None])


def read_command(line: bytes, limits: WireLimits) -> Command:
    """Read one line; raise `Refused` where it is not a command."""
    verb, space, argument = line.partition(b" ")
    reader = VERBS.get(verb)
    if reader is None:
        raise Refused(f"unknown command {readable(verb)}")
    if not space and verb in BARE:
        raise Refused(BARE[verb])
    return reader(argument, limits)


def _push(argument: bytes, limits: WireLimits) -> Push:
    if len(argument) > limits.job_bytes_max:
        raise _too_large(len(argument), limits)
    return Push(decode_pushed(argument))


def _push_bulk(argument: bytes, limits: WireLimits) -> PushBulk:
    jobs = decode_pushed_many(argument)
    if len(jobs) > limits.bulk_jobs_max:
        raise Refused(f"too many jobs: {len(jobs)}, the limit is {limits.bulk_jobs_max}")
    return PushBulk(jobs)


def _fetch(argument: bytes, limits: WireLimits) -> Fetch:
    if len(argument) <= REPEATED_BYTES_MAX:
        return _repeated_fetch(argument, limits.queues_per_fetch_max)
    return Fetch(_queues(readable(argument).split(" "), limits.queues_per_fetch_max))


@lru_cache(maxsize=REPEATED_COUNT_MAX)
def _repeated_fetch(argument: bytes, queues_max: int) -> Fetch:
    """Read a FETCH as any worker sends it, again and again."""
    return Fetch(_queues(readable(argument).split(" "), queues_max))


def _fetch_bulk(argument: bytes, limits: WireLimits) -> FetchBulk:
    asked = _decode(_FetchBulkText, argument, "FETCHB")
    if not 1 <= asked.count <= limits.bulk_jobs_max:
        raise Refused(f"cannot fetch {asked.count} jobs: the limits are 1 and {limits.bulk_jobs_max}")
    if not asked.queues:
        raise Refused("must call fetch with at least one queue")
    return FetchBulk(_queues(list(asked.queues), limits.queues_per_fetch_max), asked.count)


def _ack_one(argument: bytes, limits: WireLimits) -> Ack:
    try:
        return Ack(_ack.decode(argument).jid or "")
    except (ValueError, RecursionError):
        pass  # there may be other keys besides the jid, or what the protocol forgives
    try:
        said = _ack_loose.decode(_strict(argument))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(f"invalid ACK {readable(argument)}") from error
    if "jid" not in said:
        raise Refused(f"invalid ACK {readable(argument)}")
    return Ack(said["jid"] or "")


def _ack_bulk(argument: bytes, limits: WireLimits) -> AckBulk:
    jids = _decode(_JidsText, argument, "ACKB").jids
    if len(jids) > limits.bulk_jobs_max:
        raise Refused(f"too many jids: {len(jids)}, the limit is {limits.bulk_jobs_max}")
    return AckBulk(jids)


def _fail_one(argument: bytes, limits: WireLimits) -> Fail:
    said = _decode_any_case(_FailText, argument, "FAIL")
    if not said.jid:
        raise Refused("missing JID")
    backtrace = tuple(line or "" for line in said.backtrace or ())
    return Fail(
        FailReport(
            jid=said.jid,
            errtype=said.errtype or "",
            message=said.message or "",
            backtrace=backtrace,
            retry_in=said.retry_in,
        )
    )


def _requeue(argument: bytes, limits: WireLimits) -> Requeue:
    return Requeue(_decode(_JidText, argument, "REQUEUE").jid)


def _beat(argument: bytes, limits: WireLimits) -> Beat:
    said = _decode_any_case(_BeatText, argument, "BEAT")
    return Beat(said.wid or "", said.current_state or "", said.rss_kb or 0)


def _mutate(argument: bytes, limits: WireLimits) -> Mutate:
    if not argument or b" " in argument:
        raise Refused("invalid format")
    said = _mutation_text(_MutateText, argument)
    wanted = _filter(said.filter)
    command = next((known for known in COMMANDS if known == said.cmd), None)
    if command is None:
        raise Refused("unknown mutate operation")
    target = next((known for known in TARGETS if known == said.target), None)
    if target is None:
        raise Refused("invalid target for mutation command")
    return Mutate(Mutation(command=command, target=target, filter=wanted))


def _filter(text: Raw) -> Filter:
    wanted = _mutation_text(_FilterText, bytes(text))
    jids = tuple(jid or "" for jid in wanted.jids or ())
    return Filter(jids=jids, pattern=wanted.regexp or "", jobtype=wanted.jobtype or "")


def _queue(argument: bytes, limits: WireLimits) -> Command:
    word, space, rest = argument.partition(b" ")
    subcommand = readable(word).upper()
    if not subcommand:
        raise Refused("QUEUE needs a subcommand")
    names = tuple(readable(rest).split(" ")) if space else ()
    match subcommand:
        case "PAUSE" | "RESUME":
            return QueuePause(_known_or_all(subcommand, names), subcommand == "PAUSE")
        case "REMOVE":
            return QueueRemove(_known_or_all(subcommand, names))
        case "LATENCY":
            return _latency(names, limits)
        case "PEEK":
            return _peek(names, limits)
    raise Refused(f"no such QUEUE subcommand: {subcommand}")


def _job(argument: bytes, limits: WireLimits) -> Command:
    word, _, rest = argument.partition(b" ")
    subcommand, jid = readable(word).upper(), readable(rest).strip()
    if subcommand == "LIST":
        return _job_list(rest, limits)
    if subcommand not in ("GET", "CANCEL"):
        raise Refused(f"no such JOB subcommand: {subcommand}")
    if not jid:
        raise Refused(f"JOB {subcommand} needs a jid")
    return JobGet(jid) if subcommand == "GET" else JobCancel(jid)


def _job_list(argument: bytes, limits: WireLimits) -> JobList:
    word, _, rest = argument.partition(b" ")
    place = next((known for known in TARGETS if known == readable(word)), None)
    if place is None:
        raise Refused(f"JOB LIST takes one of {', '.join(TARGETS)}")
    said = _decode(_ListText, rest, "JOB LIST") if rest.strip() else _ListText()
    wanted = _filter(said.filter)
    most = limits.peek_jobs_max
    count = min(LIST_JOBS_DEFAULT, most) if said.count is None else said.count
    if not 1 <= count <= most:
        raise Refused(f"cannot list {count} jobs: the limits are 1 and {most}")
    if len(wanted.jids) > most:
        raise Refused(f"too many jids: {len(wanted.jids)}, the limit is {most}")
    return JobList(place=place, count=count, after=said.after, filter=wanted, latest_first=said.latest_first)


def _store(argument: bytes, limits: WireLimits) -> StoreBackup:
    word, _, rest = argument.partition(b" ")
    subcommand, name = readable(word).upper(), readable(rest)
    if subcommand != "BACKUP":
        raise Refused(f"no such STORE subcommand: {subcommand}")
    if _BACKUP_NAME.fullmatch(name) is None:
        raise Refused(f"a backup cannot be called {name!r}: use letters, digits, dots, dashes and underscores")
    return StoreBackup(name)


def _latency(names: tuple[str, ...], limits: WireLimits) -> QueueLatency:
    if names == ("*",):
        raise Refused("QUEUE LATENCY does not support wildcards")
    if len(names) > limits.latency_queues_max:
        raise Refused(f"too many queues: {len(names)}, the limit is {limits.latency_queues_max}")
    return QueueLatency(names)


def _peek(words: tuple[str, ...], limits: WireLimits) -> QueuePeek:
    if not words or not words[0] or len(words) > 3:
        raise Refused("QUEUE PEEK takes a queue, a count and an offset")
    name, *numbers = words
    count = _number(numbers[0]) if numbers else 1
    offset = _number(numbers[1]) if len(numbers) > 1 else 0
    if not 1 <= count <= limits.peek_jobs_max:
        raise Refused(f"cannot peek at {count} jobs: the limits are 1 and {limits.peek_jobs_max}")
    return QueuePeek(name, count, offset)


def _number(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 16):
        raise Refused(f"not a number: {word}")
    return int(word)


def _known_or_all(subcommand: str, names: tuple[str, ...]) -> tuple[str, ...] | None:
    if not any(names):
        raise Refused(f"QUEUE {subcommand} needs a queue")
    return None if names[0] == "*" else tuple(name for name in names if name)


def _queues(names: list[str], most: int) -> tuple[str, ...]:
    if len(names) > most:
        raise Refused(f"too many queues: {len(names)}, the limit is {most}")
    return tuple(names)


def _too_large(length: int, limits: WireLimits) -> Refused:
    return Refused(f"job is too large: {length} bytes, the limit is {limits.job_bytes_max}")


def _decode(shape: type[_Shape], argument: bytes, verb: str) -> _Shape:
    try:
        return msgspec.json.decode(_strict(argument), type=shape)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(f"invalid {verb} {readable(argument)}") from error


def _decode_any_case(shape: type[_Shape], argument: bytes, verb: str) -> _Shape:
    """Read an object whose keys may be in any case and of which unknown ones are ignored, as Go does."""
    try:
        return _any_case(shape, argument)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(f"invalid {verb} {readable(argument)}") from error


def _mutation_text(shape: type[_Shape], text: bytes) -> _Shape:
    try:
        return _any_case(shape, text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(str(error)) from error


def _any_case(shape: type[_Shape], text: bytes) -> _Shape:
    known: tuple[str, ...] = shape.__struct_fields__  # type: ignore[attr-defined]
    return msgspec.json.decode(msgspec.json.encode(known_keys(_strict(text), known)), type=shape)


def _strict(text: bytes) -> bytes:
    """Replace what the protocol forgives in a JSON text and the decoder does not."""
    return without_lone_surrogates(valid_utf8(text))


VERBS: Mapping[bytes, Reader] = {
    b"ACK": _ack_one,
    b"ACKB": _ack_bulk,
    b"BATCH": lambda argument, limits: read_batch(argument),
    b"BEAT": _beat,
    b"CRON": lambda argument, limits: read_cron(argument),
    b"LOCK": lambda argument, limits: read_lock(argument, limits.peek_jobs_max),
    b"THROTTLE": lambda argument, limits: read_throttle(argument),
    b"END": lambda argument, limits: End(),
    b"FAIL": _fail_one,
    b"FETCH": _fetch,
    b"FETCHB": _fetch_bulk,
    b"FLUSH": lambda argument, limits: Flush(),
    b"INFO": lambda argument, limits: Info(),
    b"JOB": _job,
    b"MUTATE": _mutate,
    b"PUSH": _push,
    b"PUSHB": _push_bulk,
    b"QUEUE": _queue,
    b"REQUEUE": _requeue,
    b"STORE": _store,
    b"TRACK": lambda argument, limits: read_track(argument, limits.job_bytes_max),
}
"""One row per verb. Verbs are upper case only; sub-commands may be in any case."""

BARE: Mapping[bytes, str] = {
    b"ACK": "ACK needs a jid",
    b"BEAT": "BEAT needs a wid",
    b"FAIL": "FAIL needs a jid",
    b"FETCH": "must call fetch with at least one queue",
    b"PUSH": "PUSH needs a job",
    b"PUSHB": "PUSHB needs a list of jobs",
    b"QUEUE": "QUEUE needs a subcommand",
}
"""What a verb answers that came without even a space behind it. `FETCH ` has one queue, the empty name."""
