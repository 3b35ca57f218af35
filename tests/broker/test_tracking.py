"""Tracking: what clients learn of a job, from its push until half an hour after its end."""

from pathlib import Path

import pytest
from msgspec import Raw

from shopfloor.core.payload import PushedJob
from shopfloor.core.tracking import Report, Track
from tests.broker.shop import Client, Shop
from tests.jobs import NOW
from tests.stores import EMBEDDED


def tracked(jid: str = "job-0001", *, custom: str = '{"track":1}', at: str | None = None, retry: int = 25) -> PushedJob:
    return PushedJob(jid=jid, jobtype="Work", args=Raw(b"[1]"), custom=Raw(custom.encode()), at=at, retry=retry)


def push(shop: Shop, *jobs: PushedJob) -> None:
    for job in jobs:
        shop.ask(shop.broker.jobs.push(job))


def state(shop: Shop, jid: str = "job-0001") -> str:
    track = shop.ask(shop.broker.tracking.get(jid))
    return "unknown" if track is None else track.state


def tell(shop: Shop, client: Client, report: Report) -> None:
    shop.ask(shop.broker.tracking.tell(client.session, report), client)


@pytest.fixture
def worker(shop: Shop) -> Client:
    return shop.client("worker-1")


def test_a_job_is_followed_to_its_success(shop: Shop, worker: Client) -> None:
    assert state(shop) == "unknown"
    push(shop, tracked())
    assert state(shop) == "enqueued"
    shop.fetch(worker)
    assert state(shop) == "working"
    shop.acknowledge(worker, "job-0001")
    assert state(shop) == "success"


def test_a_scheduled_job_counts_as_enqueued(shop: Shop) -> None:
    push(shop, tracked(at="2030-01-01T00:00:00Z"))
    assert state(shop) == "enqueued"


@pytest.mark.parametrize("custom", ["{}", '{"track":0}', '{"track":false}', '{"track":null}'])
def test_a_job_that_does_not_ask_for_it_is_not_tracked(shop: Shop, worker: Client, custom: str) -> None:
    push(shop, tracked(custom=custom))
    shop.fetch(worker)
    tell(shop, worker, Report(jid="job-0001", percent=5))
    assert state(shop) == "unknown"
    shop.acknowledge(worker, "job-0001")
    assert state(shop) == "unknown"


@pytest.mark.parametrize(("retry", "after"), [(25, "failed"), (0, "failed"), (-1, "dead")])
def test_a_failure_is_seen(shop: Shop, worker: Client, retry: int, after: str) -> None:
    push(shop, tracked(retry=retry))
    shop.fetch(worker)
    shop.fail(worker, "job-0001")
    assert state(shop) == after


def test_a_retry_is_followed_like_the_first_try(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    shop.fetch(worker)
    shop.fail(worker, "job-0001")
    shop.clock.now += 60
    shop.ask(shop.broker.upkeep.promote("retries"))
    shop.fetch(worker)
    assert state(shop) == "working"
    shop.acknowledge(worker, "job-0001")
    assert state(shop) == "success"


def test_a_job_that_is_given_back_waits_again(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    shop.fetch(worker)
    shop.ask(shop.broker.jobs.give_back(worker.session, "job-0001"), worker)
    assert state(shop) == "enqueued"
    shop.fetch(worker)
    shop.clock.now += 61
    shop.ask(shop.broker.upkeep.reap_workers())
    assert state(shop) == "enqueued"


def test_a_cancelled_job_is_dead_to_those_who_wait_for_it(shop: Shop) -> None:
    push(shop, tracked())
    shop.ask(shop.broker.jobs.cancel("job-0001"))
    assert state(shop) == "dead"


def test_what_is_told_changes_no_state_at_any_time(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    tell(shop, shop.client(), Report(jid="job-0001", percent=1))
    assert state(shop) == "enqueued"
    shop.fetch(worker)
    shop.clock.now += 1
    tell(shop, worker, Report(jid="job-0001", percent=50, desc="half", result=Raw(b'{"n": 1.0}')))
    shop.acknowledge(worker, "job-0001")
    tell(shop, worker, Report(jid="job-0001", desc="all"))
    track = shop.ask(shop.broker.tracking.get("job-0001"))
    assert track == Track(state="success", updated_at=NOW + 1, percent=50, desc="all", result=Raw(b'{"n": 1.0}'))


def test_many_reports_in_one_round_are_all_noted(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    shop.fetch(worker)
    verbs = [
        shop.broker.tracking.tell(worker.session, Report(jid="job-0001", percent=number))
        if number % 2
        else shop.broker.tracking.tell(worker.session, Report(jid="job-0001", desc=str(number)))
        for number in range(10)
    ]
    worker.send(*verbs)
    calls = worker.send(shop.broker.jobs.acknowledge(worker.session, "job-0001"))
    shop.until(lambda: calls[0].done)
    assert shop.ask(shop.broker.tracking.get("job-0001")) == Track(state="success", updated_at=NOW, percent=9, desc="8")


def test_a_job_pushed_again_after_its_end_begins_anew(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    shop.fetch(worker)
    tell(shop, worker, Report(jid="job-0001", percent=100))
    shop.acknowledge(worker, "job-0001")
    push(shop, tracked())
    assert shop.ask(shop.broker.tracking.get("job-0001")) == Track(state="enqueued", updated_at=NOW)
    push(shop, tracked())


def test_a_reservation_grows_and_never_shrinks(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    shop.fetch(worker)
    for asked, lasts in [(10, 1800), (3000, 3000), (2000, 3000), (200_000, 86_400)]:
        tell(shop, worker, Report(jid="job-0001", reserve_until=NOW + asked))
        held = shop.held("job-0001")
        assert held is not None
        assert held.expires_at == NOW + lasts


def test_the_reservation_of_a_job_that_is_not_tracked_grows_too(shop: Shop, worker: Client) -> None:
    shop.push("job-0001")
    shop.fetch(worker)
    tell(shop, worker, Report(jid="job-0001", reserve_until=NOW + 3000))
    held = shop.held("job-0001")
    assert held is not None
    assert held.expires_at == NOW + 3000


def test_only_its_holder_can_extend_a_reservation(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    tell(shop, worker, Report(jid="job-0001", reserve_until=NOW + 3000))
    shop.fetch(worker)
    tell(shop, shop.client("worker-2"), Report(jid="job-0001", percent=7, reserve_until=NOW + 3000))
    held = shop.held("job-0001")
    assert held is not None
    assert held.expires_at == NOW + 1800
    track = shop.ask(shop.broker.tracking.get("job-0001"))
    assert track is not None
    assert track.percent == 7
    tell(shop, shop.client(), Report(jid="job-0001", reserve_until=NOW + 3000))
    held = shop.held("job-0001")
    assert held is not None
    assert held.expires_at == NOW + 3000


def test_a_cancelled_job_stays_cancelled_when_its_reservation_grows(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    shop.fetch(worker)
    shop.ask(shop.broker.jobs.cancel("job-0001"))
    tell(shop, worker, Report(jid="job-0001", reserve_until=NOW + 3000))
    held = shop.held("job-0001")
    assert held is not None
    assert held.cancelled


def test_an_extended_reservation_and_what_was_told_survive_the_server(tmp_path: Path) -> None:
    shop = Shop(EMBEDDED.make(tmp_path))
    push(shop, tracked())
    worker = shop.client("worker-1")
    shop.fetch(worker)
    tell(shop, worker, Report(jid="job-0001", percent=45, result=Raw(b"[1.0]"), reserve_until=NOW + 5000))
    shop.close()
    shop = Shop(EMBEDDED.make(tmp_path), clock=shop.clock)
    held = shop.held("job-0001")
    assert held is not None
    assert held.expires_at == NOW + 5000
    track = shop.ask(shop.broker.tracking.get("job-0001"))
    assert track == Track(state="working", updated_at=NOW, percent=45, result=Raw(b"[1.0]"))
    shop.close()


def test_a_record_is_forgotten_half_an_hour_after_its_last_change(shop: Shop, worker: Client) -> None:
    push(shop, tracked(), tracked("job-0002"))
    shop.clock.now += 1000
    tell(shop, worker, Report(jid="job-0002", desc="later"))
    shop.clock.now += 801
    assert state(shop) == "unknown"
    assert state(shop, "job-0002") == "enqueued"
    shop.ask(shop.broker.tracking.purge())
    assert list(shop.run(shop.store.records("track"))) == ["job-0002"]


def test_records_are_not_looked_through_at_every_pass(shop: Shop) -> None:
    shop.ask(shop.broker.tracking.purge())
    push(shop, tracked())
    looked: list[str] = []

    async def note(verb: str) -> None:
        looked.append(verb)

    shop.store.meanwhile = note
    shop.ask(shop.broker.tracking.purge())
    assert "records" not in looked
    shop.clock.now += 61
    shop.ask(shop.broker.tracking.purge())
    assert "records" in looked


def test_a_job_whose_record_was_forgotten_is_tracked_again(shop: Shop, worker: Client) -> None:
    push(shop, tracked())
    shop.clock.now += 1801
    tell(shop, worker, Report(jid="job-0001", percent=1))
    assert state(shop) == "enqueued"
    shop.clock.now += 1801
    shop.fetch(worker)
    assert state(shop) == "working"


def test_many_records_are_purged_in_steps(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopfloor.broker.tracking.PURGE_STEP", 2)
    push(shop, *(tracked(f"job-000{number}") for number in range(5)))
    shop.clock.now += 1801
    before = shop.ticks.rounds
    shop.ask(shop.broker.tracking.purge())
    assert shop.ticks.rounds - before >= 3
    assert shop.run(shop.store.records("track")) == {}
