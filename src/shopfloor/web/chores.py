"""Operations that take longer than a request: begun by a form, watched on a page, ended by a button or the server."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from shopfloor.broker.asks import Verb
from shopfloor.broker.broker import Broker
from shopfloor.broker.progress import Progress
from shopfloor.errors import Refused

KEPT_MAX = 50
"""Chores that are remembered; the oldest finished one makes room."""
RUNNING_MAX = 5
"""Chores under way at once: each takes its share of every round."""


@dataclass(slots=True, kw_only=True)
class Chore:
    """One operation: what it is, on how many jobs it looks, and how it is or was."""

    id: str
    what: str
    total: int
    back: str
    """Path of the page it was begun on."""
    began_at: float
    stoppable: bool
    progress: Progress = field(default_factory=Progress)
    ended_at: float = 0.0
    error: str = ""

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return not self.ended_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is to be done: in words, on how many jobs, from which page; whether it can be stopped half way."""

    what: str
    total: int
    back: str
    stoppable: bool = True


class Chores:
    """The chores of this server process, the newest last."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._known: OrderedDict[str, Chore] = OrderedDict()

    def begin(self, errand: Errand, verb: Verb[int], progress: Progress) -> Chore:
        """Begin an operation that writes its progress there; refused where too many are under way."""
        if sum(chore.running for chore in self._known.values()) >= RUNNING_MAX:
            verb.close()
            raise Refused(f"{RUNNING_MAX} operations are under way: wait until one is done, or stop one")
        chore = Chore(
            id=secrets.token_urlsafe(9),
            what=errand.what,
            total=errand.total,
            back=errand.back,
            stoppable=errand.stoppable,
            began_at=self._broker.ticks.clock(),
            progress=progress,
        )
        self._known[chore.id] = chore
        self._make_room()
        self._broker.ticks.run(self._watched(chore, verb))
        return chore

    def find(self, identity: str) -> Chore | None:
        """Look a chore up; it is forgotten some time after its end."""
        return self._known.get(identity)

    def stop(self) -> None:
        """End all that is under way; what they did stays done."""
        for chore in self._known.values():
            chore.progress.stopped = True

    def _watched(self, chore: Chore, verb: Verb[int]) -> Verb[None]:
        """Carry the operation out and note how it ended, whatever that was."""
        try:
            chore.progress.moved = yield from verb
        except Exception as error:
            chore.error = str(error) or type(error).__name__
        except GeneratorExit:
            chore.error = "the store refused it"
            raise
        finally:
            chore.ended_at = self._broker.ticks.clock()

    def _make_room(self) -> None:
        for identity in [known.id for known in self._known.values() if not known.running]:
            if len(self._known) <= KEPT_MAX:
                return
            del self._known[identity]
