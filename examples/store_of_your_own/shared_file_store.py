"""A store for Shopfloor: the verbs of `shopfloor.store.port.Store` on one SQLite file, which servers may share.

A transition is a savepoint, a commit is a transaction. Nothing is awaited while a transaction is open, so one server
never finds its own changes half done; others wait for SQLite's lock.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from shared_file_tables import connect, count, find, insert, next_position, select

from shopfloor.config import Settings
from shopfloor.core.changes import (
    ABSENT,
    SOFT_KINDS,
    Amend,
    Change,
    Claim,
    Clear,
    Conflict,
    Count,
    Note,
    Pause,
    Put,
    Reason,
    Record,
    Release,
    Take,
    Transition,
)
from shopfloor.core.job import QUEUED, WORKING, Held, TimedPlace
from shopfloor.core.lifecycle import Rules, reserve_seconds
from shopfloor.errors import StoreUnavailable
from shopfloor.store.port import (
    Arrived,
    BatchJobs,
    Committed,
    Description,
    Figures,
    Loaded,
    Lock,
    Page,
    QueueFigures,
    Reserve,
)

LOOK_SECONDS = 0.05
"""How often to look whether another server has written; SQLite answers that without reading a page."""


class SharedFileStore:
    """See the port for the verbs."""

    def __init__(self, settings: Settings, rules: Rules) -> None:
        self._path = settings.storage.path
        self._queues_max = settings.queues_max
        self._rules = rules
        self._database: sqlite3.Connection | None = None
        self._arrived: Arrived | None = None
        self._looking: asyncio.Task[None] | None = None

    def listen(self, arrived: Arrived) -> None:
        """Keep whom to tell; the looking begins with `open`."""
        self._arrived = arrived

    async def open(self) -> None:
        """Open the file."""
        with _said_well():
            self._database = connect(self._path)
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Close the file."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._database is not None:
            self._database.close()
        self._database = self._looking = None

    async def _look(self) -> None:
        """Tell when another connection has written, which is what `data_version` is about."""
        seen = None
        while self._arrived is not None and self._database is not None:
            ((version,),) = self._database.execute("PRAGMA data_version").fetchall()
            if seen not in (None, version):
                self._arrived(None)
            seen = version
            await asyncio.sleep(LOOK_SECONDS)

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        """Look up jobs and records."""
        with self._reading() as database:
            jobs = {jid: held for jid in jids if (held := find(database, jid)) is not None}
            return Loaded(jobs, {key: _record(database, *key) for key in records})

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Apply and reserve, in one transaction."""
        with self._writing() as database:
            outcomes = [self._transition(database, transition) for transition in transitions]
            return Committed(outcomes, [self._reserve(database, request, now) for request in requests])

    async def due(self, place: TimedPlace, now: float, count: int) -> Sequence[Held]:
        """List what is due."""
        with self._reading() as database:
            return select(database, "WHERE place = ? AND at <= ? ORDER BY at, jid LIMIT ?", (place, now, count))

    async def reservations(self) -> Sequence[Held]:
        """List what is worked on."""
        with self._reading() as database:
            return select(database, "WHERE place = 'working'", ())

    async def browse(
        self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool = False
    ) -> Page:
        """List a page of a timed place."""
        where, values = "WHERE place = ?", [place, *(after or ())]
        if after is not None:
            where += " AND (at, jid) < (?, ?)" if latest_first else " AND (at, jid) > (?, ?)"
        where += " ORDER BY at DESC, jid DESC LIMIT ?" if latest_first else " ORDER BY at, jid LIMIT ?"
        with self._reading() as database:
            jobs = select(database, where, [*values, count])
        return Page(jobs=jobs, after=(jobs[-1].at, jobs[-1].job.jid) if jobs and len(jobs) == count else None)

    async def peek(self, queue: str, offset: int, count: int) -> Sequence[Held]:
        """List jobs of a queue."""
        where = "WHERE place = 'queued' AND queue = ? ORDER BY position LIMIT ? OFFSET ?"
        with self._reading() as database:
            return select(database, where, (queue, count, offset))

    async def queues(self) -> Sequence[QueueFigures]:
        """List the queues."""
        sized = (
            "SELECT name, (SELECT count(*) FROM jobs WHERE place = 'queued' AND queue = name), paused"
            " FROM queues ORDER BY name"
        )
        with self._reading() as database:
            rows = database.execute(sized).fetchall()
        return [QueueFigures(name=name, size=size, paused=bool(paused)) for name, size, paused in rows]

    async def figures(self) -> Figures:
        """Count. (This one counts rows; a store for millions of jobs would keep the numbers.)"""
        with self._reading() as database:
            places = dict(database.execute("SELECT place, count(*) FROM jobs GROUP BY place").fetchall())
            totals = dict(database.execute("SELECT name, sum(count) FROM days GROUP BY name").fetchall())
        return Figures(
            working=places.get("working", 0),
            scheduled=places.get("scheduled", 0),
            retries=places.get("retries", 0),
            dead=places.get("dead", 0),
            processed=totals.get("processed", 0),
            failures=totals.get("failures", 0),
        )

    async def history(self, days: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Answer the figures of each day."""
        with self._reading() as database:
            rows = database.execute("SELECT name, day, count FROM days").fetchall()
        known = {(name, day): number for name, day, number in rows}
        return [(known.get(("processed", day), 0), known.get(("failures", day), 0)) for day in days]

    async def batch_jobs(self, bid: str) -> BatchJobs:
        """List what names the batch."""
        with self._reading() as database:
            members = database.execute("SELECT jid FROM jobs WHERE bid = ? ORDER BY jid", (bid,)).fetchall()
            callbacks = database.execute("SELECT jid FROM jobs WHERE callback_bid = ? ORDER BY jid", (bid,)).fetchall()
        return BatchJobs(members=[jid for (jid,) in members], callbacks=[jid for (jid,) in callbacks])

    async def records(self, kind: str) -> dict[str, Record]:
        """List records."""
        with self._reading() as database:
            rows = database.execute("SELECT id, value, version FROM records WHERE kind = ?", (kind,)).fetchall()
        return {id: Record(value, version) for id, value, version in rows}

    async def locks(self, until: float, count: int) -> Sequence[Lock]:
        """List the locks that end first."""
        listed = "SELECT key, owner, until FROM locks WHERE until <= ? ORDER BY until, key LIMIT ?"
        with self._reading() as database:
            rows = database.execute(listed, (until, count)).fetchall()
        return [Lock(key=key, owner=owner, until=end) for key, owner, end in rows]

    async def flush(self) -> None:
        """Forget all but soft records. The ends of the queues stay: positions are never given out twice."""
        with self._writing() as database:
            for table in ("jobs", "queues", "locks", "days"):
                database.execute(f"DELETE FROM {table}")
            soft = ", ".join("?" * len(SOFT_KINDS))
            database.execute(f"DELETE FROM records WHERE kind NOT IN ({soft})", tuple(SOFT_KINDS))

    async def backup(self, target: Path) -> None:
        """Copy the file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._reading() as database, closing(sqlite3.connect(target)) as copy:
            database.backup(copy)

    async def describe(self) -> Description:
        """Say what this is."""
        return Description(
            engine="shared-file", version=sqlite3.sqlite_version, durability="commit", facts={"path": str(self._path)}
        )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._database is None:
            raise StoreUnavailable(f"{self._path} is not open")
        with _said_well():
            yield self._database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    def _transition(self, database: sqlite3.Connection, transition: Transition) -> Conflict | None:
        database.execute("SAVEPOINT transition")
        conflict = None
        for change in transition:
            reason = self._apply(database, change)
            if reason is not None:
                database.execute("ROLLBACK TO transition")
                conflict = Conflict(change, reason, find(database, change.job.jid) if isinstance(change, Put) else None)
                break
        database.execute("RELEASE transition")
        return conflict

    def _apply(self, database: sqlite3.Connection, change: Change) -> Reason | None:
        match change:
            case Put():
                return self._put(database, change)
            case Take() | Amend():
                return _change_held(database, change)
            case Note():
                return _note(database, change)
            case Claim():
                return _claim(database, change)
            case Release():
                database.execute("DELETE FROM locks WHERE key = ? AND owner = ?", (change.key, change.owner))
            case Count():
                grow = "INSERT INTO days VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"
                database.execute(grow, (change.name, change.day, change.by))
            case Pause():
                if self._know(database, change.queue, bounded=True):
                    return "queues"
                database.execute("UPDATE queues SET paused = ? WHERE name = ?", (change.paused, change.queue))
            case Clear():
                _clear(database, change)
        return None

    def _put(self, database: sqlite3.Connection, change: Put) -> Reason | None:
        job = change.job
        if find(database, job.jid) is not None:
            return "held"
        if change.place == QUEUED:
            if self._know(database, job.queue, bounded=change.new):
                return "queues"
            if change.limit and _size(database, job.queue) >= change.limit:
                return "full"
        position = next_position(database, front=change.front)
        insert(database, Held(job, change.place, change.at, position))
        return None

    def _know(self, database: sqlite3.Connection, queue: str, *, bounded: bool) -> Reason | None:
        """Make sure that a queue is known; it may be one too many."""
        if database.execute("SELECT 1 FROM queues WHERE name = ?", (queue,)).fetchone():
            return None
        ((known,),) = database.execute("SELECT count(*) FROM queues").fetchall()
        if bounded and known >= self._queues_max:
            return "queues"
        database.execute("INSERT INTO queues VALUES (?, 0)", (queue,))
        return None

    def _reserve(self, database: sqlite3.Connection, request: Reserve, now: float) -> tuple[Held, ...]:
        for queue in request.queues:
            room = _room(database, request, queue)
            if database.execute("SELECT 1 FROM queues WHERE name = ? AND paused", (queue,)).fetchone() or room < 1:
                continue
            where = "WHERE place = 'queued' AND queue = ? ORDER BY position LIMIT ?"
            if jobs := select(database, where, (queue, room)):
                return tuple([self._start(database, held, request.wid, now) for held in jobs])
        return ()

    def _start(self, database: sqlite3.Connection, held: Held, wid: str, now: float) -> Held:
        until = now + reserve_seconds(held.job, self._rules)
        start = "UPDATE jobs SET place = 'working', at = 0, wid = ?, reserved_at = ?, expires_at = ? WHERE jid = ?"
        database.execute(start, (wid, now, until, held.job.jid))
        return Held(held.job, WORKING, 0.0, held.position, wid, now, until)


@contextmanager
def _said_well() -> Iterator[None]:
    """Whatever the database cannot do now may work when it is tried again."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(str(error)) from error


def _record(database: sqlite3.Connection, kind: str, id: str) -> Record:
    row = database.execute("SELECT value, version FROM records WHERE kind = ? AND id = ?", (kind, id)).fetchone()
    return ABSENT if row is None else Record(*row)


def _note(database: sqlite3.Connection, change: Note) -> Reason | None:
    key = (change.kind, change.id)
    if _record(database, *key).version != change.expected:
        return "version"
    if change.value is None:
        database.execute("DELETE FROM records WHERE kind = ? AND id = ?", key)
    else:
        row = (*key, change.value, change.expected + 1)
        database.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", row)
    return None


def _claim(database: sqlite3.Connection, change: Claim) -> Reason | None:
    taken = "SELECT 1 FROM locks WHERE key = ? AND owner <> ? AND until > ?"
    if database.execute(taken, (change.key, change.owner, change.now)).fetchone():
        return "claimed"
    database.execute("INSERT OR REPLACE INTO locks VALUES (?, ?, ?)", (change.key, change.owner, change.until))
    return None


def _change_held(database: sqlite3.Connection, change: Take | Amend) -> Reason | None:
    held = find(database, change.jid)
    place = change.place if isinstance(change, Take) else WORKING
    if held is None or held.place != place or change.holder not in (None, held.wid):
        return "gone"
    if isinstance(change, Take):
        database.execute("DELETE FROM jobs WHERE jid = ?", (change.jid,))
    else:
        amend = "UPDATE jobs SET expires_at = max(expires_at, ?), cancelled = max(cancelled, ?) WHERE jid = ?"
        database.execute(amend, (change.expires_at, change.cancelled, change.jid))
    return None


def _clear(database: sqlite3.Connection, change: Clear) -> None:
    drop = "DELETE FROM jobs WHERE jid IN (SELECT jid FROM jobs WHERE place = ? ORDER BY at, jid LIMIT ?)"
    if change.place != QUEUED:
        database.execute(drop, (change.place, change.count))
        return
    first = "SELECT jid FROM jobs WHERE place = 'queued' AND queue = ? ORDER BY position LIMIT ?"
    database.execute(f"DELETE FROM jobs WHERE jid IN ({first})", (change.queue, change.count))
    if not _size(database, change.queue):
        database.execute("DELETE FROM queues WHERE name = ?", (change.queue,))


def _room(database: sqlite3.Connection, request: Reserve, queue: str) -> int:
    """Say how many jobs of the queue the request may get; what counts against a limit are live reservations."""
    room, limit = request.count, (request.limits or {}).get(queue)
    if limit and limit.concurrency:
        room = min(room, limit.concurrency - count(database, "WHERE place = 'working' AND queue = ?", (queue,)))
    if limit and limit.worker:
        its = "WHERE place = 'working' AND queue = ? AND wid = ?"
        room = min(room, limit.worker - count(database, its, (queue, request.wid)))
    return room


def _size(database: sqlite3.Connection, queue: str) -> int:
    return count(database, "WHERE place = 'queued' AND queue = ?", (queue,))
