"""What can be told from the transitions of a round before they are committed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from shopfloor.broker.asks import Load
from shopfloor.broker.calls import Call
from shopfloor.core.changes import ABSENT, Conflict, Note, Pause, Put, Record, Take, Transition
from shopfloor.core.job import QUEUED, WORKING
from shopfloor.store.port import Loaded


def jobs_to_come(transitions: Sequence[Transition], limited: Mapping[str, bool], waiting: int) -> Mapping[str, int]:
    """Count the jobs that fetchers may get from each queue because of these transitions.

    A job that stops working makes room in each `limited` queue. Where the limit is for each worker by itself, and
    where a queue is resumed, all that wait may get something.
    """
    counts: dict[str, int] = {}
    for change in (change for transition in transitions for change in transition):
        if type(change) is Put and change.place == QUEUED:
            counts[change.job.queue] = counts.get(change.job.queue, 0) + 1
        elif type(change) is Pause and not change.paused:
            counts[change.queue] = waiting
        elif type(change) is Take and change.place == WORKING:
            counts |= {queue: counts.get(queue, 0) + 1 for queue in limited}
    for queue in counts.keys() & limited.keys():
        if limited[queue]:  # those that came first may be of a worker that is at its limit
            counts[queue] = waiting
    return counts


class Foresight:
    """What the verbs of one round have looked up, with the records as those before them in the round will leave them.

    So any number of verbs can change one record in one round, one after the other. Where the transition of one then
    fails, those that built on it fail with it, at the version they expected, and try again.

    A verb that looks up twice decides what it writes between the two looks. If another verb means to write the same
    record by then, what it decided is old already: it is told so at once and decides anew. To commit it would do worse
    than fail. Whoever comes later would build on its version, which is the other's as well.
    """

    def __init__(self) -> None:
        self.seen = Loaded({}, {})
        """What verbs are answered: one dictionary for all, so they read it before they ask for anything else."""
        self.order: list[Call] = []
        """Who means to write records, in the order in which they built on one another."""
        self._jids: set[str] = set()
        self._corrected: set[Call] = set()

    def unknown(self, calls: Iterable[Call]) -> Load:
        """Say what these verbs look up, or mean to write, that is not known yet."""
        jids: list[str] = []
        records: list[tuple[str, str]] = []
        for call in calls:
            if type(call.ask) is Load:
                jids += call.ask.jids
                records += call.ask.records
            else:
                records += [(note.kind, note.id) for note in _notes(call.ask)]
        if self._jids:
            jids = [jid for jid in jids if jid not in self._jids]
        if self.seen.records:
            records = [key for key in records if key not in self.seen.records]
        return Load(tuple(jids), tuple(records))

    def learn(self, asked: Load, loaded: Loaded) -> None:
        """Take in what the store answered."""
        self._jids.update(asked.jids)
        self.seen.jobs.update(loaded.jobs)
        self.seen.records.update(loaded.records)

    def knows(self, load: Load) -> bool:
        """Say whether the store need not be asked."""
        for key in load.records:
            if key not in self.seen.records:
                return False
        return self._jids.issuperset(load.jids)

    def foresee(self, call: Call) -> Conflict | Literal["unknown"] | None:
        """Let those that come later see what this verb means to write; answer the conflict where it is old already.

        "unknown" is the answer where it means to write a record that nobody looked up in this round: it knows the
        version from an earlier one, or takes it for new. Whether that is still so is seen before anybody builds on it.
        """
        ask = call.ask
        if type(ask) is not tuple:
            return None
        notes = _notes(ask)
        for note in notes:
            record = self.seen.records.get((note.kind, note.id))
            if record is None:
                return "unknown"
            if record.version != note.expected:
                return Conflict(note, "version")
        for note in notes:
            gone = note.value is None
            self.seen.records[note.kind, note.id] = ABSENT if gone else Record(note.value, note.expected + 1)
        if notes:
            self.order.append(call)
        return None

    def may_correct(self, call: Call) -> bool:
        """Say whether a verb that was told to decide anew may do so in this round: once, so that rounds have an end."""
        again = call in self._corrected
        self._corrected.add(call)
        return not again


def in_foreseen_order(calls: list[Call], foreseen: Sequence[Call]) -> list[Call]:
    """Order those that were foreseen among themselves as they were, and before any other that writes a record.

    So whoever built on a transition that fails meets a version that is too low: nobody else can have reached that very
    version in between. All others keep their places.
    """
    if len(foreseen) < 2 or foreseen == calls:
        return calls
    places = set(foreseen)
    order = iter(foreseen)
    late = {call for call in calls if call not in places and _notes(call.ask)}
    ordered = [next(order) if call in places else call for call in calls if call not in late]
    return ordered + [call for call in calls if call in late]


def _notes(ask: Any) -> list[Note]:
    if type(ask) is tuple:
        return [change for change in ask if type(change) is Note]
    if type(ask) is list:
        return [change for transition in ask for change in transition if type(change) is Note]
    return []
