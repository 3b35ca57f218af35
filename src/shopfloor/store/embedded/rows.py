"""A held job as a row of the `jobs` table, and back."""

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import msgspec

from shopfloor.core.job import QUEUED, WORKING, Held
from shopfloor.core.payload import decode, encode
from shopfloor.errors import StoreDamaged

COLUMNS = "position, place, queue, at, wid, reserved_at, expires_at, cancelled, jid, checksum, body"
INSERT = f"INSERT OR REPLACE INTO jobs ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
UPDATE = (
    "UPDATE jobs SET place = 'working', at = 0, wid = ?, reserved_at = ?, expires_at = ?, cancelled = ?"
    " WHERE position = ?"
)
DELETE = "DELETE FROM jobs WHERE position = ?"
COUNT = "UPDATE marks SET value = value + ? WHERE name = 'jobs'"
COUNTED = "SELECT value FROM marks WHERE name = 'jobs'"
UNCOUNT = "UPDATE marks SET value = 0 WHERE name = 'jobs'"

Row = tuple[Any, ...]


def to_row(held: Held) -> Row:
    """Write a job for `INSERT`, but for its checksum: `sealed` adds it where the row goes into the table."""
    return (
        held.position,
        held.place,
        held.job.queue,
        held.at,
        held.wid,
        held.reserved_at,
        held.expires_at,
        held.cancelled,
        held.job.jid,
        0,
        encode(held.job),
    )


def sealed(row: Sequence[Any]) -> Row:
    """Add the checksum. Entries of the journal have one of their own, and most jobs never get as far as a table."""
    return (*row[:9], _checksum(row), row[10])


def to_update(held: Held) -> Row:
    """Write a reservation for `UPDATE`: nothing else of a row ever changes."""
    return (held.wid, held.reserved_at, held.expires_at, held.cancelled, held.position)


def from_row(row: Row) -> Held:
    """Read a job; raise `StoreDamaged` where it is not what was written."""
    position, place, _, at, wid, reserved_at, expires_at, cancelled, jid, checksum, body = row
    try:
        if _checksum(row) != checksum:
            raise StoreDamaged(f"the row of job {jid} is damaged")
        job = decode(body)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise StoreDamaged(f"the row of job {jid} cannot be read: {error}") from error
    return Held(job, place, at, position, wid, reserved_at, expires_at, bool(cancelled))


def _checksum(row: Sequence[Any]) -> int:
    """Sum up what never changes: all but the reservation. A working job was queued when its row was made."""
    position, place, queue, at, jid, body = row[0], row[1], row[2], row[3], row[8], row[10]
    if place == WORKING:
        place, at = QUEUED, 0
    return crc32(body, crc32(f"{position} {place} {queue} {float(at)} {jid}".encode()))
