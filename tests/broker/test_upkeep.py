"""What the server does by itself: promote, purge, rescue."""

from pathlib import Path

import pytest
from msgspec import Raw

from shopfloor.broker.context import BrokerLimits
from shopfloor.core.changes import Claim
from shopfloor.core.job import SCHEDULED
from shopfloor.core.lifecycle import Rules
from shopfloor.core.payload import PushedJob
from shopfloor.core.timestamps import SECONDS_MAX, format_timestamp
from shopfloor.errors import StoreUnavailable
from tests.broker.shop import Shop
from tests.jobs import NOW, pushed
from tests.stores import DURABLE_STORES, Kind


def _schedule(shop: Shop, count: int, at: float = NOW + 10) -> None:
    when = format_timestamp(at)
    assert shop.ask(shop.broker.jobs.push_bulk([pushed(f"job-{n:05}", at=when) for n in range(count)])) == {}


def _kill(shop: Shop, *jids: str) -> None:
    worker = shop.client("killer")
    for jid in jids:
        shop.push(jid, retry=-1)
        assert shop.fetch(worker) == [jid]
        shop.fail(worker, jid)
        assert shop.place(jid) == "dead"


def test_nothing_is_promoted_before_its_time(shop: Shop) -> None:
    _schedule(shop, 3)
    shop.clock.now = NOW + 9.9
    shop.ask(shop.broker.upkeep.promote(SCHEDULED))
    assert shop.figures().scheduled == 3


def test_thousands_are_promoted_in_one_pass_while_others_have_their_turn(shop: Shop) -> None:
    _schedule(shop, 2600)
    shop.clock.now = NOW + 10
    (passing,) = shop.server.send(shop.broker.upkeep.promote(SCHEDULED))
    client = shop.client()
    client.send(shop.broker.jobs.push(pushed("job-quick")))
    shop.turn(2)
    assert client.replies == [None]
    assert not passing.done
    rounds = shop.until(lambda: passing.done)
    assert rounds <= 10
    assert (shop.figures().scheduled, len(shop.queued())) == (0, 2601)
    done = shop.broker.upkeep.tally.passes[SCHEDULED]
    assert (done.cycles, done.moved) == (1, 2600)


def test_a_promoted_job_says_when_it_was_enqueued(shop: Shop) -> None:
    _schedule(shop, 1)
    shop.clock.now = NOW + 12
    shop.ask(shop.broker.upkeep.promote(SCHEDULED))
    held = shop.held("job-00000")
    assert held is not None
    assert held.job.enqueued_at == format_timestamp(NOW + 12)


def test_a_pass_that_the_store_refused_goes_on_next_time(shop: Shop) -> None:
    _schedule(shop, 1200)
    shop.clock.now = NOW + 10
    commits = iter([None, StoreUnavailable("full")])
    shop.store.cue = lambda verb: next(commits, None) if verb == "commit" else None
    with pytest.raises(StoreUnavailable):
        shop.ask(shop.broker.upkeep.promote(SCHEDULED))
    assert shop.figures().scheduled == 700
    shop.ask(shop.broker.upkeep.promote(SCHEDULED))
    assert shop.figures().scheduled == 0


def test_a_job_that_an_operator_takes_meanwhile_moves_once(shop: Shop) -> None:
    _schedule(shop, 2)
    shop.clock.now = NOW + 10
    (passing,) = shop.server.send(shop.broker.upkeep.promote(SCHEDULED))
    shop.turn()
    shop.ask(shop.broker.jobs.cancel("job-00000"))
    shop.until(lambda: passing.done)
    assert (shop.queued(), shop.figures().scheduled) in ((["job-00001"], 0), (["job-00000", "job-00001"], 0))


def test_dead_jobs_leave_when_their_time_is_over() -> None:
    shop = Shop(rules=Rules(dead_seconds=100.0))
    _kill(shop, "job-0001")
    shop.clock.now += 60
    _kill(shop, "job-0002")
    shop.clock.now += 50
    shop.ask(shop.broker.upkeep.purge_dead())
    assert (shop.place("job-0001"), shop.place("job-0002")) == (None, "dead")
    shop.close()


def test_the_oldest_dead_jobs_leave_when_there_are_too_many() -> None:
    shop = Shop(limits=BrokerLimits(dead_jobs_max=2))
    for number in range(5):
        shop.clock.now += 1
        _kill(shop, f"job-000{number}")
    shop.ask(shop.broker.upkeep.purge_dead())
    assert [shop.place(f"job-000{number}") for number in range(5)] == [None, None, None, "dead", "dead"]
    shop.close()


@pytest.mark.parametrize(("keep", "left"), [(0, 0), (100, 100), (1300, 1300), (9999, 1300)])
def test_thousands_of_dead_jobs_are_purged_in_one_pass(keep: int, left: int) -> None:
    shop = Shop(limits=BrokerLimits(dead_jobs_max=keep))
    shop.ask(shop.broker.jobs.push_bulk([pushed(f"job-{n:05}", retry=-1) for n in range(1300)]))
    worker = shop.client("killer")
    for jid in shop.fetch(worker, count=1300):
        shop.fail(worker, jid)
    shop.ask(shop.broker.upkeep.purge_dead())
    assert shop.figures().dead == left
    shop.close()


def test_a_job_held_too_long_is_given_back_whoever_has_it(shop: Shop) -> None:
    shop.push("job-0001", "job-0002")
    living, nobody = shop.client("w1"), shop.client()
    shop.fetch(living)
    shop.fetch(nobody)
    shop.clock.now = NOW + 1799
    shop.ask(shop.broker.upkeep.reap_reservations())
    assert shop.figures().working == 2
    shop.clock.now = NOW + 1810
    shop.ask(shop.broker.upkeep.reap_reservations())
    assert sorted(shop.queued()) == ["job-0001", "job-0002"]
    assert shop.broker.upkeep.tally.reservations_reaped == 2


@pytest.mark.parametrize("crashes_max", [0, 1, 3])
def test_a_job_that_kills_its_workers_dies_itself(crashes_max: int) -> None:
    shop = Shop(rules=Rules(crashes_max=crashes_max))
    shop.push("job-0001", retry=25)
    for lives in range(crashes_max + 1):
        assert shop.fetch(shop.client(f"w{lives}")) == ["job-0001"]
        shop.clock.now += 61
        shop.ask(shop.broker.upkeep.reap_workers())
    held = shop.held("job-0001")
    assert held is not None
    assert held.place == "dead"
    assert held.job.failure is not None
    assert held.job.failure.errtype == "WorkerDied"
    assert (shop.figures().processed, shop.figures().failures) == (1, 1)
    shop.close()


@pytest.mark.parametrize("kind", DURABLE_STORES, ids=lambda kind: kind.name)
def test_jobs_of_workers_that_a_restarted_server_never_saw_come_back_in_time(kind: Kind, tmp_path: Path) -> None:
    before = Shop(kind.make(tmp_path))
    before.push("job-0001", "job-0002", "job-0003")
    before.fetch(before.client("stays"))
    before.fetch(before.client("dies"))
    before.fetch(before.client())
    before.close()
    after = Shop(kind.make(tmp_path), clock=before.clock)
    stays = after.client("stays")
    for seconds in (30, 29):
        after.clock.now += seconds
        after.ask(after.broker.fleet.beat(stays.session, "stays", "", 0))
        _reap(after)
        assert after.figures().working == 3, "workers have time to say HELLO again"
    after.clock.now += 10
    _reap(after)
    assert after.queued() == ["job-0002"]
    after.acknowledge(stays, "job-0001")
    assert (after.held("job-0001"), after.place("job-0003")) == (None, "working")
    after.close()


def test_locks_that_have_ended_are_dropped_and_others_stay(shop: Shop) -> None:
    client = shop.client("w1")
    for jid, seconds in (("job-0001", 10), ("job-0002", 20)):
        job = PushedJob(
            jid=jid, jobtype=jid, queue="default", args=Raw(b"[]"), custom=Raw(b'{"unique_for":%d}' % seconds)
        )
        shop.ask(shop.broker.jobs.push(job))
    shop.let_pass(10)
    shop.ask(shop.broker.upkeep.drop_ended_locks())
    assert [lock.owner for lock in shop.run(shop.store.locks(SECONDS_MAX, 9))] == ["job-0002"]
    assert shop.broker.upkeep.tally.locks_dropped == 1
    assert shop.fetch(client, count=2) == ["job-0001", "job-0002"]
    shop.acknowledge(client, "job-0001")  # its lock is gone already
    assert shop.held("job-0001") is None


def test_thousands_of_ended_locks_are_dropped_in_one_pass(shop: Shop) -> None:
    claims = [(Claim(f"unique:{number}", "gone", NOW + number % 7, NOW),) for number in range(1200)]
    shop.run(shop.store.inner.commit(claims, [], NOW))
    shop.let_pass(7)
    shop.ask(shop.broker.upkeep.drop_ended_locks())
    assert shop.run(shop.store.locks(SECONDS_MAX, 9)) == []


def test_a_lock_that_was_claimed_anew_meanwhile_is_not_dropped(shop: Shop) -> None:
    shop.run(shop.store.inner.commit([(Claim("unique:a", "one", NOW + 5, NOW),)], [], NOW))
    shop.let_pass(5)
    (passing,) = shop.server.send(shop.broker.upkeep.drop_ended_locks())
    shop.turn()
    shop.run(shop.store.inner.commit([(Claim("unique:a", "one", NOW + 50, NOW + 5),)], [], NOW))
    shop.until(lambda: passing.done)
    assert [lock.until for lock in shop.run(shop.store.locks(SECONDS_MAX, 9))] == [NOW + 50]


def _reap(shop: Shop) -> None:
    """Both ways: a store may remember its workers over a restart, or not."""
    for reap in (shop.broker.upkeep.reap_workers, shop.broker.upkeep.reap_reservations):
        shop.ask(reap())
