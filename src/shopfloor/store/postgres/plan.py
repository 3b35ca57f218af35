"""What a round comes to: its changes added up, as `commit_round` carries them out, or found to need a closer look.

A `Plan` says what becomes of each job, record and lock, once: order matters no more, but for the order of the jobs
that are put. Most rounds are that simple. Where two changes are about the same thing in another way than those below
know, or a change asks for what only a look into the tables can tell, there is no plan, and `slowly.py` makes one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from shopfloor.core.changes import (
    Amend,
    Change,
    Claim,
    Count,
    Note,
    Put,
    Release,
    Take,
    Transition,
)
from shopfloor.core.job import QUEUED


class Written(Struct, frozen=True):
    """A record: the version it must have, and what it becomes; None is removed."""

    expected: int
    value: bytes | None
    version: int


class Plan:
    """The sum of changes that are all possible, or none of them happens."""

    __slots__ = (
        "amends",
        "claims",
        "claims_at",
        "counts",
        "forgotten",
        "notes",
        "paused",
        "puts",
        "releases",
        "takes",
    )

    def __init__(self) -> None:
        self.takes: dict[str, Take] = {}
        self.puts: dict[str, Put] = {}
        """In the order in which they are put; a job that is taken too is put behind that."""
        self.amends: dict[str, Amend] = {}
        self.notes: dict[tuple[str, str], Written] = {}
        self.claims: dict[str, tuple[str, float]] = {}
        """For each lock its new owner and end."""
        self.claims_at: float | None = None
        """A lock that ended before is free."""
        self.releases: dict[str, str] = {}
        """For each lock the owner who gives it up."""
        self.counts: dict[str, int] = {}
        self.paused: dict[str, bool] = {}
        """Queues that are made, paused or resumed."""
        self.forgotten: list[str] = []

    @property
    def resumed(self) -> list[str]:
        """Queues that may give out jobs again."""
        return [name for name, paused in self.paused.items() if not paused]

    def count(self, name: str, by: int) -> None:
        """Add to a counter."""
        self.counts[name] = self.counts.get(name, 0) + by


def plan_of(transitions: Sequence[Transition]) -> Plan | None:
    """Add up a round; None where it is not simple."""
    plan = Plan()
    for transition in transitions:
        for change in transition:
            add = _ADDERS.get(type(change))
            if add is None or not add(plan, change):
                return None
    return plan


def _take(plan: Plan, change: Take) -> bool:
    jid = change.jid
    if jid in plan.takes or jid in plan.puts or jid in plan.amends:
        return False
    plan.takes[jid] = change
    return True


def _put(plan: Plan, change: Put) -> bool:
    jid = change.job.jid
    if jid in plan.puts or jid in plan.amends or (change.limit and change.place == QUEUED):
        return False
    plan.puts[jid] = change
    return True


def _amend(plan: Plan, change: Amend) -> bool:
    jid = change.jid
    if jid in plan.takes or jid in plan.puts or jid in plan.amends:
        return False
    plan.amends[jid] = change
    return True


def _note(plan: Plan, change: Note) -> bool:
    """Many verbs of a round may write one record, each on the version of the one before it."""
    key, gone = (change.kind, change.id), change.value is None
    before = plan.notes.get(key)
    if gone and not change.expected:
        return False
    if before is not None and (before.value is None or before.version != change.expected):
        return False
    if before is not None and gone and not before.expected:
        return False
    expected = change.expected if before is None else before.expected
    plan.notes[key] = Written(expected, change.value, 0 if gone else change.expected + 1)
    return True


def _claim(plan: Plan, change: Claim) -> bool:
    if change.key in plan.claims or change.key in plan.releases or plan.claims_at not in (None, change.now):
        return False
    plan.claims_at = change.now
    plan.claims[change.key] = change.owner, change.until
    return True


def _release(plan: Plan, change: Release) -> bool:
    if change.key in plan.claims or change.key in plan.releases:
        return False
    plan.releases[change.key] = change.owner
    return True


def _count(plan: Plan, change: Count) -> bool:
    plan.count(f"total:{change.name}", change.by)
    plan.count(f"day:{change.name}:{change.day}", change.by)
    return True


_ADDERS: Final[Mapping[type[Change], Callable[[Plan, Any], bool]]] = {
    Take: _take,
    Put: _put,
    Amend: _amend,
    Note: _note,
    Claim: _claim,
    Release: _release,
    Count: _count,
}
"""Pause and Clear are rare, and need to know what is there."""
