"""From a storage URL to a store: the one place that knows which kinds there are."""

from shopfloor.config import Settings
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import ConfigError
from shopfloor.store.port import Store


def open_store(settings: Settings, rules: Rules) -> Store:
    """Make the store that the settings name; it is not opened yet. Only the chosen kind is imported."""
    scheme = settings.storage.scheme
    match scheme:
        case "memory":
            from shopfloor.store.memory.store import MemoryStore

            return MemoryStore(rules, queues_max=settings.queues_max)
        case "sqlite":
            from shopfloor.store.embedded.store import EmbeddedStore

            return EmbeddedStore(settings, rules)
    raise ConfigError(f"storage: no store for {scheme}://")
