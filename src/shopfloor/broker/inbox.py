"""Jobs that were put into the store by others than servers: each is pushed as if a client had sent it.

A store may let applications leave jobs in it with what else they commit (`shopfloor.push` of PostgreSQL). Such a job is
a record of the kind `inbox`. Its push and the end of the record are one transition, so it is pushed once, by one
server.
"""

from functools import partial

from shopfloor.broker.asks import Fork, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.following import Following
from shopfloor.broker.jobs import Jobs
from shopfloor.core import lifecycle
from shopfloor.core.changes import INBOX, Conflict, Note, Record
from shopfloor.core.job import NOTHING, Job
from shopfloor.core.payload import decode_pushed
from shopfloor.errors import Refused

STEP = 200
"""Jobs that share a round."""
REFUSED = "refused"
"""Kind of the records of what could not be pushed, as it came: nobody else would know of it."""


class Inbox:
    """Takes in what lies in the store."""

    def __init__(self, context: Context, following: Following, jobs: Jobs) -> None:
        self._context = context
        self._following = following
        self._jobs = jobs

    def take_in(self) -> Verb[None]:
        """Push what is there, in its order. What finds no room stays for the next pass."""
        if self._context.push_refusal:
            return
        found: dict[str, Record] = yield Query(partial(self._context.store.records, INBOX))
        order = sorted(found)
        for start in range(0, len(order), STEP):
            some = order[start : start + STEP]
            prongs = yield Fork(tuple([self._take_one(identity, found[identity]) for identity in some]))
            failed = next((prong.error for prong in prongs if prong.error is not None), None)
            if failed is not None:
                raise failed

    def _take_one(self, identity: str, record: Record) -> Verb[None]:
        assert record.value is not None
        leave = Note(INBOX, identity, None, record.version)
        try:
            job, due = self._jobs.accepted(decode_pushed(record.value))
            refused = yield from self._push(job, due, leave)
        except Refused as error:
            refused = error
        if refused is None:
            return
        self._context.log.error("a job of the inbox was refused", inbox=identity, reason=refused.message)
        kept = () if refused.code == "NOTUNIQUE" else (Note(REFUSED, identity, record.value, 0),)
        yield (leave, *kept)

    def _push(self, job: Job, due: float, leave: Note) -> Verb[Refused | None]:
        """Push one job; answer why it is refused for good."""
        while True:
            joined, joining = (job, ()) if job.custom is NOTHING else (yield from self._following.joining(job, due))
            conflict: Conflict | None = yield (*lifecycle.push(joined, due, self._context.rules), *joining, leave)
            if conflict is None or conflict.change == leave or conflict.reason in ("full", "queues"):
                return None
            refused = self._jobs.refusal(job, conflict)
            if refused is not None:
                return refused
            if conflict.reason == "held":
                yield (leave,)
                return None
