"""Durable stores answer the same after every restart, wherever in their life it comes."""

import shutil
from pathlib import Path

import pytest

from shopfloor.core.changes import Amend, Change, Claim, Clear, Count, Note, Pause, Put, Release, Take
from shopfloor.store.port import Reserve
from tests.conformance.conftest import SHELVING
from tests.conformance.subject import Subject
from tests.jobs import DAY, NOW, job
from tests.stores import Kind, Tuning

Step = Change | Reserve

SCRIPT: tuple[Step, ...] = (
    Put(job("a", args="[1.0]"), "queued"),
    Put(job("b"), "queued"),
    Put(job("c"), "queued"),
    Put(job("d", "other"), "queued"),
    Put(job("s1"), "scheduled", NOW + 2),
    Put(job("s2"), "scheduled", NOW + 1),
    Put(job("r1"), "retries", NOW + 1),
    Put(job("x1"), "dead", NOW + 9),
    Put(job("x2"), "dead", NOW + 9),
    Reserve(("default",), "w1"),
    Put(job("e"), "queued"),
    Put(job("f"), "queued", front=True),
    Reserve(("default",), "", 2),
    Amend("a", "w1", NOW + 77, cancelled=True),
    Note("batch", "b1", b"one", 0),
    Note("batch", "b1", b"two", 1),
    Note("batch", "b2", b"one", 0),
    Note("batch", "b2", None, 1),
    Claim("unique:a", "one", NOW + 60, NOW),
    Claim("unique:b", "two", NOW + 60, NOW),
    Release("unique:b", "two"),
    Count("processed", DAY, 3),
    Count("failures", DAY),
    Take("c", "queued"),
    Put(job("c"), "queued"),
    Pause("other", True),
    Pause("new", True),
    Pause("new", False),
    Take("a", "working", "w1"),
    Put(job("a"), "queued", front=True),
    Take("s2", "scheduled"),
    Put(job("s2"), "queued"),
    Reserve(("new", "other", "default"), "w2", 9),
    Clear("dead", count=1),
    Clear("queued", "other"),
    Put(job("d", "other"), "queued"),
    Take("d", "queued"),
    Clear("working"),
)


def _carry_out(store: Subject, step: Step) -> list[str]:
    if isinstance(step, Reserve):
        return [held.job.jid for held in store.commit([], [step]).reserved[0]]
    return [store.why(step)]


def test_a_store_answers_the_same_after_a_restart_behind_every_step(durable_kind: Kind, tmp_path: Path) -> None:
    tuning = Tuning(hot_jobs_max=1) if durable_kind is SHELVING else Tuning()
    steady = Subject(lambda: durable_kind.make(tmp_path / "steady", tuning))
    restless = Subject(lambda: durable_kind.make(tmp_path / "restless", tuning))
    for step in SCRIPT:
        assert _carry_out(restless, step) == _carry_out(steady, step)
        restless.reopen()
        assert restless.snapshot() == steady.snapshot(), step
    steady.reopen()
    assert restless.snapshot() == steady.snapshot()
    steady.close()
    restless.close()


def test_soft_records_may_be_forgotten_and_others_may_not(durable: Subject) -> None:
    durable.do(Note("worker", "w1", b"alive", 0), Note("batch", "b1", b"open", 0))
    durable.reopen()
    assert durable.record("batch", "b1").value == b"open"
    version = durable.record("worker", "w1").version
    assert durable.why(Note("worker", "w1", b"again", version)) == ""


def test_a_flush_is_kept(durable: Subject) -> None:
    empty = durable.snapshot()
    for step in SCRIPT:
        _carry_out(durable, step)
    durable.run(durable.store.flush())
    assert durable.snapshot() == empty
    durable.reopen()
    assert durable.snapshot() == empty
    durable.put(job("a"))
    durable.reopen()
    assert durable.peek("default") == ["a"]


def test_closing_twice_is_harmless(durable: Subject) -> None:
    durable.put(job("a"))
    durable.run(durable.store.close())
    durable.run(durable.store.close())
    durable.reopen()
    assert durable.peek("default") == ["a"]


def test_a_backup_is_opened_as_a_store_of_its_own(durable: Subject, durable_kind: Kind, tmp_path: Path) -> None:
    for step in SCRIPT:
        _carry_out(durable, step)
    durable.run(durable.store.backup(tmp_path / "copy" / "shopfloor.db"))
    told = durable.snapshot()
    durable.put(job("later"))
    copy = Subject(lambda: durable_kind.make(tmp_path / "copy"))
    assert copy.snapshot() == told
    copy.close()


@pytest.mark.parametrize("steps", range(0, len(SCRIPT), 5))
def test_a_store_that_was_killed_knows_every_commit(durable_kind: Kind, tmp_path: Path, steps: int) -> None:
    tuning = Tuning(hot_jobs_max=1) if durable_kind is SHELVING else Tuning()
    living = Subject(lambda: durable_kind.make(tmp_path / "living", tuning))
    for step in SCRIPT[:steps]:
        _carry_out(living, step)
    shutil.copytree(tmp_path / "living", tmp_path / "found")
    found = Subject(lambda: durable_kind.make(tmp_path / "found", tuning))
    assert found.snapshot() == living.snapshot()
    living.close()
    found.close()
