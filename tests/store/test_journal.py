"""The journal of the embedded store: what reaches the tables, when, and what is not taken for a part of it."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from shopfloor.config import Durability, Settings
from shopfloor.config.values import StorageUrl
from shopfloor.core.changes import Count, Put, Take
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreDamaged
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.embedded import boot, folding, shelving
from shopfloor.store.embedded import store as embedded
from shopfloor.store.embedded.entries import scan
from shopfloor.store.embedded.file import marks
from shopfloor.store.embedded.journal import ENDINGS
from tests.jobs import DAY, job
from tests.prompt_disk import PromptDisk

SEGMENT_STEPS = 40


def _open(folder: Path, durability: Durability = "commit") -> Subject:
    wanted = Settings(storage=StorageUrl.of_file(folder / "shopfloor.db"), durability=durability, hot_jobs_max=1)
    return Subject(lambda: embedded.EmbeddedStore(wanted, Rules(), disk=PromptDisk()))


def _inside(subject: Subject) -> embedded.EmbeddedStore:
    assert isinstance(subject.store, embedded.EmbeddedStore)
    assert subject.store._connection is not None
    return subject.store


def _rows(subject: Subject) -> list[str]:
    connection = _inside(subject)._connection
    assert connection is not None
    return [jid for (jid,) in connection.execute("SELECT jid FROM jobs ORDER BY position")]


def _fill_segments(subject: Subject, count: int) -> None:
    for _ in range(count * SEGMENT_STEPS):
        subject.do(Count("processed", DAY))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    """A store whose segments are small, and which keeps one job of a queue in memory."""
    monkeypatch.setattr(embedded, "FOLD_STEPS", SEGMENT_STEPS)
    monkeypatch.setattr(boot, "WARM_JOBS_MIN", 1)
    subject = _open(tmp_path / "live")
    yield subject
    subject.close()


def test_jobs_that_come_and_go_never_get_a_row(store: Subject) -> None:
    connection = _inside(store)._connection
    assert connection is not None
    touched: list[int] = []
    connection.set_update_hook(lambda kind, database, table, row: touched.append(row) if table == "jobs" else None)
    for number in range(3 * SEGMENT_STEPS):
        jid = f"job-{number}"
        store.put(job(jid))
        if number >= 5:
            assert store.fetch("default") == [f"job-{number - 5}"]
            assert store.do(Take(f"job-{number - 5}", "working", "w1")) is None
    assert not touched
    connection.set_update_hook(None)


def test_a_job_gets_its_row_when_it_is_two_segments_old(store: Subject) -> None:
    store.put(job("old"), job("older", "other"))
    _fill_segments(store, 2)
    assert _rows(store) == []
    _fill_segments(store, 1)
    assert _rows(store) == ["old", "older"]


def test_the_shelf_takes_no_job_that_has_no_row(store: Subject) -> None:
    old, young = [f"old-{number}" for number in range(10)], [f"young-{number}" for number in range(10)]
    store.put(*map(job, old))
    _fill_segments(store, 2)
    store.put(*map(job, young))
    assert store.do(Put(job("first"), "queued", front=True)) is None
    _fill_segments(store, 1)
    assert _rows(store) == old
    assert len(_inside(store)._shelf) == len(old)
    assert store.do(Take("old-3", "queued")) is None
    assert store.do(Take("young-3", "queued")) is None
    left = [jid for jid in ["first", *old, *young] if not jid.endswith("-3")]
    assert store.peek("default") == left
    _fill_segments(store, 3)
    assert _rows(store) == left
    assert store.fetch("default", count=99) == left


def test_a_fold_keeps_up_with_rounds_that_write_much(store: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one of them is held up by all that is left when the segment is full."""
    monkeypatch.setattr(folding, "SLICE_MIN", 1)
    monkeypatch.setattr(folding, "SLICE_MAX", 1)
    monkeypatch.setattr(shelving, "TOGETHER", 1)
    together = SEGMENT_STEPS // 5
    rows, shelved = [0], [0]
    for batch in range(30):
        store.put(*(job(f"job-{batch}-{number}") for number in range(together)))
        rows.append(len(_rows(store)))
        shelved.append(len(_inside(store)._shelf))
    assert max(after - before for before, after in pairwise(rows)) <= folding.CATCH_UP * together
    assert max(after - before for before, after in pairwise(shelved)) <= folding.CATCH_UP * together
    assert shelved[-1] >= (30 - 3 * 5 - 1) * together


def test_files_of_another_life_are_not_taken_for_the_journal(store: Subject, tmp_path: Path) -> None:
    """Somebody put back a file of a store that was stopped, and left what was beside the one before."""
    store.put(job("kept"))
    store.reopen()
    store.run(store.store.close())
    shutil.copytree(tmp_path / "live", tmp_path / "cold")
    store.reopen()
    store.put(job("later"))
    for ending in ENDINGS:
        shutil.copyfile(tmp_path / "live" / f"shopfloor.db{ending}", tmp_path / "cold" / f"shopfloor.db{ending}")
    cold = _open(tmp_path / "cold")
    assert cold.peek("default") == ["kept"]
    cold.put(job("other"))
    cold.reopen()
    assert cold.peek("default") == ["kept", "other"]
    cold.close()


def test_a_flush_takes_back_nothing_of_what_comes_behind_it(store: Subject, tmp_path: Path) -> None:
    store.put(job("before"))
    _fill_segments(store, 4)
    store.run(store.store.flush())
    store.put(job("behind"))
    shutil.copytree(tmp_path / "live", tmp_path / "found")
    found = _open(tmp_path / "found")
    assert found.peek("default") == ["behind"]
    found.close()


def test_a_torn_end_is_left_out_and_a_damaged_middle_is_refused(store: Subject, tmp_path: Path) -> None:
    for number in range(5):
        store.put(job(f"job-{number}"))
    for harmed, wanted in ((4, 4), (2, None)):
        found = tmp_path / f"found-{harmed}"
        shutil.copytree(tmp_path / "live", found)
        path = found / "shopfloor.db.journal-0"
        path.write_bytes(path.read_bytes().replace(f'"job-{harmed}"'.encode(), b'"job-x"'))
        if wanted is None:
            with pytest.raises(StoreDamaged, match=f"entry {harmed + 2} of the journal is damaged or missing"):
                _open(found)
            continue
        subject = _open(found)
        assert subject.peek("default") == [f"job-{number}" for number in range(wanted)]
        subject.put(job("job-behind"))
        subject.reopen()
        assert subject.peek("default")[-1] == "job-behind"
        subject.close()


def test_an_entry_that_was_refused_is_written_over(store: Subject, tmp_path: Path) -> None:
    """Numbers have no gaps, and what is behind the last entry is not one of this life, or an older one."""
    _fill_segments(store, 9)
    inside = _inside(store)
    connection, journal = inside._connection, inside._journal
    assert connection is not None
    assert journal is not None
    salt = marks(connection).generation
    contents = [(tmp_path / "live" / f"shopfloor.db{ending}").read_bytes() for ending in ENDINGS]
    numbers = sorted(entry.number for content in contents for entry in scan(content, salt))
    recent = [number for number in numbers if number > marks(connection).folded]
    assert recent == list(range(marks(connection).folded + 1, journal.number + 1))
