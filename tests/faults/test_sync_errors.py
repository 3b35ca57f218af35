"""A sync that fails ends all writing until the server starts again, and what was acknowledged before is there then."""

import random
from itertools import count
from pathlib import Path

import pytest

from shopfloor.config import Settings
from shopfloor.config.values import StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreUnavailable
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.embedded import file
from shopfloor.store.embedded import store as embedded
from shopfloor.store.embedded.store import EmbeddedStore
from tests.faults.histories import QUEUES_MAX, Step, carry_out, contents_after, random_steps
from tests.faults.pipeline import Pipeline, refusal
from tests.faults.processes import ServerProcess
from tests.faults.sick_disk import VARIABLE, Ailment, Operation, SickFiles, SickVFS
from tests.jobs import job

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(120),
    # What we raise into SQLite, and it has no use for, ends here.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SICK = ("-m", "tests.faults.sick_disk")
SEEDS = 40
NAMES = count()


class Disk:
    """A disk of which one sync fails: the n-th, once the store is open."""

    def __init__(self) -> None:
        self.syncs = 0
        self.fails_at = 0

    def __call__(self, operation: Operation) -> Ailment:
        """Say how the disk is for one more operation."""
        self.syncs += operation == "sync"
        return "no sync" if operation == "sync" and self.syncs == self.fails_at else ""


@pytest.mark.parametrize("durability", ["commit", "process"])
def test_a_store_writes_no_more_after_any_sync_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    """Be it the sync of a commit, of a fold or of a checkpoint: the next step is refused, and every one behind it."""
    monkeypatch.setattr(embedded, "FOLD_STEPS", 40)
    monkeypatch.setattr(file, "CHECKPOINT_PAGES", 12)
    for seed in range(SEEDS):
        try:
            _play(tmp_path / str(seed), random.Random(seed), durability)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


def _play(folder: Path, dice: random.Random, durability: str) -> None:
    disk = Disk()
    vfs = SickVFS(f"sync-{next(NAMES)}", disk)
    settings = Settings(
        storage=StorageUrl.of_file(folder / "shopfloor.db"),
        durability="commit" if durability == "commit" else "process",
        queues_max=QUEUES_MAX,
    )
    subject = Subject(lambda: EmbeddedStore(settings, Rules(), vfs.name, SickFiles(disk)))
    disk.fails_at = disk.syncs + dice.randrange(1, 60 if durability == "commit" else 8)
    steps = random_steps(dice, 60)
    done = 0
    for step in steps:
        failed_before = disk.syncs >= disk.fails_at
        try:
            subject.run(carry_out(subject.store, step))
        except StoreUnavailable:
            assert disk.syncs >= disk.fails_at
            break
        assert not failed_before, "a step was acknowledged behind a sync that failed"
        done += 1
    assert disk.syncs >= disk.fails_at, "no sync failed"
    _check_refused_until_reopened(subject, steps[: done + 1], done)
    vfs.unregister()


def _check_refused_until_reopened(subject: Subject, steps: list[Step], done: int) -> None:
    for number in range(3):
        with pytest.raises(StoreUnavailable):
            subject.put(job(f"fresh-{number}"))
    with pytest.raises(StoreUnavailable):
        subject.run(subject.store.flush())
    assert subject.snapshot() == contents_after(steps[:done])
    subject.reopen()
    assert subject.snapshot() in (contents_after(steps[:done]), contents_after(steps))
    subject.close()


def test_a_server_takes_nothing_more_until_it_is_started_again(tmp_path: Path) -> None:
    health = tmp_path / "health"
    health.write_text("")
    folder = tmp_path / "store"
    folder.mkdir()
    jobs = [{"jid": f"job-{number:05}", "jobtype": "W", "args": [], "queue": "q"} for number in range(3)]
    with ServerProcess(folder, program=SICK, environment={VARIABLE: str(health)}) as server:
        with Pipeline(server.port()) as pipe:
            assert pipe.ask("PUSH", jobs[0]) == "OK"
            health.write_text("no sync")
            wanted = f"store unavailable, try again: {server.file} could not be synced to disk; restart the server"
            assert refusal(pipe.ask("PUSH", jobs[1])) == wanted
            health.write_text("")
            assert refusal(pipe.ask("PUSH", jobs[2])) == wanted
            assert refusal(pipe.ask("FLUSH")) == wanted
            assert [job["jid"] for job in pipe.ask_json("QUEUE", "PEEK q 9")] == ["job-00000"]
        server.terminate()
        assert server.ended().code == 0
    with ServerProcess(folder) as server, Pipeline(server.port()) as pipe:
        found = [job["jid"] for job in pipe.ask_json("QUEUE", "PEEK q 9")]
        assert found in (["job-00000"], ["job-00000", "job-00001"])
        assert pipe.ask("PUSH", jobs[2]) == "OK"
