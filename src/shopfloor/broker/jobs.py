"""Verbs about jobs: push, acknowledge, fail, give back, look up, cancel."""

from collections.abc import Callable, Sequence

from shopfloor.broker.asks import Fork, Load, Verb
from shopfloor.broker.context import Context, Session
from shopfloor.broker.following import Following, check_outdated
from shopfloor.core import lifecycle, workers
from shopfloor.core.changes import ABSENT, Conflict, Count, Note, Put, Transition
from shopfloor.core.fate import Event
from shopfloor.core.job import DEAD, NOTHING, WORKING, Held, Job
from shopfloor.core.payload import PushedJob, accept, is_repeated
from shopfloor.core.retry import FailReport
from shopfloor.core.workers import WORKER
from shopfloor.errors import Refused

BULK_STEP = 500
"""Jobs of a bulk command that share a round; others get their turn in between."""

Settlement = Callable[[Held], Transition]


class Jobs:
    """What clients do with jobs."""

    def __init__(self, context: Context, following: Following) -> None:
        self._context = context
        self._following = following

    def push(self, pushed: PushedJob) -> Verb[None]:
        """Take a job. Pushing the very same job again while it is held changes nothing and is no error."""
        job, due = self._accept(pushed)
        yield from self._take_in(job, due)

    def push_bulk(self, pushed: Sequence[PushedJob]) -> Verb[dict[str, str]]:
        """Take many jobs, each for itself; answer the refusals by jid."""
        refusals: dict[str, str] = {}
        for start in range(0, len(pushed), BULK_STEP):
            yield from self._push_some(pushed[start : start + BULK_STEP], refusals)
        return refusals

    def acknowledge(self, session: Session, jid: str) -> Verb[bool]:
        """A job is done. An unknown jid, or one that this worker does not hold (any more), is no error: False."""
        return self._settle(session, jid, self._acknowledged, "succeeded")

    def acknowledge_bulk(self, session: Session, jids: Sequence[str]) -> Verb[None]:
        """Many jobs are done."""
        for start in range(0, len(jids), BULK_STEP):
            some = dict.fromkeys(jids[start : start + BULK_STEP])
            prongs = yield Fork(tuple([self.acknowledge(session, jid) for jid in some]))
            failed = next((prong.error for prong in prongs if prong.error is not None), None)
            if failed is not None:
                raise failed

    def fail(self, session: Session, report: FailReport) -> Verb[None]:
        """A job failed; refused where this worker does not hold it (any more)."""
        context = self._context
        settled = yield from self._settle(
            session,
            report.jid,
            lambda held: lifecycle.fail(held, report, context.moment.now, context.dice, context.rules),
        )
        if not settled:
            raise _not_found(report.jid)

    def give_back(self, session: Session, jid: str) -> Verb[None]:
        """A worker returns a job unharmed; refused where it does not hold it (any more)."""
        settled = yield from self._settle(
            session, jid, lambda held: lifecycle.give_back(held, self._context.moment.now)
        )
        if not settled:
            raise _not_found(jid)

    def get(self, jid: str) -> Verb[Held]:
        """Look a job up wherever it rests."""
        loaded = yield Load((jid,))
        held: Held | None = loaded.jobs.get(jid)
        if held is None:
            raise _not_found(jid)
        return held

    def cancel(self, jid: str) -> Verb[None]:
        """Remove a job; while it runs its worker is told, and a failure will not bring it back."""
        while True:
            held = yield from self.get(jid)
            lifecycle.check_possible("cancel", held)
            transition = yield from self._following.complete(held, lifecycle.cancel(held))
            if held.place == WORKING and held.wid:
                transition += yield from self._told_to_cancel(held)
            conflict = yield transition
            if conflict is None:
                return
            check_outdated(conflict)

    def run_now(self, jid: str) -> Verb[None]:
        """Enqueue a job that waits in a timed place."""
        while True:
            held = yield from self.get(jid)
            lifecycle.check_possible("requeue", held)
            conflict = yield lifecycle.requeue(held, self._context.moment.now)
            if conflict is None:
                return
            check_outdated(conflict)

    def _told_to_cancel(self, held: Held) -> Verb[Transition]:
        loaded = yield Load((), ((WORKER, held.wid),))
        record = loaded.records.get((WORKER, held.wid), ABSENT)
        if record.value is None:
            return ()
        worker = workers.told_to_cancel(workers.decode(record.value), held.job.jid)
        return (Note(WORKER, held.wid, workers.encode(worker), record.version),)

    def _accept(self, pushed: PushedJob) -> tuple[Job, float]:
        context = self._context
        if context.push_refusal:
            raise Refused(context.push_refusal)
        moment = context.moment
        job, due = accept(pushed, moment.now, moment.text)
        if len(job.queue) > context.limits.queue_name_bytes_max:
            raise Refused(f"queue name is too long: the limit is {context.limits.queue_name_bytes_max} bytes")
        return job, due

    def _push_some(self, pushed: Sequence[PushedJob], refusals: dict[str, str]) -> Verb[None]:
        """Take in jobs in the order in which they came."""
        accepted: list[tuple[Job, float]] = []
        for one in pushed:
            try:
                accepted.append(self.accepted(one))
            except Refused as refused:
                refusals[one.jid or ""] = _reason(refused)
        for (job, _), error in zip(accepted, (yield from self._taken_in(accepted)), strict=True):
            if isinstance(error, Refused):
                refusals[job.jid] = _reason(error)
            elif error is not None:
                raise error

    def _taken_in(self, accepted: Sequence[tuple[Job, float]]) -> Verb[Sequence[Exception | None]]:
        """Answer for each job why it was not taken. Those without `custom` look at nothing and share an ask."""
        if all(job.custom is NOTHING for job, _ in accepted):
            conflicts = yield [lifecycle.push(job, due, self._context.rules) for job, due in accepted]
            return [self._met(job, conflict) for (job, _), conflict in zip(accepted, conflicts, strict=True)]
        prongs = yield Fork(tuple([self._take_in(job, due) for job, due in accepted]))
        return [prong.error for prong in prongs]

    def _met(self, job: Job, conflict: Conflict | None) -> Refused | None:
        if conflict is None:
            self._context.counts.pushed(job)
            return None
        return self.refusal(job, conflict)

    def _take_in(self, job: Job, due: float) -> Verb[None]:
        """Put a new job, together with what the features have to say to it; raise `Refused` where it is not taken."""
        while True:
            joined, joining = (job, ()) if job.custom is NOTHING else (yield from self._following.joining(job, due))
            conflict: Conflict | None = yield lifecycle.push(joined, due, self._context.rules) + joining
            if conflict is None:
                self._context.counts.pushed(job)
                return
            if is_about_another(job, conflict):
                continue
            refusal = self.refusal(job, conflict)
            if refusal is not None:
                raise refusal
            if conflict.reason == "held":
                return

    def refusal(self, job: Job, conflict: Conflict) -> Refused | None:
        """Say why a push that was not applied is refused; None where it repeats a held job, or is to be tried again."""
        if conflict.reason == "full":
            return Refused(f"queue {job.queue} is full: the limit is {self._context.rules.queue_jobs_max} jobs")
        if conflict.reason == "queues":
            return Refused(f"cannot make queue {job.queue}: there are too many queues")
        if conflict.reason == "claimed":
            return Refused("Job not unique", code="NOTUNIQUE")
        if conflict.held is not None and not is_repeated(job, conflict.held.job):
            return Refused(f"another job with jid {job.jid} is held")
        return None

    def accepted(self, pushed: PushedJob) -> tuple[Job, float]:
        """Accept a job that no line of its own has bounded; raise `Refused`."""
        job, due = self._accept(pushed)
        bytes_max = self._context.limits.job_bytes_max
        if len(bytes(job.args)) + len(bytes(job.custom)) > bytes_max:
            raise Refused(f"job is too large: the limit is {bytes_max} bytes")
        return job, due

    def _settle(self, session: Session, jid: str, settlement: Settlement, event: Event | None = None) -> Verb[bool]:
        """Apply what follows for a reservation of this worker; answer whether there was one."""
        while True:
            loaded = yield Load((jid,))
            held = loaded.jobs.get(jid)
            if held is None or not lifecycle.settles(held, session.wid):
                return False
            transition = settlement(held)
            if self._following.concern(held.job):
                transition = yield from self._following.complete(held, transition, event)
            conflict = yield transition
            if conflict is None:
                if event == "succeeded":
                    self._context.counts.done(held, self._context.moment.now)
                else:
                    self._count(held, transition)
                return True
            check_outdated(conflict)

    def _count(self, held: Held, transition: Transition) -> None:
        """Note a run that failed; one that was given back did not."""
        if any(type(change) is Count and change.name == "failures" for change in transition):
            dies = any(type(change) is Put and change.place == DEAD for change in transition)
            self._context.counts.failed(held, self._context.moment.now, dies=dies)

    def _acknowledged(self, held: Held) -> Transition:
        return lifecycle.acknowledge(held, self._context.moment.day)


def is_about_another(job: Job, conflict: Conflict) -> bool:
    """Say whether a push met not its own jid but that of a job that it brings along, which gets another then."""
    return conflict.held is not None and conflict.held.job.jid != job.jid


def _not_found(jid: str) -> Refused:
    return Refused(f"Job not found {jid}")


def _reason(refused: Refused) -> str:
    """Write a refusal as PUSHB tells it: only a code that says more than "ERR" goes along."""
    return refused.message if refused.code == "ERR" else f"{refused.code} {refused.message}"
