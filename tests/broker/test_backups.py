"""STORE BACKUP: one copy at a time, beside the work."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopfloor.broker.context import BrokerLimits
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import Refused, StoreError, StoreUnavailable
from shopfloor.store.memory.store import MemoryStore
from tests.broker.shop import Shop


class CopyingStore(MemoryStore):
    """Writes a small file when it is told to go on."""

    def __init__(self) -> None:
        super().__init__(Rules())
        self.go_on = asyncio.Event()

    async def backup(self, target: Path) -> None:
        """Wait, then write."""
        await self.go_on.wait()
        _write(target)


def _write(target: Path) -> None:
    target.write_bytes(b"copy")


@pytest.fixture
def store() -> CopyingStore:
    """A store whose copies take as long as the test likes."""
    return CopyingStore()


@pytest.fixture
def copying(store: CopyingStore, tmp_path: Path) -> Iterator[Shop]:
    """A shop on that store."""
    shop = Shop(store, limits=BrokerLimits(backup_dir=tmp_path))
    yield shop
    shop.close()


def test_a_backup_lies_in_its_folder(copying: Shop, store: CopyingStore, tmp_path: Path) -> None:
    store.go_on.set()
    told = copying.ask(copying.broker.backups.write("one.db"))
    assert told == {"name": "one.db", "path": str(tmp_path / "one.db"), "bytes": 4}
    assert (tmp_path / "one.db").read_bytes() == b"copy"


def test_work_goes_on_and_a_second_backup_does_not_begin(copying: Shop, store: CopyingStore) -> None:
    (call,) = copying.server.send(copying.broker.backups.write("one.db"))
    copying.turn(3)
    copying.push("meanwhile")
    assert copying.queued() == ["meanwhile"]
    with pytest.raises(Refused, match=r"backup one\.db is under way"):
        copying.ask(copying.broker.backups.write("two.db"))
    store.go_on.set()
    copying.until(lambda: call.done)
    assert call.error is None
    assert copying.ask(copying.broker.backups.write("two.db"))["bytes"] == 4


def test_an_existing_file_stays_as_it_is(copying: Shop, tmp_path: Path) -> None:
    (tmp_path / "one.db").write_text("precious")
    with pytest.raises(Refused, match=r"backup one\.db exists already"):
        copying.ask(copying.broker.backups.write("one.db"))
    assert (tmp_path / "one.db").read_text() == "precious"


def test_a_folder_that_cannot_be_written_to(copying: Shop, store: CopyingStore) -> None:
    store.go_on.set()
    with pytest.raises(StoreUnavailable, match=r"cannot write .*no such file or directory"):
        copying.ask(copying.broker.backups.write("missing/one.db"))
    assert copying.ask(copying.broker.backups.write("after.db"))["bytes"] == 4


def test_a_store_that_has_nothing_to_copy(shop: Shop) -> None:
    with pytest.raises(StoreError, match="keeps nothing"):
        shop.ask(shop.broker.backups.write("one.db"))
