"""The tools for tests: jobs without a server, and a server that is there in a moment."""

import asyncio
from datetime import timedelta

import pytest

from shopfloor import Batch, Carry, NotJson, ShopfloorError, chain, current_job, job
from shopfloor.testing import FakeJobs, TravellingClock, faked
from shopfloor.testing.real import ServerThread, real


@job
def note(text: str) -> str:
    current_job().progress(50)
    return text.upper()


@job(queue="others", unique_for=60)
async def note_later(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


@job
def again() -> None:
    again.push()


def test_what_is_pushed_can_be_looked_at() -> None:
    with faked(note, note_later) as jobs:
        note.push("a")
        note_later.options(delay=timedelta(minutes=1)).push("b")
        assert [order.jobtype for order in jobs.orders] == ["note", "note_later"]
        assert jobs.assert_enqueued(note, "a", queue="default").jobtype == "note"
        jobs.assert_enqueued("note_later", "b", queue="others", unique_for=60)
        jobs.refute_enqueued(note, "z")
        with pytest.raises(AssertionError, match=r'0 jobs fit, not one; there are: note\["a"\], note_later\["b"\]'):
            jobs.assert_enqueued(note, "z")
        with pytest.raises(AssertionError, match="1 jobs fit, none should"):
            jobs.refute_enqueued(note)


def test_what_is_due_is_drained() -> None:
    with faked(note, note_later) as jobs:
        first, second = note.push("a"), note_later.options(delay=60).push("b")
        assert jobs.drain() == 1
        jobs.clock.travel(timedelta(minutes=1))
        assert jobs.drain(note) == 0
        assert jobs.drain(note_later) == 1
        assert jobs.results == {first: "A", second: "B"}
        assert jobs.reports == [(first, {"percent": 50})]


def test_jobs_run_at_once_also_within_a_loop() -> None:
    async def main(jobs: FakeJobs) -> None:
        jid = await note_later.apush("b")
        assert jobs.results[jid] == "B"

    with faked(note, note_later, at_once=True) as jobs:
        assert jobs.results[note.push("a")] == "A"
        asyncio.run(main(jobs))


def test_what_could_not_be_pushed_cannot_be_pushed_here() -> None:
    with faked(note), pytest.raises(NotJson):
        note.push(object())  # type: ignore[arg-type]
    with faked(note), pytest.raises(ShopfloorError, match="this needs a server"):
        chain(note.order("a"), note.order("b")).push()
    with faked(note), pytest.raises(ShopfloorError, match="this needs a server"), Batch():
        pass


def test_a_job_that_pushes_itself_is_not_drained_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopfloor.testing.fake.DRAINED_MAX", 10)
    with faked(again) as jobs:
        again.push()
        with pytest.raises(AssertionError, match="does again push itself"):
            jobs.drain()


def test_middleware_surrounds_fake_jobs_too() -> None:
    with faked(note, middleware=[Carry()]) as jobs:
        note.push("a")
        assert jobs.drain() == 1


def test_a_clock_goes_on_and_can_be_moved_forward() -> None:
    clock = TravellingClock(lambda: 100.0)
    clock.travel(timedelta(seconds=5))
    assert clock() == 105.0
    with pytest.raises(ValueError, match="forward alone"):
        clock.travel(-1)


def test_a_real_server_works_and_is_emptied_for_the_next_test() -> None:
    server = ServerThread()
    server.start()
    try:
        work(server)
    finally:
        server.stop()


def work(server: ServerThread) -> None:
    with real(server, [note, note_later]) as jobs:
        jid = note.options(track=True).push("a")
        later = note_later.options(delay=60, track=True).push("b")
        assert jobs.work() == 1
        jobs.clock.travel(61)
        jobs.wait_for_due()
        assert jobs.work(queues=["others"]) == 1
        assert [jobs.client.track(one).result for one in (jid, later)] == ["A", "B"]
    with real(server) as jobs:
        assert jobs.client.info()["faktory"]["total_processed"] == 0
