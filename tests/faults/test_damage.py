"""Damage at random places of a file: an error that says so, at the start or at the command concerned, or no harm.

The end of a journal cannot be told from damage: the power may have gone there. So damage may take back the last step
with durability `commit`, where every entry says that those before it are on the disk, and with `process` the last
steps, all of them from some moment on.
"""

import asyncio
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec import Struct

from shopfloor.config import Durability, Settings
from shopfloor.config.values import StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreError
from shopfloor.store.conformance.subject import Snapshot, Subject
from shopfloor.store.embedded import boot, file
from shopfloor.store.embedded import store as embedded
from shopfloor.store.embedded.file import abandon
from shopfloor.store.embedded.journal import ENDINGS
from shopfloor.store.embedded.store import EmbeddedStore
from tests.faults.histories import QUEUES_MAX, Step, carry_out, contents_after, random_steps, steps_done
from tests.faults.pipeline import Pipeline, refusal
from tests.faults.processes import ServerProcess, refused_start

SEEDS = int(os.environ.get("SHOPFLOOR_DAMAGE_SEEDS", "250"))
STEPS = 120
PAGE = 4096
KINDS = ("bytes", "stretch", "zeros", "page", "cut")
STORE_ERROR = 4

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


class Original(Struct, frozen=True):
    """A whole file, what it holds, and the steps that made it so."""

    folder: Path
    steps: list[Step]
    contents: Snapshot


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some jobs are in rows, some on the shelf and some in the journal."""
    monkeypatch.setattr(embedded, "FOLD_STEPS", 150)
    monkeypatch.setattr(file, "CHECKPOINT_PAGES", 60)
    monkeypatch.setattr(boot, "WARM_JOBS_MIN", 2)


def _make(folder: Path, durability: Durability = "process") -> EmbeddedStore:
    settings = Settings(
        storage=StorageUrl.of_file(folder / "shopfloor.db"),
        durability=durability,
        queues_max=QUEUES_MAX,
        hot_jobs_max=10,
    )
    return EmbeddedStore(settings, Rules())


def _original(folder: Path, seed: int, *, closed: bool, durability: Durability = "process") -> Original:
    """Make a file as a stop of the server leaves it, or as its death does."""
    live = folder / "live"
    store = _make(live, durability)
    asyncio.run(store.open())
    steps = random_steps(random.Random(seed), STEPS)
    for step in steps:
        asyncio.run(carry_out(store, step))
    if closed:
        asyncio.run(store.close())
    shutil.copytree(live, folder / "whole")
    if not closed:
        asyncio.run(store.close())
    return Original(folder / "whole", steps, contents_after(steps))


def _harm(path: Path, dice: random.Random, kinds: Sequence[str] = KINDS) -> None:
    """Overwrite some bytes, a stretch, or a page by another one of the same file, or cut the file off."""
    content = bytearray(path.read_bytes())
    at = dice.randrange(len(content))
    kind = dice.choice(kinds)
    if kind == "byte":
        content[at] ^= dice.randrange(1, 256)
    elif kind == "bytes":
        for _ in range(dice.choice((1, 3, 20))):
            content[dice.randrange(len(content))] = dice.randrange(256)
    elif kind == "stretch":
        content[at : at + 64] = dice.randbytes(len(content[at : at + 64]))
    elif kind == "zeros":
        content[at : at + 512] = bytes(len(content[at : at + 512]))
    elif kind == "page":
        to, source = at // PAGE * PAGE, dice.randrange(len(content)) // PAGE * PAGE
        content[to : to + PAGE] = content[source : source + PAGE]
    else:
        del content[at:]
    path.write_bytes(content)


@pytest.mark.parametrize("closed", [True, False], ids=["stopped", "killed"])
def test_damage_to_the_tables_is_an_error_or_no_harm(tmp_path: Path, closed: bool) -> None:
    originals = [_original(tmp_path / str(seed), seed, closed=closed) for seed in range(3)]
    assert Judge(tmp_path, originals).count_noticed("shopfloor.db") > SEEDS // 10


def test_damage_to_the_log_of_the_tables_is_an_error_or_no_harm(tmp_path: Path) -> None:
    """What a log loses the journal has, unless a flush came between."""
    originals = [_original(tmp_path / str(seed), seed, closed=False) for seed in range(3)]
    Judge(tmp_path, originals).count_noticed("shopfloor.db-wal")


@pytest.mark.parametrize(
    ("durability", "kinds", "steps_lost_max"), [("commit", ("byte",), 1), ("process", KINDS, STEPS)]
)
def test_damage_to_the_journal_is_an_error_or_takes_back_the_end(
    tmp_path: Path, durability: Durability, kinds: Sequence[str], steps_lost_max: int
) -> None:
    originals = [_original(tmp_path / str(seed), seed, closed=False, durability=durability) for seed in range(3)]
    judge = Judge(tmp_path, originals, SEEDS // 2, kinds, steps_lost_max)
    assert sum(judge.count_noticed(f"shopfloor.db{ending}") for ending in ENDINGS) > SEEDS // 10


class Judge:
    """Harms copies of some files, and looks at what is made of them."""

    def __init__(
        self,
        folder: Path,
        originals: list[Original],
        seeds: int = SEEDS,
        kinds: Sequence[str] = KINDS,
        steps_lost_max: int = 0,
    ) -> None:
        self._folder = folder / "harmed"
        self._originals = originals
        self._seeds = seeds
        self._kinds = kinds
        self._steps_lost_max = steps_lost_max

    def count_noticed(self, name: str) -> int:
        """Count how often it was refused to read what is there, or some of it."""
        noticed = 0
        for seed in range(self._seeds):
            dice = random.Random(seed)
            original = dice.choice(self._originals)
            shutil.copytree(original.folder, self._folder)
            path = self._folder / name
            try:
                if path.stat().st_size:
                    _harm(path, dice, self._kinds)
                    noticed += _is_noticed(self._folder, original, self._steps_lost_max)
            except BaseException as error:
                error.add_note(f"seed {seed}, {name}")
                raise
            shutil.rmtree(self._folder)
        return noticed


def _is_noticed(folder: Path, original: Original, steps_lost_max: int) -> bool:
    """Read everything; answer whether that ended in an error, and fail where what was read is wrong."""
    store = _make(folder)
    subject: Subject | None = None
    try:
        subject = Subject(lambda: store)
        found = subject.snapshot()
    except StoreError:
        return True
    finally:
        store._end_journal()
        if store._connection is not None:
            abandon(store._connection)
        if subject is not None:
            subject._runner.close()
    if found != original.contents:
        possible = [number for number in steps_done(store, original.steps) if STEPS - number <= steps_lost_max]
        assert possible, "something is missing, or wrong"
        assert any(found == contents_after(original.steps[:number]) for number in possible), "no moment was like this"
    return False


def _server_with_jobs(folder: Path, count: int) -> Path:
    folder.mkdir()
    with ServerProcess(folder) as server:
        with Pipeline(server.port()) as pipe:
            jobs = [
                {"jid": f"job-{number:05}", "jobtype": "W", "args": [f"args-{number:05}"]} for number in range(count)
            ]
            assert pipe.ask("PUSHB", jobs) == b"{}"
        server.terminate()
        assert server.ended().code == 0
    return server.file


def test_a_server_does_not_start_on_a_damaged_job(tmp_path: Path) -> None:
    path = _server_with_jobs(tmp_path / "store", 50)
    path.write_bytes(path.read_bytes().replace(b"args-00007", b"args-00008"))
    ended = refused_start(path.parent)
    assert ended.code == STORE_ERROR
    assert ended.complaint() == f"shopfloor: {path} is damaged: the row of job job-00007 is damaged"


def test_a_damaged_job_on_the_shelf_is_an_error_of_whoever_asks_for_it(tmp_path: Path) -> None:
    """A start does not read what is far away in a deep queue; the rest of the queue can be worked on meanwhile."""
    path = _server_with_jobs(tmp_path / "store", 6000)
    path.write_bytes(path.read_bytes().replace(b"args-05500", b"args-05501"))
    with ServerProcess(path.parent) as server, Pipeline(server.port(), "w1") as pipe:
        assert refusal(pipe.ask("JOB", "GET job-05500")) == "store error: the row of job job-05500 is damaged"
        assert pipe.ask_json("JOB", "GET job-05501")["job"]["args"] == ["args-05501"]
        assert pipe.ask_json("FETCH", "default")["jid"] == "job-00000"
        assert pipe.ask("ACK", {"jid": "job-00000"}) == "OK"
