"""Every store there is, for the tests that run on all of them; a new store adds one row to `STORES`."""

import msgspec
import pytest

from shopfloor.config import StorageUrl
from shopfloor.store.conformance.kind import Kind, Tuning
from shopfloor.store.embedded import boot
from shopfloor.store.embedded import store as embedded
from tests import postgres, redis_servers

__all__ = [
    "CONFORMING",
    "DURABLE_STORES",
    "EMBEDDED",
    "IN_PROCESS",
    "MEMORY",
    "POSTGRES",
    "REDIS",
    "SHELVING",
    "STORES",
    "Kind",
    "Tuning",
    "part_of",
]

MEMORY = Kind(name="memory", durable=False, url=lambda folder: StorageUrl("memory://"))
EMBEDDED = Kind(name="embedded", durable=True, url=lambda folder: StorageUrl.of_file(folder / "shopfloor.db"))

POSTGRES = Kind(name="postgres", durable=True, shared=True, url=postgres.url_of)
REDIS = Kind(name="redis", durable=True, shared=True, url=redis_servers.shared_url)

STORES = (MEMORY, EMBEDDED, POSTGRES, REDIS)
IN_PROCESS = (MEMORY, EMBEDDED)
"""Those that answer without asking another process: a thousand random lives on them take minutes and not hours."""
DURABLE_STORES = tuple(kind for kind in STORES if kind.durable)


def part_of(examples: int, kind: Kind) -> int:
    """Of the many examples of an expensive suite, say how many are tried on a store: asking may take longer."""
    return examples if kind in IN_PROCESS else max(1, examples // 4)


def _shelve_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "WARM_JOBS_MIN", 1)
    monkeypatch.setattr(embedded, "FOLD_STEPS", 2)


SHELVING = msgspec.structs.replace(
    EMBEDDED,
    name="embedded-shelving",
    prepare=_shelve_most,
    tuned=lambda tuning: msgspec.structs.replace(tuning, hot_jobs_max=1),
)
"""The embedded store with numbers so small that most jobs rest on its shelf, and each second step is folded."""

CONFORMING = (*STORES, SHELVING)
"""What the conformance suite runs on."""
