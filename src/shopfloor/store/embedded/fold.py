"""Folding: what the journal says of a stretch of time, and writing what of it still counts to the tables."""

from collections.abc import Sequence
from typing import Any, Final

import apsw

from shopfloor.core.changes import Record
from shopfloor.core.job import WORKING, Held
from shopfloor.store.embedded import rows
from shopfloor.store.embedded.entries import Reservation, Round

PUT_RECORD: Final = "INSERT OR REPLACE INTO records (kind, id, value, version) VALUES (?, ?, ?, ?)"
DROP_RECORD: Final = "DELETE FROM records WHERE kind = ? AND id = ?"
PUT_LOCK: Final = "INSERT OR REPLACE INTO locks (key, owner, until) VALUES (?, ?, ?)"
DROP_LOCK: Final = "DELETE FROM locks WHERE key = ?"
PUT_TOTAL: Final = "INSERT OR REPLACE INTO totals (name, day, count) VALUES (?, ?, ?)"
PUT_QUEUE: Final = "INSERT OR REPLACE INTO queues (name, paused) VALUES (?, ?)"
DROP_QUEUE: Final = "DELETE FROM queues WHERE name = ?"


class Touched:
    """What some rounds in a row come to, as of the last of them; jobs that came and went meanwhile are not in it."""

    def __init__(self) -> None:
        self.fresh: dict[int, Held] = {}
        """Jobs by position that had no row before, as they came; `changed` may have their reservation."""
        self.changed: dict[int, Reservation] = {}
        self.gone: set[int] = set()
        """Positions of jobs that left and were here before."""
        self.totals: dict[tuple[str, str], int] = {}
        self.records: dict[tuple[str, str], Record | None] = {}
        self.locks: dict[str, tuple[str, float] | None] = {}
        self.queues: dict[str, bool | None] = {}

    def note(self, later: "Round | Touched") -> None:
        """Then this was done, by a round or by several."""
        fresh, changed = self.fresh, self.changed
        fresh.update(later.fresh)
        changed.update(later.changed)
        for position in later.gone:
            changed.pop(position, None)
            if fresh.pop(position, None) is None:
                self.gone.add(position)
        if later.totals:
            self.totals.update(later.totals)
        if later.records:
            self.records.update(later.records)
        if later.locks:
            self.locks.update(later.locks)
        if later.queues:
            self.queues.update(later.queues)

    def jobs(self) -> list[Held]:
        """List the jobs that want a row."""
        return [reserved(held, self.changed.get(position)) for position, held in self.fresh.items()]

    def reservations(self) -> list[Reservation]:
        """List what is to be changed in rows that were there before."""
        return [reservation for position, reservation in self.changed.items() if position not in self.fresh]


class Fold:
    """A stretch of time on its way into the tables, in as many slices as one likes; the last one has `small` as well.

    `newer` is what came right behind it. A job that left then gets no row, and what has a newer reservation gets that:
    whoever replays those entries comes to the same end. So they must be on the disk before a slice is.
    """

    def __init__(self, touched: Touched, newer: Touched | None = None) -> None:
        later = newer or Touched()
        unborn = later.gone & touched.fresh.keys()
        later.gone -= unborn
        self.small = touched
        self.deletes = list(touched.gone)
        self.jobs = [
            reserved(held, later.changed.pop(position, None) or touched.changed.get(position))
            for position, held in touched.fresh.items()
            if position not in unborn
        ]
        self.updates = [
            reservation
            for reservation in touched.reservations()
            if reservation[-1] not in later.gone and reservation[-1] not in later.changed
        ]
        self.size = len(self.deletes) + len(self.jobs) + len(self.updates)
        self.done = 0

    def write(self, connection: apsw.Connection, begin: int, end: int) -> list[Held]:
        """Bring the rows of jobs up to date, those from `begin` to `end`; answer the jobs that got one."""
        deletes, begin, end = _part(self.deletes, begin, end)
        jobs, begin, end = _part(self.jobs, begin, end)
        updates, _, _ = _part(self.updates, begin, end)
        if deletes:
            connection.executemany(rows.DELETE, [(position,) for position in deletes])
        if jobs:
            connection.executemany(rows.INSERT, map(rows.to_row, jobs))
        if updates:
            connection.executemany(rows.UPDATE, updates)
        if len(jobs) != len(deletes):
            connection.execute(rows.COUNT, (len(jobs) - len(deletes),))
        return jobs

    def rest(self) -> "Fold":
        """What is still to be written, as something of its own."""
        rest = Fold(Touched())
        rest.small = self.small
        rest.deletes, begin, end = _part(self.deletes, self.done, self.size)
        rest.jobs, begin, end = _part(self.jobs, begin, end)
        rest.updates, _, _ = _part(self.updates, begin, end)
        rest.size = self.size - self.done
        return rest


def reserved(held: Held, reservation: Reservation | None) -> Held:
    """Answer a job as it is with a reservation."""
    if reservation is None:
        return held
    wid, reserved_at, expires_at, cancelled, position = reservation
    return Held(held.job, WORKING, 0.0, position, wid, reserved_at, expires_at, cancelled)


def replay(connection: apsw.Connection, touched: Touched) -> None:
    """Carry a journal into tables that may have a part of it already: a fold may have been under way."""
    before = connection.total_changes()
    stale = [(position,) for position in (*touched.gone, *touched.fresh)]
    connection.executemany(rows.DELETE, stale)
    removed = connection.total_changes() - before
    jobs = touched.jobs()
    connection.executemany(rows.INSERT, map(rows.to_row, jobs))
    connection.executemany(rows.UPDATE, touched.reservations())
    connection.execute(rows.COUNT, (len(jobs) - removed,))
    write_small(connection, touched)


def write_small(connection: apsw.Connection, touched: Touched) -> None:
    """Write everything that is not a job."""
    for key, record in touched.records.items():
        if record is None:
            connection.execute(DROP_RECORD, key)
        else:
            connection.execute(PUT_RECORD, (*key, record.value, record.version))
    for name, lock in touched.locks.items():
        if lock is None:
            connection.execute(DROP_LOCK, (name,))
        else:
            connection.execute(PUT_LOCK, (name, *lock))
    for name, paused in touched.queues.items():
        if paused is None:
            connection.execute(DROP_QUEUE, (name,))
        else:
            connection.execute(PUT_QUEUE, (name, paused))
    for day, count in touched.totals.items():
        connection.execute(PUT_TOTAL, (*day, count))


def _part(items: Sequence[Any], begin: int, end: int) -> tuple[list[Any], int, int]:
    """Cut a part out of the first of several lists that follow each other; answer what it is in those behind."""
    length = len(items)
    return list(items[max(0, begin) : max(0, end)]), begin - length, end - length
