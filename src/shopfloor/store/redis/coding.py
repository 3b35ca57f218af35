"""Changes and requests as the arguments of the function `commit`, and its answers as values. Pure.

How the arguments and answers look is said at the head of functions.lua.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from shopfloor.core.changes import (
    Amend,
    Change,
    Claim,
    Clear,
    Conflict,
    Count,
    Note,
    Pause,
    Put,
    Record,
    Release,
    Take,
    Transition,
)
from shopfloor.core.facts import facts
from shopfloor.core.job import DEAD, NOTHING, QUEUED, RETRIES, SCHEDULED, WORKING, Held, Job, Place
from shopfloor.core.lifecycle import Rules, reserve_seconds
from shopfloor.core.payload import decode, encode
from shopfloor.errors import StoreDamaged
from shopfloor.store.port import Lock, QueueLimit, Reserve
from shopfloor.store.redis.connection import Argument

LETTERS: Final[Mapping[Place, str]] = {QUEUED: "q", SCHEDULED: "s", RETRIES: "r", DEAD: "d", WORKING: "w"}
_PLACES: Final[Mapping[bytes, Place]] = {letter.encode(): place for place, letter in LETTERS.items()}
FRONT, NEW, OF_BATCH = 1, 2, 4
GUARDS: Final = (Put, Take, Amend, Note, Claim, Pause)
_NO_LIMIT = QueueLimit()
_ANY_RULES = Rules()

_head = struct.Struct("<cdII")
_record = struct.Struct("<dcdII")
_reservation = struct.Struct("<dddcI")
_double = struct.Struct("<d")
_size = struct.Struct("<I")
_NO_BATCH = _size.pack(0) * 2


def transition_arguments(transition: Transition, into: list[Argument]) -> None:
    """Write one transition behind what is in `into`."""
    guards = [at for at, change in enumerate(transition, 1) if type(change) in GUARDS]
    into += (len(transition), guards[-1] if guards else 0)
    for change in transition:
        _WRITERS[type(change)](change, into)


def request_arguments(request: Reserve, into: list[Argument]) -> None:
    """Write one request behind what is in `into`."""
    into += (request.wid, request.count, len(request.queues))
    limits = request.limits or {}
    for name in request.queues:
        limit = limits.get(name, _NO_LIMIT)
        into += (name, limit.concurrency, limit.worker)


def _put(change: Put, into: list[Argument]) -> None:
    job = change.job
    known = facts(job) if job.custom is not NOTHING else None
    in_batch = known is not None and bool(known.bid or known.callback_bid)
    queue = job.queue.encode()
    tail = struct.pack("<H", len(queue)) + queue
    if known is not None and in_batch:
        bids = [(bid or "").encode() for bid in (known.bid, known.callback_bid)]
        tail += b"".join(_size.pack(len(bid)) + bid for bid in bids)
    else:
        tail += _NO_BATCH
    letter, at = LETTERS[change.place], change.at
    asked = reserve_seconds(job, _ANY_RULES) if job.reserve_for else 0
    head = _head.pack(letter.encode(), at, asked, len(tail))
    flags = FRONT * change.front + NEW * change.new + OF_BATCH * in_batch
    into += ("P", job.jid, letter, repr(at), flags, change.limit, queue, head + tail + encode(job))


def _take(change: Take, into: list[Argument]) -> None:
    into += ("T", change.jid, LETTERS[change.place], "" if change.holder is None else "=" + change.holder)


def _amend(change: Amend, into: list[Argument]) -> None:
    holder = "" if change.holder is None else "=" + change.holder
    into += ("A", change.jid, holder, repr(change.expires_at), int(change.cancelled))


def _note(change: Note, into: list[Argument]) -> None:
    into += ("N", change.kind, change.id, change.expected, int(change.value is not None), change.value or b"")


def _claim(change: Claim, into: list[Argument]) -> None:
    into += ("C", change.key, change.owner, repr(change.until), repr(change.now))


def _release(change: Release, into: list[Argument]) -> None:
    into += ("R", change.key, change.owner)


def _count(change: Count, into: list[Argument]) -> None:
    into += ("U", change.name, change.day, change.by)


def _pause(change: Pause, into: list[Argument]) -> None:
    into += ("S", change.queue, int(change.paused))


def _clear(change: Clear, into: list[Argument]) -> None:
    into += ("K", LETTERS[change.place], change.queue, change.count)


_WRITERS: Final[Mapping[type[Change], Callable[[Any, list[Argument]], None]]] = {
    Put: _put,
    Take: _take,
    Amend: _amend,
    Note: _note,
    Claim: _claim,
    Release: _release,
    Count: _count,
    Pause: _pause,
    Clear: _clear,
}


def read_held(record: bytes, reservation: bytes | None = None) -> Held:
    """Read a job and where it rests; raise `StoreDamaged` where it is not what we wrote."""
    try:
        position, letter, at, _, size = _record.unpack_from(record)
        job = decode(record[_record.size + size :])
        if reservation is None:
            return Held(job, _PLACES[letter], at, int(position))
        _, reserved_at, expires_at, cancelled, length = _reservation.unpack_from(reservation)
        wid = reservation[_reservation.size : _reservation.size + length].decode()
    except (struct.error, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise StoreDamaged(f"a job in Redis cannot be read: {error}") from error
    return Held(job, WORKING, 0.0, int(position), wid, reserved_at, expires_at, cancelled == b"1")


def read_reserved(record: bytes, wid: str, now: float, seconds: int) -> Held:
    """Read a job that was reserved at this moment."""
    position, _, _, asked, size = _record.unpack_from(record)
    job: Job = decode(record[_record.size + size :])
    return Held(job, WORKING, 0.0, int(position), wid, now, now + (asked or seconds))


def read_all(answer: Sequence[Any]) -> list[Held]:
    """Read jobs as `held` in functions.lua lists them."""
    return [read_held(answer[at], answer[at + 1]) for at in range(0, len(answer), 2)]


def read_record(value: bytes) -> Record:
    """Read a small record."""
    return Record(value[_double.size :], int(_double.unpack_from(value)[0]))


def read_lock(key: bytes, value: bytes) -> Lock:
    """Read a lock."""
    return Lock(key=key.decode(), owner=value[_double.size :].decode(), until=_double.unpack_from(value)[0])


def read_conflict(told: Sequence[Any], transitions: Sequence[Transition]) -> Conflict:
    """Read why a transition was not applied."""
    number, change, reason, record, reservation = told
    held = read_held(record, reservation) if record else None
    return Conflict(transitions[number - 1][change - 1], reason.decode(), held)
