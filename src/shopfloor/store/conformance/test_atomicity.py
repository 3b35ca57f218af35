"""A transition happens whole or not at all, whichever of its guards fails, and fails for itself."""

import pytest

from shopfloor.core.changes import (
    Amend,
    Change,
    Claim,
    Clear,
    Count,
    Note,
    Pause,
    Put,
    Reason,
    Release,
    Take,
    Transition,
)
from shopfloor.store.conformance.conftest import Open
from shopfloor.store.conformance.jobs import DAY, NOW, job
from shopfloor.store.conformance.kind import Tuning
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.port import Reserve

EFFECTS: tuple[Change, ...] = (
    Put(job("new", "fresh"), "queued"),
    Put(job("front"), "queued", front=True),
    Put(job("later"), "scheduled", NOW + 5),
    Take("a", "queued"),
    Take("b", "queued"),
    Take("timed", "retries"),
    Take("running", "working", "w1"),
    Amend("amended", "w1", NOW + 7, cancelled=True),
    Note("batch", "b1", b"changed", 1),
    Note("batch", "b2", b"made", 0),
    Note("cron", "c1", None, 1),
    Note("worker", "w1", b"changed", 1),
    Claim("unique:b", "two", NOW + 900, NOW),
    Claim("unique:a", "one", NOW + 900, NOW),
    Release("unique:a", "one"),
    Count("processed", DAY, 3),
    Count("failures", "2023-11-15"),
    Pause("default", True),
    Pause("made", False),
    Clear("dead", count=1),
    Clear("queued", "default", count=2),
    Clear("queued", "other"),
)
GUARDS: tuple[tuple[Change, Reason], ...] = (
    (Put(job("held"), "queued"), "held"),
    (Put(job("x", "full"), "queued", limit=1), "full"),
    (Put(job("x", "one-too-many"), "queued", new=True), "queues"),
    (Take("nobody", "queued"), "gone"),
    (Take("amended", "working", "w2"), "gone"),
    (Amend("amended", "w2", NOW), "gone"),
    (Note("batch", "b3", b"x", 1), "version"),
    (Claim("unique:held", "two", NOW + 9, NOW), "claimed"),
    (Pause("one-too-many", True), "queues"),
)
QUEUES_MAX = 6
"""The four queues of `furnished`, and the two that the effects make."""


def _is_about_queues(effect: Change) -> bool:
    """Say whether an effect makes, or takes, the room that the guard of queues is about."""
    match effect:
        case Put():
            return effect.job.queue == "fresh"
        case Pause():
            return effect.queue == "made"
        case Clear():
            return effect.place == "queued"
    return False


def _says(value: object) -> str:
    return value if isinstance(value, str) else type(value).__name__


@pytest.fixture
def furnished(open_store: Open) -> Subject:
    """A store with something of everything."""
    store = open_store(Tuning(queues_max=QUEUES_MAX))
    store.put(job("running"), job("amended"), place="working")
    store.put(*(job(jid) for jid in ("a", "b", "c", "d")))
    store.put(job("o", "other"), job("f", "full"), job("keeps", "kept"))
    store.put(job("timed"), job("held"), place="retries", at=NOW)
    store.put(job("dead1"), job("dead2"), place="dead", at=NOW)
    store.do(Note("batch", "b1", b"one", 0), Note("cron", "c1", b"one", 0), Note("worker", "w1", b"one", 0))
    store.do(Claim("unique:a", "one", NOW + 50, NOW), Claim("unique:held", "one", NOW + 50, NOW))
    store.do(Count("processed", DAY))
    return store


@pytest.mark.parametrize(("guard", "reason"), GUARDS, ids=_says)
def test_nothing_of_a_transition_stays_when_its_second_guard_fails(
    furnished: Subject, guard: Change, reason: Reason
) -> None:
    effects = EFFECTS
    if reason == "queues":
        furnished.do(Pause("fills-1", False), Pause("fills-2", False))
        effects = tuple(effect for effect in EFFECTS if not _is_about_queues(effect))
    before = furnished.snapshot()
    for effect in effects:
        outcome = furnished.do(effect, guard)
        assert outcome is not None
        assert (outcome.change, outcome.reason) == (guard, reason), effect
        assert furnished.snapshot() == before, effect


@pytest.mark.parametrize(("guard", "reason"), GUARDS, ids=_says)
def test_nothing_of_a_long_transition_stays_when_its_last_guard_fails(
    furnished: Subject, guard: Change, reason: Reason
) -> None:
    effects = tuple(effect for effect in EFFECTS if not isinstance(effect, Clear) or effect.queue != "other")
    before = furnished.snapshot()
    outcome = furnished.do(*effects, guard)
    assert outcome is not None
    assert (outcome.change, outcome.reason) == (guard, reason)
    assert furnished.snapshot() == before
    assert furnished.fetch("default", count=9) == ["a", "b", "c", "d"]


def test_nothing_of_any_beginning_of_a_transition_stays(furnished: Subject) -> None:
    before = furnished.snapshot()
    for length in range(1, len(EFFECTS)):
        assert furnished.why(*EFFECTS[:length], Take("nobody", "queued")) == "gone"
        assert furnished.snapshot() == before, EFFECTS[length - 1]


def test_one_transition_that_fails_leaves_its_neighbours_alone(furnished: Subject) -> None:
    transitions: list[Transition] = [
        (Put(job("n1"), "queued"), Count("processed", DAY)),
        (Put(job("n2"), "queued"), Take("nobody", "dead")),
        (Put(job("n3"), "queued"),),
        (Take("a", "queued"), Put(job("n1"), "queued")),
        (Put(job("n4"), "queued"),),
    ]
    outcomes = furnished.commit(transitions).outcomes
    assert ["" if outcome is None else outcome.reason for outcome in outcomes] == ["", "gone", "", "held", ""]
    assert furnished.peek("default") == ["a", "b", "c", "d", "n1", "n3", "n4"]
    assert furnished.figures().processed == 2


def test_each_transition_sees_what_those_before_it_did(furnished: Subject) -> None:
    transitions: list[Transition] = [
        (Take("a", "queued"),),
        (Take("a", "queued"),),
        (Put(job("a", "fresh"), "queued"),),
        (Note("batch", "b1", b"two", 1),),
        (Note("batch", "b1", b"three", 1),),
        (Note("batch", "b1", b"three", 2),),
        (Clear("queued", "default", count=1),),
        (Claim("unique:b", "one", NOW + 5, NOW),),
        (Claim("unique:b", "two", NOW + 5, NOW),),
    ]
    committed = furnished.commit(transitions, [Reserve(("default",), "w1"), Reserve(("fresh",), "w1")])
    reasons = ["" if outcome is None else outcome.reason for outcome in committed.outcomes]
    assert reasons == ["", "gone", "", "", "version", "", "", "", "claimed"]
    assert [held.job.jid for jobs in committed.reserved for held in jobs] == ["c", "a"]


def test_a_guard_that_fails_first_hides_those_behind_it(furnished: Subject) -> None:
    guards = [guard for guard, reason in GUARDS if reason != "queues"]
    for first in guards:
        outcome = furnished.do(first, *guards)
        assert outcome is not None
        assert outcome.change == first


def test_a_commit_of_nothing_does_nothing(furnished: Subject) -> None:
    before = furnished.snapshot()
    committed = furnished.commit([], [])
    assert (list(committed.outcomes), list(committed.reserved)) == ([], [])
    assert list(furnished.commit([()]).outcomes) == [None]
    assert furnished.snapshot() == before
