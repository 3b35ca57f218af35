"""What can be told from the transitions of a round before they are committed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shopfloor.broker.calls import Call
from shopfloor.core.changes import ABSENT, Note, Pause, Put, Record, Take, Transition
from shopfloor.core.job import QUEUED, WORKING


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


def in_foreseen_order(calls: list[Call], foreseen: Sequence[Call]) -> list[Call]:
    """Order those that were foreseen among themselves as they were, and before any other that writes a record.

    So whoever built on a transition that fails meets a version that is too low: nobody else can have reached that very
    version in between. All others keep their places.
    """
    if len(foreseen) < 2:
        return calls
    places = set(foreseen)
    order = iter(foreseen)
    late = [call for call in calls if call not in places and any(_notes(call.ask))]
    ordered = [next(order) if call in places else call for call in calls if call not in late]
    return ordered + late


def foresee(ask: Any, seen: dict[tuple[str, str], Record]) -> None:
    """Let those that come later in the round see the records that this transition writes.

    So any number of verbs can change one record in one round, one after the other. Where the transition then fails,
    those that built on it fail with it, at the version they expected, and try again.
    """
    for note in _notes(ask):
        gone = note.value is None
        seen[note.kind, note.id] = ABSENT if gone else Record(note.value, note.expected + 1)


def _notes(ask: Any) -> Iterator[Note]:
    transitions: Iterable[Transition] = (ask,) if type(ask) is tuple else ask if type(ask) is list else ()
    for change in (change for transition in transitions for change in transition):
        if type(change) is Note:
            yield change
