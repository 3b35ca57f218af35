"""What follows for the features when something happens to a job: its batch moves on, its locks end.

Every verb that lets a job leave, fail or die passes its transition through `Following.complete`, so that the job and
what depends on it change in one step. A job that takes part in nothing costs nothing here.
"""

from collections.abc import Callable, Sequence

from shopfloor.broker.asks import Fork, Load, Verb
from shopfloor.broker.batches import Batches, Draft
from shopfloor.broker.marks import Marks
from shopfloor.core import batch
from shopfloor.core.batch import Batch
from shopfloor.core.changes import Conflict, Transition
from shopfloor.core.facts import Facts, checked_facts, facts
from shopfloor.core.fate import Event, fate
from shopfloor.core.job import Held, Job
from shopfloor.errors import Refused


class Following:
    """One method, which asks each feature."""

    def __init__(self, batches: Batches, marks: Marks) -> None:
        self._batches = batches
        self._marks = marks
        self.concern = marks.concern
        """Say whether anything follows when something happens to a job."""

    def joining(self, job: Job, due: float) -> Verb[tuple[Job, Transition]]:
        """Answer a new job as it is taken in, and what belongs into the transition; raise `Refused` where it is not.

        It is another job than it was pushed as where it brings a batch along.
        """
        known = checked_facts(job)
        changes = yield from self._marks.taken_in(job, known, due)
        draft = Draft()
        if bytes(known.batch) not in (b"", b"null"):
            job = yield from self._batches.begun(draft, job, bytes(known.batch))
        elif known.bid:
            yield from self._batches.join(draft, known.bid)
        return job, changes + draft.transition()

    def complete(self, held: Held, transition: Transition, event: Event | None = None) -> Verb[Transition]:
        """Answer the transition with all that follows from it; an event not named is read off the job's fate."""
        if not self.concern(held.job):
            return transition
        event = event or fate(held, transition)
        if event is None:
            return transition
        known = facts(held.job)
        transition += yield from self._marks.changed(held, known, event)
        if event in ("returned", "held_back"):
            return transition
        draft = Draft()
        if known.bid:
            yield from self._batches.move_if_known(draft, known.bid, _member(held.job, event))
        if known.callback_bid and known.callback and event != "failed":
            yield from self._batches.move_if_known(draft, known.callback_bid, _callback(known, event))
        return transition + draft.transition()

    def apply(self, jobs: Sequence[Held], decide: Callable[[Held], Transition]) -> Verb[int]:
        """Let something happen to each of the jobs, if it is still where it was; answer to how many it did."""
        plain = [held for held in jobs if not self.concern(held.job)]
        others = [held for held in jobs if self.concern(held.job)]
        done = 0
        if plain:
            conflicts = yield [decide(held) for held in plain]
            done += sum(conflict is None for conflict in conflicts)
        if others:
            prongs = yield Fork(tuple([self._apply_one(held, decide) for held in others]))
            done += sum(prong.result is True for prong in prongs)
        return done

    def _apply_one(self, seen: Held, decide: Callable[[Held], Transition]) -> Verb[bool]:
        held: Held | None = seen
        while held is not None and held.place == seen.place and held.wid == seen.wid:
            conflict = yield (yield from self.complete(held, decide(held)))
            if conflict is None:
                return True
            check_outdated(conflict)
            loaded = yield Load((seen.job.jid,))
            held = loaded.jobs.get(seen.job.jid)
        return False


def check_outdated(conflict: Conflict) -> None:
    """Return where a transition failed because it was decided on old news: decide again; else raise `Refused`.

    "held" is old news too: a callback's jid was free when it was chosen.
    """
    if conflict.reason not in ("version", "gone", "held"):
        raise Refused(f"what follows from it cannot be done: {conflict.reason}")


def _member(job: Job, event: Event) -> "batch.Step":
    def step(before: Batch) -> Batch:
        if event == "succeeded":
            return batch.member_succeeded(before, counted=job.counted)
        if event == "failed":
            return batch.member_failed(before, counted=job.counted)
        return batch.member_lost(before, counted=job.counted)

    return step


def _callback(known: Facts, event: Event) -> "batch.Step":
    callback = known.callback
    assert callback is not None

    def step(before: Batch) -> Batch:
        return batch.acknowledged(before, callback) if event == "succeeded" else batch.callback_lost(before, callback)

    return step
