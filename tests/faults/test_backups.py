"""Backups made under load equal the store at one moment of their making, and are put back only when that is safe."""

import asyncio
import os
import random
import shutil
from pathlib import Path

import pytest

from shopfloor.config import Settings
from shopfloor.config.values import StorageUrl
from shopfloor.core.changes import Put
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreDamaged, StoreError, StoreLocked
from shopfloor.store.conformance.subject import Snapshot, Subject
from shopfloor.store.embedded import store as embedded
from shopfloor.store.embedded.restore import restore
from shopfloor.store.embedded.store import EmbeddedStore
from tests.faults.histories import QUEUES_MAX, Step, carry_out, contents_after, random_steps, steps_done
from tests.faults.pipeline import Pipeline
from tests.faults.processes import ServerProcess
from tests.jobs import NOW, job

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


def _make(path: Path) -> EmbeddedStore:
    settings = Settings(storage=StorageUrl.of_file(path), durability="process", queues_max=QUEUES_MAX)
    return EmbeddedStore(settings, Rules())


def _contents(path: Path) -> Snapshot:
    subject = Subject(lambda: _make(path))
    found = subject.snapshot()
    subject.close()
    return found


@pytest.mark.parametrize("seed", range(12))
def test_a_backup_under_load_is_the_store_at_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(embedded, "FOLD_STEPS", 40)
    monkeypatch.setattr(embedded, "BACKUP_PAGES", 2)
    steps = random_steps(random.Random(seed), 200)
    began, ended = asyncio.run(_back_up_under_load(_make(tmp_path / "store.db"), steps, tmp_path / "copy.db"))
    assert began < ended
    subject = Subject(lambda: _make(tmp_path / "copy.db"))
    possible = [number for number in steps_done(subject.store, steps) if began <= number <= ended]
    assert subject.snapshot() in [contents_after(steps[:number]) for number in possible]
    subject.close()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")] == ["copy.db"]


async def _back_up_under_load(store: EmbeddedStore, steps: list[Step], target: Path) -> tuple[int, int]:
    """Carry out steps, make a backup meanwhile; answer how many were done when it began and when it ended."""
    await store.open()
    done = len(steps) // 3
    for step in steps[:done]:
        await carry_out(store, step)
    began = done
    backup = asyncio.create_task(store.backup(target))
    while not backup.done():
        if done < len(steps):
            await carry_out(store, steps[done])
            done += 1
        await asyncio.sleep(0)
    await backup
    await store.close()
    return began, done


def test_a_backup_that_is_broken_off_leaves_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "BACKUP_PAGES", 1)

    async def break_off() -> None:
        store = _make(tmp_path / "store.db")
        await store.open()
        await store.commit(
            [(Put(job(f"job-{number}", args=f'["{"x" * 4000}"]'), "queued"),) for number in range(99)], (), NOW
        )
        backup = asyncio.create_task(store.backup(tmp_path / "copy.db"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        backup.cancel()
        with pytest.raises(asyncio.CancelledError):
            await backup
        assert not (tmp_path / "copy.db").exists()
        await store.backup(tmp_path / "copy.db")
        await store.close()

    asyncio.run(break_off())
    assert _contents(tmp_path / "copy.db") == _contents(tmp_path / "store.db")


def _store_with(path: Path, *jids: str) -> Snapshot:
    """Make a store that holds these jobs."""
    subject = Subject(lambda: _make(path))
    subject.put(*map(job, jids))
    found = subject.snapshot()
    subject.close()
    return found


def test_restoring_keeps_what_was_there(tmp_path: Path) -> None:
    target, source = tmp_path / "store.db", tmp_path / "backup.db"
    before, wanted = _store_with(target, "old-1", "old-2"), _store_with(source, "new-1")
    kept = restore(source, target)
    assert kept == tmp_path / "store.db.before-restore-1"
    assert _contents(target) == wanted
    assert _contents(kept) == before
    assert restore(source, target) == tmp_path / "store.db.before-restore-2"
    assert source.exists()
    assert not list(tmp_path.glob("*.arriving*"))


def test_restoring_where_nothing_was(tmp_path: Path) -> None:
    source, target = tmp_path / "backup.db", tmp_path / "folder" / "store.db"
    wanted = _store_with(source, "new-1")
    assert restore(source, target) is None
    assert _contents(target) == wanted


def test_restoring_beside_a_server_is_refused(tmp_path: Path) -> None:
    folder, source = tmp_path / "store", tmp_path / "backup.db"
    folder.mkdir()
    _store_with(source, "new-1")
    with ServerProcess(folder) as server:
        with Pipeline(server.port()) as pipe:
            assert pipe.ask("PUSH", {"jid": "job-00001", "jobtype": "W", "args": [], "queue": "q"}) == "OK"
            with pytest.raises(StoreLocked, match=r"shopfloor\.db is in use by another server$"):
                restore(source, server.file)
            assert pipe.ask("PUSH", {"jid": "job-00002", "jobtype": "W", "args": [], "queue": "q"}) == "OK"
        server.kill()
    assert [path.name for path in folder.iterdir() if "-" not in path.name] == ["shopfloor.db"]
    with ServerProcess(folder) as server, Pipeline(server.port()) as pipe:
        assert [one["jid"] for one in pipe.ask_json("QUEUE", "PEEK q 9")] == ["job-00001", "job-00002"]
        server.kill()
    kept = restore(source, server.file)
    assert kept is not None
    with ServerProcess(folder) as server, Pipeline(server.port()) as pipe:
        assert pipe.ask_json("JOB", "GET new-1")["place"] == "queued"
    assert {held.job.jid for held in _contents(kept).queued["q"]} == {"job-00001", "job-00002"}


@pytest.mark.parametrize("harm", ["emptied", "cut", "overwritten", "foreign", "its log is missing"])
def test_a_damaged_backup_is_refused_and_nothing_is_moved(tmp_path: Path, harm: str) -> None:
    target, source = tmp_path / "store.db", tmp_path / "backup.db"
    before = _store_with(target, "old-1")
    _store_with(source, *[f"new-{number}" for number in range(300)])
    content = source.read_bytes()
    if harm == "its log is missing":
        _copy_of_an_open_store(tmp_path / "open.db", source)
    else:
        source.write_bytes(
            {
                "emptied": b"",
                "cut": content[: len(content) // 2],
                "overwritten": content.replace(b'"new-77"', b'"nex-77"'),
                "foreign": b"no database at all" * 999,
            }[harm]
        )
    with pytest.raises(StoreDamaged):
        restore(source, target)
    assert _contents(target) == before
    assert sorted(path.name for path in tmp_path.iterdir() if "open" not in path.name) == ["backup.db", "store.db"]


def test_a_backup_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        restore(tmp_path / "none.db", tmp_path / "store.db")


def _copy_of_an_open_store(path: Path, copy: Path) -> None:
    """Copy the file of a store that serves, without its log, as a careless script does."""
    subject = Subject(lambda: _make(path))
    subject.put(job("late"))
    shutil.copyfile(path, copy)
    subject.close()


def test_a_backup_through_the_wire_while_clients_push(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    pushed: list[str] = []
    with ServerProcess(folder) as server, Pipeline(server.port()) as asking, Pipeline(server.port()) as pushing:
        answer: list[object] = []
        asking.send(b"STORE BACKUP monday.db", answer.append)
        asking.flush()
        os.set_blocking(asking.socket.fileno(), True)
        for number in range(300):
            jid = f"job-{number:05}"
            assert pushing.ask("PUSH", {"jid": jid, "jobtype": "W", "args": [], "queue": "q"}) == "OK"
            pushed.append(jid)
        while not answer:
            asking.listen()
        assert isinstance(answer[0], bytes), answer
    copy = folder / "backups" / "monday.db"
    queued = _contents(copy).queued.get("q", [])
    assert [held.job.jid for held in queued] == pushed[: len(queued)]
