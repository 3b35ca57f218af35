"""The JSON text of a job: reading what clients push, writing what is stored and fetched (reference 2).

The common text is decoded in one pass by a typed decoder. What Go's decoder forgives beyond that (keys in
another case, unknown keys, broken UTF-8, lone surrogates) takes a second, slower pass, so that the common
case pays nothing.
"""

import re
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from shopfloor.core.job import NOTHING, Failure, Job
from shopfloor.core.leniency import keep_known, valid_utf8, without_lone_surrogates
from shopfloor.core.timestamps import parse_timestamp
from shopfloor.errors import Refused

RETRY_DEFAULT = 25
RESERVE_SECONDS_MAX = 86_400
JID_BYTES_MIN = 8
INTEGER_MAX = 2**53
"""No count or number of seconds is larger: any client and store can hold that."""

Integer = Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]

_HUGE = re.compile(rb"[0-9][eE]\+?[0-9]{3}")
"""Where a number may be beyond 64-bit floating point; a text that only looks like one is read to make sure."""
_QUEUE_NAME = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)

ARRAY, OBJECT, NULL, NO_VALUE = ord("["), ord("{"), ord("n"), 0
"""The bytes that JSON values begin with, as far as the type of `args` and `custom` is told by them."""


class PushedFailure(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`failure` as a client may send it along with a job it moves from elsewhere."""

    retry_count: Integer | None = None
    remaining: Integer | None = None
    failed_at: str | None = None
    next_at: str | None = None
    message: str | None = None
    errtype: str | None = None
    backtrace: list[str | None] | None = None


class PushedJob(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A job as a client sent it: every key may be missing or null, nothing is checked yet."""

    jid: str | None = None
    jobtype: str | None = None
    args: Raw = NOTHING
    queue: str | None = None
    retry: Integer | None = None
    reserve_for: Integer | None = None
    at: str | None = None
    created_at: str | None = None
    enqueued_at: str | None = None
    backtrace: Integer | None = None
    custom: Raw = NOTHING
    failure: PushedFailure | None = None


_Shape = TypeVar("_Shape")
_pushed = msgspec.json.Decoder(PushedJob | None)
_pushed_many = msgspec.json.Decoder(list[PushedJob | None] | None)
_loose = msgspec.json.Decoder(dict[str, Raw] | None)
_loose_many = msgspec.json.Decoder(list[dict[str, Raw] | None] | None)
_stored = msgspec.json.Decoder(Job)
_encoder = msgspec.json.Encoder()
_FIELDS = frozenset(PushedJob.__struct_fields__)
_FAILURE_FIELDS = frozenset(PushedFailure.__struct_fields__)


def decode_pushed(text: bytes) -> PushedJob:
    """Read the argument of PUSH; raise `Refused` ("invalid JSON: …") where it is not one job."""
    clean = _printable(text)
    try:
        pushed = _pushed.decode(clean)
    except (msgspec.MsgspecError, RecursionError):
        pushed = _forgiven(_decode(_loose, without_lone_surrogates(clean)))
    return _shaped(pushed or PushedJob())


def decode_pushed_many(text: bytes) -> list[PushedJob]:
    """Read the argument of PUSHB; an element of a wrong type refuses the list, `null` is an empty one."""
    clean = _printable(text)
    try:
        jobs = _pushed_many.decode(clean)
    except (msgspec.MsgspecError, RecursionError):
        loose = _decode(_loose_many, without_lone_surrogates(clean))
        jobs = [_forgiven(job) for job in loose or ()]
    return [_detached(_shaped(job or PushedJob())) for job in jobs or ()]


def accept(pushed: PushedJob, now: float, now_text: str) -> tuple[Job, float]:
    """Check a pushed job and fill in what is missing, in the order of reference 1.3; raise `Refused`.

    Returns the job and the time it is scheduled for, or 0.0 where it is to be enqueued at once.
    """
    jid = pushed.jid
    if not jid or (len(jid) < JID_BYTES_MIN and len(jid.encode()) < JID_BYTES_MIN):
        raise Refused("jobs must have a reasonable jid parameter")
    if not pushed.jobtype:
        raise Refused("jobs must have a jobtype parameter")
    if pushed.args is NOTHING:
        raise Refused("jobs must have an args parameter")
    reserve_for = pushed.reserve_for or 0
    if reserve_for > RESERVE_SECONDS_MAX:
        raise Refused("jobs cannot be reserved for more than one day")
    due = _due(pushed.at, now) if pushed.at else 0.0
    queue = queue_name(pushed.queue) if pushed.queue else "default"
    job = Job(
        retry=RETRY_DEFAULT if pushed.retry is None else pushed.retry,
        failure=_failure(pushed.failure) if pushed.failure is not None else None,
        custom=pushed.custom if pushed.custom is not NOTHING and b'"' in bytes(pushed.custom) else NOTHING,  # as for {}
        jid=jid,
        queue=queue,
        jobtype=pushed.jobtype,
        created_at=pushed.created_at or now_text,
        enqueued_at="" if due else now_text,
        at=pushed.at or "",
        args=pushed.args,
        reserve_for=reserve_for,
        backtrace=pushed.backtrace or 0,
    )
    return job, due


def queue_name(name: str) -> str:
    """Return `name` if a queue may be called that, else raise `Refused`."""
    if _QUEUE_NAME.fullmatch(name) is None:
        raise Refused(f'cannot get "{name}" queue: queue names must match \\A[a-zA-Z0-9._-]+\\z')
    return name


def encode(job: Job) -> bytes:
    """Write a job as it is stored, on one line."""
    return _encoder.encode(job)


def encode_for_worker(job: Job) -> bytes:
    """Write a job as the protocol shows it: without what only the server keeps."""
    if job.crashes or job.counted:
        job = msgspec.structs.replace(job, crashes=0, counted=False)
    return _encoder.encode(job)


def decode(text: bytes) -> Job:
    """Read a job that `encode` wrote."""
    return _stored.decode(text)


def compact(job: Job) -> bytes:
    """Write a job without white space: what the patterns of MUTATE are matched against (reference 1.5)."""
    return msgspec.json.format(encode_for_worker(job), indent=-1)


def is_repeated(pushed: Job, held: Job) -> bool:
    """Say whether a push brings again the very job that is held: same type, queue and arguments."""
    return (
        pushed.jobtype == held.jobtype
        and pushed.queue == held.queue
        and (
            pushed.args == held.args
            or msgspec.json.format(pushed.args, indent=-1) == msgspec.json.format(held.args, indent=-1)
        )
    )


def _shaped(pushed: PushedJob) -> PushedJob:
    """Refuse `args` and `custom` of a wrong type: the decoder keeps them as texts and does not look; null is absent."""
    pushed.args = _of_type(ARRAY, pushed.args, "invalid JSON: args must be an array")
    if pushed.custom is not NOTHING:
        pushed.custom = _of_type(OBJECT, pushed.custom, "invalid JSON: custom must be an object")
    return pushed


def _of_type(kind: int, text: Raw, otherwise: str) -> Raw:
    first = _first_byte(text)
    if first != kind:
        if first not in (NULL, NO_VALUE):
            raise Refused(otherwise)
        return NOTHING
    if _HUGE.search(text) is not None:
        _check_numbers(text)
    return text


def _check_numbers(text: Raw) -> None:
    """Refuse a number that is beyond what any client can hold (reference 2.2): a worker could not read the job."""
    try:
        msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        raise Refused(f"invalid JSON: {error}") from error


def _first_byte(text: Raw) -> int:
    """Give the byte that tells the type of a JSON value."""
    view = memoryview(text)
    return view[0] if view.nbytes else NO_VALUE


def _due(at: str, now: float) -> float:
    try:
        due = parse_timestamp(at)
    except (ValueError, OverflowError) as error:
        raise Refused(f"invalid timestamp for 'at': \"{at}\": {error}") from error
    return due if due > now else 0.0


def _failure(pushed: PushedFailure) -> Failure:
    return Failure(
        retry_count=pushed.retry_count or 0,
        remaining=pushed.remaining or 0,
        failed_at=pushed.failed_at or "",
        next_at=pushed.next_at or "",
        message=pushed.message or "",
        errtype=pushed.errtype or "",
        backtrace=tuple(line or "" for line in pushed.backtrace or ()),
    )


def _printable(text: bytes) -> bytes:
    """Make the text UTF-8 and free of carriage returns: JSON may have them between values, no reply may."""
    if text.isascii() and b"\r" not in text:
        return text
    return valid_utf8(text).replace(b"\r", b" ")


def _forgiven(loose: dict[str, Raw] | None) -> PushedJob | None:
    """Read a job whose keys are not exactly those of the protocol."""
    known = keep_known(loose or {}, _FIELDS)
    failure = known.get("failure", NOTHING)
    if _first_byte(failure) not in (NULL, NO_VALUE):
        known["failure"] = Raw(_encoder.encode(keep_known(_decode(_loose, failure) or {}, _FAILURE_FIELDS)))
    pushed: PushedJob | None = _decode(_pushed, _encoder.encode(known))
    return pushed


def _decode(decoder: "msgspec.json.Decoder[_Shape]", text: bytes | Raw) -> _Shape:
    try:
        return decoder.decode(text)
    except RecursionError as error:
        raise Refused("invalid JSON: nested too deeply") from error
    except msgspec.MsgspecError as error:
        raise Refused(f"invalid JSON: {error}") from error


def _detached(pushed: PushedJob) -> PushedJob:
    """Let a job of a bulk push outlive its line: a Raw keeps the whole text it was cut from alive."""
    pushed.args = pushed.args.copy()
    if pushed.custom is not NOTHING:
        pushed.custom = pushed.custom.copy()
    return pushed
