"""The tables of the file, and a held job as a row of them."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from shopfloor.core.facts import facts
from shopfloor.core.job import Held
from shopfloor.core.payload import decode, encode
from shopfloor.errors import StoreTooNew

VERSION = 1
BUSY_SECONDS = 5.0
"""How long to wait while another server writes."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    jid TEXT PRIMARY KEY, place TEXT NOT NULL, queue TEXT NOT NULL, at REAL NOT NULL, position INTEGER NOT NULL UNIQUE,
    wid TEXT NOT NULL, reserved_at REAL NOT NULL, expires_at REAL NOT NULL, cancelled INTEGER NOT NULL,
    bid TEXT, callback_bid TEXT, body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS queued ON jobs (queue, position) WHERE place = 'queued';
CREATE INDEX IF NOT EXISTS timed ON jobs (place, at, jid) WHERE place <> 'queued';
CREATE INDEX IF NOT EXISTS members ON jobs (bid) WHERE bid IS NOT NULL;
CREATE INDEX IF NOT EXISTS callbacks ON jobs (callback_bid) WHERE callback_bid IS NOT NULL;
CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY, paused INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, value BLOB NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (kind, id)) STRICT;
CREATE TABLE IF NOT EXISTS locks (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS locks_by_end ON locks (until, key);
CREATE TABLE IF NOT EXISTS days (name TEXT, day TEXT, count INTEGER NOT NULL, PRIMARY KEY (name, day)) STRICT;
CREATE TABLE IF NOT EXISTS ends (front INTEGER NOT NULL, back INTEGER NOT NULL) STRICT;
INSERT INTO ends SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM ends);
"""
COLUMNS = "body, place, at, position, wid, reserved_at, expires_at, cancelled"

Row = tuple[bytes, str, float, int, str, float, float, int]


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, and make it where there is none. Every commit is on disk before it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    ((version,),) = connection.execute("PRAGMA user_version")
    if version > VERSION:
        connection.close()
        raise StoreTooNew(f"{path} is of version {version}, this package knows {VERSION}")
    connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT")
    return connection


def insert(database: sqlite3.Connection, held: Held) -> None:
    """Write a job that was not there."""
    job, known = held.job, facts(held.job)
    database.execute(
        "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, '', 0, 0, 0, ?, ?, ?)",
        (job.jid, held.place, job.queue, held.at, held.position, known.bid, known.callback_bid, encode(job)),
    )


def find(database: sqlite3.Connection, jid: str) -> Held | None:
    """Look a job up."""
    rows = select(database, "WHERE jid = ?", (jid,))
    return rows[0] if rows else None


def select(database: sqlite3.Connection, where: str, values: Sequence[object]) -> list[Held]:
    """List jobs; `where` is a constant of ours, with a question mark for each value."""
    return [held(row) for row in database.execute(f"SELECT {COLUMNS} FROM jobs {where}", values)]


def held(row: Row) -> Held:
    """Read a row."""
    body, place, at, position, wid, reserved_at, expires_at, cancelled = row
    return Held(decode(body), place, at, position, wid, reserved_at, expires_at, bool(cancelled))  # type: ignore[arg-type] # what was a place when it was written


def next_position(database: sqlite3.Connection, *, front: bool) -> int:
    """Give out a position before, or behind, all others."""
    change = "front = front - 1" if front else "back = back + 1"
    ((front_end, back_end),) = database.execute(f"UPDATE ends SET {change} RETURNING front, back").fetchall()
    return int(front_end if front else back_end)


def count(database: sqlite3.Connection, where: str, values: Sequence[object]) -> int:
    """Count jobs."""
    ((number,),) = database.execute(f"SELECT count(*) FROM jobs {where}", values).fetchall()
    return int(number)
