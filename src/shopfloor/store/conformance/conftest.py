"""The store that each test of the suite asks; the plug-in beside it says of which kinds there are some."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shopfloor.store.conformance.kind import Kind, Tuning
from shopfloor.store.conformance.subject import Subject

Open = Callable[[Tuning], Subject]


@pytest.fixture
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of store."""
    return _prepared(request.param, monkeypatch)


@pytest.fixture
def durable_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of store that keeps what it was told."""
    return _prepared(request.param, monkeypatch)


@pytest.fixture
def shared_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of store whose data several servers may share."""
    return _prepared(request.param, monkeypatch)


def _prepared(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> Kind:
    kind.prepare(monkeypatch)
    return kind


@pytest.fixture
def open_store(kind: Kind, tmp_path: Path) -> Iterator[Open]:
    """Open the store with a tuning of the test's own; it is closed behind the test."""
    opened: list[Subject] = []

    def open_it(tuning: Tuning) -> Subject:
        subject = Subject(lambda: kind.make(tmp_path, tuning))
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
    subject = Subject(lambda: durable_kind.make(tmp_path))
    yield subject
    subject.close()


Pair = tuple[Subject, Subject]


@pytest.fixture
def pair(shared_kind: Kind, tmp_path: Path) -> Iterator[Pair]:
    """The stores of two servers, open on the same data."""
    one = Subject(lambda: shared_kind.make(tmp_path))
    other = Subject(lambda: shared_kind.make(tmp_path), beside=one)
    yield one, other
    other.close()
    one.close()
