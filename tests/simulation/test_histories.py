"""Random histories: every store against the plainest one, with restarts, crashes and writes that fail on the way."""

import os
import shutil
import tempfile
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shopfloor.config import Settings
from shopfloor.config.values import StorageUrl
from shopfloor.core.changes import (
    Amend,
    Change,
    Claim,
    Clear,
    Conflict,
    Count,
    Note,
    Pause,
    Put,
    Release,
    Take,
    Transition,
)
from shopfloor.core.job import Held
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreUnavailable
from shopfloor.store.conformance.subject import DAYS, KEYS, OWNERS, Subject
from shopfloor.store.embedded import boot
from shopfloor.store.embedded import store as embedded
from shopfloor.store.embedded.store import EmbeddedStore
from shopfloor.store.memory.store import MemoryStore
from shopfloor.store.port import Committed, Reserve, Store
from shopfloor.store.postgres.store import PostgresStore
from shopfloor.store.redis.store import RedisStore
from tests import postgres
from tests.jobs import NOW, job
from tests.simulation.plain import PlainStore
from tests.store.failing_file import FailingDisk, FailingFiles
from tests.stores import POSTGRES, REDIS, Tuning, part_of

QUEUES_MAX = 3
HISTORIES = settings(
    max_examples=int(os.environ.get("SIMULATION_SEEDS", "20")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

jids = st.sampled_from([f"j{number}" for number in range(12)])
queues = st.sampled_from(["a", "a", "a", "b", "c", "d"])
wids = st.sampled_from(["", "w1", "w2"])
times = st.sampled_from([NOW - 1, NOW, NOW + 1])
places = st.sampled_from(["queued", "queued", "scheduled", "retries", "dead"])
holders = st.none() | wids

changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(
        lambda jid, queue, place, at, front, limit, new: Put(
            job(jid, queue), place, 0.0 if place == "queued" else at, front, limit, new
        ),
        jids,
        queues,
        places,
        times,
        st.booleans(),
        st.sampled_from([0, 0, 0, 2]),
        st.booleans(),
    ),
    st.builds(Take, jids, st.sampled_from(["queued", "queued", "scheduled", "dead", "working"]), holders),
    st.builds(Amend, jids, holders, times, st.booleans()),
    st.builds(Note, st.just("batch"), st.sampled_from("xy"), st.none() | st.binary(max_size=3), st.integers(0, 2)),
    st.builds(Claim, st.sampled_from(KEYS), st.sampled_from(OWNERS), times, times),
    st.builds(Release, st.sampled_from(KEYS), st.sampled_from(OWNERS)),
    st.builds(Count, st.sampled_from(["processed", "failures"]), st.sampled_from(DAYS), st.integers(1, 9)),
    st.builds(Pause, queues, st.booleans()),
    st.builds(Clear, st.just("queued"), queues, st.integers(1, 9)),
    st.builds(Clear, st.sampled_from(["scheduled", "retries", "dead"]), st.just(""), st.integers(1, 9)),
)
transitions = st.lists(st.lists(changes, min_size=1, max_size=4).map(tuple), max_size=4)
requests = st.lists(
    st.builds(Reserve, st.lists(queues, max_size=3).map(tuple), wids, st.sampled_from([1, 1, 2, 50])), max_size=3
)


class Histories(RuleBasedStateMachine):
    """What the subject does is what the plainest store does."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count()
        self.model = Subject(lambda: PlainStore(Rules(), QUEUES_MAX))
        self.subject = Subject(self.make)

    def make(self) -> Store:
        """Make the store under test."""
        return MemoryStore(Rules(), queues_max=QUEUES_MAX)

    @rule(transitions=transitions, requests=requests)
    def commit(self, transitions: list[Transition], requests: list[Reserve]) -> None:
        """Commit anything."""
        self._same(transitions, requests)

    @rule(queue=queues, many=st.integers(1, 12), place=places, at=times)
    def push_many(self, queue: str, many: int, place: str, at: float) -> None:
        """Make a queue, or a timed place, deep."""
        when = 0.0 if place == "queued" else at
        self._same(
            [(Put(job(f"many{next(self.numbers)}", queue), place, when),) for _ in range(many)],  # type: ignore[arg-type]
            [],
        )

    @rule(queue=queues, nth=st.integers(0, 20), many=st.integers(1, 3))
    def take_from_the_middle(self, queue: str, nth: int, many: int) -> None:
        """Cancel queued jobs, wherever in the queue they are."""
        self._same([(Take(jid, "queued"),) for jid in self.model.peek(queue, nth, many)], [])

    @rule(jid_at=st.integers(0, 20), front=st.booleans())
    def give_back(self, jid_at: int, front: bool) -> None:
        """Return a running job to its queue."""
        running = sorted(self.model.run(self.model.store.reservations()), key=lambda held: held.job.jid)
        for held in running[jid_at : jid_at + 1]:
            back = (Take(held.job.jid, "working", held.wid), Put(held.job, "queued", front=front))
            self._same([back], [])

    @rule(offset=st.integers(0, 30), many=st.integers(0, 30), queue=queues)
    def peek(self, offset: int, many: int, queue: str) -> None:
        """Look at a part of a queue."""
        assert self.subject.peek(queue, offset, many) == self.model.peek(queue, offset, many)

    @rule(place=st.sampled_from(["scheduled", "retries", "dead"]), size=st.integers(1, 5), latest=st.booleans())
    def page_through(self, place: str, size: int, latest: bool) -> None:
        """Page through a timed place."""
        after: tuple[float, str] | None = None
        for _ in range(500):
            ours = self.subject.browse(place, after, size, latest=latest)  # type: ignore[arg-type]
            told = self.model.browse(place, after, size, latest=latest)  # type: ignore[arg-type]
            assert list(map(_bare, ours.jobs)) == list(map(_bare, told.jobs))
            assert ours.after == told.after
            after = told.after
            if after is None:
                return

    @rule(really=st.integers(0, 4))
    def flush(self, really: int) -> None:
        """Forget everything, now and then."""
        for store in (self.model, self.subject) if really == 4 else ():
            store.run(store.store.flush())

    @rule()
    def compare(self) -> None:
        """Everything that can be asked has the same answer."""
        assert self.subject.snapshot() == self.model.snapshot()

    @invariant()
    def sizes_agree(self) -> None:
        """Figures agree behind every step."""
        assert (self.subject.figures(), self.subject.queues()) == (self.model.figures(), self.model.queues())

    def teardown(self) -> None:
        """Compare a last time."""
        try:
            self.compare()
        finally:
            self.subject.close()
            self.model.close()

    def _same(self, transitions: list[Transition], requests: list[Reserve]) -> None:
        ours = self.subject.commit(transitions, requests)
        assert _told(ours) == _told(self.model.commit(transitions, requests))


class EmbeddedHistories(Histories):
    """Also with restarts, crashes and a disk that is full at times, and nearly every job on the shelf."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shopfloor-histories-"))
        self.place = self.folder / "first"
        self.files = FailingFiles(f"failing-{self.folder.name}")
        super().__init__()

    def make(self) -> Store:
        """Make the store under test, on files that can fail."""
        wanted = Settings(
            storage=StorageUrl.of_file(self.place / "shopfloor.db"),
            queues_max=QUEUES_MAX,
            hot_jobs_max=1,
            durability="process",
        )
        return EmbeddedStore(wanted, Rules(), self.files.name, FailingDisk(self.files))

    @rule()
    def restart(self) -> None:
        """Stop the server and start it again."""
        self.subject.reopen()
        self.compare()

    @rule()
    def crash(self) -> None:
        """Go on with what is on the disk at this moment."""
        crashed, self.place = self.place, self.folder / f"crash-{next(self.numbers)}"
        shutil.copytree(crashed, self.place)
        self.subject.reopen()
        shutil.rmtree(crashed)
        self.compare()

    @rule(
        transitions=transitions,
        requests=requests,
        writes=st.integers(0, 6),
        failures=st.sampled_from([1, 1, 2, 1000]),
    )
    def commit_on_a_full_disk(
        self, transitions: list[Transition], requests: list[Reserve], writes: int, failures: int
    ) -> None:
        """Where the store says that it could not, nothing of it happened; where it does not say so, all did."""
        self.files.arm(writes, failures)
        try:
            ours = self.subject.commit(transitions, requests)
        except StoreUnavailable:
            pass
        else:
            assert _told(ours) == _told(self.model.commit(transitions, requests))
        finally:
            self.files.disarm()
        self.compare()

    def teardown(self) -> None:
        """Compare a last time, also behind a restart."""
        try:
            self.restart()
            super().teardown()
        finally:
            self.files.unregister()
            shutil.rmtree(self.folder)


class PostgresHistories(Histories):
    """Also with two servers that take turns, restarts, and connections that break."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shopfloor-histories-"))
        super().__init__()
        self.servers = [self.subject, Subject(self.make_behind_a_pooler)]

    def make(self) -> Store:
        """Make the store under test; each is a server of its own."""
        return POSTGRES.make(self.folder, Tuning(queues_max=QUEUES_MAX))

    def make_behind_a_pooler(self) -> Store:
        """Make the other server, which keeps nothing in its session."""
        pooled = msgspec.structs.replace(POSTGRES, url=lambda folder: postgres.url_of(folder, "&pooler=transaction"))
        return pooled.make(self.folder, Tuning(queues_max=QUEUES_MAX))

    @rule()
    def go_to_the_other_server(self) -> None:
        """What one server did, the other one knows. Both rarely look at the whole of a queue: here always."""
        self.servers.reverse()
        self.subject = self.servers[0]
        assert isinstance(self.subject.store, PostgresStore)
        self.subject.store._heads.forget()

    @rule()
    def restart(self) -> None:
        """Stop the server and start it again."""
        self.subject.reopen()

    @rule(transitions=transitions, requests=requests)
    def commit_on_a_connection_that_broke(self, transitions: list[Transition], requests: list[Reserve]) -> None:
        """The server finds out by itself, and does it once."""
        assert isinstance(self.subject.store, PostgresStore)
        self.subject.store._line.drop()
        self._same(transitions, requests)

    def teardown(self) -> None:
        """Compare a last time."""
        try:
            super().teardown()
        finally:
            self.servers[1].close()
            shutil.rmtree(self.folder)


class RedisHistories(Histories):
    """Also with two servers that take turns, restarts, and connections that break."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shopfloor-histories-"))
        super().__init__()
        self.servers = [self.subject, Subject(self.make)]

    def make(self) -> Store:
        """Make the store under test; each is a server of its own."""
        return REDIS.make(self.folder, Tuning(queues_max=QUEUES_MAX))

    @rule()
    def go_to_the_other_server(self) -> None:
        """What one server did, the other one knows."""
        self.servers.reverse()
        self.subject = self.servers[0]

    @rule()
    def restart(self) -> None:
        """Stop the server and start it again."""
        self.subject.reopen()

    @rule(transitions=transitions, requests=requests)
    def commit_on_a_connection_that_broke(self, transitions: list[Transition], requests: list[Reserve]) -> None:
        """The server finds out by itself, and does it once."""
        assert isinstance(self.subject.store, RedisStore)
        connection = self.subject.store._link._connection
        assert connection is not None
        connection.abandon("on cue")
        self._same(transitions, requests)

    def teardown(self) -> None:
        """Compare a last time."""
        try:
            super().teardown()
        finally:
            self.servers[1].close()
            shutil.rmtree(self.folder)


def _told(committed: Committed) -> tuple[list[object], list[list[Held]]]:
    """Say what a commit answered, but for positions."""
    outcomes: list[object] = []
    for outcome in committed.outcomes:
        if isinstance(outcome, Conflict) and outcome.held is not None:
            outcomes.append((outcome.change, outcome.reason, _bare(outcome.held)))
        else:
            outcomes.append(outcome)
    return outcomes, [list(map(_bare, jobs)) for jobs in committed.reserved]


def _bare(held: Held) -> Held:
    return msgspec.structs.replace(held, position=0)


def test_the_memory_store_does_what_the_plainest_store_does() -> None:
    run_state_machine_as_test(Histories, settings=HISTORIES)


@pytest.mark.parametrize(("fold_steps", "warm_jobs"), [(1, 1), (7, 3)])
def test_the_embedded_store_does_what_the_plainest_store_does(
    fold_steps: int, warm_jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "FOLD_STEPS", fold_steps)
    monkeypatch.setattr(boot, "WARM_JOBS_MIN", warm_jobs)
    run_state_machine_as_test(EmbeddedHistories, settings=HISTORIES)


def test_the_postgres_store_does_what_the_plainest_store_does() -> None:
    examples = part_of(HISTORIES.max_examples, POSTGRES)
    run_state_machine_as_test(PostgresHistories, settings=settings(HISTORIES, max_examples=examples))


def test_the_redis_store_does_what_the_plainest_store_does() -> None:
    examples = part_of(HISTORIES.max_examples, REDIS)
    run_state_machine_as_test(RedisHistories, settings=settings(HISTORIES, max_examples=examples))
