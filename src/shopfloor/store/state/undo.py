"""How each step is undone. Steps are undone in reverse, so that each finds the tables as it left them."""

from collections.abc import Callable, Mapping

from shopfloor.core.job import QUEUED, WORKING
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
    Skipped,
    Step,
    Thawed,
)
from shopfloor.store.state.tables import Tables


def undo(tables: Tables, step: Step) -> None:
    """Take back one step."""
    _UNDO[type(step)](tables, step)


def _inserted(tables: Tables, step: Inserted) -> None:
    held = step.held
    del tables.jobs[held.job.jid]
    tables.leave(held.job)
    if held.place != QUEUED:
        assert held.place != WORKING
        tables.timed[held.place].remove((held.at, held.job.jid))
        return
    queue = tables.queues[held.job.queue]
    entry = queue.entries.popleft() if step.front else queue.entries.pop()
    assert entry is held
    queue.size -= 1
    queue.warm -= 1


def _removed(tables: Tables, step: Removed) -> None:
    held = step.held
    tables.join(held.job)
    if step.shelved:
        tables.shelf.restore(held)
    else:
        tables.jobs[held.job.jid] = held
    if held.place == QUEUED:
        tables.queues[held.job.queue].restore(held, popped=step.popped, shelved=step.shelved)
    elif held.place == WORKING:
        tables.start(held)
    else:
        tables.timed[held.place].add((held.at, held.job.jid))


def _reserved(tables: Tables, step: Reserved) -> None:
    tables.stop(step.after)
    tables.jobs[step.before.job.jid] = step.before
    tables.queues[step.before.job.queue].appendleft(step.before)


def _amended(tables: Tables, step: Amended) -> None:
    jid = step.before.job.jid
    tables.jobs[jid] = tables.working[jid] = step.before


def _noted(tables: Tables, step: Noted) -> None:
    kind, identity = step.key
    if step.before is None:
        tables.records[kind].pop(identity, None)
    else:
        tables.records[kind][identity] = step.before


def _locked(tables: Tables, step: Locked) -> None:
    tables.set_lock(step.key, step.before)


def _counted(tables: Tables, step: Counted) -> None:
    tables.totals[step.name] -= step.by
    tables.days[step.name, step.day] -= step.by


def _queue_made(tables: Tables, step: QueueMade) -> None:
    del tables.queues[step.queue.name]


def _queue_forgotten(tables: Tables, step: QueueForgotten) -> None:
    tables.queues[step.queue.name] = step.queue


def _queue_paused(tables: Tables, step: QueuePaused) -> None:
    step.queue.paused = step.before


def _skipped(tables: Tables, step: Skipped) -> None:
    step.queue.entries.appendleft(step.entry)
    step.queue.warm += not isinstance(step.entry, int)


def _thawed(tables: Tables, step: Thawed) -> None:
    entries = step.queue.entries
    for held in step.jobs:
        entry = entries.popleft()
        assert entry is held
        del tables.jobs[held.job.jid]
        tables.shelf.restore(held)
    entries.extendleft(reversed(step.positions))
    step.queue.warm -= len(step.jobs)


_UNDO: Mapping[type[Step], Callable[..., None]] = {
    Inserted: _inserted,
    Removed: _removed,
    Reserved: _reserved,
    Amended: _amended,
    Noted: _noted,
    Locked: _locked,
    Counted: _counted,
    QueueMade: _queue_made,
    QueueForgotten: _queue_forgotten,
    QueuePaused: _queue_paused,
    Skipped: _skipped,
    Thawed: _thawed,
}
