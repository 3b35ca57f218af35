"""Cron entries on a broker: fired once, made up for, paused, run by hand, taken from files."""

from collections.abc import Iterator

import msgspec
import pytest

from shopfloor.core import cron
from shopfloor.core.changes import Note
from shopfloor.core.cron import Entry
from shopfloor.core.cron_definition import Definition, read_definition
from shopfloor.core.lifecycle import Rules
from shopfloor.errors import Refused, StoreUnavailable
from shopfloor.store.memory.store import MemoryStore
from tests.broker.failing_store import never
from tests.broker.shop import Clock, Shop
from tests.jobs import NOW

MINUTE = 60.0
HOUR = 3_600.0
START = NOW - NOW % HOUR
"""A full hour."""


def text(name: str = "e", schedule: str = "*/10 * * * *", **said: object) -> bytes:
    """Write an entry as CRON PUT takes it."""
    return msgspec.json.encode({"name": name, "schedule": schedule, "job": {"type": "A", "args": [1]}} | said)


def from_file(name: str = "e", schedule: str = "*/10 * * * *", **said: object) -> Definition:
    """Read an entry as a file has it."""
    return read_definition(text(name, schedule, **said), START)


def entry_of(shop: Shop, name: str = "e") -> Entry:
    """Look an entry up."""
    return next(entry for entry in shop.ask(shop.broker.cron.entries()) if entry.name == name)


def fire(*shops: Shop, at: float) -> None:
    """Let servers look at the same moment, each of them in the middle of the other's look."""
    for shop in shops:
        shop.clock.now = at
    calls = [(shop, shop.server.send(shop.broker.cron.fire())[0]) for shop in shops]
    while not all(call.done for _, call in calls):
        for shop, _ in calls:
            shop.turn()
    for _, call in calls:
        assert call.error is None, call.error


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """The shop, at a full hour."""
    shop.clock.now = START
    return shop


@pytest.fixture
def two() -> Iterator[tuple[Shop, Shop]]:
    """Two servers on one store, with one clock."""
    rules, clock = Rules(), Clock()
    clock.now = START
    store = MemoryStore(rules)
    first, second = Shop(store, rules, clock=clock), Shop(store, rules, clock=clock)
    yield first, second
    first.close()
    second.close()


def test_an_entry_fires_when_it_is_due(shop: Shop) -> None:
    assert shop.ask(shop.broker.cron.put(text())) == "e"
    fire(shop, at=START + 599)
    assert shop.queued() == []
    fire(shop, at=START + 600)
    fire(shop, at=START + 601)
    (jid,) = shop.queued()
    assert jid == cron.jid_at("e", START + 600)
    assert entry_of(shop).history[0].jid == jid
    fire(shop, at=START + 1200)
    assert len(shop.queued()) == 2


def test_a_fired_job_wakes_a_waiting_worker(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text()))
    worker = shop.client("w1")
    shop.clock.now = START + 599
    (call,) = worker.send(shop.broker.fetching.fetch(worker.session, ("default",)))
    shop.turn()
    fire(shop, at=START + 600)
    assert call.done
    assert len(call.result) == 1


@pytest.mark.parametrize("ahead", range(5))
def test_two_servers_fire_once(two: tuple[Shop, Shop], ahead: int) -> None:
    first, second = two
    first.ask(first.broker.cron.put(text(catch_up="all")))
    second.ask(second.broker.cron.entries())
    first.clock.now = START + HOUR
    (begun,) = first.server.send(first.broker.cron.fire())
    first.turn(ahead)
    fire(second, first, at=START + HOUR)
    first.until(lambda: begun.done)
    fire(second, first, at=START + HOUR + 1)
    assert sorted(first.queued()) == sorted(cron.jid_at("e", START + n * 600) for n in range(1, 7))
    assert entry_of(first).fired == entry_of(second).fired == 6


def test_a_job_that_was_worked_off_is_not_fired_again_by_the_other_server(two: tuple[Shop, Shop]) -> None:
    first, second = two
    first.ask(first.broker.cron.put(text()))
    second.ask(second.broker.cron.entries())
    fire(first, at=START + 600)
    worker = first.client("w1")
    (jid,) = first.fetch(worker)
    first.acknowledge(worker, jid)
    fire(second, at=START + 601)
    assert second.queued() == []


@pytest.mark.parametrize(("catch_up", "jobs"), [("none", 0), ("last", 1), ("all", 3)])
def test_what_was_missed_while_no_server_ran(catch_up: str, jobs: int) -> None:
    rules, clock = Rules(), Clock()
    clock.now = START
    store = MemoryStore(rules)
    before = Shop(store, rules, clock=clock)
    before.ask(before.broker.cron.apply([from_file(catch_up=catch_up)]))
    after = Shop(store, rules, clock=clock)
    clock.now = START + 35 * MINUTE
    after.ask(after.broker.cron.apply([from_file(catch_up=catch_up)]))
    fire(after, at=clock.now)
    assert len(after.queued()) == jobs
    found = entry_of(after)
    assert (found.fired, found.skipped) == (jobs, 3 - jobs)
    assert found.last_at == START + 30 * MINUTE
    before.close()
    after.close()


def test_a_paused_entry_does_not_fire_nor_make_up_for_it(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text(catch_up="all")))
    shop.ask(shop.broker.cron.pause("e", True))
    fire(shop, at=START + HOUR)
    assert shop.queued() == []
    shop.ask(shop.broker.cron.pause("e", False))
    fire(shop, at=START + HOUR)
    assert shop.queued() == []
    fire(shop, at=START + HOUR + 600)
    assert len(shop.queued()) == 1


def test_a_pause_on_one_server_holds_on_the_other(two: tuple[Shop, Shop]) -> None:
    first, second = two
    first.ask(first.broker.cron.put(text()))
    second.ask(second.broker.cron.pause("e", True))
    fire(first, second, at=START + 600)
    assert first.queued() == []


def test_running_now_pushes_a_job_each_time_and_leaves_the_schedule(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text(paused=True)))
    jids = [shop.ask(shop.broker.cron.run("e")) for _ in range(3)]
    assert shop.queued() == jids
    assert len(set(jids)) == 3
    found = entry_of(shop)
    assert (found.fired, found.last_at) == (3, START)


def test_a_unique_job_that_is_under_way_is_counted_and_not_tried_again(shop: Shop) -> None:
    job = {"type": "A", "custom": {"unique_for": 3000}}
    shop.ask(shop.broker.cron.put(text(job=job)))
    fire(shop, at=START + 600)
    fire(shop, at=START + 1200)
    fire(shop, at=START + 1201)
    assert len(shop.queued()) == 1
    found = entry_of(shop)
    assert (found.fired, found.refused) == (1, 1)
    assert found.history[0].reason == "NOTUNIQUE Job not unique"
    with pytest.raises(Refused, match="Job not unique") as caught:
        shop.ask(shop.broker.cron.run("e"))
    assert caught.value.code == "NOTUNIQUE"


def test_a_queue_that_is_full_refuses() -> None:
    shop = Shop(rules=Rules(queue_jobs_max=1))
    shop.clock.now = START
    shop.ask(shop.broker.cron.put(text()))
    fire(shop, at=START + 600)
    fire(shop, at=START + 1200)
    assert entry_of(shop).history[0].reason == "ERR queue default is full: the limit is 1 jobs"
    shop.close()


def test_while_no_job_is_taken_moments_wait(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text()))
    shop.broker.context.push_refusal = "server is out of memory"
    fire(shop, at=START + 600)
    with pytest.raises(Refused, match="out of memory"):
        shop.ask(shop.broker.cron.run("e"))
    assert shop.queued() == []
    shop.broker.context.push_refusal = ""
    fire(shop, at=START + 630)
    assert len(shop.queued()) == 1


def test_a_job_that_is_already_there_counts_as_fired(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text()))
    fire(shop, at=START + 600)
    shop.clock.now = START + 599
    shop.ask(shop.broker.cron.remove("e"))
    shop.ask(shop.broker.cron.put(text()))
    fire(shop, at=START + 600)
    assert len(shop.queued()) == 1
    assert entry_of(shop).fired == 1


def test_entries_are_changed_and_removed(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text()))
    shop.ask(shop.broker.cron.put(text(job={"type": "B"})))
    fire(shop, at=START + 600)
    held = shop.held(cron.jid_at("e", START + 600))
    assert held is not None
    assert held.job.jobtype == "B"
    shop.ask(shop.broker.cron.remove("e"))
    fire(shop, at=START + 1200)
    assert shop.ask(shop.broker.cron.entries()) == []
    assert len(shop.queued()) == 1


@pytest.mark.parametrize("verb", ["remove", "run"])
def test_an_unknown_entry(shop: Shop, verb: str) -> None:
    with pytest.raises(Refused, match="Cron entry not found nobody"):
        shop.ask(getattr(shop.broker.cron, verb)("nobody"))
    with pytest.raises(Refused, match="Cron entry not found nobody"):
        shop.ask(shop.broker.cron.pause("nobody", True))


def test_a_name_that_is_none(shop: Shop) -> None:
    with pytest.raises(Refused, match="is no name"):
        shop.ask(shop.broker.cron.run("two words"))


def test_a_queue_name_that_no_push_could_have(shop: Shop) -> None:
    with pytest.raises(Refused, match="queue name is too long"):
        shop.ask(shop.broker.cron.put(text(job={"type": "A", "queue": "q" * 256})))


def test_files_add_change_and_remove(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text("mine")))
    shop.ask(shop.broker.cron.apply([from_file("a"), from_file("b")]))
    fire(shop, at=START + 600)
    shop.ask(shop.broker.cron.pause("b", True))
    shop.ask(shop.broker.cron.apply([from_file("b", job={"type": "B"}), from_file("c")]))
    found = {entry.name: entry for entry in shop.ask(shop.broker.cron.entries())}
    assert list(found) == ["b", "c", "mine"]
    assert (found["b"].last_at, found["b"].paused, found["b"].source) == (START + 600, True, "file")
    assert b'"B"' in bytes(found["b"].definition.job)
    assert found["mine"].source == "api"


def test_applying_the_same_files_writes_nothing(shop: Shop) -> None:
    shop.ask(shop.broker.cron.apply([from_file()]))
    before = shop.run(shop.store.inner.records("cron"))
    shop.clock.now += HOUR
    shop.ask(shop.broker.cron.apply([from_file()]))
    assert shop.run(shop.store.inner.records("cron")) == before


def test_an_entry_of_a_file_is_changed_there(shop: Shop) -> None:
    shop.ask(shop.broker.cron.apply([from_file()]))
    with pytest.raises(Refused, match="cron entry e comes from a file: change it there, or pause it"):
        shop.ask(shop.broker.cron.put(text()))
    with pytest.raises(Refused, match="cron entry e comes from a file: remove it there, or pause it"):
        shop.ask(shop.broker.cron.remove("e"))


def test_entries_of_files_outlive_a_flush(shop: Shop) -> None:
    shop.ask(shop.broker.cron.apply([from_file()]))
    shop.ask(shop.broker.cron.put(text("mine")))
    shop.ask(shop.broker.mutations.flush())
    fire(shop, at=START + 1)
    assert [entry.name for entry in shop.ask(shop.broker.cron.entries())] == ["e"]
    fire(shop, at=START + 600)
    assert len(shop.queued()) == 1


def test_a_record_that_is_made_anew_under_the_same_version_is_seen(two: tuple[Shop, Shop]) -> None:
    first, second = two
    first.ask(first.broker.cron.put(text()))
    second.ask(second.broker.cron.entries())
    first.ask(first.broker.cron.remove("e"))
    first.ask(first.broker.cron.put(text(job={"type": "B"})))
    fire(second, at=START + 600)
    held = second.held(cron.jid_at("e", START + 600))
    assert held is not None
    assert held.job.jobtype == "B"


def test_an_entry_that_another_machine_noted_in_a_zone_unknown_here_stops_no_other(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text("good")))
    known = entry_of(shop, "good")
    lost = msgspec.structs.replace(known.definition, name="lost", zone="Gone/Away")
    record = cron.encode(msgspec.structs.replace(known, definition=lost))
    shop.run(shop.store.inner.commit([(Note("cron", "lost", record, 0),)], [], START))
    fire(shop, at=START + 600)
    assert shop.queued() == [cron.jid_at("good", START + 600)]
    assert len(shop.ask(shop.broker.cron.entries())) == 2


def test_too_many_entries(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shopfloor.broker.cron.ENTRIES_MAX", 1)
    shop.ask(shop.broker.cron.put(text("a")))
    shop.ask(shop.broker.cron.put(text("a", "@hourly")))
    with pytest.raises(Refused, match="too many cron entries: the limit is 1"):
        shop.ask(shop.broker.cron.put(text("b")))


def test_entries_that_are_due_together_share_their_rounds(shop: Shop) -> None:
    shop.ask(shop.broker.cron.apply([from_file(f"e{number}") for number in range(100)]))
    before = shop.ticks.rounds
    fire(shop, at=START + 600)
    assert len(shop.queued()) == 100
    assert shop.ticks.rounds - before < 10


def test_a_store_that_fails_is_asked_again(shop: Shop) -> None:
    shop.ask(shop.broker.cron.put(text()))
    shop.clock.now = START + 600
    shop.store.cue = lambda verb: StoreUnavailable("disk full") if verb == "commit" else None
    with pytest.raises(StoreUnavailable):
        shop.ask(shop.broker.cron.fire())
    shop.store.cue = never
    fire(shop, at=START + 601)
    assert len(shop.queued()) == 1
