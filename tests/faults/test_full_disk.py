"""A full disk refuses what would be written, clearly and only that; when there is room again, all goes on."""

import contextlib
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from shopfloor.config import Settings
from shopfloor.config.values import StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreUnavailable
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.embedded import boot, file
from shopfloor.store.embedded import store as embedded
from shopfloor.store.embedded.store import EmbeddedStore
from tests.faults.histories import QUEUES_MAX, carry_out, contents_after, random_steps
from tests.faults.pipeline import Pipeline, line, refusal
from tests.faults.processes import ServerProcess
from tests.faults.sick_disk import VARIABLE, Ailment, Operation, SickFiles, SickVFS

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    # What we raise into SQLite, and it has no use for, ends here.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SICK = ("-m", "tests.faults.sick_disk")
SEEDS = 40
MEGABYTE = 1 << 20
NAMES = count()


class Disk:
    """A disk whose n-th operations fail, some at a time."""

    def __init__(self, ailment: Ailment, first: int, failures: int) -> None:
        self._ailment: Ailment = ailment
        self._fails = range(first, first + failures)
        self.operations = 0

    @property
    def may_fail(self) -> bool:
        """Whether it is not well for good yet."""
        return bool(self._fails)

    def heal(self) -> None:
        """Make it well for good."""
        self._fails = range(0)

    def __call__(self, operation: Operation) -> Ailment:
        """Say how the disk is for one more operation."""
        self.operations += 1
        return self._ailment if self.operations in self._fails else ""


@pytest.mark.parametrize("ailment", ["full", "no write"])
@pytest.mark.parametrize("durability", ["commit", "process"])
def test_a_refused_write_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, ailment: Ailment
) -> None:
    monkeypatch.setattr(embedded, "FOLD_STEPS", 40)
    monkeypatch.setattr(file, "CHECKPOINT_PAGES", 12)
    monkeypatch.setattr(boot, "WARM_JOBS_MIN", 2)
    for seed in range(SEEDS):
        folder = tmp_path / f"{durability}-{seed}"
        dice = random.Random(seed)
        disk = Disk(ailment, dice.randrange(30, 700), dice.choice((1, 1, 3, 20)))
        try:
            _play(folder, dice, disk, durability)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


def _play(folder: Path, dice: random.Random, disk: Disk, durability: str) -> None:
    """Carry out a history on a disk that fails for a while; each step that is refused is done once more until it is."""
    steps = random_steps(dice, 60)
    vfs = SickVFS(f"full-{next(NAMES)}", disk)
    settings = Settings(
        storage=StorageUrl.of_file(folder / "shopfloor.db"),
        durability="commit" if durability == "commit" else "process",
        queues_max=QUEUES_MAX,
        hot_jobs_max=10,
    )
    subject = Subject(lambda: EmbeddedStore(settings, Rules(), vfs.name, SickFiles(disk)))
    for number, step in enumerate(steps):
        while True:
            try:
                subject.run(carry_out(subject.store, step))
                break
            except StoreUnavailable:
                assert subject.snapshot() == contents_after(steps[:number])
    found = subject.snapshot()
    assert found == contents_after(steps)
    while disk.may_fail:
        with contextlib.suppress(StoreUnavailable):
            subject.reopen()
            disk.heal()
    assert subject.snapshot() == found
    subject.close()
    vfs.unregister()


def test_a_server_whose_disk_is_full_says_so_and_goes_on(tmp_path: Path) -> None:
    health = tmp_path / "health"
    health.write_text("")
    folder = tmp_path / "store"
    folder.mkdir()
    with ServerProcess(folder, program=SICK, environment={VARIABLE: str(health)}) as server:
        with Pipeline(server.port(), "w1") as pipe:
            _check_a_full_disk(pipe, lambda: health.write_text("full"), lambda: health.write_text(""))
        server.terminate()
        assert server.ended().code == 0
    with ServerProcess(folder) as server, Pipeline(server.port()) as pipe:
        assert [job["jid"] for job in pipe.ask_json("QUEUE", "PEEK q 9")] == ["job-00002"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of few megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(["mount", *options], capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_disk_fills_up(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with ServerProcess(small_disk) as server:
        with Pipeline(server.port(), "w1") as pipe:
            _check_a_full_disk(pipe, lambda: _fill(ballast), ballast.unlink)
        server.kill()
    with ServerProcess(small_disk) as server, Pipeline(server.port()) as pipe:
        assert [job["jid"] for job in pipe.ask_json("QUEUE", "PEEK q 9")] == ["job-00002"]


def test_a_real_disk_fills_up_by_pushes_alone(small_disk: Path) -> None:
    """All that fits is acknowledged, the rest is refused, and exactly what was acknowledged is there afterwards.

    A start needs some room, which the ballast gives back.
    """
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(6 * MEGABYTE))
    jobs = [{"jid": f"job-{number:05}", "jobtype": "W", "args": ["x" * 20_000], "queue": "q"} for number in range(400)]
    with ServerProcess(small_disk) as server:
        with Pipeline(server.port()) as pipe:
            replies = [pipe.ask("PUSH", job) for job in jobs]
        server.kill()
    taken = [job["jid"] for job, reply in zip(jobs, replies, strict=True) if reply == "OK"]
    refused = {refusal(reply) for reply in replies if reply != "OK"}
    assert len(taken) > 20
    assert refused == {f"store unavailable, try again: cannot write {small_disk / 'shopfloor.db'}: the disk is full"}
    ballast.unlink()
    with ServerProcess(small_disk) as server, Pipeline(server.port()) as pipe:
        assert [job["jid"] for job in pipe.ask_json("QUEUE", "PEEK q 1000")] == taken


def _fill(ballast: Path) -> None:
    """Take what room is left."""
    with ballast.open("wb", buffering=0) as taken, contextlib.suppress(OSError):
        while True:
            taken.write(bytes(4096))


def _check_a_full_disk(pipe: Pipeline, fill: Callable[[], object], heal: Callable[[], object]) -> None:
    """Push, fill the disk, see that writes are refused and reads are not, make room, and push the same again."""
    first = {"jid": "job-00001", "jobtype": "W", "args": [1], "queue": "q"}
    second = {"jid": "job-00002", "jobtype": "W", "args": ["x" * 600_000], "queue": "q"}
    assert pipe.ask("PUSH", first) == "OK"
    fill()
    assert refusal(pipe.ask("PUSH", second)).endswith("shopfloor.db: the disk is full")
    assert refusal(pipe.ask("PUSH", second)).startswith("store unavailable, try again: cannot write ")
    assert [job["jid"] for job in pipe.ask_json("QUEUE", "PEEK q 9")] == ["job-00001"]
    assert pipe.ask_json("JOB", "GET job-00001")["place"] == "queued"
    assert pipe.ask_json("INFO")["faktory"]["queues"] == {"q": 1}
    assert refusal(pipe.ask("JOB", "GET job-00002")) == "Job not found job-00002"
    heal()
    assert pipe.ask("PUSH", second) == "OK"
    assert pipe.ask_json("FETCH", "q")["jid"] == "job-00001"
    assert pipe.ask_many([line("ACK", {"jid": "job-00001"})]) == ["OK"]
