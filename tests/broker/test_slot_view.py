"""Looking at throttles and locks: what is in use, by whom, and that looking changes nothing."""

import pytest
from msgspec import Raw

from shopfloor.broker import slot_view
from shopfloor.broker.reports import Vitals
from shopfloor.core.payload import PushedJob
from shopfloor.core.throttle import Limit
from shopfloor.core.timestamps import format_timestamp
from tests.broker.shop import Shop
from tests.broker.test_throttles import apply, push, throttled
from tests.jobs import NOW


def test_throttles_say_who_has_their_slots(shop: Shop) -> None:
    apply(
        shop,
        ("queue", "scrape", Limit(concurrency=2, worker=1)),
        ("type", "Report", Limit(concurrency=5)),
        ("key", "customer-*", Limit(rate=1, period=60.0)),
    )
    one, two = shop.client("worker-1"), shop.client("worker-2")
    shop.push("job-0001", "job-0002", "job-0003", queue="scrape")
    push(shop, throttled("job-0004", jobtype="Report"), throttled("job-0005", key="customer-7"))
    push(shop, throttled("job-0006", key="customer-7"))
    assert shop.fetch(one, "scrape", count=3) == ["job-0001"]
    assert shop.fetch(two, "scrape", "default", count=3) == ["job-0002"]
    assert shop.fetch(two, "default", count=3) == ["job-0004", "job-0005"]
    before = shop.run(shop.store.inner.records("throttle"))
    assert shop.ask(shop.broker.slot_view.throttles()) == [
        {"name": "key:customer-*", "limit": {"rate": 1, "period": 60.0}}
        | {"in_use": 0, "workers": {}, "holders": [], "starts": 0},
        {"name": "key:customer-7", "limit": {"rate": 1, "period": 60.0}}
        | {"in_use": 0, "workers": {}, "holders": [], "starts": 1, "waiting_until": format_timestamp(NOW + 60)},
        {"name": "scrape", "limit": {"concurrency": 2, "worker": 1}, "in_use": 2}
        | {"workers": {"worker-1": 1, "worker-2": 1}}
        | {"holders": [{"jid": "job-0001", "wid": "worker-1"}, {"jid": "job-0002", "wid": "worker-2"}]},
        {"name": "type:Report", "limit": {"concurrency": 5}, "in_use": 1, "workers": {"worker-2": 1}}
        | {"holders": [{"jid": "job-0004", "wid": "worker-2"}]},
    ]
    assert shop.run(shop.store.inner.records("throttle")) == before


def test_a_throttle_names_some_of_its_jobs_and_counts_all(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_view, "HOLDERS_NAMED_MAX", 2)
    apply(shop, ("type", "Report", Limit(concurrency=5)))
    push(shop, *[throttled(f"job-{number:04}", jobtype="Report") for number in range(3)])
    shop.fetch(shop.client("worker-1"), count=3)
    (told,) = shop.ask(shop.broker.slot_view.throttles())
    assert (told["in_use"], len(told["holders"])) == (3, 2)


def test_what_is_throttled_no_more_is_not_listed(shop: Shop) -> None:
    apply(shop, ("type", "Report", Limit(concurrency=5)))
    push(shop, throttled("job-0001", jobtype="Report"))
    shop.fetch(shop.client("worker-1"))
    apply(shop)
    assert shop.ask(shop.broker.slot_view.throttles()) == []


def test_locks_are_listed_with_their_jobs(shop: Shop) -> None:
    for jid, seconds in (("job-0001", 20), ("job-0002", 10)):
        custom = Raw(b'{"unique_for":%d}' % seconds)
        shop.ask(
            shop.broker.jobs.push(PushedJob(jid=jid, jobtype=jid, queue="default", args=Raw(b"[]"), custom=custom))
        )
    first, second = shop.ask(shop.broker.slot_view.locks(9))
    assert (first["jid"], first["until"]) == ("job-0002", format_timestamp(NOW + 10))
    assert (second["jid"], second["until"]) == ("job-0001", format_timestamp(NOW + 20))
    assert first["key"].startswith("unique:")
    assert shop.ask(shop.broker.slot_view.locks(1)) == [first]


def test_info_counts_what_was_held_back_and_expired(shop: Shop) -> None:
    apply(shop, ("type", "Report", Limit(concurrency=1)))
    push(shop, throttled("job-0001", jobtype="Report"), throttled("job-0002", jobtype="Report"))
    custom = Raw(b'{"expires_in":1,"unique_for":1}')
    job = PushedJob(jid="job-0003", jobtype="Work", queue="default", args=Raw(b"[]"), custom=custom)
    shop.ask(shop.broker.jobs.push(job))
    shop.let_pass(2)
    shop.ask(shop.broker.upkeep.drop_ended_locks())
    assert shop.fetch(shop.client("worker-1"), count=3) == ["job-0001"]
    vitals = Vitals(version="1", uptime_seconds=1, connections=1, commands=1, memory_megabytes=1, extensions=())
    told = shop.ask(shop.broker.reports.info(vitals))["server"]
    counts = {key: told[key] for key in ("held_back", "expired", "locks_dropped", "throttles_repaired")}
    assert counts == {"held_back": 1, "expired": 1, "locks_dropped": 1, "throttles_repaired": 0}
