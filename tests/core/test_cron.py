"""When an entry fires, what becomes of moments that were missed, and what is noted of it."""

from datetime import datetime

import msgspec
import pytest

from shopfloor.core import cron
from shopfloor.core.cron import Entry
from shopfloor.core.cron_definition import Definition, read_definition
from shopfloor.errors import Refused

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


def at(text: str) -> float:
    """Read a UTC time of the first of May."""
    return datetime.fromisoformat(f"2024-05-01T{text}+00:00").timestamp()


TEN = at("10:00:00")


def definition(schedule: str = "*/10 * * * *", **said: object) -> Definition:
    """Make a definition."""
    told = {"name": "e", "schedule": schedule, "job": {"type": "A", "args": [1]}} | said
    return read_definition(msgspec.json.encode(told), TEN)


def entry(schedule: str = "*/10 * * * *", **said: object) -> Entry:
    """Make an entry at ten o'clock."""
    return cron.entered(None, definition(schedule, **said), "api", TEN)


def test_a_new_entry_begins_now() -> None:
    made = entry()
    assert (made.last_at, made.paused, made.fields, made.name) == (TEN, False, "*/10 * * * *", "e")
    assert cron.due(made, TEN + 599) == cron.Due()
    assert cron.due(made, TEN + 600) == cron.Due((TEN + 600,))
    assert cron.next_at(made, TEN) == TEN + 600


def test_a_moment_is_due_once() -> None:
    made = cron.fired(entry(), TEN + 600, TEN + 601, "jid")
    assert cron.due(made, TEN + 601) == cron.Due()
    assert made.last_at == TEN + 600
    assert made.fired == 1


def test_a_clock_that_is_set_back_fires_nothing_again() -> None:
    made = cron.fired(entry(), TEN + 600, TEN + 601, "jid")
    assert cron.due(made, TEN) == cron.Due()


@pytest.mark.parametrize(
    ("catch_up", "window", "late", "fires", "skips"),
    [
        # On time, whatever the policy: up to a minute late.
        ("none", 0, 60, [600], 0),
        ("last", 0, 60, [600], 0),
        ("all", 0, 60, [600], 0),
        # Missed: more than that.
        ("none", 0, 61, [], 1),
        ("last", 0, 61, [600], 0),
        ("all", 0, 61, [600], 0),
        # Three missed, and one that is due now.
        ("none", 0, 1800, [2400], 3),
        ("last", 0, 1800, [2400], 3),
        ("all", 0, 1800, [600, 1200, 1800, 2400], 0),
        # Three missed, the last five minutes ago.
        ("none", 0, 1500, [], 3),
        ("last", 0, 1500, [1800], 2),
        ("all", 0, 1500, [600, 1200, 1800], 0),
        # A window.
        ("last", 200, 1500, [], 3),
        ("last", 300, 1500, [1800], 2),
        ("all", 900, 1500, [1200, 1800], 1),
        ("all", 1, 1500, [], 3),
        ("all", 1, 60, [600], 0),
    ],
)
def test_catching_up(catch_up: str, window: int, late: float, fires: list[float], skips: int) -> None:
    made = entry(catch_up=catch_up, window=window)
    due = cron.due(made, TEN + 600 + late)
    assert [moment - TEN for moment in due.moments] == fires
    assert due.skipped == skips
    assert due.skipped_at == (TEN + 600 * skips if skips else 0.0)


def test_all_reaches_back_a_day_unless_told() -> None:
    due = cron.due(entry("@hourly", catch_up="all"), TEN + 3 * DAY)
    assert len(due.moments) == 25
    assert due.skipped == 72 - 25


def test_a_long_list_of_missed_moments_is_cut() -> None:
    made = entry("* * * * *", catch_up="all", window=30 * DAY)
    due = cron.due(made, TEN + 30 * DAY)
    assert len(due.moments) == cron.MISSED_MAX
    assert due.moments[-1] == TEN + 30 * DAY


def test_what_is_left_out_is_noted_once() -> None:
    made = entry()
    due = cron.due(made, TEN + 1500)
    after = cron.skipped(made, due, TEN + 1500)
    assert (after.last_at, after.skipped) == (due.skipped_at, 2)
    assert cron.due(after, TEN + 1500) == cron.Due()
    assert after.history[0].what == "skipped"


def test_jitter_is_the_same_for_all_and_differs_between_moments_and_names() -> None:
    made, other = entry(jitter=300), entry(jitter=300, name="other")
    waits = [cron.fires_at(made, TEN + n * 600) - TEN - n * 600 for n in range(1, 50)]
    assert waits == [cron.fires_at(made, TEN + n * 600) - TEN - n * 600 for n in range(1, 50)]
    assert all(0 <= wait < 300 for wait in waits)
    assert len(set(waits)) == len(waits)
    assert cron.fires_at(other, TEN + 600) != cron.fires_at(made, TEN + 600)
    assert cron.fires_at(entry(), TEN + 600) == TEN + 600


def test_a_moment_waits_for_its_jitter_and_is_not_late_by_it() -> None:
    made = entry(jitter=300)
    fires_at = cron.fires_at(made, TEN + 600)
    assert cron.due(made, fires_at - 0.1) == cron.Due()
    assert cron.due(made, fires_at) == cron.Due((TEN + 600,))
    assert cron.due(made, fires_at + 60) == cron.Due((TEN + 600,))
    assert cron.next_at(made, TEN) == fires_at


def test_moments_fire_in_order_even_where_jitter_would_change_it() -> None:
    made = entry("* * * * *", jitter=3600, catch_up="all")
    seen: list[float] = []
    for second in range(0, 7200, 30):
        for moment in cron.due(made, TEN + second).moments:
            seen.append(moment)
            made = cron.fired(made, moment, TEN + second, "jid")
    assert seen == [TEN + 60 * n for n in range(1, len(seen) + 1)]
    assert seen


def test_a_pause_is_not_made_up_for() -> None:
    made = cron.paused(entry(catch_up="all"))
    assert cron.due(made, TEN + HOUR) == cron.Due()
    assert cron.next_at(made, TEN) is None
    again = cron.resumed(made, TEN + HOUR)
    assert cron.due(again, TEN + HOUR) == cron.Due()
    assert cron.due(again, TEN + HOUR + 600) == cron.Due((TEN + HOUR + 600,))
    assert cron.resumed(again, TEN + DAY) is again


def test_the_same_definition_changes_nothing() -> None:
    made = cron.fired(entry(), TEN + 600, TEN + 600, "jid")
    assert cron.entered(made, definition(), "api", TEN + HOUR) == made


def test_a_change_keeps_how_far_the_entry_is() -> None:
    made = cron.fired(entry(), TEN + 600, TEN + 600, "jid")
    changed = cron.entered(made, definition(job={"type": "B"}, catch_up="last"), "file", TEN + HOUR)
    assert (changed.last_at, changed.source, changed.fired) == (TEN + 600, "file", 1)
    assert cron.due(changed, TEN + HOUR).moments == (TEN + HOUR,)


@pytest.mark.parametrize("said", [{"schedule": "@hourly"}, {"zone": "Europe/Berlin"}])
def test_another_schedule_begins_now(said: dict[str, str]) -> None:
    changed = cron.entered(entry(), definition(**{"schedule": "*/10 * * * *", **said}), "api", TEN + HOUR)
    assert changed.last_at == TEN + HOUR


def test_a_last_moment_of_a_clock_that_was_wrong_is_forgotten() -> None:
    ahead = msgspec.structs.replace(entry(), last_at=TEN + 2 * DAY)
    assert cron.entered(ahead, definition(), "api", TEN).last_at == TEN
    close = msgspec.structs.replace(entry(), last_at=TEN + 60)
    assert cron.entered(close, definition(), "api", TEN).last_at == TEN + 60


def test_a_definition_that_says_nothing_new_of_a_pause_leaves_it() -> None:
    made = cron.paused(entry())
    assert cron.entered(made, definition(), "file", TEN).paused
    begun = entry(paused=True)
    assert begun.paused
    going = cron.resumed(begun, TEN)
    assert not cron.entered(going, definition(paused=True), "file", TEN).paused
    assert not cron.entered(begun, definition(paused=False), "file", TEN).paused


def test_what_is_no_schedule_any_more_is_refused() -> None:
    with pytest.raises(Refused, match="unknown time zone"):
        cron.entered(None, msgspec.structs.replace(definition(), zone="Gone/Away"), "api", TEN)


def test_history_is_short_and_the_last_comes_first() -> None:
    made = entry()
    for n in range(1, 21):
        made = cron.fired(made, TEN + n * 600, TEN + n * 600 + 1, f"jid-{n}")
    assert len(made.history) == cron.HISTORY_MAX
    assert made.history[0].jid == "jid-20"


def test_a_refusal_is_counted_and_settles_the_moment() -> None:
    made = cron.refused(entry(), TEN + 600, TEN + 601, "NOTUNIQUE Job not unique")
    assert (made.refused, made.last_at, made.history[0].reason) == (1, TEN + 600, "NOTUNIQUE Job not unique")


def test_a_run_by_hand_does_not_move_the_schedule() -> None:
    made = cron.fired(entry(), 0.0, TEN + 30, "jid")
    assert (made.last_at, made.fired, made.history[0].due_at) == (TEN, 1, 0.0)


def test_the_jid_follows_from_name_and_moment() -> None:
    assert cron.jid_at("e", TEN) == cron.jid_at("e", TEN)
    jids = {cron.jid_at("e", TEN), cron.jid_at("e", TEN + 60), cron.jid_at("f", TEN)}
    jids |= {cron.jid_by_hand("e", 1, TEN), cron.jid_by_hand("e", 2, TEN), cron.jid_by_hand("e", 1, TEN + 0.001)}
    assert len(jids) == 6
    assert all(len(jid) == 21 for jid in jids)


def test_the_job_is_what_the_definition_says() -> None:
    job = cron.job_for(
        entry(job={"type": "A", "args": [1], "queue": "low", "custom": {"unique_for": 60}}), "jid-0001", TEN
    )
    assert (job.jid, job.jobtype, job.queue, bytes(job.args)) == ("jid-0001", "A", "low", b"[1]")
    assert job.created_at == job.enqueued_at == "2024-05-01T10:00:00.000000Z"


def test_a_record_is_read_as_it_was_written() -> None:
    made = cron.refused(cron.fired(entry(catch_up="last"), TEN + 600, TEN + 601, "jid"), TEN + 1200, TEN + 1201, "no")
    assert cron.decode(cron.encode(made)) == made


def test_what_is_told_of_an_entry() -> None:
    made = cron.refused(cron.fired(entry(), TEN + 600, TEN + 601, "jid"), TEN + 1200, TEN + 1201, "ERR no")
    made = cron.fired(made, 0.0, TEN + 1300, "hand")
    told = cron.describe(made)
    assert (told["name"], told["next_at"], told["fired"]) == ("e", "2024-05-01T10:30:00.000000Z", 2)
    assert told["history"] == [
        {"what": "fired", "at": "2024-05-01T10:21:40.000000Z", "jid": "hand"},
        {
            "what": "refused",
            "at": "2024-05-01T10:20:01.000000Z",
            "due_at": "2024-05-01T10:20:00.000000Z",
            "reason": "ERR no",
        },
        {
            "what": "fired",
            "at": "2024-05-01T10:10:01.000000Z",
            "due_at": "2024-05-01T10:10:00.000000Z",
            "jid": "jid",
        },
    ]
    assert cron.describe(cron.paused(made))["next_at"] is None


def test_an_entry_in_a_zone_that_this_machine_does_not_know_never_fires() -> None:
    made = entry()
    moved = msgspec.structs.replace(made, definition=msgspec.structs.replace(made.definition, zone="Gone/Away"))
    assert cron.next_at(moved, TEN) is None
    assert cron.describe(moved)["next_at"] is None


def test_an_entry_whose_last_moment_has_passed_fires_no_more() -> None:
    made = msgspec.structs.replace(entry(), fields="* * */20 * 1L")
    assert cron.next_at(made, TEN) is None
