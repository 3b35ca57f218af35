"""Jobs, records and texts as PostgreSQL has them, and back."""

from typing import Final, TypeAlias

import asyncpg
import msgspec

from shopfloor.core.changes import Record
from shopfloor.core.job import WORKING, Held, Place
from shopfloor.core.payload import decode
from shopfloor.errors import StoreDamaged

Row: TypeAlias = asyncpg.Record

HELD: Final = (
    "j.jid, j.place, j.at, j.position, j.body, w.wid, w.reserved_at, w.expires_at, w.cancelled"
    " FROM jobs AS j LEFT JOIN working AS w ON w.jid = j.jid"
)
"""What `to_held` reads; goes on with a WHERE."""

_ESCAPE: Final = "\uffff"
"""A text of PostgreSQL has no NUL. One of ours gets this and a 0 in its place, and this itself a 1 behind it."""


def to_text(text: str) -> str:
    """Write a text so that PostgreSQL takes it."""
    if "\x00" in text or _ESCAPE in text:
        return text.replace(_ESCAPE, _ESCAPE + "1").replace("\x00", _ESCAPE + "0")
    return text


def from_text(text: str) -> str:
    """Undo `to_text`."""
    return text.replace(_ESCAPE + "0", "\x00").replace(_ESCAPE + "1", _ESCAPE) if _ESCAPE in text else text


def to_held(row: Row) -> Held:
    """Read a row of `HELD`; raise `StoreDamaged` where its job cannot be read."""
    try:
        job = decode(row["body"])
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreDamaged(f"the row of job {row['jid']} cannot be read: {error}") from error
    wid = row["wid"]
    if wid is None:
        place: Place = row["place"]
        return Held(job, place, row["at"], row["position"])
    cancelled: bool = row["cancelled"]
    reserved: tuple[float, float] = row["reserved_at"], row["expires_at"]
    return Held(job, WORKING, 0.0, row["position"], from_text(wid), *reserved, cancelled)


def to_reserved(row: Row, wid: str, now: float) -> Held:
    """Read a row that `commit_round` answered: a job that was handed out just now."""
    try:
        job = decode(row["body"])
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreDamaged(f"the row of job {row['jid']} cannot be read: {error}") from error
    return Held(job, WORKING, 0.0, row["position"], wid, now, row["expires_at"])


def to_record(row: Row) -> Record:
    """Read a row of `records`."""
    return Record(row["value"], row["version"])
