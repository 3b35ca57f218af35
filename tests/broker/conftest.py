"""A shop for each test of the broker."""

from collections.abc import Iterator

import pytest

from tests.broker.shop import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A broker on an empty store in memory."""
    opened = Shop()
    yield opened
    opened.close()
