"""The verbs of a store whose state is held in memory; what it does to keep the state is up to its subclass."""

from collections.abc import Sequence

from shopfloor.core.changes import SOFT_KINDS, Record, Transition
from shopfloor.core.job import Held, TimedPlace
from shopfloor.store.port import Arrived, BatchJobs, Committed, Figures, Loaded, Lock, Page, QueueFigures, Reserve
from shopfloor.store.state.state import State


class StateStore:
    """All verbs of `store.port.Store` but `flush`, `backup` and `describe`, on a `State`."""

    def __init__(self, state: State) -> None:
        self.state = state

    def listen(self, arrived: Arrived) -> None:
        """Nobody shares what is in this memory, so there is never anything to tell."""

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        """Look up jobs and records."""
        state = self.state
        jobs = {jid: held for jid in jids if (held := state.find(jid)) is not None}
        return Loaded(jobs, {key: state.record(*key) for key in records} if records else {})

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Apply and reserve; what fails for another reason than a guard leaves no trace."""
        try:
            committed = self.state.commit(transitions, requests, now)
            self._keep()
        except BaseException:
            self.state.rollback()
            raise
        self.state.settle()
        return committed

    def _keep(self) -> None:
        """Make `state.steps` durable, or raise: then they are undone."""
        raise NotImplementedError

    async def due(self, place: TimedPlace, now: float, count: int) -> Sequence[Held]:
        """List jobs whose time has come."""
        return self.state.due(place, now, count)

    async def reservations(self) -> Sequence[Held]:
        """List every working job."""
        return list(self.state.working.values())

    async def browse(
        self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool = False
    ) -> Page:
        """List jobs of a timed place."""
        return self.state.browse(place, after, count, latest_first=latest_first)

    async def peek(self, queue: str, offset: int, count: int) -> Sequence[Held]:
        """List jobs of a queue."""
        known = self.state.queues.get(queue)
        return [] if known is None else self.state.peek(known, offset, count)

    async def queues(self) -> Sequence[QueueFigures]:
        """List the known queues."""
        return [
            QueueFigures(name=name, size=queue.size, paused=queue.paused)
            for name, queue in sorted(self.state.queues.items())
        ]

    async def figures(self) -> Figures:
        """Count what rests where."""
        state = self.state
        return Figures(
            working=len(state.working),
            scheduled=len(state.timed["scheduled"]),
            retries=len(state.timed["retries"]),
            dead=len(state.timed["dead"]),
            processed=state.totals["processed"],
            failures=state.totals["failures"],
        )

    async def history(self, days: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Answer the figures of each day."""
        known = self.state.days
        return [(known.get(("processed", day), 0), known.get(("failures", day), 0)) for day in days]

    async def batch_jobs(self, bid: str) -> BatchJobs:
        """List the held jobs of a batch."""
        state = self.state
        return BatchJobs(members=list(state.members.get(bid, ())), callbacks=list(state.callbacks.get(bid, ())))

    async def records(self, kind: str) -> dict[str, Record]:
        """List the records of a kind."""
        return dict(self.state.records.get(kind, {}))

    async def locks(self, until: float, count: int) -> Sequence[Lock]:
        """List the locks that end first."""
        return self.state.ended_locks(until, count)

    def _begin_anew(self, state: State) -> None:
        """Go on with an empty state, to which only soft records are carried over."""
        state.records = {kind: known for kind, known in self.state.records.items() if kind in SOFT_KINDS}
        self.state = state
