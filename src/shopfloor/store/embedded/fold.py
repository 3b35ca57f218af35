"""Folding: what the journal touched since the last fold, and writing what of it still exists to the tables."""

from collections.abc import Sequence

import apsw

from shopfloor.core.changes import SOFT_KINDS
from shopfloor.core.job import Held
from shopfloor.store.embedded import journal, rows
from shopfloor.store.state.state import State
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


class Touched:
    """What the tables do not say yet, because only the journal has it."""

    def __init__(self) -> None:
        self.fresh: dict[int, str] = {}
        """Jobs by position that have no row."""
        self.changed: dict[int, str] = {}
        """Jobs by position whose row is out of date."""
        self.gone: list[int] = []
        """Positions whose row is to be deleted."""
        self.records: set[tuple[str, str]] = set()
        self.locks: set[str] = set()
        self.totals: set[tuple[str, str]] = set()
        self.queues: set[str] = set()
        self.steps = 0

    def note(self, steps: Sequence[Step]) -> None:
        """The journal got these steps."""
        self.steps += len(steps)
        for step in steps:
            kind = type(step)
            if kind is Inserted:
                self.fresh[step.held.position] = step.held.job.jid  # type: ignore[union-attr]
            elif kind is Reserved or kind is Amended:
                after: Held = step.after  # type: ignore[union-attr, assignment]
                if after.position not in self.fresh:
                    self.changed[after.position] = after.job.jid
            elif kind is Removed:
                self._removed(step.held.position)  # type: ignore[union-attr]
            elif kind is Counted:
                self.totals.add((step.name, step.day))  # type: ignore[union-attr]
            else:
                self._noted(step)

    def write(self, connection: apsw.Connection, state: State) -> list[Held]:
        """Bring the tables up to date and empty the journal, in one transaction; answer the jobs that got a row."""
        fresh = [held for position, jid in self.fresh.items() if _is_at(held := state.jobs[jid], position)]
        changed = [held for position, jid in self.changed.items() if _is_at(held := state.jobs[jid], position)]
        with connection:
            connection.executemany(rows.DELETE, [(position,) for position in self.gone])
            connection.executemany(rows.INSERT, [rows.sealed(rows.to_row(held)) for held in fresh])
            connection.executemany(rows.UPDATE, map(rows.to_update, changed))
            connection.execute(rows.COUNT, (len(fresh) - len(self.gone),))
            self._write_small(connection, state)
            connection.execute("DELETE FROM journal")
        return fresh

    def _write_small(self, connection: apsw.Connection, state: State) -> None:
        for key in self.records:
            record = state.record(*key)
            if record.value is None:
                connection.execute(journal.DROP_RECORD, key)
            else:
                connection.execute(journal.PUT_RECORD, (*key, record.value, record.version))
        for name in self.locks:
            lock = state.locks.get(name)
            if lock is None:
                connection.execute(journal.DROP_LOCK, (name,))
            else:
                connection.execute(journal.PUT_LOCK, (name, *lock))
        for name in self.queues:
            queue = state.queues.get(name)
            if queue is None:
                connection.execute(journal.DROP_QUEUE, (name,))
            else:
                connection.execute(journal.PUT_QUEUE, (name, queue.paused))
        for total, day in self.totals:
            count = state.days[total, day]
            connection.execute(PUT_TOTAL, (total, day, count))

    def _removed(self, position: int) -> None:
        if self.fresh.pop(position, None) is None:
            self.changed.pop(position, None)
            self.gone.append(position)

    def _noted(self, step: Step) -> None:
        match step:
            case Noted():
                if step.key[0] not in SOFT_KINDS:
                    self.records.add(step.key)
            case Locked():
                self.locks.add(step.key)
            case QueueMade() | QueueForgotten() | QueuePaused():
                self.queues.add(step.queue.name)


PUT_TOTAL = "INSERT OR REPLACE INTO totals (name, day, count) VALUES (?, ?, ?)"


def _is_at(held: Held, position: int) -> bool:
    assert held.position == position
    return True
