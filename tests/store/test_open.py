"""From a storage URL to a store: ours, those of other packages, and what is said where there is none."""

import sys
from pathlib import Path

import pytest

from shopfloor.config import Settings, StorageUrl
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import ConfigError
from shopfloor.store.embedded.store import EmbeddedStore
from shopfloor.store.memory.store import MemoryStore
from shopfloor.store.open import open_store, schemes


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of somebody else, installed: its stores are called acme, and lacking for what is not there."""
    told = tmp_path / "acme_store-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-store\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(
        "[shopfloor.stores]\nacme = acme_store:make\nlacking = acme_lacking:make [driver]\n"
        "broken = acme_store:nothing\n"
    )
    (tmp_path / "acme_store.py").write_text(
        "from shopfloor.store.memory.store import MemoryStore\n\ndef make(settings, rules):\n"
        "    return MemoryStore(rules, queues_max=settings.queues_max)\n"
    )
    (tmp_path / "acme_lacking.py").write_text("import a_database_driver\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_store", raising=False)
    return tmp_path


def _refusal(url: str) -> str:
    with pytest.raises(ConfigError) as refused:
        open_store(Settings(storage=StorageUrl(url)), Rules())
    return str(refused.value)


def test_the_scheme_names_the_store(tmp_path: Path) -> None:
    assert isinstance(open_store(Settings(storage=StorageUrl("memory://")), Rules()), MemoryStore)
    in_a_file = Settings(storage=StorageUrl.of_file(tmp_path / "shopfloor.db"))
    assert isinstance(open_store(in_a_file, Rules()), EmbeddedStore)


def test_every_scheme_of_ours_is_known() -> None:
    ours = {"memory", "sqlite", "postgresql", "postgres", "redis", "rediss", "valkey", "redis+sentinel"}
    assert ours <= set(schemes())


def test_an_unknown_scheme_is_told_what_there_is() -> None:
    said = _refusal("reddis://ada:hush@host")
    assert said.startswith("storage: no store is called 'reddis': use memory, postgres, postgresql, redis,")
    assert said.endswith(", did you mean redis?")
    assert "hush" not in said


def test_a_store_of_another_package_is_one_like_ours(acme: Path) -> None:
    assert isinstance(open_store(Settings(storage=StorageUrl("acme://somewhere")), Rules()), MemoryStore)


def test_what_a_store_lacks_is_named_with_the_command_that_brings_it(acme: Path) -> None:
    said = _refusal("lacking://ada:hush@host")
    assert said == "storage: lacking:// needs a_database_driver: pip install 'acme-store[driver]'"


def test_a_package_that_does_not_have_what_it_promises(acme: Path) -> None:
    with pytest.raises(ConfigError, match="the store for broken:// of acme-store cannot be imported"):
        open_store(Settings(storage=StorageUrl("broken://")), Rules())
