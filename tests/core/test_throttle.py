"""Throttles: who may begin, who waits, and what the records say."""

import msgspec
import pytest

from shopfloor.core import throttle
from shopfloor.core.facts import facts
from shopfloor.core.job import Held
from shopfloor.core.throttle import LINE_SECONDS, RETRY_SECONDS, Kind, Limit, Slots, Table, Throttle
from tests.jobs import NOW, job

TWO = Limit(concurrency=2)
ONE_EACH = Limit(worker=1)
RATE = Limit(rate=2, period=60.0)


def held(jid: str, wid: str = "w1") -> Held:
    return Held(job(jid), "working", 0.0, 1, wid, NOW, NOW + 1800)


def table(*lines: tuple[Kind, str, Limit]) -> Table:
    return Table(tuple(Throttle(kind=kind, name=name, limit=limit) for kind, name, limit in lines))


def test_a_job_finds_a_slot_until_all_are_taken() -> None:
    slots = Slots()
    for jid in ("a", "b"):
        assert throttle.opening(slots, TWO, held(jid), NOW) == 0
        slots = throttle.taken(slots, TWO, held(jid), NOW)
    assert throttle.opening(slots, TWO, held("c"), NOW) == NOW + RETRY_SECONDS
    assert throttle.opening(slots, TWO, held("a"), NOW) == 0
    slots = throttle.freed(slots, "a")
    assert slots.holders == {"b": "w1"}
    assert throttle.opening(slots, TWO, held("c"), NOW) == 0


def test_each_worker_has_slots_of_its_own() -> None:
    slots = throttle.taken(Slots(), ONE_EACH, held("a", "w1"), NOW)
    assert throttle.opening(slots, ONE_EACH, held("b", "w1"), NOW) == NOW + RETRY_SECONDS
    assert throttle.opening(slots, ONE_EACH, held("b", "w2"), NOW) == 0


def test_a_rate_lets_so_many_begin_in_any_period() -> None:
    slots = throttle.taken(Slots(), RATE, held("a"), NOW)
    slots = throttle.taken(slots, RATE, held("b"), NOW + 10)
    assert slots == Slots(starts=(NOW, NOW + 10))
    assert throttle.opening(slots, RATE, held("c"), NOW + 20) == NOW + 60
    assert throttle.opening(slots, RATE, held("c"), NOW + 60) == 0
    slots = throttle.taken(slots, RATE, held("c"), NOW + 60)
    assert slots.starts == (NOW + 10, NOW + 60)
    assert throttle.opening(slots, RATE, held("d"), NOW + 61) == NOW + 70


def test_whoever_needs_both_waits_for_the_later_one() -> None:
    both = Limit(concurrency=1, rate=1, period=60.0)
    slots = throttle.taken(Slots(), both, held("a"), NOW)
    assert slots == Slots(holders={"a": "w1"}, starts=(NOW,))
    assert throttle.opening(slots, both, held("b"), NOW + 10) == NOW + 60
    assert throttle.opening(slots, both, held("b"), NOW + 59.5) == NOW + 60.5


def test_those_who_wait_keep_their_order() -> None:
    slots = throttle.lined_up(Slots(), TWO, NOW + 1)
    assert slots.line_end == NOW + 1
    slots = throttle.lined_up(slots, TWO, NOW + 1)
    assert slots.line_end == NOW + 1 + LINE_SECONDS
    assert throttle.lined_up(slots, TWO, NOW + 5).line_end == NOW + 5


def test_those_who_wait_for_a_rate_come_as_often_as_it_allows() -> None:
    slots = throttle.lined_up(Slots(line_end=NOW + 60), RATE, NOW + 60)
    assert slots.line_end == NOW + 90


def test_what_no_worker_has_is_repaired() -> None:
    slots = Slots(holders={"a": "w1", "b": "w2"}, line_end=NOW)
    assert throttle.repaired(slots, {"b": held("b", "w2")}) == Slots(holders={"b": "w2"}, line_end=NOW)


@pytest.mark.parametrize(
    ("slots", "limit", "idle"),
    [
        (Slots(), TWO, True),
        (Slots(holders={"a": "w1"}), None, False),
        (Slots(line_end=NOW + 1), TWO, False),
        (Slots(line_end=NOW - 1), TWO, True),
        (Slots(line_end=NOW + 1), None, True),
        (Slots(starts=(NOW - 10,)), RATE, False),
        (Slots(starts=(NOW - 60,)), RATE, True),
    ],
)
def test_a_record_that_says_nothing_is_idle(slots: Slots, limit: Limit | None, idle: bool) -> None:
    assert throttle.is_idle(slots, limit, NOW) is idle


def test_a_record_is_read_as_it_was_written() -> None:
    slots = Slots(holders={"a": "w1"}, starts=(NOW,), line_end=NOW + 1)
    assert throttle.decode(throttle.encode(slots)) == slots
    assert throttle.decode(None) == Slots()


THROTTLES = table(
    ("queue", "scrape", Limit(concurrency=6, rate=10, period=60.0)),
    ("queue", "each", Limit(worker=2)),
    ("queue", "slow", RATE),
    ("type", "Resize", TWO),
    ("type", "Re*", ONE_EACH),
    ("key", "*", RATE),
    ("key", "customer-*", TWO),
    ("key", "customer-7", ONE_EACH),
)


@pytest.mark.parametrize(
    ("queue", "jobtype", "custom", "records"),
    [
        ("default", "Work", "", {}),
        ("scrape", "Work", "", {"queue:scrape": Limit(rate=10, period=60.0)}),
        ("each", "Work", "", {}),
        ("default", "Resize", "", {"type:Resize": TWO}),
        ("default", "Report", "", {"type:Report": ONE_EACH}),
        ("default", "Work", '{"throttle":"customer-1"}', {"key:customer-1": TWO}),
        ("default", "Work", '{"throttle":"customer-7"}', {"key:customer-7": ONE_EACH}),
        ("default", "Work", '{"throttle":"a\\nb"}', {"key:a\nb": RATE}),
        ("default", "Work", '{"throttle":7}', {}),
        ("slow", "Resize", '{"throttle":"x"}', {"queue:slow": RATE, "type:Resize": TWO, "key:x": RATE}),
    ],
)
def test_a_job_needs_a_slot_of_everything_that_fits_it(
    queue: str, jobtype: str, custom: str, records: dict[str, Limit]
) -> None:
    one = msgspec.structs.replace(job("job-0001", queue, custom=custom), jobtype=jobtype)
    assert THROTTLES.by_record(one, facts(one)) == records


def test_a_record_is_known_by_its_name() -> None:
    assert THROTTLES.named("type:Resize") == TWO
    assert THROTTLES.named("key:customer-9") == TWO
    assert THROTTLES.named("type:Work") is None


def test_the_store_counts_for_queues() -> None:
    assert [one.name for one in THROTTLES.on_queues()] == ["scrape", "each"]


@pytest.mark.parametrize(
    ("lines", "without"),
    [
        ((), False),
        ((("key", "*", TWO),), False),
        ((("queue", "a", TWO),), False),
        ((("queue", "a", RATE),), True),
        ((("key", "*", RATE), ("type", "A", TWO)), True),
    ],
)
def test_only_types_and_rates_concern_jobs_without_custom(
    lines: tuple[tuple[Kind, str, Limit], ...], without: bool
) -> None:
    assert table(*lines).without_custom is without
