"""Every store there is, for the tests that run on all of them; a new store adds one row to `STORES`."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from shopfloor.config import Settings
from shopfloor.config.settings import Durability
from shopfloor.config.values import StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.store.open import open_store
from shopfloor.store.port import Store


class Tuning(Struct, frozen=True, kw_only=True):
    """What a test may want of a store; whatever a store does not know it ignores."""

    rules: Rules = Rules()
    queues_max: int = 10_000
    hot_jobs_max: int = 200_000
    durability: Durability = "process"


class Kind(Struct, frozen=True, kw_only=True):
    """A store: what it is called, whether it keeps what it was told when it closes, and how it is made."""

    name: str
    durable: bool
    url: Callable[[Path], StorageUrl]

    def make(self, folder: Path, tuning: Tuning | None = None) -> Store:
        """Make the store whose data is in that folder; it is not opened yet."""
        wanted = tuning or Tuning()
        settings = Settings(
            storage=self.url(folder),
            queues_max=wanted.queues_max,
            hot_jobs_max=wanted.hot_jobs_max,
            durability=wanted.durability,
        )
        return open_store(settings, wanted.rules)


MEMORY = Kind(name="memory", durable=False, url=lambda folder: StorageUrl("memory://"))
EMBEDDED = Kind(name="embedded", durable=True, url=lambda folder: StorageUrl.of_file(folder / "shopfloor.db"))

STORES = (MEMORY, EMBEDDED)
DURABLE_STORES = tuple(kind for kind in STORES if kind.durable)
