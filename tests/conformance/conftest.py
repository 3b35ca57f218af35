"""Every test here runs on every store of `tests.stores`; those that restart it, on the durable ones."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from shopfloor.store.embedded import boot
from shopfloor.store.embedded import store as embedded
from tests.conformance.subject import Subject
from tests.stores import DURABLE_STORES, EMBEDDED, STORES, Kind, Tuning

Open = Callable[[Tuning], Subject]

SHELVING = msgspec.structs.replace(EMBEDDED, name="embedded-shelving")
"""The embedded store with numbers so small that most jobs rest on its shelf, and each second step is folded."""


@pytest.fixture(params=[*STORES, SHELVING], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of store."""
    return _prepared(request.param, monkeypatch)


@pytest.fixture(params=[*DURABLE_STORES, SHELVING], ids=lambda kind: kind.name)
def durable_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of store that keeps what it was told."""
    return _prepared(request.param, monkeypatch)


def _prepared(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> Kind:
    if kind is SHELVING:
        monkeypatch.setattr(boot, "WARM_JOBS_MIN", 1)
        monkeypatch.setattr(embedded, "FOLD_STEPS", 2)
    return kind


def _tuned(kind: Kind, tuning: Tuning) -> Tuning:
    return msgspec.structs.replace(tuning, hot_jobs_max=1) if kind is SHELVING else tuning


@pytest.fixture
def open_store(kind: Kind, tmp_path: Path) -> Iterator[Open]:
    """Open the store with a tuning of the test's own; it is closed behind the test."""
    opened: list[Subject] = []

    def open_it(tuning: Tuning) -> Subject:
        subject = Subject(lambda: kind.make(tmp_path, _tuned(kind, tuning)))
        opened.append(subject)
        return subject

    yield open_it
    for subject in opened:
        subject.close()


@pytest.fixture
def store(open_store: Open) -> Subject:
    """An open, empty store."""
    return open_store(Tuning())


@pytest.fixture
def durable(durable_kind: Kind, tmp_path: Path) -> Iterator[Subject]:
    """An open, empty store that can be reopened."""
    subject = Subject(lambda: durable_kind.make(tmp_path, _tuned(durable_kind, Tuning())))
    yield subject
    subject.close()
