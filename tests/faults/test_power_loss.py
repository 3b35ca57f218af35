"""Power loss at any operation of the disk: the file opens, and holds what its durability promised, and nothing else.

SHOPFLOOR_POWER_SEEDS is how many histories each test tries; a failing one names its seed.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from shopfloor.config import Settings
from shopfloor.config.settings import Durability
from shopfloor.config.values import StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreError
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.embedded import boot, file
from shopfloor.store.embedded import store as embedded
from shopfloor.store.embedded.check import check
from shopfloor.store.embedded.store import EmbeddedStore
from tests.faults.histories import QUEUES_MAX, Step, carry_out, contents_after, random_steps, steps_done
from tests.faults.power import Disk, Loss, PowerFiles, PowerOff, PowerVFS

SEEDS = int(os.environ.get("SHOPFLOOR_POWER_SEEDS", "60"))
STEPS = 60
LOSSES: tuple[Loss, ...] = ("everything", "a tail", "anything")
NAMES = count()

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    # What we raise into SQLite, and it has no use for, ends here.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
Make = Callable[[Disk | None], EmbeddedStore]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds, checkpoints and the shelf come into play within a few steps."""
    monkeypatch.setattr(embedded, "FOLD_STEPS", 40)
    monkeypatch.setattr(file, "CHECKPOINT_PAGES", 12)
    monkeypatch.setattr(boot, "WARM_JOBS_MIN", 2)


@pytest.fixture
def vfs_names() -> Iterator[Callable[[Disk], str]]:
    """Register disks with SQLite for as long as a test lasts."""
    registered: list[PowerVFS] = []

    def register(disk: Disk) -> str:
        registered.append(PowerVFS(f"power-{next(NAMES)}", disk))
        return registered[-1].name

    yield register
    for vfs in registered:
        vfs.unregister()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("durability", ["commit", "process"])
def test_power_is_lost_at_any_moment(
    tmp_path: Path, vfs_names: Callable[[Disk], str], durability: Durability, loss: Loss
) -> None:
    for seed in range(SEEDS):
        case = Case(tmp_path / str(seed), vfs_names, durability, loss, seed)
        try:
            case.play()
        except BaseException as error:
            error.add_note(f"seed {seed}, durability {durability}, loss of {loss}")
            raise


@pytest.mark.parametrize("loss", LOSSES)
def test_power_is_lost_while_the_file_is_made(tmp_path: Path, vfs_names: Callable[[Disk], str], loss: Loss) -> None:
    for number in range(1, 80):
        case = Case(tmp_path / str(number), vfs_names, "commit", loss, number)
        try:
            case.play(fails_at=number)
        except BaseException as error:
            error.add_note(f"power lost at operation {number}, loss of {loss}")
            raise


class Case:
    """One history that is cut short, perhaps a second time while the file is read back."""

    def __init__(
        self, folder: Path, register: Callable[[Disk], str], durability: Durability, loss: Loss, seed: int
    ) -> None:
        self._folder = folder
        self._register = register
        self._durability = durability
        self._loss: Loss = loss
        self._dice = random.Random(seed)
        self._lives = count()

    def play(self, fails_at: int = 0) -> None:
        """Count the operations of the history, carry it out up to one of them, and look at what is left."""
        steps = random_steps(self._dice, STEPS)
        whole = Disk()
        assert self._run(whole, self._new_life(), steps) == len(steps)
        disk = Disk()
        disk.fails_at = fails_at or self._dice.randrange(1, whole.operations)
        done = self._run(disk, self._new_life(), steps)
        life = self._lose_power(disk)
        if self._dice.random() < 0.5:
            life = self._lose_power_again(life)
        self._compare(life, steps, done)

    def _run(self, disk: Disk, folder: Path, steps: list[Step]) -> int:
        """Carry out steps until the power goes; answer how many were acknowledged."""
        store = self._make(folder, disk)
        done = 0
        try:
            asyncio.run(store.open())
            for step in steps:
                asyncio.run(carry_out(store, step))
                done += not disk.is_off
            asyncio.run(store.close())
        except (StoreError, PowerOff):
            assert disk.is_off
        _give_up(store, disk)
        return done

    def _lose_power_again(self, life: Path) -> Path:
        """The machine comes up, begins to read the file back, and loses its power again."""
        disk = Disk.holding(life)
        disk.fails_at = self._dice.randrange(1, 60)
        store = self._make(life, disk)
        try:
            asyncio.run(store.open())
        except (StoreError, PowerOff):
            assert disk.is_off
        _give_up(store, disk)
        return self._lose_power(disk)

    def _lose_power(self, disk: Disk) -> Path:
        life = self._new_life()
        disk.lose_power(life, self._loss, self._dice)
        return life

    def _compare(self, life: Path, steps: list[Step], done: int) -> None:
        """What is there is what the acknowledged steps made, or the one under way as well, and it can go on."""
        subject = Subject(lambda: self._make(life, None))
        found = subject.snapshot()
        if self._durability == "commit":
            possible = [done, min(done + 1, len(steps))]
        else:
            possible = [number for number in steps_done(subject.store, steps) if number <= done + 1]
        assert any(found == contents_after(steps[:number]) for number in possible), f"not what {possible} steps made"
        subject.reopen()
        assert subject.snapshot() == found
        subject.close()
        check(life / "shopfloor.db")

    def _make(self, folder: Path, disk: Disk | None) -> EmbeddedStore:
        settings = Settings(
            storage=StorageUrl.of_file(folder / "shopfloor.db"),
            durability=self._durability,
            queues_max=QUEUES_MAX,
            hot_jobs_max=10,
        )
        if disk is None:
            return EmbeddedStore(settings, Rules())
        return EmbeddedStore(settings, Rules(), self._register(disk), PowerFiles(disk, self._dice))

    def _new_life(self) -> Path:
        folder = self._folder / str(next(self._lives))
        folder.mkdir(parents=True)
        return folder


def _give_up(store: EmbeddedStore, disk: Disk) -> None:
    """Let go of the file as a machine without power does: nothing more is written."""
    disk.is_off = True
    store._end_journal()
    connection = store._connection
    if connection is not None:
        with contextlib.suppress(PowerOff):
            connection.close()
