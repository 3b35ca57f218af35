"""Tracking: what is known of a job, and what is told of it."""

import msgspec
import pytest
from msgspec import Raw

from shopfloor.core.job import Held
from shopfloor.core.tracking import Report, Track, decode, encode, extended_until, is_over, moved, status, told
from tests.jobs import NOW, job

FULL = Track(state="working", updated_at=NOW, percent=40, desc="copying", result=Raw(b"[1.0]"))


def test_a_job_begins_with_its_state_alone() -> None:
    assert moved(None, "enqueued", NOW) == Track(state="enqueued", updated_at=NOW)


def test_what_was_told_stays_as_the_job_moves_on() -> None:
    assert moved(FULL, "success", NOW + 5) == msgspec.structs.replace(FULL, state="success", updated_at=NOW + 5)


def test_what_is_told_replaces_what_was_told() -> None:
    after = told(FULL, Report(jid="job-0001", percent=0, desc="", result=Raw(b"{}")), NOW + 5)
    assert after == Track(state="working", updated_at=NOW + 5, percent=0, desc="", result=Raw(b"{}"))


def test_what_is_not_told_stays() -> None:
    assert told(FULL, Report(jid="job-0001"), NOW + 5) == msgspec.structs.replace(FULL, updated_at=NOW + 5)


@pytest.mark.parametrize(
    ("asked", "until"),
    [(0.0, 100), (50.0, 100), (100.0, 100), (150.0, 150), (90_000.0, 86_400)],
)
def test_a_reservation_grows_up_to_a_day_and_never_shrinks(asked: float, until: float) -> None:
    held = Held(job("job-0001"), "working", 0.0, 1, "w1", NOW, NOW + 100)
    report = Report(jid="job-0001", reserve_until=NOW + asked if asked else 0.0)
    assert extended_until(held, report, NOW) == NOW + until


def test_a_record_is_told_of_for_its_time() -> None:
    assert not is_over(FULL, NOW + 1800, 1800)
    assert is_over(FULL, NOW + 1800.1, 1800)


def test_a_job_of_which_nothing_is_known_is_unknown() -> None:
    assert status("job-0001", None) == {"jid": "job-0001", "state": "unknown", "updated_at": ""}


def test_what_was_never_told_is_not_shown() -> None:
    shown = {"jid": "job-0001", "state": "enqueued", "updated_at": "2023-11-14T22:13:20.000000Z"}
    assert status("job-0001", Track(state="enqueued", updated_at=NOW)) == shown


def test_everything_that_was_told_is_shown() -> None:
    shown = status("job-0001", FULL)
    assert list(shown) == ["jid", "state", "updated_at", "percent", "desc", "result"]
    assert b'"result":[1.0]' in msgspec.json.encode(shown)


def test_a_record_is_read_as_it_was_written() -> None:
    assert decode(encode(FULL)) == FULL
    assert decode(None) is None
