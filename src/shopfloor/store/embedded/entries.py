"""What a round did, as it is written into the journal, and back.

An entry is 32 bytes and a JSON text. The bytes say which life of the store it belongs to (its *salt*), its number in
that life, up to which number all was on the disk for sure when it was written, the length of the text, and a checksum
of it all. The text says how the tables are after the round, never by how much they changed: so an entry may be
replayed on tables that are newer than it is, and with those behind it leads to the same end.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from struct import Struct as Layout
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from shopfloor.core.changes import SOFT_KINDS, Record
from shopfloor.core.job import Held
from shopfloor.store.state.steps import (
    Amended,
    Counted,
    Inserted,
    Locked,
    Noted,
    QueueForgotten,
    QueueMade,
    QueuePaused,
    Removed,
    Reserved,
    Step,
)

_HEAD: Final = Layout("<QQQI")
_CHECKSUM: Final = Layout("<I")
HEAD_BYTES: Final = _HEAD.size + _CHECKSUM.size

Reservation = tuple[str, float, float, bool, int]
"""wid, reserved_at, expires_at, cancelled, and the position of the job: what the statement binds that writes it."""


class Round:
    """What a round did. A position belongs to one job: it comes, may be reserved, and goes, in this order."""

    __slots__ = ("changed", "fresh", "gone", "locks", "queues", "records", "totals")

    def __init__(self) -> None:
        self.fresh: dict[int, Held] = {}
        """Jobs that came, by position, as they came."""
        self.changed: dict[int, Reservation] = {}
        """Jobs that were reserved or whose reservation was amended, by position."""
        self.gone: list[int] = []
        """Positions of jobs that left."""
        self.totals: dict[tuple[str, str], int] = {}
        self.records: dict[tuple[str, str], Record | None] = {}
        self.locks: dict[str, tuple[str, float] | None] = {}
        self.queues: dict[str, bool | None] = {}
        """Whether a queue is paused; None for one that is no longer known."""

    def is_empty(self) -> bool:
        """Say whether nothing of it needs to survive."""
        return not (self.gone or self.fresh or self.changed or self.totals or self.records or self.locks or self.queues)


class _Text(Struct, array_like=True, frozen=True):
    """The text of an entry. JSON, since the arguments of a job are JSON already and go in as they are."""

    fresh: list[Held]
    changed: list[Reservation]
    gone: list[int]
    totals: list[tuple[str, str, int]]
    records: list[tuple[str, str, bytes | None, int]]
    locks: list[tuple[str, str | None, float | None]]
    """JSON has no infinity: a lock that never ends has None for its end."""
    queues: list[tuple[str, bool | None]]


class Entry(Struct, frozen=True):
    """One that was found whole."""

    number: int
    synced: int
    text: bytes
    end: int
    """Where it ends in its file."""


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(_Text)


def gather(steps: Sequence[Step], days: Mapping[tuple[str, str], int]) -> Round:
    """Put together what the steps of a round come to: of what was written several times the last value counts."""
    gathered = Round()
    fresh, changed, gone = gathered.fresh, gathered.changed, gathered.gone
    for step in steps:
        kind = type(step)
        if kind is Inserted:
            held: Held = step.held  # type: ignore[union-attr]
            fresh[held.position] = held
        elif kind is Reserved or kind is Amended:
            after: Held = step.after  # type: ignore[union-attr, assignment]
            position = after.position
            changed[position] = (after.wid, after.reserved_at, after.expires_at, after.cancelled, position)
        elif kind is Removed:
            gone.append(step.held.position)  # type: ignore[union-attr]
        elif kind is Counted:
            day = (step.name, step.day)  # type: ignore[union-attr]
            gathered.totals[day] = days[day]
        else:
            _gather_small(gathered, step)
    return gathered


def _gather_small(gathered: Round, step: Step) -> None:
    match step:
        case Noted():
            if step.key[0] not in SOFT_KINDS:
                gathered.records[step.key] = step.after
        case Locked():
            gathered.locks[step.key] = step.after
        case QueueMade():
            gathered.queues[step.queue.name] = False
        case QueueForgotten():
            gathered.queues[step.queue.name] = None
        case QueuePaused():
            gathered.queues[step.queue.name] = step.after


def to_text(done: Round) -> bytes:
    """Write down what a round did."""
    totals = [(*day, count) for day, count in done.totals.items()] if done.totals else []
    records = [(*key, *_value(after)) for key, after in done.records.items()] if done.records else []
    locks = [(key, *_lock(after)) for key, after in done.locks.items()] if done.locks else []
    queues = list(done.queues.items()) if done.queues else []
    fresh, changed = list(done.fresh.values()), list(done.changed.values())
    return _encoder.encode((fresh, changed, done.gone, totals, records, locks, queues))


def from_text(text: bytes) -> Round:
    """Read what `to_text` wrote."""
    read, done = _decoder.decode(text), Round()
    done.fresh = {held.position: held for held in read.fresh}
    done.changed = {reservation[-1]: reservation for reservation in read.changed}
    done.gone = read.gone
    done.totals = {(name, day): count for name, day, count in read.totals}
    done.records = {
        (kind, identity): None if value is None else Record(value, version)
        for kind, identity, value, version in read.records
    }
    done.locks = {
        key: None if owner is None else (owner, inf if until is None else until) for key, owner, until in read.locks
    }
    done.queues = dict(read.queues)
    return done


def to_entry(salt: int, number: int, synced: int, text: bytes) -> bytes:
    """Write an entry."""
    head = _HEAD.pack(salt, number, synced, len(text))
    return b"".join((head, _CHECKSUM.pack(crc32(text, crc32(head))), text))


def read_entry(content: bytes, offset: int, salt: int) -> Entry | None:
    """Read the entry at an offset; None where there is none of that salt, or it is not whole."""
    begin = offset + HEAD_BYTES
    if begin > len(content):
        return None
    found, number, synced, length = _HEAD.unpack_from(content, offset)
    if found != salt or begin + length > len(content):
        return None
    text = content[begin : begin + length]
    (checksum,) = _CHECKSUM.unpack_from(content, offset + _HEAD.size)
    if crc32(text, crc32(content[offset : offset + _HEAD.size])) != checksum:
        return None
    return Entry(number, synced, text, begin + length)


def scan(content: bytes, salt: int) -> Iterator[Entry]:
    """Find all whole entries of a salt, wherever they begin."""
    mark = salt.to_bytes(8, "little")
    offset = content.find(mark)
    while offset >= 0:
        entry = read_entry(content, offset, salt)
        if entry is not None:
            yield entry
        offset = content.find(mark, entry.end if entry is not None else offset + 1)


def _value(record: Record | None) -> tuple[bytes | None, int]:
    return (None, 0) if record is None else (record.value, record.version)


def _lock(lock: tuple[str, float] | None) -> tuple[str | None, float | None]:
    if lock is None:
        return None, None
    owner, until = lock
    return owner, None if until == inf else until
