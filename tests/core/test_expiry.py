"""Expiring jobs: when a job is no longer worth the work."""

import msgspec
import pytest

from shopfloor.core.expiry import expires, is_expired
from shopfloor.core.facts import facts
from shopfloor.core.timestamps import format_timestamp
from tests.jobs import NOW, job

NEVER = float("inf")


@pytest.mark.parametrize(
    ("custom", "moment"),
    [
        ("", NEVER),
        ('{"other":1}', NEVER),
        ('{"expires_at":"2023-11-14T22:14:20Z"}', NOW + 60),
        ('{"expires_at":"2023-11-15T00:14:20+02:00"}', NOW + 60),
        ('{"expires_at":""}', NEVER),
        ('{"expires_at":"tomorrow"}', NEVER),
        ('{"expires_in":90}', NOW + 90),
        ('{"expires_in":0.5}', NOW + 0.5),
        ('{"expires_in":0}', NOW),
        ('{"expires_in":-5}', NOW - 5),
        ('{"expires_in":90,"expires_at":"2023-11-14T22:14:20Z"}', NOW + 60),
        ('{"expires_in":30,"expires_at":"2023-11-14T22:14:20Z"}', NOW + 30),
    ],
)
def test_a_job_expires_when_it_says(custom: str, moment: float) -> None:
    one = job("job-0001", custom=custom)
    assert expires(one, facts(one)) == moment


@pytest.mark.parametrize(
    ("created_at", "at", "moment"),
    [
        ("2023-11-14T22:13:20Z", "2023-11-14T23:13:20Z", NOW + 3610),
        ("2023-11-14T22:13:20Z", "2023-11-14T21:13:20Z", NOW + 10),
        ("yesterday", "2023-11-14T23:13:20Z", NOW + 3610),
        ("yesterday", "", NEVER),
    ],
)
def test_expires_in_counts_from_when_the_job_was_made_or_scheduled_for(created_at: str, at: str, moment: float) -> None:
    one = msgspec.structs.replace(job("job-0001", custom='{"expires_in":10}'), created_at=created_at, at=at)
    assert expires(one, facts(one)) == moment


def test_a_job_is_expired_from_that_moment_on() -> None:
    one = job("job-0001", custom=f'{{"expires_at":"{format_timestamp(NOW + 60)}"}}')
    assert not is_expired(one, facts(one), NOW + 59.9)
    assert is_expired(one, facts(one), NOW + 60)
