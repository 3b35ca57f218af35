"""A hand of the foreman: something that carries jobs out, and how many more it should be given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shopfloor.sdk.running import Fetched, Report
from shopfloor.sdk.worker.crew import Shape
from shopfloor.sdk.worker.outcome import Outcome

AHEAD_SECONDS = 0.05
"""How much work a hand has beyond what runs, so that short jobs never wait for the network."""
AHEAD_JOBS_MAX = 1000
STUCK_SECONDS = 1.0
"""What was given ahead goes back when nothing ended for so long: the jobs that run turned out to be long ones."""


class Superior(Protocol):
    """Who a hand answers to."""

    def ended(self, hand: "Hand", outcomes: Sequence[Outcome]) -> None:
        """Runs are over."""

    def reported(self, jid: str, report: Report) -> None:
        """A handler said something about its job."""

    def changed(self) -> None:
        """A hand is ready, or can take more."""

    def lost(self, hand: "Hand", started: Sequence[str], overdue: Sequence[str]) -> None:
        """A hand is dead, with jobs of which some had been started, or were killed for taking too long."""

    def unable(self, reason: str) -> None:
        """A hand cannot begin at all."""


@dataclass(slots=True)
class _Pace:
    """How fast jobs end, smoothed over the last second or so."""

    ended: int = 0
    per_second: float = 0.0
    quiet_seconds: float = 0.0

    def tick(self, seconds: float) -> None:
        """So much time went by."""
        self.quiet_seconds = 0.0 if self.ended else self.quiet_seconds + seconds
        self.per_second = 0.7 * self.per_second + 0.3 * self.ended / seconds
        self.ended = 0


class Hand:
    """Counts what was given and what came back; subclasses carry it out."""

    def __init__(self, shape: Shape, superior: Superior) -> None:
        self.shape = shape
        self.superior = superior
        self.is_ready = False
        self.is_leaving = False
        """Whether it gets no more jobs, because another has taken its place."""
        self.jobs_ended = 0
        self.in_hand: dict[str, bool] = {}
        """The jobs that it was given, by jid, and whether each is a coroutine."""
        self._is_async: Mapping[str, bool] = {}
        self._coroutines = 0
        self._pace = _Pace()

    def room(self) -> int:
        """Say how many more jobs it should be given now."""
        if not self.is_ready or self.is_leaving:
            return 0
        ahead = min(int(self._pace.per_second * AHEAD_SECONDS), AHEAD_JOBS_MAX)
        kinds = set(self._is_async.values())
        rooms = []
        if True in kinds and self.shape.tasks:
            rooms.append(self.shape.tasks + ahead - self._coroutines)
        if False in kinds or not rooms:
            rooms.append(self.shape.threads + ahead - (len(self.in_hand) - self._coroutines))
        room = min(rooms)
        return room if room > ahead // 2 else 0

    def take(self, jobs: Sequence[tuple[Fetched, bytes]]) -> None:
        """Be given jobs."""
        for fetched, _ in jobs:
            is_async = self._is_async.get(fetched.jobtype, False)
            self.in_hand[fetched.jid] = is_async
            self._coroutines += is_async
        self.give([text for _, text in jobs])

    def settled(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Note what came back; answer what was really in hand."""
        known = [outcome for outcome in outcomes if outcome.jid in self.in_hand]
        for outcome in known:
            self._coroutines -= self.in_hand.pop(outcome.jid)
        self.jobs_ended += len(known)
        self._pace.ended += len(known)
        return known

    def tick(self, seconds: float) -> None:
        """So much time went by; look whether what was given ahead is stuck behind long jobs."""
        self._pace.tick(seconds)
        backlog = len(self.in_hand) - self._coroutines - self.shape.threads
        if backlog > 0 and self._pace.quiet_seconds > STUCK_SECONDS:
            self._pace.quiet_seconds = 0.0
            self.give_back()

    def ready(self, is_async: Mapping[str, bool]) -> None:
        """Begin to be given jobs; which of them are coroutines is known by type."""
        self._is_async = is_async
        self.is_ready = True
        self.superior.changed()

    def give(self, jobs: Sequence[bytes]) -> None:
        """Carry these out."""
        raise NotImplementedError

    def cancel(self, jid: str) -> None:
        """Tell a job's handler that it is not wanted any more."""
        raise NotImplementedError

    def give_back(self) -> None:
        """Give back what has not begun."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Break off what runs."""
        raise NotImplementedError

    def finish(self) -> None:
        """End when everything is done."""
        raise NotImplementedError

    def kill(self) -> bool:
        """End at once, whatever runs; say whether that is possible."""
        raise NotImplementedError

    def megabytes(self) -> int:
        """How much memory it has resident; 0 where that is not its own."""
        return 0

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        raise NotImplementedError
