"""Copies of the embedded store's file, a backup's and those that a kill leaves, are stores that know everything."""

import shutil
from pathlib import Path

import pytest

from shopfloor.store.conformance.jobs import job
from shopfloor.store.conformance.script import SCRIPT, carry_out
from shopfloor.store.conformance.subject import Subject
from tests.stores import EMBEDDED, SHELVING, Kind


@pytest.fixture(params=[EMBEDDED, SHELVING], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """The embedded store as it is, and with most jobs on its shelf."""
    chosen: Kind = request.param
    chosen.prepare(monkeypatch)
    return chosen


def test_a_backup_is_opened_as_a_store_of_its_own(kind: Kind, tmp_path: Path) -> None:
    durable = Subject(lambda: kind.make(tmp_path))
    for step in SCRIPT:
        carry_out(durable, step)
    durable.run(durable.store.backup(tmp_path / "copy" / "shopfloor.db"))
    told = durable.snapshot()
    durable.put(job("later"))
    copy = Subject(lambda: kind.make(tmp_path / "copy"))
    assert copy.snapshot() == told
    copy.close()
    durable.close()


@pytest.mark.parametrize("steps", range(0, len(SCRIPT), 5))
def test_a_store_that_was_killed_knows_every_commit(kind: Kind, tmp_path: Path, steps: int) -> None:
    living = Subject(lambda: kind.make(tmp_path / "living"))
    for step in SCRIPT[:steps]:
        carry_out(living, step)
    shutil.copytree(tmp_path / "living", tmp_path / "found")
    found = Subject(lambda: kind.make(tmp_path / "found"))
    assert found.snapshot() == living.snapshot()
    living.close()
    found.close()
