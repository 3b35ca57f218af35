"""Batches: jobs that are followed by callbacks when all of them are through (reference 4.1).

A batch is a record of counts. Whoever finishes a member writes the new counts, and the callback that they make due, in
the same transition that finishes the member: nothing can come between, and nothing can be left behind.

    open --COMMIT--> committed --all executed--> complete callback --acknowledged--> success callback --> settled
      ^                  |
      +------OPEN--------+        only until the first callback is enqueued

`complete` is due when every member was executed at least once and no child is open; `success` when in addition every
member and every child succeeded and the `complete` callback was acknowledged. A member that dies, is discarded, expires
or is cancelled counts as executed and is *lost*: `success` then never comes, `death` (an extension) comes once.
"""

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from shopfloor.core.facts import Callback
from shopfloor.core.job import NOTHING
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import Refused

BATCH = "batch"
"""The kind of record under which batches are noted."""

Standing = Literal["open", "complete", "succeeded", "lost"]
"""What a batch is to its parent: still open; through, with retries going on; all well; or with members lost."""

Fired = Literal["", "1", "2"]
"""A callback: not enqueued, enqueued, acknowledged (reference 4.1, BATCH STATUS)."""


DEPTH_MAX = 100
"""How deep batches may nest: the end of the innermost one is carried up, level by level, in one step."""


class Batch(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One batch. The counts are of its own members and children, not of theirs."""

    bid: str
    parent_bid: str = ""
    depth: int = 0
    """How many batches it is nested in."""
    description: str = ""
    created_at: float
    changed_at: float
    deadline: float = 0.0
    """When its unfinished members are cancelled, seconds since 1970; 0 is never."""
    committed: bool = False
    total: int = 0
    executed: int = 0
    """Members that were acknowledged, failed or lost at least once."""
    succeeded: int = 0
    failed: int = 0
    """Members that failed and have not succeeded since."""
    lost: int = 0
    children: int = 0
    children_open: int = 0
    children_succeeded: int = 0
    children_lost: int = 0
    complete: Raw = NOTHING
    success: Raw = NOTHING
    death: Raw = NOTHING
    """What is enqueued: the JSON of a job, or of a batch with jobs of its own."""
    complete_st: Fired = ""
    success_st: Fired = ""
    death_st: Fired = ""
    origin_bid: str = ""
    """The batch of which this one is a callback, and which callback it is."""
    origin_callback: Callback | None = None

    @property
    def pending(self) -> int:
        """Members that were not executed yet."""
        return self.total - self.executed

    @property
    def completing(self) -> bool:
        """Whether a callback was enqueued: nothing can be added any more."""
        return bool(self.complete_st or self.success_st)

    @property
    def all_well(self) -> bool:
        """Whether every member and every child succeeded."""
        return not self.lost and self.succeeded >= self.total and self.children_succeeded == self.children


Step = Callable[[Batch], Batch]
"""What happens to a batch."""


def standing(batch: Batch) -> Standing:
    """Say what the batch is to its parent."""
    if not batch.committed or batch.total != batch.executed or batch.children_open:
        return "open"
    if batch.complete is not NOTHING and batch.complete_st != "2":
        return "open"
    if batch.lost or batch.children_lost:
        return "lost"
    if not batch.all_well:
        return "complete"
    return "open" if batch.success is not NOTHING and batch.success_st != "2" else "succeeded"


def advance(batch: Batch) -> tuple[Batch, tuple[Callback, ...]]:
    """Mark the callbacks that have become due as enqueued, and name them."""
    if not batch.committed:
        return batch, ()
    due: list[Callback] = []
    if (batch.lost or batch.children_lost) and batch.death is not NOTHING and not batch.death_st:
        due.append("death")
        batch = msgspec.structs.replace(batch, death_st="1")
    if batch.total != batch.executed or batch.children_open:
        return batch, tuple(due)
    if batch.complete is not NOTHING and not batch.complete_st:
        due.append("complete")
        return msgspec.structs.replace(batch, complete_st="1"), tuple(due)
    ready = batch.complete is NOTHING or batch.complete_st == "2"
    if ready and batch.all_well and batch.success is not NOTHING and not batch.success_st:
        due.append("success")
        batch = msgspec.structs.replace(batch, success_st="1")
    return batch, tuple(due)


def with_member(batch: Batch, now: float, *, strict: bool) -> Batch:
    """A job is pushed into the batch; refused where nothing can be added."""
    check_open(batch, "push into", strict=strict)
    return msgspec.structs.replace(batch, total=batch.total + 1, changed_at=now)


def with_child(batch: Batch, now: float, *, strict: bool) -> Batch:
    """A batch is made under this one; refused where nothing can be added."""
    check_open(batch, "make a batch under", strict=strict)
    return msgspec.structs.replace(
        batch, children=batch.children + 1, children_open=batch.children_open + 1, changed_at=now
    )


def check_open(batch: Batch, what: str, *, strict: bool) -> None:
    """Raise `Refused` where a batch takes nothing more; the lenient rule takes everything at any time."""
    if strict and batch.completing:
        raise Refused(f"cannot {what} batch {batch.bid}: its {_first_fired(batch)} callback was already enqueued")
    if strict and batch.committed:
        raise Refused(f"cannot {what} batch {batch.bid}: it is committed; open it first")


def nested(made: Batch, parent: Batch) -> Batch:
    """Put a new batch under its parent; refused where it would be nested too deeply."""
    if parent.depth + 1 > DEPTH_MAX:
        raise Refused(f"cannot make a batch under batch {parent.bid}: batches nest at most {DEPTH_MAX} deep")
    return msgspec.structs.replace(made, depth=parent.depth + 1)


def opened(batch: Batch, now: float, *, strict: bool) -> Batch:
    """OPEN: more can be added until the next COMMIT."""
    if strict and batch.completing:
        raise Refused(f"cannot open batch {batch.bid}: its {_first_fired(batch)} callback was already enqueued")
    return msgspec.structs.replace(batch, committed=False, changed_at=now)


def committed(batch: Batch, now: float) -> Batch:
    """COMMIT: callbacks may come from now on."""
    return msgspec.structs.replace(batch, committed=True, changed_at=now)


def member_succeeded(batch: Batch, *, counted: bool) -> Batch:
    """A member was acknowledged; `counted` says that it was executed before."""
    if not counted:
        return msgspec.structs.replace(batch, executed=batch.executed + 1, succeeded=batch.succeeded + 1)
    return msgspec.structs.replace(batch, succeeded=batch.succeeded + 1, failed=max(0, batch.failed - 1))


def member_failed(batch: Batch, *, counted: bool) -> Batch:
    """A member failed and is tried again."""
    return msgspec.structs.replace(batch, executed=batch.executed + (not counted), failed=batch.failed + (not counted))


def member_lost(batch: Batch, *, counted: bool) -> Batch:
    """A member died, expired, or was discarded or cancelled."""
    return msgspec.structs.replace(
        batch,
        executed=batch.executed + (not counted),
        failed=batch.failed + (not counted),
        lost=batch.lost + 1,
    )


def acknowledged(batch: Batch, callback: Callback) -> Batch:
    """A callback was acknowledged; nothing happens where it is not one that was enqueued."""
    if getattr(batch, f"{callback}_st") != "1":
        return batch
    if callback == "complete":
        return msgspec.structs.replace(batch, complete_st="2")
    if callback == "success":
        return msgspec.structs.replace(batch, success_st="2")
    return msgspec.structs.replace(batch, death_st="2")


def child_moved(parent: Batch, before: Standing, after: Standing) -> Batch:
    """A child's standing changed: the parent counts its children by that."""
    moves = {state: (after == state) - (before == state) for state in ("open", "succeeded", "lost")}
    return msgspec.structs.replace(
        parent,
        children_open=parent.children_open + moves["open"],
        children_succeeded=parent.children_succeeded + moves["succeeded"],
        children_lost=parent.children_lost + moves["lost"],
    )


def child_withdrawn(parent: Batch) -> Batch:
    """A child that nobody put anything into, nor committed, is forgotten: as if it had never been made."""
    return msgspec.structs.replace(parent, children=parent.children - 1, children_open=parent.children_open - 1)


def callback_lost(batch: Batch, callback: Callback) -> Batch:
    """A callback died, or was discarded or cancelled: the batch is through all the same, and never a success."""
    through = acknowledged(batch, callback)
    return through if through is batch else msgspec.structs.replace(through, lost=through.lost + 1)


def is_through(batch: Batch) -> bool:
    """Say whether nothing more can come of the batch: all is well, or can no longer be."""
    return standing(batch) in ("succeeded", "lost")


def blank(batch: Batch) -> Batch:
    """Answer what a batch is before it is made: open, as its parent counts it at first."""
    return msgspec.structs.replace(batch, committed=False)


def origin_step(batch: Batch, end: Standing) -> Step:
    """Answer what the end of a declared callback does to the batch that declared it."""

    def step(before: Batch) -> Batch:
        callback = batch.origin_callback
        assert callback is not None
        return acknowledged(before, callback) if end == "succeeded" else callback_lost(before, callback)

    return step


def is_over(batch: Batch, now: float, open_seconds: float, kept_seconds: float) -> bool:
    """Say whether a batch can be forgotten: settled long ago, or left open too long."""
    if not batch.committed:
        return now - batch.changed_at > open_seconds
    return is_through(batch) and now - batch.changed_at > kept_seconds


def without_deadline(batch: Batch) -> Batch:
    """Its members are cancelled now, which is done once."""
    return msgspec.structs.replace(batch, deadline=0.0)


def members_missing(batch: Batch, held: int, waiting: int) -> Batch:
    """Members are gone although nobody counted them: they count as lost, so that the batch goes on.

    `held` is how many there are, `waiting` how many of these were not executed yet. What was lost and is held all the
    same (in the dead set) makes the difference smaller, never larger.
    """
    gone = max(0, batch.total - batch.succeeded - batch.lost - held, batch.pending - waiting)
    not_executed = max(0, batch.pending - waiting)
    return msgspec.structs.replace(batch, executed=batch.executed + not_executed, lost=batch.lost + gone)


def children_missing(batch: Batch, count: int) -> Batch:
    """Children that it waited for are gone: they count as lost, so that the batch goes on."""
    return msgspec.structs.replace(
        batch, children_open=batch.children_open - count, children_lost=batch.children_lost + count
    )


def waiting_for(batch: Batch) -> tuple[Callback, ...]:
    """Name the callbacks that are enqueued and not acknowledged, as far as somebody waits for them."""
    found: list[Callback] = []
    if batch.complete_st == "1":
        found.append("complete")
    if batch.success_st == "1":
        found.append("success")
    return tuple(found)


def status(batch: Batch) -> dict[str, object]:
    """Answer BATCH STATUS; `description` and `failed` are always there, some clients need them."""
    told: dict[str, object] = {
        "bid": batch.bid,
        "description": batch.description,
        "created_at": format_timestamp(batch.created_at),
        "total": batch.total,
        "pending": batch.pending,
        "failed": batch.failed,
        "complete_st": batch.complete_st,
        "success_st": batch.success_st,
    }
    if batch.parent_bid:
        told["parent_bid"] = batch.parent_bid
    return told


def encode(batch: Batch) -> bytes:
    """Write the record."""
    return _encoder.encode(batch)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Batch)


def decode(value: bytes) -> Batch:
    """Read a record that `encode` wrote."""
    return _decoder.decode(value)


def _first_fired(batch: Batch) -> str:
    return "complete" if batch.complete_st else "success"
