"""Workers join, beat, leave, come back within their grace, and are told what to do."""

import pytest

from shopfloor.core import workers
from shopfloor.core.workers import Worker
from shopfloor.errors import Refused
from tests.broker.shop import Client, Shop


def _record(shop: Shop, wid: str = "w1") -> Worker | None:
    record = shop.run(shop.store.inner.records(workers.WORKER)).get(wid)
    return None if record is None or record.value is None else workers.decode(record.value)


def _leave(shop: Shop, client: Client) -> None:
    client.hang_up()
    shop.ask(shop.broker.fleet.leave(client.session))


def _beat(shop: Shop, client: Client, state: str = "") -> Worker:
    return shop.ask(shop.broker.fleet.beat(client.session, client.session.wid, state, 7))


def test_a_worker_is_noted_by_its_first_connection_and_joined_by_others(shop: Shop) -> None:
    shop.client("w1")
    first = _record(shop)
    shop.clock.now += 5
    shop.client("w1")
    second = _record(shop)
    assert first is not None
    assert second is not None
    assert (second.started_at, second.beat_at) == (first.started_at, first.beat_at + 5)


def test_connections_of_one_worker_that_come_at_once_all_join(shop: Shop) -> None:
    clients = [Client(shop) for _ in range(5)]
    now = shop.clock.now
    for client in clients:
        worker = Worker(wid="w1", started_at=now, beat_at=now)
        client.send(shop.broker.fleet.join(client.session, worker, client.hang_up))
    shop.turn(10)
    assert [client.replies for client in clients] == [[None]] * 5
    for client in clients[1:]:
        _leave(shop, client)
    noted = _record(shop)
    assert noted is not None
    assert noted.left_at == 0


def test_a_beat_of_an_unknown_worker_is_refused(shop: Shop) -> None:
    client = shop.client()
    with pytest.raises(Refused, match="unknown worker w9"):
        shop.ask(shop.broker.fleet.beat(client.session, "w9", "", 0))


def test_a_beat_keeps_a_worker_alive(shop: Shop) -> None:
    client = shop.client("w1")
    for _ in range(5):
        shop.clock.now += 50
        assert _beat(shop, client).rss_kb == 7
        shop.ask(shop.broker.upkeep.reap_workers())
    assert _record(shop) is not None


def test_a_worker_that_stops_beating_is_given_up_and_its_connections_closed(shop: Shop) -> None:
    clients = [shop.client("w1") for _ in range(2)]
    shop.push("job-0001")
    assert shop.fetch(clients[0]) == ["job-0001"]
    shop.clock.now += 61
    shop.ask(shop.broker.upkeep.reap_workers())
    assert _record(shop) is None
    assert [client.session.closed for client in clients] == [True, True]
    assert shop.queued() == ["job-0001"]
    assert shop.broker.upkeep.tally.workers_reaped == 1


def test_a_worker_whose_last_connection_broke_has_a_grace_to_come_back(shop: Shop) -> None:
    one, two = shop.client("w1"), shop.client("w1")
    shop.push("job-0001")
    shop.fetch(one)
    _leave(shop, one)
    shop.clock.now += 16
    shop.ask(shop.broker.upkeep.reap_workers())
    assert shop.place("job-0001") == "working", "it still has a connection"
    _leave(shop, two)
    shop.clock.now += 14
    shop.ask(shop.broker.upkeep.reap_workers())
    assert shop.place("job-0001") == "working", "its grace is not over"
    back = shop.client("w1")
    shop.clock.now += 16
    shop.ask(shop.broker.upkeep.reap_workers())
    assert shop.place("job-0001") == "working", "it came back"
    shop.acknowledge(back, "job-0001")
    assert shop.held("job-0001") is None


def test_a_worker_that_does_not_come_back_gives_its_jobs_back_with_a_crash(shop: Shop) -> None:
    client = shop.client("w1")
    shop.push("job-0001")
    shop.fetch(client)
    _leave(shop, client)
    shop.clock.now += 16
    shop.ask(shop.broker.upkeep.reap_workers())
    held = shop.held("job-0001")
    assert held is not None
    assert (held.place, held.job.crashes, held.job.failure) == ("queued", 1, None)


def test_a_worker_that_beats_while_it_is_judged_stays(shop: Shop) -> None:
    shop.client("w0")
    client = shop.client("w1")
    shop.push("job-0001")
    shop.fetch(client)
    shop.clock.now += 61
    (reap,) = shop.server.send(shop.broker.upkeep.reap_workers())
    shop.until(lambda: _record(shop, "w0") is None)
    _beat(shop, client, "quiet")
    shop.until(lambda: reap.done)
    assert _record(shop) is not None
    assert shop.place("job-0001") == "working"
    shop.push("job-0002")
    assert shop.fetch(client) == [], "it said that it is quiet"


def test_a_new_process_under_the_wid_of_a_buried_one_keeps_what_it_reserves(shop: Shop) -> None:
    shop.push("job-0001", "job-0002")
    assert shop.fetch(shop.client("w1")) == ["job-0001"]
    shop.clock.now += 61
    (reap,) = shop.server.send(shop.broker.upkeep.reap_workers())
    shop.until(lambda: _record(shop) is None)
    heir, now = Client(shop, "w1"), shop.clock.now
    worker = Worker(wid="w1", started_at=now, beat_at=now)
    _, fetch = heir.send(
        shop.broker.fleet.join(heir.session, worker, heir.hang_up),
        shop.broker.fetching.fetch(heir.session, ("default",)),
    )
    shop.until(lambda: fetch.done and reap.done)
    assert [held.job.jid for held in fetch.result] == ["job-0002"]
    assert (shop.place("job-0001"), shop.place("job-0002")) == ("queued", "working")


def test_states_only_move_forward_until_the_worker_begins_anew(shop: Shop) -> None:
    client = shop.client("w1")
    told = [_beat(shop, client, state).state for state in ("", "quiet", "", "terminate", "quiet", "nonsense")]
    assert told == ["running", "quiet", "quiet", "terminate", "terminate", "terminate"]
    shop.push("job-0001")
    assert shop.fetch(shop.client("w1")) == [], "other connections of that worker are quiet too"
    shop.clock.now += 61
    shop.ask(shop.broker.upkeep.reap_workers())
    again = shop.client("w1")
    assert _beat(shop, again).state == "running"
    assert shop.fetch(again) == ["job-0001"]


def test_a_worker_hears_once_of_a_cancelled_job_if_it_understands(shop: Shop) -> None:
    hears, deaf = shop.client("hears", ("cancel",)), shop.client("deaf")
    shop.push("job-0001", "job-0002")
    shop.fetch(hears)
    shop.fetch(deaf)
    for jid in ("job-0001", "job-0002"):
        shop.ask(shop.broker.jobs.cancel(jid))
    assert [_beat(shop, hears).cancels for _ in range(2)] == [("job-0001",), ()]
    assert [_beat(shop, deaf).cancels for _ in range(2)] == [("job-0002",)] * 2


def test_leaving_twice_or_when_given_up_already_is_harmless(shop: Shop) -> None:
    client = shop.client("w1")
    _leave(shop, client)
    _leave(shop, client)
    shop.clock.now += 16
    shop.ask(shop.broker.upkeep.reap_workers())
    _leave(shop, client)
    assert _record(shop) is None
