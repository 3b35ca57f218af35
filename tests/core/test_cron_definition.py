"""What a `[[cron]]` table or CRON PUT may say."""

import msgspec
import pytest

from shopfloor.core.cron_definition import Definition, check_name, read_definition
from shopfloor.errors import Refused
from tests.jobs import NOW


def read(**said: object) -> Definition:
    """Read an entry that says this."""
    return read_definition(msgspec.json.encode({"schedule": "@hourly", "job": {"type": "A"}} | said), NOW)


def test_little_needs_to_be_said() -> None:
    found = read(name="a")
    assert bytes(found.job) == b'{"jobtype":"A","args":[]}'
    assert (found.name, found.schedule, found.zone, found.catch_up) == ("a", "@hourly", "UTC", "none")
    assert (found.window, found.jitter, found.paused) == (0, 0, False)


def test_everything_can_be_said() -> None:
    job = {
        "jobtype": "B",
        "queue": "low",
        "retry": 3,
        "reserve_for": 600,
        "backtrace": 5,
        "custom": {"unique_for": 65.0},
    }
    found = read(name="b", zone="Asia/Tokyo", catch_up="all", window=60, jitter=5.5, paused=True, job=job)
    assert (found.zone, found.catch_up, found.window, found.jitter, found.paused) == (
        "Asia/Tokyo",
        "all",
        60,
        5.5,
        True,
    )
    assert msgspec.json.decode(found.job) == job | {"args": []}


def test_arguments_stay_as_they_are_written() -> None:
    text = b'{"schedule":"@hourly","job":{"type":"A","args":[1.0, 12345678901234567890123,{"b":1,"a":2}]}}'
    assert b'"args":[1.0, 12345678901234567890123,{"b":1,"a":2}]' in bytes(read_definition(text, NOW).job)


def test_a_name_is_made_from_type_schedule_and_arguments() -> None:
    first = read(job={"type": "Report::Daily sales", "args": [1]}).name
    assert first.startswith("Report::Daily-sales-")
    assert read(job={"type": "Report::Daily sales", "args": [1], "queue": "low"}).name == first
    assert read(job={"type": "Report::Daily sales", "args": [2]}).name != first
    assert read(schedule="@daily", job={"type": "Report::Daily sales", "args": [1]}).name != first
    assert read(job={"type": "A"}).name == read(job={"type": "A", "args": []}).name
    assert len(read(job={"type": "A" * 1000}).name) <= 100


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"schedule": "never"}, "invalid schedule"),
        ({"schedule": None}, "invalid cron entry"),
        ({"zone": "Nowhere"}, "unknown time zone"),
        ({"catch_up": "some"}, r"invalid cron entry: .*catch_up"),
        ({"window": -1}, r"invalid cron entry: .*window"),
        ({"window": 1e9}, r"invalid cron entry: .*window"),
        ({"jitter": 3601}, r"invalid cron entry: .*jitter"),
        ({"name": "two words"}, r'"two words" is no name'),
        ({"name": "x" * 101}, "is no name"),
        ({"shedule": "@daily"}, "unknown field `shedule`"),
        ({"job": {}}, "jobs must have a jobtype parameter"),
        ({"job": {"type": "A", "jid": "job-0001"}}, "unknown field `jid`"),
        ({"job": {"type": "A", "args": {}}}, "args must be an array"),
        ({"job": {"type": "A", "custom": []}}, "custom must be an object"),
        ({"job": {"type": "A", "custom": {"unique_for": -1}}}, "unique_for must be more than 0"),
        ({"job": {"type": "A", "queue": "no way"}}, "queue names must match"),
        ({"job": {"type": "A", "reserve_for": 100_000}}, "more than one day"),
    ],
)
def test_what_could_never_fire_is_refused(said: dict[str, object], says: str) -> None:
    with pytest.raises(Refused, match=says):
        read(**said)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(Refused, match="invalid cron entry"):
        read_definition(b'{"schedule":', NOW)
    with pytest.raises(Refused, match="invalid cron entry"):
        read_definition(b"[" * 10_000, NOW)


def test_an_entry_is_not_larger_than_a_job_should_be() -> None:
    with pytest.raises(Refused, match="cron entry is too large: 70000 bytes, the limit is 65536"):
        read_definition(b" " * 70_000, NOW)


def test_no_reply_is_broken_by_a_carriage_return() -> None:
    assert b"\r" not in bytes(read_definition(b'{"schedule":"@hourly","job":{"type":"A","args":[1,\r2]}}', NOW).job)


def test_names() -> None:
    assert check_name("Report::x.y_z-1") == "Report::x.y_z-1"
    with pytest.raises(Refused, match="is no name"):
        check_name("")
