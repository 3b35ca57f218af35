"""What each command may do to a job: the independent statement of the rules that a simulation is judged by.

A job is in a state: where it rests and who holds it. A command under way is a function that, given a state and the
job, lists the states that the command may lead to. What happened to a job in a round must be a walk along the
commands of that round; a job that moves without a cause, or by the command of somebody who has no say, is a bug.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from shopfloor.core.job import Held


class State(NamedTuple):
    """Where a job is; `wid` is who holds it while it is working."""

    place: str
    wid: str = ""


GONE = State("gone")
QUEUED = State("queued")
SCHEDULED = State("scheduled")
RETRIES = State("retries")
DEAD = State("dead")
TIMED = (SCHEDULED, RETRIES, DEAD)


class Known(NamedTuple):
    """A job as it is judged: its content, and what the simulation knows that the store need not."""

    jid: str
    queue: str
    retry: int
    at: float
    expires_at: float
    cancelled: bool


Moves = Callable[[State, Known], Iterable[State]]


def state_of(held: Held | None) -> State:
    """Say where a job is."""
    return GONE if held is None else State(held.place, held.wid)


def reachable(start: State, end: State, known: Known, commands: Sequence[Moves]) -> bool:
    """Say whether the commands can have led from one state to the other."""
    seen, fresh = {start}, [start]
    while fresh and end not in seen:
        state = fresh.pop()
        following = {after for moves in commands for after in moves(state, known)} - seen
        seen |= following
        fresh += following
    return end in seen


def push(jids: Collection[str]) -> Moves:
    """PUSH, PUSHB: jobs that are not held come to rest."""
    return lambda state, known: (QUEUED, SCHEDULED) if known.jid in jids and state == GONE else ()


def fetch(queues: Collection[str], wid: str) -> Moves:
    """FETCH: a queued job becomes working; it goes back where the client is gone by then."""

    def moves(state: State, known: Known) -> Iterator[State]:
        if state == QUEUED and known.queue in queues:
            yield State("working", wid)
        if state == State("working", wid):
            yield QUEUED

    return moves


def _settled(jids: Collection[str], wid: str, outcome: Callable[[Known], Iterable[State]]) -> Moves:
    """Whatever ends a run: only its holder has a say, or somebody who never gave a wid."""

    def moves(state: State, known: Known) -> Iterable[State]:
        if known.jid not in jids or state.place != "working" or (wid and state.wid != wid):
            return ()
        return outcome(known)

    return moves


def acknowledge(jids: Collection[str], wid: str) -> Moves:
    """ACK, ACKB."""
    return _settled(jids, wid, lambda known: (GONE,))


def fail(jid: str, wid: str) -> Moves:
    """FAIL: a job without retries, or one that is cancelled, leaves."""

    def outcome(known: Known) -> Iterable[State]:
        if known.retry == 0:
            return (GONE,)
        return (RETRIES, DEAD, GONE) if known.cancelled else (RETRIES, DEAD)

    return _settled((jid,), wid, outcome)


def give_back(jid: str, wid: str) -> Moves:
    """REQUEUE."""
    return _settled((jid,), wid, lambda known: (QUEUED, GONE) if known.cancelled else (QUEUED,))


def cancel(jid: str) -> Moves:
    """JOB CANCEL: leaves, unless it is working."""
    return lambda state, known: (GONE,) if known.jid == jid and state.place != "working" else ()


def mutate(command: str, target: State) -> Moves:
    """MUTATE."""
    outcome = {"kill": DEAD, "requeue": QUEUED, "discard": GONE, "clear": GONE}[command]
    return lambda state, known: (outcome,) if state == target else ()


def remove(queue: str) -> Moves:
    """QUEUE REMOVE."""
    return lambda state, known: (GONE,) if state == QUEUED and known.queue == queue else ()


def flush() -> Moves:
    """FLUSH."""
    return lambda state, known: (GONE,)


def promote(target: State, clock: Callable[[], float]) -> Moves:
    """The pass that enqueues what is due."""
    return lambda state, known: (QUEUED,) if state == target and known.at <= clock() else ()


def purge() -> Moves:
    """The pass that throws dead jobs away."""
    return lambda state, known: (GONE,) if state == DEAD else ()


def reap(clock: Callable[[], float], is_lost: Callable[[str], bool]) -> Moves:
    """The passes that give back what was held too long, or by a worker that is lost."""

    def moves(state: State, known: Known) -> Iterable[State]:
        if state.place != "working" or not (known.expires_at <= clock() or is_lost(state.wid)):
            return ()
        return (QUEUED, DEAD, GONE) if known.cancelled else (QUEUED, DEAD)

    return moves


def nothing() -> Moves:
    """Commands that move no job: BEAT, PAUSE, HELLO."""
    return lambda state, known: ()
