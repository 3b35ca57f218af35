"""A shop for each test of the broker, and two on one store."""

from collections.abc import Iterator

import pytest

from shopfloor.core.lifecycle import Rules
from tests.broker.shared_memory import SharedMemory
from tests.broker.shop import Clock, Shop
from tests.broker.side_by_side import Two


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A broker on an empty store in memory."""
    opened = Shop()
    yield opened
    opened.close()


@pytest.fixture
def shared() -> SharedMemory:
    """What several servers rest on."""
    return SharedMemory(Rules())


@pytest.fixture
def two(shared: SharedMemory) -> Iterator[Two]:
    """Two servers on one store, with one clock."""
    clock = Clock()
    one, other = Shop(shared.door(), clock=clock), Shop(shared.door(), clock=clock)
    yield one, other
    other.close()
    one.close()
