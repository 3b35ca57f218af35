"""A held job as a row of the `jobs` table, and back."""

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
    """Write a job for `INSERT`."""
    job, position, place, at = held.job, held.position, held.place, held.at
    body = encode(job)
    checksum = _checksum(position, place, job.queue, at, job.jid, body)
    return (
        position,
        place,
        job.queue,
        at,
        held.wid,
        held.reserved_at,
        held.expires_at,
        held.cancelled,
        job.jid,
        checksum,
        body,
    )


def from_row(row: Row) -> Held:
    """Read a job; raise `StoreDamaged` where it is not what was written."""
    position, place, queue, at, wid, reserved_at, expires_at, cancelled, jid, checksum, body = row
    try:
        if _checksum(position, place, queue, at, jid, body) != checksum:
            raise StoreDamaged(f"the row of job {jid} is damaged")
        job = decode(body)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise StoreDamaged(f"the row of job {jid} cannot be read: {error}") from error
    return Held(job, place, at, position, wid, reserved_at, expires_at, bool(cancelled))


def _checksum(position: int, place: str, queue: str, at: float, jid: str, body: bytes) -> int:  # house: one a column
    """Sum up what never changes: all but the reservation. A working job was queued when its row was made."""
    if place == WORKING:
        place, at = QUEUED, 0.0
    return crc32(body, crc32(f"{position} {place} {queue} {float(at)} {jid}".encode()))
