"""Unique jobs: a lock is held exactly as long as its job may still run."""

from pathlib import Path

import pytest
from msgspec import Raw

from shopfloor.core.mutation import COMMANDS, Filter, Mutation
from shopfloor.core.payload import PushedJob
from shopfloor.errors import Refused
from shopfloor.store.state.verbs import StateStore
from tests.broker.shop import Client, Shop, fetched
from tests.stores import EMBEDDED


def unique_job(jid: str, *, custom: str = '{"unique_for":60}', at: str | None = None, retry: int = 25) -> PushedJob:
    return PushedJob(jid=jid, jobtype="Work", args=Raw(b"[1]"), custom=Raw(custom.encode()), at=at, retry=retry)


def push(shop: Shop, job: PushedJob) -> bool:
    """Push a job; answer whether it was taken."""
    try:
        shop.ask(shop.broker.jobs.push(job))
    except Refused as refused:
        if (refused.code, refused.message) == ("NOTUNIQUE", "Job not unique"):
            return False
        raise
    return True


def locks(shop: Shop) -> list[str]:
    """List who has a lock."""
    store = shop.store.inner
    assert isinstance(store, StateStore)
    return [owner for owner, _ in store.state.locks.values()]


@pytest.fixture
def worker(shop: Shop) -> Client:
    return shop.client("worker-1")


def test_an_equal_job_is_refused_while_the_lock_lasts(shop: Shop) -> None:
    assert push(shop, unique_job("job-0001"))
    assert not push(shop, unique_job("job-0002"))
    shop.clock.now += 60.1
    assert push(shop, unique_job("job-0002"))


def test_a_bulk_push_names_the_jobs_that_are_not_unique(shop: Shop) -> None:
    jobs = [unique_job("job-0001"), unique_job("job-0002"), unique_job("job-0001")]
    assert shop.ask(shop.broker.jobs.push_bulk(jobs)) == {"job-0002": "NOTUNIQUE Job not unique"}


def test_the_same_job_may_be_pushed_again(shop: Shop) -> None:
    assert push(shop, unique_job("job-0001"))
    assert push(shop, unique_job("job-0001"))
    assert shop.queued() == ["job-0001"]


def test_a_job_that_does_not_ask_for_it_passes_by_the_lock(shop: Shop) -> None:
    assert push(shop, unique_job("job-0001"))
    assert push(shop, unique_job("job-0002", custom='{"unique_until":"start"}'))


def test_the_delay_of_a_scheduled_job_is_added(shop: Shop) -> None:
    assert push(shop, unique_job("job-0001", at="2023-11-14T23:13:20Z"))
    shop.clock.now += 3659
    assert not push(shop, unique_job("job-0002"))
    shop.clock.now += 2
    assert push(shop, unique_job("job-0002"))


def test_success_ends_the_lock(shop: Shop, worker: Client) -> None:
    push(shop, unique_job("job-0001"))
    assert shop.fetch(worker) == ["job-0001"]
    assert not push(shop, unique_job("job-0002"))
    shop.acknowledge(worker, "job-0001")
    assert push(shop, unique_job("job-0002"))


def test_a_failure_keeps_the_lock_and_the_retry_is_not_in_its_own_way(shop: Shop, worker: Client) -> None:
    push(shop, unique_job("job-0001", custom='{"unique_for":600}'))
    shop.fetch(worker)
    shop.fail(worker, "job-0001")
    assert not push(shop, unique_job("job-0002"))
    shop.clock.now += 30
    shop.ask(shop.broker.upkeep.promote("retries"))
    assert shop.fetch(worker) == ["job-0001"]
    shop.acknowledge(worker, "job-0001")
    assert push(shop, unique_job("job-0002"))


@pytest.mark.parametrize("retry", [0, -1])
def test_a_job_that_fails_for_good_ends_its_lock(shop: Shop, worker: Client, retry: int) -> None:
    push(shop, unique_job("job-0001", retry=retry))
    shop.fetch(worker)
    shop.fail(worker, "job-0001")
    assert push(shop, unique_job("job-0002"))


def test_unique_until_start_ends_the_lock_with_the_fetch(shop: Shop, worker: Client) -> None:
    custom = '{"unique_for":60,"unique_until":"start"}'
    push(shop, unique_job("job-0001", custom=custom))
    assert not push(shop, unique_job("job-0002", custom=custom))
    assert shop.fetch(worker) == ["job-0001"]
    assert push(shop, unique_job("job-0002", custom=custom))
    shop.acknowledge(worker, "job-0001")
    assert locks(shop) == ["job-0002"]


def test_a_lock_that_the_fetch_could_not_end_ends_with_the_job(shop: Shop) -> None:
    push(shop, unique_job("job-0001", custom='{"unique_for":60,"unique_until":"start"}'))
    client = shop.client()
    commits = iter([None, OSError("the server died between the two commits")])
    shop.store.cue = lambda verb: next(commits, None) if verb == "commit" else None
    (call,) = client.send(shop.broker.fetching.fetch(client.session, ("default",)))
    shop.until(lambda: call.done)
    assert isinstance(call.error, OSError)
    assert locks(shop) == ["job-0001"]
    shop.acknowledge(client, "job-0001")
    assert locks(shop) == []


def test_a_job_that_is_given_back_keeps_its_lock(shop: Shop, worker: Client) -> None:
    push(shop, unique_job("job-0001"))
    shop.fetch(worker)
    shop.ask(shop.broker.jobs.give_back(worker.session, "job-0001"), worker)
    assert locks(shop) == ["job-0001"]
    assert shop.queued() == ["job-0001"]


@pytest.mark.parametrize("how", ["cancel", "remove queue", "discard", "kill", "clear"])
def test_operators_end_the_lock_with_the_job(shop: Shop, how: str) -> None:
    at = None if how in ("cancel", "remove queue") else "2030-01-01T00:00:00Z"
    push(shop, unique_job("job-0001", at=at))
    if how == "cancel":
        shop.ask(shop.broker.jobs.cancel("job-0001"))
    elif how == "remove queue":
        shop.ask(shop.broker.queues.remove(["default"]))
    else:
        command = next(known for known in COMMANDS if known == how)
        named = Filter() if how == "clear" else Filter(jids=("job-0001",))
        shop.ask(shop.broker.mutations.mutate(Mutation(command=command, target="scheduled", filter=named)))
    assert locks(shop) == []


def test_a_fetch_for_a_connection_that_broke_gives_the_job_back_with_its_lock(shop: Shop) -> None:
    client = shop.client()
    (call,) = client.send(shop.broker.fetching.fetch(client.session, ("default",)))
    push(shop, unique_job("job-0001", custom='{"unique_for":60}'))
    assert fetched(call) == ["job-0001"]
    assert locks(shop) == ["job-0001"]


def test_a_lock_survives_the_server(tmp_path: Path) -> None:
    shop = Shop(EMBEDDED.make(tmp_path))
    push(shop, unique_job("job-0001"))
    shop.close()
    shop = Shop(EMBEDDED.make(tmp_path), clock=shop.clock)
    assert not push(shop, unique_job("job-0002"))
    worker = shop.client("worker-1")
    shop.fetch(worker)
    shop.acknowledge(worker, "job-0001")
    assert push(shop, unique_job("job-0002"))
    shop.close()
