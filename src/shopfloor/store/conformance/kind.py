"""What the suite must be told of a store: its name, its URL, and what may be asked of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from shopfloor.config import Durability, Settings, StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.store.open import open_store
from shopfloor.store.port import Store


class Tuning(Struct, frozen=True, kw_only=True):
    """What a test may want of a store; whatever a store does not know it ignores."""

    rules: Rules = Rules()
    queues_max: int = 10_000
    hot_jobs_max: int = 200_000
    durability: Durability = "process"


def _as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that tests need not prepare for."""


def _as_wanted(tuning: Tuning) -> Tuning:
    return tuning


class Kind(Struct, frozen=True, kw_only=True):
    """A store: what it is called, whether it keeps what it was told when it closes, and how it is made.

    `url` names an empty place for each folder, and the same place again for the same folder.
    """

    name: str
    durable: bool
    shared: bool = False
    """Whether several servers may have its data open at once."""
    url: Callable[[Path], StorageUrl]
    prepare: Callable[[pytest.MonkeyPatch], None] = _as_it_is
    """Called before each test."""
    tuned: Callable[[Tuning], Tuning] = _as_wanted
    """What becomes of the tuning that a test wants."""

    def make(self, folder: Path, tuning: Tuning | None = None) -> Store:
        """Make the store whose data is in that folder; it is not opened yet."""
        wanted = self.tuned(tuning or Tuning())
        settings = Settings(
            storage=self.url(folder),
            queues_max=wanted.queues_max,
            hot_jobs_max=wanted.hot_jobs_max,
            durability=wanted.durability,
        )
        return open_store(settings, wanted.rules)
