"""Reading a file back into memory."""

import math
from pathlib import Path
from typing import Final

import apsw

from shopfloor.core.changes import Record
from shopfloor.core.job import QUEUED, WORKING
from shopfloor.errors import StoreDamaged
from shopfloor.store.embedded import rows
from shopfloor.store.embedded.file import doubt, our_words
from shopfloor.store.embedded.shelf import FileShelf
from shopfloor.store.state.queue import Queue
from shopfloor.store.state.state import State

WARM_JOBS_MAX: Final = 4096
"""Jobs at the head of a queue whose text is kept in memory: some tenths of a second of work."""
WARM_JOBS_MIN: Final = 64


def warm_jobs(state: State, hot_jobs_max: int) -> int:
    """Say how many jobs of each queue may be warm, so that all together stay within the bound."""
    return max(WARM_JOBS_MIN, min(WARM_JOBS_MAX, hot_jobs_max // max(1, len(state.queues))))


def read_back(connection: apsw.Connection, path: Path, state: State, shelf: FileShelf, hot_jobs_max: int) -> None:
    """Fill an empty state with what the file says; raise `StoreDamaged` where it contradicts itself."""
    with our_words(path), doubt(path):
        _check_small_tables(connection)
        for name, paused in connection.execute("SELECT name, paused FROM queues"):
            queue = state.queues[name] = Queue(name)
            queue.paused = bool(paused)
        for kind, identity, value, version in connection.execute("SELECT kind, id, value, version FROM records"):
            state.records.setdefault(kind, {})[identity] = Record(value, version)
        for key, owner, until in connection.execute("SELECT key, owner, until FROM locks"):
            state.set_lock(key, (owner, until))
        for name, day, count in connection.execute("SELECT name, day, count FROM totals"):
            state.days[name, day] = count
            state.totals[name] += count
        _read_jobs(connection, state, shelf, hot_jobs_max)


def _check_small_tables(connection: apsw.Connection) -> None:
    """Jobs have checksums and are counted; what the other tables have lost shows in how their pages are filled."""
    for table in ("queues", "records", "locks", "totals", "marks"):
        (problem,), *_ = connection.execute(f"PRAGMA integrity_check({table})")
        if problem != "ok":
            raise StoreDamaged(f"table {table}: {problem}")


def _read_jobs(connection: apsw.Connection, state: State, shelf: FileShelf, hot_jobs_max: int) -> None:
    queues, jobs = state.queues, state.jobs
    warm = warm_jobs(state, hot_jobs_max)
    count, last = 0, -math.inf
    for row in connection.execute(f"SELECT {rows.COLUMNS} FROM jobs ORDER BY position"):
        position, place, name, at, jid = row[0], row[1], row[2], row[3], row[8]
        if position <= last:
            raise StoreDamaged(f"the row of job {jid} is out of order")
        count, last = count + 1, position
        if place == QUEUED:
            queue = queues.get(name)
            if queue is None:
                raise StoreDamaged(f"job {jid} is in queue {name}, which is not known")
            if queue.warm >= warm and shelf.put(jid, position):
                queue.entries.append(position)
                queue.size += 1
                _index(state, row)
                continue
        elif place != WORKING and len(jobs) >= hot_jobs_max and shelf.put(jid, position):
            state.timed[place].add((at, jid))
            _index(state, row)
            continue
        state.place(rows.from_row(row))
    ((counted,),) = connection.execute(rows.COUNTED)
    if count != counted:
        raise StoreDamaged(f"there are {count} jobs where {counted} should be")
    state.front = min(0, next(connection.execute("SELECT min(position) FROM jobs"))[0] or 0)
    state.back = max(0, next(connection.execute("SELECT max(position) FROM jobs"))[0] or 0)


def _index(state: State, row: rows.Row) -> None:
    """Index a job on the shelf by its batch, like any other; most have no `custom` and need not be read."""
    if b'"custom":' in row[-1]:
        state.join(rows.from_row(row).job)
