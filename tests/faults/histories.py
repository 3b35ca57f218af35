"""Random commits, made beforehand, so that the same ones can be carried out on several stores and up to any point."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from shopfloor.core.changes import Amend, Change, Claim, Clear, Count, Note, Pause, Put, Release, Take, Transition
from shopfloor.core.job import Place, TimedPlace
from shopfloor.core.lifecycle import Rules
from shopfloor.store.conformance.subject import KEYS, OWNERS, Snapshot, Subject
from shopfloor.store.memory.store import MemoryStore
from shopfloor.store.port import Reserve, Store
from tests.jobs import DAY, NOW, job

JIDS = tuple(f"job-{number:02}" for number in range(60))
QUEUES = ("a", "a", "b", "c")
WIDS = ("", "w1", "w2")
TIMED: Sequence[TimedPlace] = ("scheduled", "retries", "dead")
PLACES: Sequence[Place] = ("queued", "queued", "queued", *TIMED)
QUEUES_MAX = 10
COUNTER = ("tracking", "step")
"""A record that every step counts up, so that a store tells which step it did last."""
BODY_BYTES = (0, 0, 100, 1000, 20_000)
"""The largest need several pages of a SQLite file each."""


class Step(Struct, frozen=True):
    """One call of the store: a commit, or where there are no transitions a flush."""

    transitions: tuple[Transition, ...]
    requests: tuple[Reserve, ...] = ()


def random_steps(dice: random.Random, count: int) -> list[Step]:
    """Make a history. Many of its transitions will fail, as their guards want it."""
    steps: list[Step] = []
    version = 0
    for number in range(count):
        if dice.random() < 0.01:
            steps.append(Step(()))
            version = 0
            continue
        transitions = [_transition(dice) for _ in range(dice.choice((1, 1, 2, 5)))]
        transitions.append((Note(*COUNTER, str(number + 1).encode(), version),))
        version += 1
        fetched = Reserve(("a", "b"), dice.choice(WIDS), dice.choice((1, 1, 5)))
        steps.append(Step(tuple(transitions), (fetched,) * dice.choice((0, 0, 1))))
    return steps


async def carry_out(store: Store, step: Step) -> None:
    """Do one step."""
    if step.transitions:
        await store.commit(step.transitions, step.requests, NOW)
    else:
        await store.flush()


def contents_after(steps: Sequence[Step]) -> Snapshot:
    """Say what a store holds that did all of these steps."""
    subject = Subject(lambda: MemoryStore(Rules(), queues_max=QUEUES_MAX))
    for step in steps:
        subject.run(carry_out(subject.store, step))
    snapshot = subject.snapshot()
    subject.close()
    return snapshot


def steps_done(store: Store, steps: Sequence[Step]) -> list[int]:
    """Ask a store how many of the steps it did; more than one answer where it was emptied last."""
    found = asyncio.run(store.load([], [COUNTER])).records[COUNTER]
    if found.value is not None:
        return [int(found.value)]
    return [0] + [number for number, step in enumerate(steps, 1) if not step.transitions]


def _transition(dice: random.Random) -> Transition:
    return tuple(_change(dice) for _ in range(dice.choice((1, 1, 1, 2))))


def _change(dice: random.Random) -> Change:
    makers: Sequence[tuple[int, Callable[[random.Random], Change]]] = (
        (40, _put),
        (25, lambda dice: Take(dice.choice(JIDS), dice.choice((*PLACES, "working")), dice.choice((None, None, "w1")))),
        (6, lambda dice: Amend(dice.choice(JIDS), None, NOW + dice.randrange(99), dice.random() < 0.5)),
        (6, lambda dice: Note("batch", dice.choice("xy"), dice.choice((None, b"1", b"2" * 50)), dice.randrange(3))),
        (4, lambda dice: Claim(dice.choice(KEYS), dice.choice(OWNERS), NOW + dice.choice((-1, 500)), NOW)),
        (3, lambda dice: Release(dice.choice(KEYS), dice.choice(OWNERS))),
        (6, lambda dice: Count(dice.choice(("processed", "failures")), DAY, dice.randrange(1, 4))),
        (3, lambda dice: Pause(dice.choice(QUEUES), dice.random() < 0.3)),
        (2, _clear),
    )
    return dice.choices([make for _, make in makers], [weight for weight, _ in makers])[0](dice)


def _put(dice: random.Random) -> Put:
    place = dice.choice(PLACES)
    body: Any = "x" * dice.choice(BODY_BYTES)
    made = job(dice.choice(JIDS), dice.choice(QUEUES), args=f'["{body}",{dice.randrange(10**9)}]')
    if place == "queued":
        return Put(made, place, front=dice.random() < 0.2)
    return Put(made, place, NOW + dice.randrange(1000))


def _clear(dice: random.Random) -> Clear:
    place = dice.choice(PLACES)
    return Clear(place, dice.choice(QUEUES) if place == "queued" else "", dice.choice((1, 3, 1000)))
