"""Verbs about tracked jobs: tell how far a job is, ask for it, and forget the old."""

from functools import partial

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context, Session
from shopfloor.core import lifecycle, tracking
from shopfloor.core.changes import Amend, Note, Record, Transition
from shopfloor.core.facts import facts
from shopfloor.core.job import Held
from shopfloor.core.tracking import TRACK, Report, State, Track

PURGES_PER_TERM = 30
"""How often old records are looked for in the time for which one is kept: a record stays that much too long at most."""
PURGE_STEP = 1000
"""Records looked at in one round; commands get their turn in between."""


class Tracking:
    """What clients and workers do with tracking records; `moved` is for the verbs that do something with the jobs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._purge_at = 0.0

    def get(self, jid: str) -> Verb[Track | None]:
        """Answer what is known of a job; None where it is not tracked, or was not for a long time."""
        loaded = yield Load((), ((TRACK, jid),))
        return self._read(loaded.records[TRACK, jid])

    def tell(self, session: Session, report: Report) -> Verb[None]:
        """Note how far a job is, and let its reservation last longer. What does not concern a job is no error."""
        jid = report.jid
        while True:
            loaded = yield Load((jid,), ((TRACK, jid),))
            held, record = loaded.jobs.get(jid), loaded.records[TRACK, jid]
            changes = self._told(held, record, report) + self._extended(session, held, report)
            if not changes or (yield changes) is None:
                return

    def moved(self, jid: str, state: State, *, anew: bool = False) -> Verb[Transition]:
        """Answer what belongs into the transition in which a tracked job comes into another state."""
        loaded = yield Load((), ((TRACK, jid),))
        record: Record = loaded.records[TRACK, jid]
        before = None if anew else self._read(record)
        after = tracking.moved(before, state, self._context.moment.now)
        return (Note(TRACK, jid, tracking.encode(after), record.version),)

    def purge(self) -> Verb[None]:
        """Forget the jobs of which nobody is told any more."""
        now, kept_seconds = self._context.moment.now, self._context.limits.track_seconds
        if now < self._purge_at:
            return
        self._purge_at = now + kept_seconds / PURGES_PER_TERM
        records: dict[str, Record] = yield Query(partial(self._context.store.records, TRACK))
        known = list(records.items())
        for start in range(0, len(known), PURGE_STEP):
            old = [(jid, record) for jid, record in known[start : start + PURGE_STEP] if self._read(record) is None]
            yield [(Note(TRACK, jid, None, record.version),) for jid, record in old]

    def _read(self, record: Record) -> Track | None:
        track = tracking.decode(record.value)
        context = self._context
        if track is None or tracking.is_over(track, context.moment.now, context.limits.track_seconds):
            return None
        return track

    def _told(self, held: Held | None, record: Record, report: Report) -> Transition:
        before = self._read(record)
        if before is None and held is not None and facts(held.job).track:
            before = Track(state=tracking.AT[held.place], updated_at=0.0)
        if before is None:
            return ()
        after = tracking.told(before, report, self._context.moment.now)
        return (Note(TRACK, report.jid, tracking.encode(after), record.version),)

    def _extended(self, session: Session, held: Held | None, report: Report) -> Transition:
        if held is None or not lifecycle.settles(held, session.wid):
            return ()
        until = tracking.extended_until(held, report, self._context.moment.now)
        if until == held.expires_at:
            return ()
        return (Amend(report.jid, held.wid, until, held.cancelled),)
