"""A batch that begins with a pushed job: chains, groups and chords from a client that knows no verb but PUSH."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from shopfloor.core.payload import PushedJob
from shopfloor.errors import Refused
from tests.broker.batch_bench import BOTH, QUEUE, Bench, after, every_batch
from tests.stores import STORES, Kind


@pytest.fixture(params=STORES, ids=lambda kind: kind.name)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    kind: Kind = request.param
    made = Bench(kind.make(tmp_path))
    yield made
    made.close()


AFTER = json.dumps(after()).encode()


def job(jid: str, **custom: Any) -> PushedJob:
    return PushedJob(jid=jid, jobtype="Work", queue="default", args=Raw(b"[]"), custom=Raw(json.dumps(custom).encode()))


def push(bench: Bench, jid: str, **custom: Any) -> None:
    bench.shop.ask(bench.broker.jobs.push(job(jid, **custom)))


def member(jid: str) -> dict[str, Any]:
    return {"jid": jid, "jobtype": "Work", "args": []}


def test_a_chain_is_one_push(bench: Bench) -> None:
    chain = {"success": {"jobs": [member("step-0002")], "success": {"jobs": [member("step-0003")], **BOTH}}}
    push(bench, "step-0001", _batch=chain)
    for step in ("step-0001", "step-0002", "step-0003"):
        assert bench.shop.queued() == [step]
        assert bench.due() == []
        bench.work(step)
    assert [name for _, name in bench.all_called()] == ["complete", "success"]
    assert bench.repaired() == 0


def test_a_group_with_callbacks_is_one_push(bench: Bench) -> None:
    push(bench, "part-0001", _batch={"jobs": [member("part-0002"), member("part-0003")], **BOTH})
    (made,) = every_batch(bench)
    assert (made.total, made.committed) == (3, True)
    bench.work("part-0001", "part-0002")
    assert bench.due() == []
    bench.work("part-0003")
    assert bench.all_called() == [(made.bid, "complete"), (made.bid, "success")]


def test_the_job_is_a_plain_member_from_then_on_and_the_rest_of_its_custom_is_as_it_was(bench: Bench) -> None:
    bench.shop.ask(
        bench.broker.jobs.push(
            PushedJob(
                jid="step-0001",
                jobtype="Work",
                queue="default",
                args=Raw(b"[]"),
                custom=Raw(b'{"n":1.0, "_batch": {"success": %s}, "big":123456789012345678901}' % AFTER),
            )
        )
    )
    held = bench.shop.held("step-0001")
    (made,) = every_batch(bench)
    assert held is not None
    assert bytes(held.job.custom) == b'{"n":1.0,"big":123456789012345678901,"bid":"%s"}' % made.bid.encode()
    bench.fail("step-0001")
    bench.shop.ask(bench.broker.jobs.run_now("step-0001"))
    bench.work("step-0001")
    assert bench.due() == [(made.bid, "success")]


def test_pushing_it_again_makes_no_second_batch(bench: Bench) -> None:
    for _ in range(2):
        push(bench, "part-0001", _batch={"jobs": [member("part-0002")], **BOTH})
    assert len(every_batch(bench)) == 1
    assert bench.shop.queued() == ["part-0001", "part-0002"]


def test_the_same_jid_may_begin_another_batch_once_the_job_is_gone(bench: Bench) -> None:
    for _ in range(2):
        push(bench, "part-0001", _batch=BOTH)
        bench.work("part-0001")
    assert len({made.bid for made in every_batch(bench)}) == 2
    assert len(bench.all_called()) == 4


def test_one_that_is_refused_makes_no_batch(bench: Bench) -> None:
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"_batch": 7}, "invalid batch: Expected `object`, got `int`"),
        ({"_batch": {"success": {"jobtype": "A"}}}, "jobs must have an args parameter"),
        ({"_batch": {"parent_bid": "b-nobody"}}, "no such batch b-nobody"),
        ({"_batch": {}, "bid": "b-nobody"}, "no such batch b-nobody"),
        (
            {"_batch": {"jobs": [{**member("part-0002"), "custom": {"_batch": {}}}]}},
            "invalid batch: a job in it cannot bring a batch along; make that a callback",
        ),
    )
    for custom, reason in refused:
        assert bench.refusal(bench.broker.jobs.push(job("part-0001", **custom))) == reason
    push(bench, "part-0009", unique_for=60)
    with pytest.raises(Refused, match="Job not unique"):
        push(bench, "part-0001", unique_for=60, _batch=BOTH)
    assert every_batch(bench) == []
    assert bench.shop.held("part-0001") is None


def test_a_batch_that_is_null_is_none(bench: Bench) -> None:
    push(bench, "part-0001", _batch=None)
    assert every_batch(bench) == []


def test_a_member_may_bring_a_batch_of_its_own_under_its_batch(bench: Bench) -> None:
    bid = bench.new(**BOTH)
    push(bench, "part-0001", bid=bid, _batch={"success": after("Inner")})
    bench.commit(bid)
    assert (bench.status(bid).total, bench.status(bid).children_open) == (0, 1)
    bench.work("part-0001")
    assert [named for _, named in bench.all_called()] == ["success", "complete", "success"]
    refusal = bench.refusal(bench.broker.jobs.push(job("part-0002", bid=bid, _batch={})))
    assert refusal == f"cannot make a batch under batch {bid}: its complete callback was already enqueued"


def test_a_declared_job_whose_jid_is_taken_in_the_same_round_comes_under_another(bench: Bench) -> None:
    one, two = bench.shop.client(), bench.shop.client()
    one.send(bench.broker.jobs.push(job("part-0002")))
    two.send(bench.broker.jobs.push(job("part-0001", _batch={"jobs": [member("part-0002")]})))
    bench.shop.until(lambda: one.replies == [None] and two.replies == [None])
    jids = bench.shop.queued()
    assert len(jids) == 3
    assert {"part-0001", "part-0002"} < set(jids)


def test_many_of_them_come_in_one_bulk_push(bench: Bench) -> None:
    jobs = [job(f"part-{number:04}", _batch={"success": after()}) for number in range(20)]
    assert bench.shop.ask(bench.broker.jobs.push_bulk(jobs)) == {}
    bench.work(*[f"part-{number:04}" for number in range(20)])
    assert len(bench.all_called()) == 20


def test_a_cron_entry_may_begin_a_batch(bench: Bench) -> None:
    entry = {"name": "nightly", "schedule": "@daily", "job": {"jobtype": "Work", "args": []}}
    entry["job"]["custom"] = {"_batch": {"success": after()}}  # type: ignore[index]
    bench.shop.ask(bench.broker.cron.put(json.dumps(entry).encode()))
    jid = bench.shop.ask(bench.broker.cron.run("nightly"))
    bench.work(jid)
    assert [named for _, named in bench.all_called()] == ["success"]


@pytest.mark.parametrize("make", [lambda bench, jobs: bench.new(jobs=jobs), None])
def test_jobs_of_the_servers_making_are_tracked_from_the_moment_they_are_enqueued(
    bench: Bench, make: Callable[..., Any] | None
) -> None:
    tracked = {**member("part-0002"), "custom": {"track": 1}}
    if make is None:
        callback = {**after(), "jid": "the-callback", "custom": {"track": 1}}
        push(bench, "part-0001", _batch={"jobs": [tracked], "success": callback})
        bench.work("part-0001", "part-0002")
        assert state(bench, "the-callback") == "enqueued"
        assert bench.shop.fetch(bench.worker, QUEUE) == ["the-callback"]
        assert state(bench, "the-callback") == "working"
    else:
        make(bench, [tracked])
        assert state(bench, "part-0002") == "enqueued"


def state(bench: Bench, jid: str) -> str:
    track = bench.shop.ask(bench.broker.tracking.get(jid))
    return "unknown" if track is None else track.state
