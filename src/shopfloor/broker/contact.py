"""Whether commands reach the store, since when, and what is not known about those that may have.

A server that could not hear its workers, because it or its store stood still, must not hold their silence against
them. And where nobody knows whether a commit was carried out, jobs may have been reserved in it that no worker
was told of.
"""

from collections import deque
from collections.abc import Sequence

from structlog.typing import FilteringBoundLogger

from shopfloor.core.job import Held
from shopfloor.errors import StoreError
from shopfloor.store.port import Reserve

SAME_TROUBLE_SECONDS = 60.0
"""The same trouble is logged this often: a store that is away fails many commands a second."""
UNSURE_SECONDS = 300.0
"""How long to look for jobs of a commit that nobody knows about; a database may get to it when the server gave up."""
UNSURE_COMMITS_MAX = 1000


class Contact:
    """What a server knows of its contact with the store."""

    def __init__(self, now: float, log: FilteringBoundLogger) -> None:
        self._since = now
        self.trouble = ""
        """Why the last command did not reach the store; empty while they do."""
        self.breaks = 0
        """How often the contact broke since the server started."""
        self._log = log
        self._refused = 0
        self._broke_at = 0.0
        self._logged = ("", 0.0)
        self._unsure: deque[tuple[float, frozenset[str]]] = deque(maxlen=UNSURE_COMMITS_MAX)

    def broke(self, error: Exception, commands: int, now: float) -> None:
        """The store failed for so many commands; it is logged once, with a traceback where the fault is ours."""
        self._refused += commands
        is_ours = not isinstance(error, StoreError)
        if not self.trouble:
            self.breaks += 1
            self._broke_at = now
        self.trouble = str(error) or type(error).__name__
        text, at = self._logged
        if is_ours or text != self.trouble or not at <= now < at + SAME_TROUBLE_SECONDS:
            self._logged = (self.trouble, now)
            self._log.error("the store refused a round", commands=commands, error=str(error), exc_info=is_ours)

    def holds(self, now: float) -> None:
        """A command reached the store. Call it while there is trouble; at other times there is nothing to say."""
        if self._logged[1] >= self._broke_at:
            seconds = round(now - self._broke_at, 3)
            self._log.info("the store answers again", seconds=seconds, commands_refused=self._refused)
        self.trouble, self._refused = "", 0
        self._since = now

    def since(self, now: float) -> float:
        """Say from when on commands have reached the store without a break."""
        self._since = min(self._since, now)  # a clock that was put back must not make everybody immortal
        return self._since

    def interrupted(self, now: float) -> None:
        """The server itself stood still until now."""
        self._since = now

    def unsure(self, requests: Sequence[Reserve], now: float) -> None:
        """A commit at that time failed; what it reserved, if it did, was told to nobody."""
        if requests:
            self._unsure.append((now, frozenset([request.wid for request in requests])))

    def delivered(self, now: float) -> None:
        """A commit succeeded; what was reserved at that very time was told."""
        while self._unsure and self._unsure[-1][0] == now:
            self._unsure.pop()

    def undelivered(self, reservations: Sequence[Held], now: float) -> Sequence[Held]:
        """Pick the reservations that were told to nobody."""
        while self._unsure and self._unsure[0][0] < now - UNSURE_SECONDS:
            self._unsure.popleft()
        if not self._unsure:
            return ()
        untold = {(at, wid) for at, wids in self._unsure for wid in wids}
        return [held for held in reservations if (held.reserved_at, held.wid) in untold]
