"""The journal: each round's steps as one row, and how a start carries them into the other tables.

An entry is a list of what was done, each a list that begins with a code and ends with what the statement of that
code binds. So writing an entry is one insert, whatever the round did, and replaying it needs no rule.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from zlib import crc32

import apsw
import msgspec

from shopfloor.core.changes import SOFT_KINDS
from shopfloor.errors import StoreDamaged
from shopfloor.store.embedded import rows
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

PUT_RECORD: Final = "INSERT OR REPLACE INTO records (kind, id, value, version) VALUES (?, ?, ?, ?)"
DROP_RECORD: Final = "DELETE FROM records WHERE kind = ? AND id = ?"
PUT_LOCK: Final = "INSERT OR REPLACE INTO locks (key, owner, until) VALUES (?, ?, ?)"
DROP_LOCK: Final = "DELETE FROM locks WHERE key = ?"
COUNT: Final = (
    "INSERT INTO totals (name, day, count) VALUES (?, ?, ?)"
    " ON CONFLICT (name, day) DO UPDATE SET count = count + excluded.count"
)
PUT_QUEUE: Final = "INSERT OR REPLACE INTO queues (name, paused) VALUES (?, ?)"
ENTRIES: Final = "SELECT number, checksum, entry FROM journal ORDER BY number"
DROP_QUEUE: Final = "DELETE FROM queues WHERE name = ?"

_STATEMENTS: Final[tuple[str, ...]] = (
    rows.INSERT,
    rows.DELETE,
    rows.UPDATE,
    PUT_RECORD,
    DROP_RECORD,
    PUT_LOCK,
    DROP_LOCK,
    COUNT,
    PUT_QUEUE,
    DROP_QUEUE,
)
_CODE: Final[Mapping[str, int]] = {statement: code for code, statement in enumerate(_STATEMENTS)}
"""Codes are part of the file's format: a new statement goes to the end."""

Item = tuple[int, Sequence[Any]]


def _inserted(step: Inserted) -> Item:
    return 0, rows.to_row(step.held)


def _removed(step: Removed) -> Item:
    return 1, (step.held.position,)


def _reserved(step: Reserved | Amended) -> Item:
    return 2, rows.to_update(step.after)


def _noted(step: Noted) -> Item | None:
    if step.key[0] in SOFT_KINDS:
        return None
    if step.after is None:
        return _CODE[DROP_RECORD], step.key
    return _CODE[PUT_RECORD], (*step.key, step.after.value, step.after.version)


def _locked(step: Locked) -> Item:
    if step.after is None:
        return _CODE[DROP_LOCK], (step.key,)
    return _CODE[PUT_LOCK], (step.key, *step.after)


def _counted(step: Counted) -> Item:
    return _CODE[COUNT], (step.name, step.day, step.by)


_WRITERS: Final[Mapping[type[Step], Callable[[Any], Item | None]]] = {
    Inserted: _inserted,
    Removed: _removed,
    Reserved: _reserved,
    Amended: _reserved,
    Noted: _noted,
    Locked: _locked,
    Counted: _counted,
    QueueMade: lambda step: (_CODE[PUT_QUEUE], (step.queue.name, False)),
    QueueForgotten: lambda step: (_CODE[DROP_QUEUE], (step.queue.name,)),
    QueuePaused: lambda step: (_CODE[PUT_QUEUE], (step.queue.name, step.after)),
}


def to_entry(steps: Sequence[Step]) -> bytes | None:
    """Write the steps of a round; None where none of them needs to survive.

    Of a record that was written several times only the last value is kept: a busy batch is written once a round.
    """
    items: list[Item] = []
    records: dict[tuple[str, str], Item] = {}
    for step in steps:
        writer = _WRITERS.get(type(step))
        if writer is None:
            continue
        item = writer(step)
        if type(step) is Noted and item is not None:
            records[step.key] = item
        elif item is not None:
            items.append(item)
    items += records.values()
    return msgspec.msgpack.encode(items) if items else None


def append(connection: apsw.Connection, entry: bytes) -> None:
    """Add an entry, in a transaction of its own."""
    connection.execute("INSERT INTO journal (checksum, entry) VALUES (?, ?)", (crc32(entry), entry))


def replay(connection: apsw.Connection) -> int:
    """Carry the journal into the other tables and empty it, in one transaction; answer how many entries it had.

    Entries are numbered from 1 after each fold, so that one that is missing is missed.
    """
    count = jobs = 0
    with connection:
        for number, checksum, entry in connection.execute(ENTRIES):
            if number != count + 1 or crc32(entry) != checksum:
                raise StoreDamaged(f"entry {count + 1} of the journal is damaged or missing")
            for code, bindings in msgspec.msgpack.decode(entry):
                connection.execute(_STATEMENTS[code], rows.sealed(bindings) if code == 0 else bindings)
                jobs += (code == 0) - (code == 1)
            count += 1
        connection.execute(rows.COUNT, (jobs,))
        connection.execute("DELETE FROM journal")
    return count
