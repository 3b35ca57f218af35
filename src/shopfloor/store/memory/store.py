"""Everything in memory and nowhere else: for tests, throw-away development, and as the specification of a store."""

from pathlib import Path

from shopfloor.config import Settings
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreError
from shopfloor.store.port import Description
from shopfloor.store.state.shelf import NoShelf
from shopfloor.store.state.state import State
from shopfloor.store.state.verbs import StateStore


class MemoryStore(StateStore):
    """A store without any durability."""

    def __init__(self, rules: Rules, *, queues_max: int = 10_000) -> None:
        self._rules = rules
        self._queues_max = queues_max
        super().__init__(self._empty())

    @classmethod
    def configured(cls, settings: Settings, rules: Rules) -> "MemoryStore":
        """Make the store that the settings ask for."""
        return cls(rules, queues_max=settings.queues_max)

    async def open(self) -> None:
        """Nothing to read back."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def flush(self) -> None:
        """Begin anew, but for soft records."""
        self._begin_anew(self._empty())

    async def backup(self, target: Path) -> None:
        """There is nothing that a copy could be made from."""
        raise StoreError("the memory store keeps nothing, so it cannot be backed up")

    async def describe(self) -> Description:
        """Say that this store keeps nothing."""
        return Description(engine="memory", version="1", durability="none")

    def _keep(self) -> None:
        """Nothing is made durable."""

    def _empty(self) -> State:
        return State(self._rules, NoShelf(), self._queues_max)
