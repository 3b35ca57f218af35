"""A store in memory that several brokers share: each has a door of its own, and is told what came in by the others."""

from collections.abc import Sequence

from shopfloor.core.changes import Transition
from shopfloor.core.lifecycle import Rules
from shopfloor.store.memory.store import MemoryStore
from shopfloor.store.port import Arrived, Committed, Reserve
from tests.broker.failing_store import FailingStore


class SharedMemory(MemoryStore):
    """What is behind the doors."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.doors: list[Door] = []

    def door(self) -> "Door":
        """Make the store of one more server."""
        self.doors.append(Door(self))
        return self.doors[-1]

    def forget_workers(self) -> None:
        """Lose the soft records, as a database does that was restarted."""
        self.state.records.pop("worker", None)


class Door(FailingStore):
    """The store as one server has it. `cut` says that nothing comes through any more."""

    def __init__(self, shared: SharedMemory) -> None:
        super().__init__(shared)
        self.shared = shared
        self.arrived: Arrived | None = None

    def listen(self, arrived: Arrived) -> None:
        """Tell of what the other servers commit."""
        self.arrived = arrived

    async def close(self) -> None:
        """The others go on."""

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        """Commit, and tell the others."""
        committed = await super().commit(transitions, requests, now)
        if transitions:
            for door in self.shared.doors:
                if door is not self and door.arrived is not None:
                    door.arrived(None)
        return committed
