"""Verbs about worker processes: they join, beat, leave, and are given up when they are dead."""

from collections.abc import Callable

from shopfloor.broker.asks import Load, Verb
from shopfloor.broker.context import Context, Session
from shopfloor.core import workers
from shopfloor.core.changes import ABSENT, Note, Record
from shopfloor.core.workers import WORKER, Worker
from shopfloor.errors import Refused


class Fleet:
    """The worker processes and the connections that this server has from them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sessions: dict[str, dict[Session, Callable[[], None]]] = {}
        """For each wid its connections here, and how to close them."""

    def join(self, session: Session, arriving: Worker, close: Callable[[], None]) -> Verb[None]:
        """A connection said HELLO with a wid; `close` is called when its worker is given up."""
        session.wid = arriving.wid
        self._sessions.setdefault(arriving.wid, {})[session] = close
        yield from self._change(arriving.wid, lambda worker: workers.joined(worker, arriving))

    def leave(self, session: Session) -> Verb[None]:
        """A worker's connection ended; with the last one begins the time in which it may come back."""
        here = self._sessions.get(session.wid, {})
        here.pop(session, None)
        if here:
            return
        self._sessions.pop(session.wid, None)
        now = self._context.moment.now
        yield from self._change(session.wid, lambda worker: worker and workers.left(worker, now))

    def beat(self, session: Session, wid: str, state: str, rss_kb: int) -> Verb[Worker]:
        """A worker lives; answer what is known of it, including what it is to be told."""
        now, hears = self._context.moment.now, "cancel" in session.understands
        before: list[Worker] = []

        def beaten(worker: Worker | None) -> Worker:
            if worker is None:
                raise Refused(f"unknown worker {wid}")
            before[:] = [workers.beaten(worker, state, rss_kb, now)]
            return workers.told(before[0]) if hears else before[0]

        yield from self._change(wid, beaten)
        if before[0].state != "running":
            self._context.quiet.add(wid)
        return before[0]

    def forget(self, wid: str) -> None:
        """A worker was given up: its connections here are closed, and its next HELLO begins anew."""
        self._context.quiet.discard(wid)
        for close in list(self._sessions.pop(wid, {}).values()):
            close()

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
