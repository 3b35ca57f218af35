"""A store that is away: deadlines, refusals at once, one probe at a time, and no stampede when it is back."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from shopfloor.broker import reach
from shopfloor.broker.reach import PROBE_SECONDS, Reach
from shopfloor.core.changes import Put, Transition
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import StoreError, StoreUnavailable
from shopfloor.store.memory.store import MemoryStore
from shopfloor.store.port import Committed, Loaded, Reserve
from tests.broker.failing_store import FailingStore, never
from tests.jobs import NOW, job

DEADLINE = 0.05


class Distant(FailingStore):
    """A store that can be cut off: then it does not answer at all, or says that it is away. Counts its questions."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(Rules()))
        self.silent = False
        self.questions: list[str] = []

    async def _answers(self, verb: str) -> None:
        self.questions.append(verb)
        if self.silent:
            await asyncio.Event().wait()

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        await self._answers("load")
        return await super().load(jids, records)

    async def commit(self, transitions: Sequence[Transition], requests: Sequence[Reserve], now: float) -> Committed:
        await self._answers("commit")
        return await super().commit(transitions, requests, now)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes follow each other at once."""
    monkeypatch.setattr(reach, "PROBE_SECONDS", (0.0005, 0.002))


def _reach(store: Distant) -> tuple[Reach, list[object]]:
    made, told = Reach(store, DEADLINE, random.Random(1).randrange), []  # type: ignore[var-annotated] # of anything
    made.listen(told.append)
    return made, told


async def _push(store: Reach, jid: str) -> None:
    committed = await store.commit([(Put(job(jid), "queued"),)], [], NOW)
    assert committed.outcomes == [None]


async def _until_back(store: Reach) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await store.load(("a",), ())
                return
            except StoreUnavailable:
                await asyncio.sleep(0.001)


@pytest.mark.usefixtures("quick")
def test_a_store_that_does_not_answer_costs_its_deadline_once() -> None:
    async def story() -> None:
        store = Distant()
        near, told = _reach(store)
        loop = asyncio.get_running_loop()
        store.silent = True
        began = loop.time()
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.05 s"):
            await _push(near, "job-0001")
        assert loop.time() - began >= DEADLINE * 0.9
        asked = store.questions.count("commit")
        for number in range(50):
            with pytest.raises(StoreUnavailable, match=r"no answer within 0\.05 s"):
                await _push(near, f"job-1{number:03}")
        assert store.questions.count("commit") == asked, "refused without asking"
        store.silent = False
        await _until_back(near)
        assert told == [None], "whoever waits is asked for again"
        await _push(near, "job-0002")
        await near.close()

    asyncio.run(story())


@pytest.mark.usefixtures("quick")
def test_one_probe_at_a_time_asks_whether_it_is_back() -> None:
    async def story() -> None:
        store = Distant()
        near, _ = _reach(store)
        store.cue = lambda verb: StoreUnavailable("connection refused")
        for _ in range(5):
            with pytest.raises(StoreUnavailable, match="connection refused"):
                await near.figures()
        for _ in range(3):  # the first probe finds that it is away
            await asyncio.sleep(0)
        store.questions.clear()
        async with asyncio.timeout(10):
            while len(store.questions) < 5:
                with pytest.raises(StoreUnavailable, match="connection refused"):
                    await near.commit([], [], NOW)
                await asyncio.sleep(0)
        assert set(store.questions) == {"load"}
        store.cue = never
        await _until_back(near)
        await _push(near, "job-0001")
        await near.close()

    asyncio.run(story())


def test_a_store_that_could_not_do_one_thing_is_not_away() -> None:
    async def story() -> None:
        store = Distant()
        near, told = _reach(store)
        store.cue = lambda verb: StoreUnavailable("the disk is full") if verb == "commit" else None
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="the disk is full"):
                await near.commit([], [], NOW)
            await asyncio.sleep(0)
            assert await near.peek("default", 0, 1) == []
        await asyncio.sleep(0)
        assert told == []
        await near.close()

    asyncio.run(story())


def test_an_error_that_is_not_about_reaching_it_is_handed_on() -> None:
    async def story() -> None:
        store = Distant()
        near, _ = _reach(store)
        for error in (StoreError("damaged"), KeyError("ours")):
            store.cue = lambda verb, error=error: error  # type: ignore[misc] # bound now
            with pytest.raises(type(error)):
                await near.figures()
        store.cue = never
        assert (await near.figures()).working == 0
        await near.close()

    asyncio.run(story())


def test_pauses_between_probes_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            raise asyncio.CancelledError

    async def story() -> None:
        store = Distant()
        near, _ = _reach(store)
        store.cue = lambda verb: StoreUnavailable("away")
        monkeypatch.setattr("shopfloor.broker.reach.asyncio.sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await near._probe()

    asyncio.run(story())
    first, longest = PROBE_SECONDS
    assert first / 2 <= pauses[0] <= first * 1.5
    assert all(longest / 2 <= pause <= longest * 1.5 for pause in pauses[-4:])
    assert len(set(pauses)) == len(pauses)


def test_closing_ends_the_probing() -> None:
    async def story() -> int:
        near, _ = _reach(store := Distant())
        store.silent = True
        with pytest.raises(StoreUnavailable):
            await near.load((), ())
        await near.close()
        await near.close()
        return len(asyncio.all_tasks())

    assert asyncio.run(story()) == 1
