"""What a deep queue leaves behind: nothing that could be out of order, and nothing that grows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shopfloor.config import Settings
from shopfloor.config.values import StorageUrl
from shopfloor.core.changes import Clear, Count, Put, Take, Transition
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreUnavailable
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.embedded import boot
from shopfloor.store.embedded import store as embedded
from shopfloor.store.memory.store import MemoryStore
from shopfloor.store.port import Reserve
from shopfloor.store.state import state
from tests.jobs import DAY, job
from tests.store.failing_file import FailingDisk, FailingFiles


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FailingFiles]:
    """Files that fail when they are told to."""
    made = FailingFiles(f"failing-{tmp_path.name}")
    yield made
    made.unregister()


@pytest.fixture
def shelving(tmp_path: Path, files: FailingFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    """An embedded store that keeps one job of a queue in memory and all others on the shelf."""
    monkeypatch.setattr(embedded, "FOLD_STEPS", 1)
    monkeypatch.setattr(boot, "WARM_JOBS_MIN", 1)
    wanted = Settings(storage=StorageUrl.of_file(tmp_path / "shopfloor.db"), hot_jobs_max=1, durability="process")
    subject = Subject(lambda: embedded.EmbeddedStore(wanted, Rules(), files.name, FailingDisk(files)))
    yield subject
    subject.close()


def _grow_old(shelving: Subject) -> None:
    """Let enough happen for every job to get its row: each round is a segment, and a fold is two segments behind."""
    for _ in range(3):
        shelving.do(Count("processed", DAY))


UNDONE: list[tuple[list[Transition], list[Reserve]]] = [
    ([(Take("c", "queued"),)], [Reserve(("default",), "w1", 2)]),
    ([(Take("b", "queued"), Take("d", "queued"))], [Reserve(("default",), "w1", 3)]),
    ([(Take("c", "queued"), Put(job("c"), "queued"))], [Reserve(("default",), "w1", 9)]),
    ([(Take("a", "queued"), Clear("queued", "default", count=2))], [Reserve(("default",), "w1")]),
    ([(Clear("queued", "default"), Put(job("a"), "queued"))], [Reserve(("default",), "w1")]),
]


@pytest.mark.parametrize(("transitions", "requests"), UNDONE, ids=range(len(UNDONE)))
def test_a_commit_that_is_undone_leaves_a_shelved_queue_in_order(
    shelving: Subject, files: FailingFiles, transitions: list[Transition], requests: list[Reserve]
) -> None:
    shelving.put(*map(job, "abcdef"))
    _grow_old(shelving)
    before = shelving.snapshot()
    files.arm(0, 1000)
    with pytest.raises(StoreUnavailable):
        shelving.commit(transitions, requests)
    files.disarm()
    assert shelving.snapshot() == before
    assert shelving.fetch("default", count=9) == list("abcdef")


def test_jobs_that_leave_the_middle_of_a_queue_leave_no_growing_heap_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state, "LEFT_BEHIND_MAX", 10)
    store = MemoryStore(Rules())
    subject = Subject(lambda: store)
    subject.put(job("first"))
    for number in range(300):
        subject.put(job(f"j{number}"))
        assert subject.do(Take(f"j{number}", "queued")) is None
    assert len(store.state.queues["default"].entries) <= 13
    subject.put(job("last"))
    assert subject.fetch("default", count=9) == ["first", "last"]
    subject.close()


def test_a_damaged_job_at_the_head_of_a_queue_stops_that_queue_alone(shelving: Subject) -> None:
    for jid in ("a", "b", "c"):
        shelving.do(Put(job(jid), "queued"))
    shelving.do(Put(job("x", queue="other"), "queued"))
    _grow_old(shelving)
    store = shelving.store
    assert isinstance(store, embedded.EmbeddedStore)
    assert store._connection is not None
    store._connection.execute("UPDATE jobs SET body = x'00' WHERE jid = 'b'")
    assert [held.job.jid for held in shelving.reserve("default")] == ["a"]
    assert [held.job.jid for held in shelving.reserve("default", "other")] == ["x"]
    assert "damaged" in str(shelving.run(store.describe()).facts["trouble"])
