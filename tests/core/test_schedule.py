"""Cron expressions, and what changes of the clock make of them."""

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopfloor.core.schedule import FORMS, read_schedule, zone_named
from shopfloor.errors import Refused

LONG_AGO = datetime(2000, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()


def at(text: str) -> float:
    """Read a time with its offset."""
    return datetime.fromisoformat(text).timestamp()


def coming(schedule: str, zone: str, after: str, count: int) -> list[str]:
    """Name the moments after one, in the zone's own time."""
    moments = islice(read_schedule(schedule, zone, LONG_AGO).after(at(after)), count)
    return [datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat(timespec="minutes") for moment in moments]


@pytest.mark.parametrize(
    ("schedule", "after", "first"),
    [
        ("*/5 * * * *", "2024-05-01T10:02+00:00", "2024-05-01T10:05+00:00"),
        ("*/5 * * * *", "2024-05-01T10:05+00:00", "2024-05-01T10:10+00:00"),
        ("0 9 * * mon-fri", "2024-05-03T09:00+00:00", "2024-05-06T09:00+00:00"),
        ("0 9 * JAN,mar *", "2024-01-31T09:00+00:00", "2024-03-01T09:00+00:00"),
        ("30 4 1,15 * 5", "2024-05-01T10:00+00:00", "2024-05-03T04:30+00:00"),
        ("0 0 29 2 *", "2024-03-01T00:00+00:00", "2028-02-29T00:00+00:00"),
        ("0 0 * * 7", "2024-05-01T00:00+00:00", "2024-05-05T00:00+00:00"),
        ("0 12 L * *", "2024-02-01T00:00+00:00", "2024-02-29T12:00+00:00"),
        ("  0\t12 *  * * ", "2024-02-01T00:00+00:00", "2024-02-01T12:00+00:00"),
        ("@hourly", "2024-05-01T10:02+00:00", "2024-05-01T11:00+00:00"),
        ("@Daily", "2024-05-01T10:02+00:00", "2024-05-02T00:00+00:00"),
        ("@weekly", "2024-05-01T10:02+00:00", "2024-05-05T00:00+00:00"),
        ("@monthly", "2024-05-01T10:02+00:00", "2024-06-01T00:00+00:00"),
        ("@yearly", "2024-05-01T10:02+00:00", "2025-01-01T00:00+00:00"),
    ],
)
def test_the_first_moment_after_another(schedule: str, after: str, first: str) -> None:
    assert coming(schedule, "UTC", after, 1) == [first]


@pytest.mark.parametrize("form", FORMS)
def test_every_short_form_is_read(form: str) -> None:
    assert read_schedule(form, "UTC", LONG_AGO).fields == FORMS[form]


@pytest.mark.parametrize(
    ("zone", "schedule", "after", "moments"),
    [
        # 2024-03-31, 02:00 to 03:00 is left out in Berlin: what falls into it runs as it ends, once.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2024-03-30T12:00+01:00",
            ["2024-03-31T03:00+02:00", "2024-04-01T02:30+02:00"],
        ),
        (
            "Europe/Berlin",
            "0 2,3 * * *",
            "2024-03-31T00:00+01:00",
            ["2024-03-31T03:00+02:00", "2024-04-01T02:00+02:00"],
        ),
        # What follows elapsed time does not notice.
        (
            "Europe/Berlin",
            "0 * * * *",
            "2024-03-31T00:30+01:00",
            ["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", "2024-03-31T04:00+02:00"],
        ),
        ("Europe/Berlin", "*/30 2 * * *", "2024-03-31T00:00+01:00", ["2024-04-01T02:00+02:00"]),
        # 2024-03-10 in New York, and 2024-10-06 in Lord Howe, where the clock moves by half an hour.
        ("America/New_York", "15 2 * * *", "2024-03-10T00:00-05:00", ["2024-03-10T03:00-04:00"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2024-10-06T00:00+10:30", ["2024-10-06T02:30+11:00"]),
        # In Beirut it is midnight that is left out.
        (
            "Asia/Beirut",
            "0 0 * * *",
            "2024-03-30T12:00+02:00",
            ["2024-03-31T01:00+03:00", "2024-04-01T00:00+03:00"],
        ),
    ],
)
def test_an_hour_that_is_left_out(zone: str, schedule: str, after: str, moments: list[str]) -> None:
    assert coming(schedule, zone, after, len(moments)) == moments


@pytest.mark.parametrize(
    ("zone", "schedule", "after", "moments"),
    [
        # 2024-10-27, 02:00 to 03:00 comes twice in Berlin: a fixed time is meant once, the first time.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2024-10-27T00:00+02:00",
            ["2024-10-27T02:30+02:00", "2024-10-28T02:30+01:00"],
        ),
        # Also for who begins to look in between.
        ("Europe/Berlin", "50 2 * * *", "2024-10-27T02:45+01:00", ["2024-10-28T02:50+01:00"]),
        (
            "Europe/Berlin",
            "0 * * * *",
            "2024-10-27T01:30+02:00",
            ["2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-27T03:00+01:00"],
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2024-11-03T00:00-04:00",
            ["2024-11-03T01:30-04:00", "2024-11-04T01:30-05:00"],
        ),
        ("Australia/Lord_Howe", "45 1 * * *", "2024-04-07T00:00+11:00", ["2024-04-07T01:45+11:00"]),
    ],
)
def test_an_hour_that_comes_twice(zone: str, schedule: str, after: str, moments: list[str]) -> None:
    assert coming(schedule, zone, after, len(moments)) == moments


def test_the_latest_moments() -> None:
    every_minute = read_schedule("* * * * *", "UTC", LONG_AGO)
    end = at("2024-05-01T10:00:30+00:00")
    assert every_minute.latest(end - 150, end, 10) == (end - 150 + 60, end - 90 + 60)
    assert every_minute.latest(LONG_AGO, end, 3) == (end - 150, end - 90, end - 30)
    assert every_minute.latest(end, end, 3) == ()
    yearly = read_schedule("@yearly", "Europe/Berlin", LONG_AGO)
    assert yearly.latest(LONG_AGO, end, 1) == (at("2024-01-01T00:00+01:00"),)
    assert len(yearly.latest(LONG_AGO, end, 100)) == 24


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("", "five fields are wanted"),
        ("* * * *", "not 4"),
        ("* * * * * *", "not 6"),
        ("60 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 0 * *", "bad day-of-month"),
        ("0 0 * 13 *", "bad month"),
        ("0 0 * * fri-mon", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("* * */20 * 1L", "no moment in the next 50 years"),
        ("@reboot", "the short forms are @hourly"),
        ("@every 5m", "five fields are wanted"),
        ("9" * 5000 + " * * * *", "longer than 200 characters"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(schedule: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        read_schedule(schedule, "UTC", LONG_AGO)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "America", "../UTC", "/etc/localtime", "", "Zürich"])
def test_an_unknown_zone(zone: str) -> None:
    with pytest.raises(Refused, match="unknown time zone"):
        zone_named(zone)


FIELD = st.text("0123456789*/,-#Lmonjat ", min_size=1, max_size=6)


@given(st.lists(FIELD, min_size=5, max_size=5).map(" ".join), st.sampled_from(["UTC", "Europe/London"]))
def test_any_text_is_a_schedule_or_refused(text: str, zone: str) -> None:
    try:
        schedule = read_schedule(text, zone, LONG_AGO)
    except Refused:
        return
    moments = list(islice(schedule.after(LONG_AGO), 3))
    assert moments == sorted(set(moments))
    assert all(moment > LONG_AGO and moment % 60 == 0 for moment in moments)
