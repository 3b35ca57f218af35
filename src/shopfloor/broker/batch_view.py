"""Looking at batches: the list, one with all below it, and what each is waiting for."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.core import batch
from shopfloor.core.batch import BATCH, Batch
from shopfloor.core.changes import Record
from shopfloor.core.job import Held
from shopfloor.errors import Refused
from shopfloor.store.port import BatchJobs

NAMED_MAX = 10
"""Jobs and batches named as blockers; the rest are counted."""


class BatchView:
    """Questions about batches; nothing changes."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(self) -> Verb[Sequence[dict[str, Any]]]:
        """Describe every batch, the newest first."""
        known = yield from self._all()
        return [_told(one) for one in sorted(known.values(), key=lambda one: -one.created_at)]

    def show(self, bid: str) -> Verb[dict[str, Any]]:
        """Describe a batch, the batches below it, and what it waits for."""
        known = yield from self._all()
        if bid not in known:
            raise Refused(f"no such batch {bid}")
        return (yield from self._tree(known[bid], _by_parent(known.values())))

    def _tree(self, one: Batch, children: Mapping[str, Sequence[Batch]]) -> Verb[dict[str, Any]]:
        told = _told(one)
        below = children.get(one.bid, [])
        told["waits_for"] = yield from self._blockers(one, below)
        told["children"] = []
        for child in below:
            told["children"].append((yield from self._tree(child, children)))
        return told

    def _blockers(self, one: Batch, below: Sequence[Batch]) -> Verb[Sequence[str]]:
        """Say in words what has to happen before the batch moves on."""
        if batch.standing(one) in ("succeeded", "lost"):
            return []
        reasons: list[str] = [] if one.committed else ["it is open: BATCH COMMIT"]
        held: BatchJobs = yield Query(partial(self._context.store.batch_jobs, one.bid))
        loaded = yield Load((*held.members[: NAMED_MAX * 10], *held.callbacks))
        members = [found for jid in held.members if (found := loaded.jobs.get(jid)) and not found.job.counted]
        reasons += [f"member {_where(found)}" for found in members[:NAMED_MAX]]
        if one.pending > NAMED_MAX:
            reasons.append(f"{one.pending} members in all that were not executed yet")
        retrying = [found for jid in held.members if (found := loaded.jobs.get(jid)) and found.job.counted]
        reasons += [f"success waits for member {_where(found)}" for found in retrying[:NAMED_MAX]]
        reasons += [f"callback {_where(found)}" for jid in held.callbacks if (found := loaded.jobs.get(jid))]
        reasons += [f"batch {child.bid} is open" for child in below[:NAMED_MAX] if batch.standing(child) == "open"]
        return reasons

    def _all(self) -> Verb[dict[str, Batch]]:
        records: dict[str, Record] = yield Query(partial(self._context.store.records, BATCH))
        return {bid: batch.decode(record.value) for bid, record in records.items() if record.value is not None}


def _by_parent(known: Iterable[Batch]) -> dict[str, list[Batch]]:
    """Sort batches under the one that each is nested in, or a callback of, the oldest first."""
    children: dict[str, list[Batch]] = {}
    for one in sorted(known, key=lambda one: one.created_at):
        children.setdefault(one.parent_bid or one.origin_bid, []).append(one)
    return children


def _told(one: Batch) -> dict[str, Any]:
    extra = {
        "standing": batch.standing(one),
        "committed": one.committed,
        "executed": one.executed,
        "succeeded": one.succeeded,
        "lost": one.lost,
        "children_open": one.children_open,
        "death_st": one.death_st,
    }
    return batch.status(one) | extra


def _where(held: Held) -> str:
    """Name a job and where it is."""
    what = f"{held.job.jid} ({held.job.jobtype}) is {held.place}"
    if held.place == "working":
        return f"{what} at worker {held.wid or 'without a wid'}"
    return f"{what} in {held.job.queue}" if held.place == "queued" else what
