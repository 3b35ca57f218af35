"""Verbs about batches, and how batches move on when one of their jobs does.

A decision may touch several batches, and one of them more than once: a job can be a member of one and a callback of
another, and the end of a batch moves its parent. A `Draft` collects what becomes of each, and is written at the end.
What one batch does to others waits in an agenda, so that depth costs no recursion.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from hashlib import sha256

import msgspec
from msgspec import Struct, field

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.tracking import Tracking
from shopfloor.core import batch, batch_definition
from shopfloor.core.batch import BATCH, Batch, Standing, Step
from shopfloor.core.batch_definition import Definition
from shopfloor.core.changes import ABSENT, Conflict, Note, Put, Record, Transition
from shopfloor.core.facts import Callback, facts
from shopfloor.core.job import QUEUED, SCHEDULED, Job
from shopfloor.errors import Refused
from shopfloor.store.port import Loaded

Agenda = deque[tuple[str, Step]]
"""Batches, and what is to happen to each; one that is not known (any more) does not care."""


class Draft(Struct):
    """What one decision makes of batches: their new records, and the jobs that it enqueues."""

    batches: dict[str, Batch | None] = field(default_factory=dict)
    """None where there is none, or none any more."""
    versions: dict[str, int] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)
    puts: list[Put] = field(default_factory=list)
    jids: set[str] = field(default_factory=set)
    """Of the jobs in `puts`."""
    tracks: Transition = ()
    """The records of those that are tracked."""

    def note(self, bid: str, loaded: Loaded) -> None:
        """Take in what was looked up of a batch."""
        record = loaded.records.get((BATCH, bid), ABSENT)
        self.batches[bid] = None if record.value is None else batch.decode(record.value)
        self.versions[bid] = record.version

    def transition(self) -> Transition:
        """Write the decision down."""
        notes = [Note(BATCH, bid, self._value(bid), self.versions[bid]) for bid in self.touched]
        return (*notes, *self.puts, *self.tracks)

    def _value(self, bid: str) -> bytes | None:
        known = self.batches[bid]
        return None if known is None else batch.encode(known)


class Batches:
    """What clients do with batches; `moved` is for the verbs that do something with their jobs."""

    def __init__(self, context: Context, tracking: Tracking) -> None:
        self._context = context
        self._tracking = tracking

    def new(self, definition: Definition) -> Verb[str]:
        """Make a batch, under its parent if it names one; with jobs of its own it is committed at once."""
        dice, now = self._context.dice, self._context.moment.now
        drawn = bytes(dice(256) for _ in range(10))
        bid = ""

        def decide(draft: Draft) -> Verb[None]:
            nonlocal bid
            bid = yield from self._free_bid(draft, drawn)
            yield from self._make(draft, batch_definition.made(bid, definition, now), definition)

        yield from self.retried(decide)
        return bid

    def begun(self, draft: Draft, first: Job, text: bytes) -> Verb[Job]:
        """Make the batch that a pushed job brings along in its `custom`; answer the job as its first member."""
        definition = batch_definition.read_definition(text)
        bid = yield from self._free_bid(draft, sha256(first.jid.encode()).digest())
        draft.jids.add(first.jid)
        made = batch_definition.made_with(bid, definition, first, self._context.moment.now)
        yield from self._make(draft, made, definition)
        return batch_definition.first_member(first, bid)

    def open(self, bid: str) -> Verb[str]:
        """Let more be added to a batch, until its next commit."""
        now, strict = self._context.moment.now, self._context.strict
        yield from self.retried(lambda draft: self.move(draft, bid, lambda b: batch.opened(b, now, strict=strict)))
        return bid

    def commit(self, bid: str) -> Verb[None]:
        """Say that the batch has all its jobs: its callbacks may come from now on, perhaps at once."""
        now = self._context.moment.now
        yield from self.retried(lambda draft: self.move(draft, bid, lambda before: batch.committed(before, now)))

    def status(self, bid: str) -> Verb[Batch]:
        """Look a batch up, as it is after the commit of this round."""
        loaded = yield Query(partial(self._context.store.load, (), ((BATCH, bid),)))
        record: Record = loaded.records.get((BATCH, bid), ABSENT)
        if record.value is None:
            raise Refused(f"no such batch {bid}")
        return batch.decode(record.value)

    def join(self, draft: Draft, bid: str) -> Verb[None]:
        """A job is pushed into a batch; refused where it takes none."""
        now, strict = self._context.moment.now, self._context.strict
        yield from self.move(draft, bid, lambda before: batch.with_member(before, now, strict=strict))

    def move_if_known(self, draft: Draft, bid: str, step: Step) -> Verb[None]:
        """Let something happen to a batch, and to all that follow it; one that is forgotten does not care."""
        return self._carry_out(draft, deque(((bid, step),)))

    def move(self, draft: Draft, bid: str, step: Step) -> Verb[None]:
        """Let something happen to a batch, and to all that follow it; refused where it is unknown."""
        yield from self._known(draft, bid)
        yield from self._carry_out(draft, deque([(bid, step)]))

    def forget(self, draft: Draft, gone: Batch, version: int) -> Verb[None]:
        """A batch is no longer known, if it is still the one that was looked at; nobody waits for it."""
        draft.batches[gone.bid], draft.versions[gone.bid] = None, version
        draft.touched[gone.bid] = None
        yield from self._carry_out(draft, deque(_told_of_the_end(gone)))

    def retried(self, decide: Callable[[Draft], Verb[None]]) -> Verb[None]:
        """Commit a decision, deciding anew as often as somebody else changed what it rests on."""
        while True:
            draft = Draft()
            yield from decide(draft)
            conflict: Conflict | None = yield draft.transition()
            if conflict is None:
                return
            if conflict.reason not in ("version", "gone", "held"):
                raise Refused(f"a job of the batch cannot be enqueued: {conflict.reason}")

    def _carry_out(self, draft: Draft, agenda: Agenda) -> Verb[None]:
        """Work an agenda off: enqueue the callbacks that become due, and tell parents what became of their children."""
        while agenda:
            bid, step = agenda.popleft()
            if bid not in draft.batches:
                draft.note(bid, (yield Load((), ((BATCH, bid),))))
            before = draft.batches[bid]
            if before is None:
                continue
            after, due = batch.advance(step(before))
            was, is_now = batch.standing(before), batch.standing(after)
            if was != is_now:
                after = msgspec.structs.replace(after, changed_at=self._context.moment.now)
            draft.batches[bid] = after
            draft.touched[bid] = None
            for callback in due:
                yield from self._enqueue(draft, after, callback, agenda)
            if was != is_now:
                agenda.extend(_told_of_a_change(after, was, is_now))

    def _enqueue(self, draft: Draft, owner: Batch, callback: Callback, agenda: Agenda) -> Verb[None]:
        now = self._context.moment.now
        definition = batch_definition.declared(owner, callback)
        if definition is None:
            job, due = batch_definition.callback_job(owner, callback, now)
            yield from self._put(draft, [(job, due)], lambda _: f"{owner.bid}-{callback}")
        else:
            made = batch_definition.made_by(owner, callback, definition, now)
            agenda.append((yield from self._begin(draft, made, definition)))

    def _make(self, draft: Draft, made: Batch, definition: Definition) -> Verb[None]:
        """Make a batch under its parent, if it has one."""
        now, strict = self._context.moment.now, self._context.strict
        if made.parent_bid:
            parent = yield from self._known(draft, made.parent_bid)
            made = batch.nested(made, parent)
            yield from self.move(draft, parent.bid, lambda before: batch.with_child(before, now, strict=strict))
        yield from self._carry_out(draft, deque([(yield from self._begin(draft, made, definition))]))

    def _begin(self, draft: Draft, made: Batch, definition: Definition) -> Verb[tuple[str, Step]]:
        """Enqueue the jobs that a batch brings along; answer what is still to happen to its record."""
        jobs = batch_definition.declared_jobs(made, definition, self._context.moment.now)
        yield from self._put(draft, jobs, lambda number: f"{made.bid}-{number}")
        draft.batches[made.bid] = batch.blank(made)
        draft.versions[made.bid] = 0
        return made.bid, lambda blank: made

    def _put(self, draft: Draft, jobs: list[tuple[Job, float]], spare_jid: Callable[[int], str]) -> Verb[None]:
        """Enqueue jobs of the server's making; one whose jid is held by another gets a spare one, so that it comes."""
        if not jobs:
            return
        loaded = yield Load(tuple([job.jid for job, _ in jobs]))
        for number, (job, due) in enumerate(jobs):
            if job.jid in loaded.jobs or job.jid in draft.jids:
                job = batch_definition.renamed(job, (yield from self._free_jid(draft, spare_jid(number))))
            draft.jids.add(job.jid)
            draft.puts.append(Put(job, SCHEDULED, due) if due else Put(job, QUEUED))
            if facts(job).track:
                draft.tracks += yield from self._tracking.moved(job.jid, "enqueued", anew=True)

    def _free_jid(self, draft: Draft, stem: str) -> Verb[str]:
        jid, number = stem, 1
        while True:
            loaded = yield Load((jid,))
            if jid not in loaded.jobs and jid not in draft.jids:
                return jid
            number += 1
            jid = f"{stem}-{number}"

    def _free_bid(self, draft: Draft, drawn: bytes) -> Verb[str]:
        while (yield from self._load(draft, batch_definition.bid_of(drawn))) is not None:
            drawn = batch_definition.drawn_again(drawn)
        return batch_definition.bid_of(drawn)

    def _known(self, draft: Draft, bid: str) -> Verb[Batch]:
        known = yield from self._load(draft, bid)
        if known is None:
            raise Refused(f"no such batch {bid}")
        return known

    def _load(self, draft: Draft, bid: str) -> Verb[Batch | None]:
        if bid not in draft.batches:
            draft.note(bid, (yield Load((), ((BATCH, bid),))))
        return draft.batches[bid]


def _told_of_a_change(after: Batch, was: Standing, is_now: Standing) -> list[tuple[str, Step]]:
    """Say what others make of a change: its parent, and the batch of which it is a callback."""
    told: list[tuple[str, Step]] = []
    if after.parent_bid:
        told.append((after.parent_bid, partial(batch.child_moved, before=was, after=is_now)))
    if after.origin_bid and batch.is_through(after):
        told.append((after.origin_bid, batch.origin_step(after, is_now)))
    return told


def _told_of_the_end(gone: Batch) -> list[tuple[str, Step]]:
    """Say what others make of it that a batch is forgotten."""
    was = batch.standing(gone)
    if was != "open":
        return []
    told: list[tuple[str, Step]] = []
    if gone.parent_bid:
        empty = not gone.total and not gone.children
        told.append(
            (gone.parent_bid, batch.child_withdrawn if empty else partial(batch.child_moved, before=was, after="lost"))
        )
    if gone.origin_bid:
        told.append((gone.origin_bid, batch.origin_step(gone, "lost")))
    return told
