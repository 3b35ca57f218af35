"""Two servers on the same data: each sees what the other did, guards hold between them, and jobs are given out once."""

import asyncio
from collections.abc import Sequence

import pytest

from shopfloor.core.changes import Claim, Count, Note, Pause, Put, Take, Transition
from shopfloor.store.conformance.conftest import Pair
from shopfloor.store.conformance.jobs import DAY, NOW, job
from shopfloor.store.conformance.script import SCRIPT, carry_out
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.port import Committed, QueueLimit, Reserve

PATIENCE_SECONDS = 20.0
"""A store tells soon, or at the latest with its next look; this is for machines that are busy with other things."""


def test_each_sees_what_the_other_did(pair: Pair) -> None:
    for number, step in enumerate(SCRIPT):
        carry_out(pair[number % 2], step)
    assert pair[0].snapshot() == pair[1].snapshot()


def test_jobs_of_a_queue_keep_their_order_whoever_put_them(pair: Pair) -> None:
    for number in range(6):
        pair[number % 2].put(job(f"job-{number}"))
    pair[1].do(Put(job("first"), "queued", front=True))
    wanted = ["first", *(f"job-{number}" for number in range(6))]
    assert pair[0].peek("default") == wanted
    assert [pair[number % 2].fetch("default")[0] for number in range(7)] == wanted


def test_a_job_that_one_took_is_gone_for_the_other(pair: Pair) -> None:
    one, other = pair
    one.put(job("a"), job("b"))
    assert one.fetch("default", wid="w1") == ["a"]
    assert other.why(Take("a", "working", "w2")) == "gone"
    assert other.why(Take("a", "working", "w1")) == ""
    assert one.why(Take("a", "working", "w1")) == "gone"
    assert other.why(Put(job("b"), "queued")) == "held"


def test_records_locks_and_totals_are_one(pair: Pair) -> None:
    one, other = pair
    assert one.why(Note("batch", "b1", b"one", 0)) == ""
    assert other.why(Note("batch", "b1", b"two", 0)) == "version"
    assert other.why(Note("batch", "b1", b"two", 1)) == ""
    assert one.record("batch", "b1").value == b"two"
    assert one.why(Claim("unique:a", "one", NOW + 9, NOW)) == ""
    assert other.why(Claim("unique:a", "two", NOW + 9, NOW)) == "claimed"
    one.do(Count("processed", DAY, 2))
    other.do(Count("processed", DAY, 3))
    assert one.figures().processed == other.figures().processed == 5


def test_a_queue_that_one_paused_gives_nothing_to_the_other(pair: Pair) -> None:
    one, other = pair
    one.put(job("a"))
    one.do(Pause("default", True))
    assert other.fetch("default") == []
    one.do(Pause("default", False))
    assert other.fetch("default") == ["a"]


def test_a_limit_counts_the_jobs_that_the_other_gave_out(pair: Pair) -> None:
    one, other = pair
    one.put(*(job(f"job-{number}") for number in range(6)))
    asked = Reserve(("default",), "w1", 2, {"default": QueueLimit(concurrency=3)})
    got = [len(subject.commit([], [asked]).reserved[0]) for subject in (one, other, one)]
    assert got == [2, 1, 0]


def test_a_limit_holds_while_both_give_out_at_once(pair: Pair) -> None:
    pair[0].put(*(job(f"job-{number}") for number in range(60)))
    asked = [Reserve(("default",), f"w{number}", 1, {"default": QueueLimit(concurrency=7)}) for number in range(5)]
    committed = _at_once(pair, [()] * 6, asked)
    assert sum(len(got) for one in committed for got in one.reserved) == 7


def test_each_job_is_given_out_once_while_both_give_out(pair: Pair) -> None:
    wanted = [f"job-{number:03}" for number in range(100)]
    pair[0].put(*map(job, wanted))
    asked = [Reserve(("default",), f"w{number}", 2) for number in range(5)]
    committed = _at_once(pair, [()] * 10, asked)
    given = [held.job.jid for one in committed for got in one.reserved for held in got]
    assert sorted(given) == wanted[: len(given)]
    assert len(given) == 100


def test_of_two_that_write_a_record_at_once_one_wins(pair: Pair) -> None:
    for version in range(10):
        note = (Note("batch", "b1", b"%d" % version, version), Count("processed", DAY))
        outcomes = [one.outcomes[0] for one in _at_once(pair, [(note,)], [])]
        assert sum(outcome is None for outcome in outcomes) == 1
    assert pair[0].figures().processed == 10


def _at_once(pair: Pair, rounds: Sequence[Sequence[Transition]], asked: Sequence[Reserve]) -> list[Committed]:
    """Let both servers commit the same rounds side by side, each its own in their order."""

    async def serve(subject: Subject) -> list[Committed]:
        return [await subject.store.commit(transitions, asked, NOW) for transitions in rounds]

    async def both() -> list[Committed]:
        return [one for answers in await asyncio.gather(*map(serve, pair)) for one in answers]

    return pair[0].run(both())


@pytest.mark.parametrize("how", ["put", "resumed", "slot"])
def test_the_other_is_told_of_a_queue_that_gives_out_jobs(pair: Pair, how: str) -> None:
    one, other = pair
    one.put(job("a"), job("b"))
    if how == "resumed":
        one.do(Pause("default", True))
    if how == "slot":
        one.commit([], [Reserve(("default",), "w1", 1, {"default": QueueLimit(concurrency=1)})])
    _wait_for_word(other, "default")
    other.told.clear()
    if how == "put":
        one.put(job("c"))
    if how == "resumed":
        one.do(Pause("default", False))
    if how == "slot":
        one.do(Take("a", "working", "w1"))
    _wait_for_word(other, "default")


def _wait_for_word(subject: Subject, queue: str) -> None:
    async def told() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(queues is None or queue in queues for queues in subject.told):  # noqa: ASYNC110 - a list
                await asyncio.sleep(0.01)

    subject.run(told())


def test_what_one_flushed_the_other_has_forgotten(pair: Pair) -> None:
    one, other = pair
    other.put(job("a"))
    one.do(Note("worker", "w1", b"alive", 0))
    one.run(one.store.flush())
    assert other.queues() == {}
    assert other.figures().working == 0
    assert other.record("worker", "w1").value == b"alive"
    other.put(job("b"))
    assert one.fetch("default") == ["b"]
