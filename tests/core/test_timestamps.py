"""RFC 3339 texts: what Faktory takes and refuses as `at`."""

import pytest

from shopfloor.core.timestamps import SECONDS_MAX, format_timestamp, parse_timestamp
from tests.jobs import NOW


def test_a_time_is_written_as_utc_with_microseconds() -> None:
    assert format_timestamp(NOW + 0.25) == "2023-11-14T22:13:20.250000Z"


def test_no_time_is_written_that_a_date_cannot_hold() -> None:
    assert format_timestamp(SECONDS_MAX + 1e9) == "9999-12-31T23:59:59.000000Z"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20.5Z", NOW + 0.5),
        ("2023-11-14T22:13:20,5Z", NOW + 0.5),
        ("2023-11-14T22:13:20.123456789123Z", NOW + 0.123456789),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("2023-11-14T16:43:20.5-05:30", NOW + 0.5),
        ("2023-11-15T22:13:20+24:00", NOW),
        ("2023-11-14T22:13:20+00:00", NOW),
        ("2024-02-29T00:00:00Z", 1709164800.0),
        ("0001-01-01T00:00:00Z", -62135596800.0),
    ],
)
def test_times_that_faktory_reads_are_read(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14 22:13:20Z",
        "2023-11-14t22:13:20Z",
        "2023-11-14T22:13:20z",
        "2023-11-14T22:13:20",
        "2023-11-14T22:13Z",
        "2023-11-14T24:00:00Z",
        "2023-11-14T22:13:60Z",
        "2023-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2023-11-14T22:13:20+0100",
        "2023-11-14T22:13:20+01",
        "2023-11-14T22:13:20+25:00",
        "2023-11-14T22:13:20+01:61",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20Z ",
        "2023-11-14T22:13:20Z\n",
        "\uff12023-11-14T22:13:20Z",
        "1700000000",
        "tomorrow",
        "",
    ],
)
def test_times_that_faktory_refuses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot parse|out of range|must be in"):
        parse_timestamp(text)


def test_what_was_written_is_read_back() -> None:
    assert parse_timestamp(format_timestamp(NOW + 0.125)) == NOW + 0.125
