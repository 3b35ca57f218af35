"""What BATCH NEW says: reading it, and making batches and jobs from it, at once or when a callback is due."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256

import msgspec
from msgspec import Raw, Struct

from shopfloor.core.batch import DEPTH_MAX, Batch
from shopfloor.core.facts import Callback, checked_facts
from shopfloor.core.job import NOTHING, Job
from shopfloor.core.payload import accept, decode_pushed
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import Refused


class Definition(Struct, frozen=True, kw_only=True):
    """The argument of BATCH NEW. `jobs`, `death` and `deadline_in` (seconds) are extensions."""

    parent_bid: str | None = None
    description: str | None = None
    complete: Raw = NOTHING
    success: Raw = NOTHING
    death: Raw = NOTHING
    jobs: tuple[Raw, ...] | None = None
    deadline_in: float | None = None


_definitions = msgspec.json.Decoder(Definition)


def callback_job(batch: Batch, callback: Callback, now: float) -> tuple[Job, float]:
    """Make the job that is enqueued for a callback, and when it is due, from what NEW said of it."""
    pushed = decode_pushed(bytes(_definition(batch, callback)))
    pushed.jid = pushed.jid or f"{batch.bid}-{callback}"
    keys: dict[str, str | None] = {"_bid": batch.bid, "_cb": callback}
    if batch.parent_bid:
        keys["_pbid"] = batch.parent_bid
    if b'"bid"' in bytes(pushed.custom):
        keys["bid"] = None  # a callback is no member of any batch, whatever it was copied from
    pushed.custom = with_keys(pushed.custom, keys)
    return accept(pushed, now, format_timestamp(now))


def renamed(job: Job, jid: str) -> Job:
    """Give a job another jid, because the one that NEW gave it is held by another job."""
    return msgspec.structs.replace(job, jid=jid)


def declared(batch: Batch, callback: Callback) -> Definition | None:
    """Answer the batch that a callback was declared to be; None where it is a job."""
    definition = _definition(batch, callback)
    return read_definition(bytes(definition)) if is_batch_definition(definition) else None


def declared_jobs(batch: Batch, definition: Definition, now: float) -> list[tuple[Job, float]]:
    """Make the jobs that a definition brings along, members of the batch made from it."""
    text = format_timestamp(now)
    jobs: list[tuple[Job, float]] = []
    for number, raw in enumerate(definition.jobs or ()):
        pushed = decode_pushed(bytes(raw))
        pushed.jid = pushed.jid or f"{batch.bid}-{number}"
        keys: dict[str, str | None] = {"bid": batch.bid}
        if b'"_bid"' in bytes(pushed.custom):
            keys["_bid"] = None  # a member is no callback, whatever it was copied from
        pushed.custom = with_keys(pushed.custom, keys)
        jobs.append(accept(pushed, now, text))
    return jobs


def made(bid: str, definition: Definition, now: float) -> Batch:
    """Make a batch from its definition; one that brings jobs along is committed."""
    jobs = definition.jobs
    return Batch(
        bid=bid,
        parent_bid=definition.parent_bid or "",
        description=definition.description or "",
        created_at=now,
        changed_at=now,
        deadline=_deadline(definition, now),
        committed=jobs is not None,
        total=len(jobs or ()),
        complete=definition.complete,
        success=definition.success,
        death=definition.death,
    )


def made_with(bid: str, definition: Definition, first: Job, now: float) -> Batch:
    """Make the batch that a pushed job brings along: that job is its first member, and nothing else is to come."""
    parent_bid = definition.parent_bid or checked_facts(first).bid or ""
    begun = made(bid, definition, now)
    return msgspec.structs.replace(begun, parent_bid=parent_bid, committed=True, total=begun.total + 1)


def first_member(first: Job, bid: str) -> Job:
    """Make a job that brought a batch along a plain member of it; the rest of its `custom` stays as it was said."""
    keys = msgspec.json.decode(first.custom, type=dict[str, Raw])
    del keys["_batch"]
    keys["bid"] = Raw(msgspec.json.encode(bid))
    return msgspec.structs.replace(first, custom=Raw(msgspec.json.encode(keys)))


def made_by(owner: Batch, callback: Callback, definition: Definition, now: float) -> Batch:
    """Make the batch that a callback was declared to be; its bid follows from its owner's."""
    born = made(born_bid(owner, callback), definition, now)
    return msgspec.structs.replace(
        born, parent_bid="", depth=owner.depth, origin_bid=owner.bid, origin_callback=callback
    )


def born_bid(owner: Batch, callback: Callback) -> str:
    """Name the batch that a callback was declared to be."""
    return bid_of(sha256(f"{owner.bid}/{callback}".encode()).digest())


def bid_of(random: bytes) -> str:
    """Name a batch after at least ten bytes; clients expect `b-` and 14 characters."""
    return "b-" + urlsafe_b64encode(random[:10]).decode().rstrip("=")


def drawn_again(random: bytes) -> bytes:
    """Answer what to name a batch after where another has that name."""
    return sha256(random).digest()


def read_definition(text: bytes) -> Definition:
    """Read the argument of BATCH NEW; raise `Refused` where it, or a job or batch in it, is not one."""
    return _checked(text, 1)


def with_keys(custom: Raw, keys: Mapping[str, str | None]) -> Raw:
    """Add keys to a client's `custom`, whose text otherwise stays as it is."""
    added = msgspec.json.encode(keys)[1:-1]
    inner = bytes(custom).strip()[1:-1].strip() if custom is not NOTHING and bytes(custom) != b"null" else b""
    return Raw(b"{" + inner + (b"," if inner else b"") + added + b"}")


def is_batch_definition(definition: Raw) -> bool:
    """Say whether a callback is a batch with jobs of its own rather than a job."""
    if definition is NOTHING:
        return False
    try:
        return bytes(msgspec.json.decode(definition, type=dict[str, Raw]).get("jobs", b"null")) != b"null"
    except msgspec.MsgspecError as error:
        raise Refused(f"invalid batch: a callback is a job or a batch: {error}") from error


def _definition(batch: Batch, callback: Callback) -> Raw:
    return {"complete": batch.complete, "success": batch.success, "death": batch.death}[callback]


def _checked(text: bytes, depth: int) -> Definition:
    if depth > DEPTH_MAX:
        raise Refused(f"invalid batch: callbacks nest deeper than {DEPTH_MAX}")
    try:
        definition = _definitions.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(f"invalid batch: {error}") from error
    if definition.deadline_in is not None and not definition.deadline_in > 0:
        raise Refused(f"invalid batch: deadline_in must be more than 0 seconds, not {definition.deadline_in}")
    for name in ("complete", "success", "death"):
        callback: Raw = getattr(definition, name)
        if bytes(callback) == b"null":
            definition = msgspec.structs.replace(definition, **{name: NOTHING})
        elif is_batch_definition(callback):
            _checked(bytes(callback), depth + 1)
        elif callback is not NOTHING:
            _check_job(callback)
    for job in definition.jobs or ():
        _check_job(job)
    return definition


def _check_job(raw: Raw) -> None:
    """Raise `Refused` now for what could not be enqueued, or be recognised as a callback or member, later."""
    pushed = decode_pushed(bytes(raw))
    pushed.jid = pushed.jid or "to be given"
    job, _ = accept(pushed, 0.0, "")
    if bytes(checked_facts(job).batch) not in (b"", b"null"):
        raise Refused("invalid batch: a job in it cannot bring a batch along; make that a callback")


def _deadline(definition: Definition, now: float) -> float:
    return now + definition.deadline_in if definition.deadline_in else 0.0
