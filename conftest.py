"""What holds for all tests: the stores there are, asyncio's debug mode, and the same examples wherever CI is set.

A run that lands or not must not hang on dice. New examples are looked for by everybody's own runs, without CI.
"""

import os
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import settings

from shopfloor.store.conformance.kind import Kind
from tests.stores import CONFORMING

pytest_plugins = ["shopfloor.store.conformance.plugin"]

# How long an example takes is up to what else the machine does; the limit of pytest is enough against a hang.
settings.register_profile("ours", deadline=None)
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "ours")


NOT_DEBUGGED: Final = ("postgres", "redis", "tests/faults/", "tests/foreign/", "tests/examples/")
"""What the id of a test has that asyncio does not watch: watching the many timers of a database's driver makes such a
test ten times slower, and programs of their own are not what is to be debugged."""


@pytest.fixture(autouse=True)
def _asyncio_debug(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let asyncio complain about slow callbacks and forgotten coroutines."""
    if not any(word in request.node.nodeid for word in NOT_DEBUGGED):
        monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")


def pytest_shopfloor_stores() -> Sequence[Kind]:
    """List the stores that the conformance suite runs on."""
    return CONFORMING
