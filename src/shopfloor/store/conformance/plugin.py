"""The pytest plug-in: it learns which stores are to be asked, from the command line or from a hook.

A package that needs more than a URL implements the hook in its `conftest.py`:

    pytest_plugins = ["shopfloor.store.conformance.plugin"]


    def pytest_shopfloor_stores():
        return [Kind(name="acme", durable=True, url=...)]
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pytest

from shopfloor.config import StorageUrl
from shopfloor.store.conformance.kind import Kind

FIXTURES: Mapping[str, Callable[[Kind], bool]] = {
    "kind": lambda kind: True,
    "durable_kind": lambda kind: kind.durable,
    "shared_kind": lambda kind: kind.shared,
}
"""The fixtures that stand for a kind of store, and which kinds they are for."""


class Hooks:
    """The hooks that this plug-in adds."""

    @pytest.hookspec
    def pytest_shopfloor_stores(self) -> Sequence[Kind]:
        """List stores that the suite is to be run on."""
        raise NotImplementedError


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hook."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("shopfloor", "the stores of Shopfloor")
    group.addoption(
        "--shopfloor-store",
        metavar="URL",
        action="append",
        default=[],
        help="ask the store at this URL; {folder} in it becomes an absolute path without its first slash, "
        "another one for each test",
    )
    group.addoption(
        "--shopfloor-store-shared",
        action="store_true",
        help="several servers may have the data of the stores open at once",
    )
    group.addoption(
        "--shopfloor-store-volatile",
        action="store_true",
        help="the stores keep nothing when they close, so they are not restarted",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have the tests of the suite run on every store, those that restart or share it where it can be."""
    if not metafunc.module.__name__.startswith(__package__ or ""):
        return
    for name, fits in FIXTURES.items():
        if name in metafunc.fixturenames:
            kinds = [kind for kind in _kinds(metafunc.config) if fits(kind)]
            metafunc.parametrize(name, kinds, ids=lambda kind: kind.name, indirect=True)


def _kinds(config: pytest.Config) -> Sequence[Kind]:
    """List the stores: those that the command line names or, where it names none, those of the hook."""
    named = [_named(url, config) for url in config.getoption("--shopfloor-store")]
    kinds = named or list(chain.from_iterable(config.hook.pytest_shopfloor_stores()))
    if not kinds:
        raise pytest.UsageError("which store? give --shopfloor-store URL, or implement pytest_shopfloor_stores")
    return kinds


def _named(url: str, config: pytest.Config) -> Kind:
    def at(folder: Path) -> StorageUrl:
        return StorageUrl(url.replace("{folder}", str(folder.absolute()).lstrip("/")))

    return Kind(
        name=StorageUrl(url).scheme,
        durable=not config.getoption("--shopfloor-store-volatile"),
        shared=config.getoption("--shopfloor-store-shared"),
        url=at,
    )
