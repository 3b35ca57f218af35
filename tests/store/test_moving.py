"""Moving everything from one store to another: what arrives, what a kill at any point costs, and what is refused."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shopfloor.core import changes
from shopfloor.core.changes import SOFT_KINDS, Amend, Claim, Clear, Count, Note, Pause, Put, Transition
from shopfloor.errors import StoreError, StoreUnavailable
from shopfloor.store.conformance.jobs import DAY, NOW, job
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.moving.contents import KINDS, PAGE_JOBS
from shopfloor.store.moving.move import BEGUN, MOVE, Move, unfinished
from shopfloor.store.port import Reserve, Store
from tests.broker.failing_store import FailingStore
from tests.stores import EMBEDDED, MEMORY, POSTGRES, REDIS, SHELVING, Kind

PAIRS = (
    (EMBEDDED, EMBEDDED),
    (EMBEDDED, MEMORY),
    (MEMORY, EMBEDDED),
    (SHELVING, MEMORY),
    (EMBEDDED, POSTGRES),
    (POSTGRES, REDIS),
    (REDIS, EMBEDDED),
    (POSTGRES, EMBEDDED),
)
SOURCE = "sqlite:///where/it/was"

LIFE: tuple[Transition, ...] = (
    *((Put(job(f"job-{number:04}", "deep", args=f"[{number},1.0]"), "queued"),) for number in range(PAGE_JOBS + 7)),
    *((Put(job(f"next-{number}"), "queued", front=number % 2 == 0),) for number in range(6)),
    *((Put(job(f"later-{number}", custom='{"bid":"b1"}'), "scheduled", NOW + number % 3),) for number in range(5)),
    (Put(job("again-1"), "retries", NOW + 9.25),),
    (Put(msgspec.structs.replace(job("dead-1"), crashes=2, counted=True), "dead", NOW + 99),),
    (Put(job("only-one", "forgotten"), "queued"),),
    *((Put(job(f"held-{number}", "busy" if number % 2 else "default"), "queued", front=True),) for number in range(6)),
    (Note("batch", "b1", b"\x00\xffone", 0),),
    (Note("batch", "b1", b"two", 1),),
    (Note("track", "later-1", b"half", 0),),
    (Note("cron", "nightly", b"at two", 0),),
    (Note("throttle", "type:Resize", b"slots", 0),),
    (Claim("unique:a", "one", NOW + 500.5, NOW),),
    (Claim("unique:over", "two", NOW + 1, NOW),),
    (Count("processed", DAY, 41), Count("failures", DAY, 3), Count("processed", "2023-11-15", 1)),
    (Count("processed", "1990-01-01", 7),),
    (Pause("deep", True), Pause("empty", True), Pause("known", False)),
)


def _live(store: Subject) -> None:
    assert not any(store.commit(LIFE).outcomes)
    assert store.fetch("forgotten", wid="w9", now=NOW + 1) == ["only-one"]
    assert not any(store.commit([(Clear("queued", "forgotten", count=0),)]).outcomes)
    for number in range(3):
        store.commit([], [Reserve(("default",), f"w{number}"), Reserve(("busy",), "")], NOW + number // 2)
    held = store.find("held-4")
    assert held is not None
    assert store.why(Amend("held-4", held.wid, held.expires_at + 70.5, cancelled=True)) == ""


def _contents(store: Subject) -> Any:
    """All that a store answers, but for what need not be kept: positions, versions, soft records."""
    told = store.snapshot()
    records = {kind: store.run(store.store.records(kind)) for kind in KINDS}
    values = {kind: {id: record.value for id, record in known.items()} for kind, known in records.items()}
    locks = sorted(store.run(store.store.locks(float("inf"), 100)), key=lambda lock: lock.key)
    return told.queues, told.queued, told.timed, told.working, told.figures, told.history, values, locks


async def _move(origin: Store, target: Store) -> int:
    move = Move(origin, target, SOURCE, NOW + 86_400)
    counts = await move.check()
    await move.carry()
    await move.verify()
    return counts.jobs


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Open stores that share a loop; they are closed behind the test."""
    subjects: list[Subject] = []

    def open_it(kind: Kind, name: str) -> Subject:
        kind.prepare(monkeypatch)
        (tmp_path / name).mkdir(exist_ok=True)
        beside = subjects[0] if subjects else None
        subjects.append(Subject(lambda: kind.make(tmp_path / name), beside=beside))
        return subjects[-1]

    yield open_it
    for subject in reversed(subjects):
        subject.close()


@pytest.mark.parametrize(("start", "end"), PAIRS, ids=lambda kind: kind.name)
def test_everything_arrives_as_it_was(opened: Any, start: Kind, end: Kind) -> None:
    origin, target = opened(start, "origin"), opened(end, "target")
    _live(origin)
    before = _contents(origin)
    assert origin.run(_move(origin.store, target.store)) == PAGE_JOBS + 7 + 6 + 5 + 2 + 7
    assert _contents(target) == before
    assert _contents(origin) == before
    assert target.run(target.store.records(MOVE)) == {}
    if end.durable:
        target.reopen()
        assert _contents(target) == before
    target.put(job("new"))
    assert target.peek("default")[-1] == "new"


def test_an_empty_store_is_moved_too(opened: Any) -> None:
    origin, target = opened(MEMORY, "origin"), opened(MEMORY, "target")
    assert origin.run(_move(origin.store, target.store)) == 0
    assert _contents(target) == _contents(origin)


@pytest.mark.parametrize("applied", [False, True])
def test_a_move_that_was_killed_at_any_commit_goes_on(
    opened: Any, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    origin = opened(MEMORY, "origin")
    _live(origin)
    before = _contents(origin)
    monkeypatch.setattr("shopfloor.store.moving.contents.PAGE_JOBS", 400)
    monkeypatch.setattr("shopfloor.store.moving.move.PAGE_JOBS", 400)
    kill, finished = 0, False
    while not finished:
        target = opened(MEMORY, f"target-{kill}")
        failing, left = FailingStore(target.store), [kill]

        def cue(verb: str, left: list[int] = left) -> Exception | None:
            left[0] -= verb == "commit"
            return StoreUnavailable("killed") if left[0] < 0 else None

        if applied:
            failing.afterwards = cue
        else:
            failing.cue = cue
        try:
            origin.run(_move(origin.store, failing))
            finished = True
        except StoreUnavailable:
            if kill == 0 or target.run(unfinished(target.store)):  # else it was killed after its last step
                origin.run(_move(origin.store, target.store))
        assert _contents(target) == before, f"killed at commit {kill}"
        kill += 1
    assert kill > 15


def test_a_target_that_is_not_empty_is_left_alone(opened: Any) -> None:
    origin, target = opened(MEMORY, "origin"), opened(MEMORY, "target")
    origin.put(job("a"))
    target.put(job("b"))
    with pytest.raises(StoreError, match="the target is not empty: 1 jobs, 1 queues"):
        origin.run(_move(origin.store, target.store))
    assert target.peek("default") == ["b"]


def test_half_of_another_move_is_left_alone(opened: Any) -> None:
    origin, target = opened(MEMORY, "origin"), opened(MEMORY, "target")
    target.do(Note(MOVE, BEGUN, b"redis://elsewhere", 0))
    with pytest.raises(StoreError, match="half of a move from redis://elsewhere"):
        origin.run(_move(origin.store, target.store))
    assert target.run(unfinished(target.store)) == "redis://elsewhere"


@pytest.mark.parametrize("where", ["origin", "target"])
def test_somebody_who_still_works_with_one_of_them_is_noticed(opened: Any, where: str) -> None:
    stores = {"origin": opened(MEMORY, "origin"), "target": opened(MEMORY, "target")}
    origin, target = stores["origin"], stores["target"]
    _live(origin)
    move = Move(origin.store, target.store, SOURCE, NOW + 86_400)
    origin.run(move.carry())
    stores[where].put(job("unexpected", "default"))
    with pytest.raises(
        StoreError, match=r"source and target differ.*queue default: (6 of .* against 7|7 of .* against 6) of"
    ):
        origin.run(move.verify())
    assert target.run(unfinished(target.store)) == SOURCE


def test_every_kind_of_record_is_moved() -> None:
    """A feature that notes records of a new kind says so as the others do, and has them moved."""
    core = Path(changes.__file__).parent
    said = re.compile(r'^[A-Z]+ = "([a-z]+)"\n"""The kind of record ', re.MULTILINE)
    kinds = {kind for path in core.glob("*.py") for kind in said.findall(path.read_text(encoding="utf-8"))}
    assert kinds == {*KINDS, *SOFT_KINDS}
