"""Verbs about worker processes: they join, beat, leave, and are given up when they are dead."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from shopfloor.broker.asks import Load, Query, Verb
from shopfloor.broker.context import Context, Session
from shopfloor.core import workers
from shopfloor.core.changes import ABSENT, Note, Record
from shopfloor.core.workers import WORKER, Worker
from shopfloor.errors import Refused


@dataclass(slots=True)
class Here:
    """A worker process with connections to this server: who it said it was, and how to close each of them."""

    arriving: Worker
    closers: dict[Session, Callable[[], None]] = field(default_factory=dict)


class Fleet:
    """The worker processes and the connections that this server has from them.

    Records of workers are shared by all servers, connections are each server's own. A server notes that a worker left
    when its last connection *here* broke; another one that still has a connection of it takes that back.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._here: dict[str, Here] = {}
        self._strange: frozenset[str] = frozenset()
        """Workers connected here of which there was no record at the last look."""

    def join(self, session: Session, arriving: Worker, close: Callable[[], None]) -> Verb[None]:
        """A connection said HELLO with a wid; `close` is called when its worker is given up."""
        session.wid = arriving.wid
        self._here.setdefault(arriving.wid, Here(arriving)).closers[session] = close
        yield from self._change(arriving.wid, lambda worker: workers.joined(worker, arriving))

    def leave(self, session: Session) -> Verb[None]:
        """A worker's connection ended; with the last one begins the time in which it may come back."""
        here = self._here.get(session.wid)
        if here is not None:
            here.closers.pop(session, None)
            if here.closers:
                return
            del self._here[session.wid]
        now = self._context.moment.now
        yield from self._change(session.wid, lambda worker: worker and workers.left(worker, now))

    def beat(self, session: Session, wid: str, state: str, rss_kb: int) -> Verb[Worker]:
        """A worker lives; answer what is known of it, including what it is to be told.

        Where its record is lost, by a store that forgot its soft records or because another server gave it up, a
        worker that is connected here begins anew, as with a HELLO.
        """
        now, hears = self._context.moment.now, "cancel" in session.understands
        before: list[Worker] = []

        def beaten(worker: Worker | None) -> Worker:
            if worker is None and wid in self._here:
                worker = self._here[wid].arriving
            if worker is None:
                raise Refused(f"unknown worker {wid}")
            before[:] = [workers.beaten(worker, state, rss_kb, now)]
            return workers.told(before[0]) if hears else before[0]

        yield from self._change(wid, beaten)
        if before[0].state != "running":
            self._context.quiet.add(wid)
        return before[0]

    def known(self) -> Verb[list[Worker]]:
        """List the workers that are noted, by host and wid."""
        records: dict[str, Record] = yield Query(partial(self._context.store.records, WORKER))
        found = [workers.decode(record.value) for record in records.values() if record.value is not None]
        return sorted(found, key=lambda worker: (worker.hostname, worker.pid, worker.wid))

    def tell(self, wid: str, state: workers.State) -> Verb[None]:
        """Ask a worker to be quiet or to terminate; it hears of it at its next BEAT."""

        def asked(worker: Worker | None) -> Worker:
            if worker is None:
                raise Refused(f"unknown worker {wid}")
            return workers.asked(worker, state)

        yield from self._change(wid, asked)
        self._context.quiet.add(wid)

    def forget(self, wid: str) -> None:
        """A worker was given up: its connections here are closed, and its next HELLO begins anew."""
        self._context.quiet.discard(wid)
        here = self._here.pop(wid, None)
        for close in list(here.closers.values()) if here else ():
            close()

    def look(self, known: Mapping[str, Worker]) -> Verb[None]:
        """Compare the connections here with the records of all workers, which are `known`.

        A worker whose last connection to another server broke has not left while it is connected here. One that
        another server gave up loses its connections here too, at the second look: one that is just saying HELLO has no
        record yet.
        """
        self._context.quiet.intersection_update(known.keys() | self._here.keys())
        self._context.quiet.update(wid for wid, worker in known.items() if worker.state != "running")
        for wid in [wid for wid in self._here if wid in known and known[wid].left_at]:
            yield from self._change(wid, lambda worker: worker and workers.stayed(worker))
        strange = self._here.keys() - known.keys()
        for wid in strange & self._strange:
            self.forget(wid)
        self._strange = frozenset(strange)

    def _change(self, wid: str, change: Callable[[Worker | None], Worker | None]) -> Verb[None]:
        """Rewrite a worker's record, as often as it takes to do it on its newest version."""
        key = (WORKER, wid)
        while True:
            loaded = yield Load((), (key,))
            record: Record = loaded.records.get(key, ABSENT)
            before = workers.decode(record.value) if record.value is not None else None
            after = change(before)
            if after is None:
                return
            conflict = yield (Note(WORKER, wid, workers.encode(after), record.version),)
            if conflict is None:
                return
