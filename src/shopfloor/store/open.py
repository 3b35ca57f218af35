"""From a storage URL to a store: which kinds there are is said by entry points, those of other packages among them.

A package that brings a store names it in the group `shopfloor.stores`, under the scheme of its URLs. The entry point
is called with the settings and the rules and answers a store, which is not opened yet. An extra behind it,
`package.module:Store [extra]`, is what has to be installed for it. Only the store that was chosen is imported.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from shopfloor.config import Settings, nearest
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import ConfigError
from shopfloor.store.port import Store

GROUP: Final = "shopfloor.stores"

MakeStore = Callable[[Settings, Rules], Store]


def open_store(settings: Settings, rules: Rules) -> Store:
    """Make the store that the settings name; it is not opened yet."""
    return find_store(settings.storage.scheme)(settings, rules)


def find_store(scheme: str) -> MakeStore:
    """Import what makes the stores of that scheme; raise `ConfigError` with what to do where there is none."""
    known = schemes()
    if scheme not in known:
        raise ConfigError(
            f"storage: no store is called {scheme!r}: use {', '.join(known)}{nearest(scheme, tuple(known))}"
        )
    entry = known[scheme]
    try:
        make: MakeStore = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"storage: {_missing(entry, error)}") from error
    return make


def schemes() -> Mapping[str, EntryPoint]:
    """List the schemes for which there is a store, by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def _missing(entry: EntryPoint, error: Exception) -> str:
    package = entry.dist.name if entry.dist else "shopfloor"
    lacks = error.name if isinstance(error, ModuleNotFoundError) else None
    if entry.extras and lacks and lacks.partition(".")[0] != entry.module.partition(".")[0]:
        return f"{entry.name}:// needs {lacks}: pip install '{package}[{','.join(entry.extras)}]'"
    return f"the store for {entry.name}:// of {package} cannot be imported: {error}"
