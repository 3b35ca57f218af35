"""A round that is looked at closely, because it is not simple or one of its changes is not possible.

No other round runs meanwhile. What the changes touch is read into a `State`, the one that the memory store is; each
transition finds its outcome there, and the steps that were taken add up to a plan. The part that is read is small, so
what a state counts (the queues that there are, the jobs in a queue) is set to what the tables say.
"""

from collections.abc import Sequence
from typing import Any, Final

from shopfloor.core.changes import Amend, Claim, Clear, Conflict, Note, Pause, Put, Release, Take, Transition
from shopfloor.core.job import QUEUED, WORKING, Held
from shopfloor.core.lifecycle import Rules
from shopfloor.store.postgres.line import Connection
from shopfloor.store.postgres.plan import Plan, Written
from shopfloor.store.postgres.rows import HELD, from_text, to_held, to_record, to_text
from shopfloor.store.state.queue import Queue
from shopfloor.store.state.shelf import NoShelf
from shopfloor.store.state.state import State
from shopfloor.store.state.steps import Amended, Counted, Inserted, Locked, Noted, Removed, Step

JOBS: Final = f"SELECT {HELD} WHERE j.jid = ANY ($1)"
HEADS: Final = f"""
    SELECT {HELD} WHERE j.jid = ANY (ARRAY(SELECT jid FROM ready WHERE queue = $1 ORDER BY position LIMIT $2))"""
EARLIEST: Final = f"""
    SELECT {HELD} WHERE j.jid = ANY (
        ARRAY(SELECT jid FROM jobs WHERE place = $1 AND place <> 'queued' ORDER BY place, at, jid LIMIT $2))"""
RUNNING: Final = f"SELECT {HELD} WHERE j.jid = ANY (ARRAY(SELECT jid FROM working LIMIT $1))"
QUEUES: Final = """
    SELECT q.name, q.paused, coalesce(f.value, 0) AS size
    FROM queues AS q LEFT JOIN figures AS f ON f.name = 'queue:' || q.name WHERE q.name = ANY ($1)"""
RECORDS: Final = """
    SELECT r.kind, r.id, r.version, r.value FROM unnest($1::text[], $2::text[]) AS k (kind, id)
    JOIN records AS r ON r.kind = k.kind AND r.id = k.id"""
LOCKS: Final = "SELECT key, owner, until FROM locks WHERE key = ANY ($1)"


async def decide(
    connection: Connection, transitions: Sequence[Transition], rules: Rules, queues_max: int
) -> tuple[list[Conflict | None], Plan]:
    """Find the outcome of each transition, and what those that are possible come to."""
    state = State(rules, NoShelf(), queues_max)
    await _read(connection, state, transitions)
    before = {name: queue.paused for name, queue in state.queues.items()}
    outcomes = list(state.commit(transitions, (), 0.0).outcomes)
    plan = _plan(state.steps)
    after = {name: queue.paused for name, queue in state.queues.items()}
    plan.paused = {name: paused for name, paused in after.items() if before.get(name) is not paused}
    plan.forgotten = [name for name in before if name not in after]
    return outcomes, plan


async def _read(connection: Connection, state: State, transitions: Sequence[Transition]) -> None:
    changes = [change for transition in transitions for change in transition]
    jids = {change.job.jid for change in changes if type(change) is Put}
    jids |= {change.jid for change in changes if isinstance(change, Take | Amend)}
    found = {held.job.jid: held for held in map(to_held, await connection.fetch(JOBS, [*map(to_text, jids)]))}
    for change in changes:
        if type(change) is Clear:
            count = sum(one.count for one in changes if type(one) is Clear) + len(jids)
            found |= {held.job.jid: held for held in await _first(connection, change, count)}
    names = {held.job.queue for held in found.values() if held.place == QUEUED}
    names |= {change.queue for change in changes if type(change) is Pause or (type(change) is Clear and change.queue)}
    names |= {change.job.queue for change in changes if type(change) is Put and change.place == QUEUED}
    await _read_queues(connection, state, names, found.values())
    await _read_small(connection, state, changes)


async def _first(connection: Connection, change: Clear, count: int) -> list[Held]:
    """Read the jobs that a Clear may take, and as many more as others may have taken before it."""
    if change.place == QUEUED:
        rows = await connection.fetch(HEADS, to_text(change.queue), count)
    elif change.place == WORKING:
        rows = await connection.fetch(RUNNING, count)
    else:
        rows = await connection.fetch(EARLIEST, change.place, count)
    return list(map(to_held, rows))


async def _read_queues(connection: Connection, state: State, names: set[str], jobs: Any) -> None:
    """Let the queues have the jobs that were read, and then the size that they really have."""
    if names:
        rows = await connection.fetch(QUEUES, [*map(to_text, names)])
        others = await connection.fetchval("SELECT count(*) FROM queues") - len(rows)
        state.queues_max -= others
        sizes: dict[str, int] = {}
        for row in rows:
            name = from_text(row["name"])
            state.queues[name] = queue = Queue(name)
            queue.paused, sizes[name] = row["paused"], row["size"]
        for held in sorted(jobs, key=lambda held: held.position):
            state.place(held)
        for name, size in sizes.items():
            state.queues[name].size = size
    else:
        for held in jobs:
            state.place(held)


async def _read_small(connection: Connection, state: State, changes: Sequence[Any]) -> None:
    keys = {(change.kind, change.id) for change in changes if type(change) is Note}
    if keys:
        asked = [*zip(*keys, strict=True)]
        rows = await connection.fetch(RECORDS, list(asked[0]), [*map(to_text, asked[1])])
        for row in rows:
            state.records.setdefault(row["kind"], {})[from_text(row["id"])] = to_record(row)
    locks = {change.key for change in changes if type(change) in (Claim, Release)}
    if locks:
        for row in await connection.fetch(LOCKS, [*map(to_text, locks)]):
            state.set_lock(from_text(row["key"]), (from_text(row["owner"]), row["until"]))


def _plan(steps: Sequence[Step]) -> Plan:
    """Add steps up: what is there before and after counts, and nothing in between."""
    plan = Plan()
    noted: dict[tuple[str, str], Noted] = {}
    locked: dict[str, Locked] = {}
    for step in steps:
        match step:
            case Inserted(held, front):
                plan.puts[held.job.jid] = Put(held.job, held.place, held.at, front)
            case Removed(held):
                _leave(plan, held)
            case Amended(_, after):
                jid = after.job.jid
                plan.amends[jid] = Amend(jid, None, after.expires_at, after.cancelled)
            case Noted(key, before, after):
                noted[key] = Noted(key, noted[key].before if key in noted else before, after)
            case Locked(key, before, after):
                locked[key] = Locked(key, locked[key].before if key in locked else before, after)
            case Counted(name, day, by):
                plan.count(f"total:{name}", by)
                plan.count(f"day:{name}:{day}", by)
    _add_small(plan, noted, locked)
    return plan


def _leave(plan: Plan, held: Held) -> None:
    """A job left: if it came in this very round, it was never there."""
    jid = held.job.jid
    plan.amends.pop(jid, None)
    if plan.puts.pop(jid, None) is None:
        plan.takes[jid] = Take(jid, held.place)


def _add_small(plan: Plan, noted: dict[tuple[str, str], Noted], locked: dict[str, Locked]) -> None:
    for key, note in noted.items():
        expected = 0 if note.before is None else note.before.version
        if note.after is not None:
            plan.notes[key] = Written(expected, note.after.value, note.after.version)
        elif expected:
            plan.notes[key] = Written(expected, None, 0)
    plan.claims_at = float("inf")
    for name, lock in locked.items():
        if lock.after is not None:
            plan.claims[name] = lock.after
        elif lock.before is not None:
            plan.releases[name] = lock.before[0]
