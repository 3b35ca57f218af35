"""The pytest plug-in: `pytest_plugins = ["shopfloor.testing.plugin"]` in `conftest.py`.

In the configuration of pytest, `shopfloor_modules` names the modules whose jobs can be run, as `shopfloor work` takes
them.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, cast

import pytest

from shopfloor.testing.fake import FakeJobs, faked

REAL = "shopfloor.testing.real"
"""Loaded by name, when a test asks for a server: a session that needs none does not pay for it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our line of pytest's configuration."""
    parser.addini("shopfloor_modules", "modules whose jobs the fixtures of Shopfloor can run", type="args", default=[])


@pytest.fixture
def fake_jobs(request: pytest.FixtureRequest) -> Iterator[FakeJobs]:
    """Keep what is pushed, until `drain`."""
    with faked(*_modules(request)) as jobs:
        yield jobs


@pytest.fixture
def inline_jobs(request: pytest.FixtureRequest) -> Iterator[FakeJobs]:
    """Run every job while it is pushed; what it raises, `push` raises."""
    with faked(*_modules(request), at_once=True) as jobs:
        yield jobs


@pytest.fixture(scope="session")
def shopfloor_server() -> Iterator[Any]:
    """Run one real server for the session."""
    server = import_module(REAL).ServerThread()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def real_jobs(request: pytest.FixtureRequest, shopfloor_server: Any) -> Iterator[Any]:
    """Give a real server, empty; answers a `shopfloor.testing.real.RealJobs`."""
    with import_module(REAL).real(shopfloor_server, _modules(request)) as jobs:
        yield jobs


def _modules(request: pytest.FixtureRequest) -> Sequence[str]:
    return cast(Sequence[str], request.config.getini("shopfloor_modules"))
