"""The keys of `custom` by which a job takes part in the features."""

import pytest

from shopfloor.core.facts import NO_FACTS, checked_facts, facts
from shopfloor.errors import Refused
from tests.jobs import job


def test_a_job_without_custom_takes_part_in_nothing() -> None:
    assert facts(job("job-0001")) is NO_FACTS
    assert checked_facts(job("job-0001")) is NO_FACTS


def test_what_is_known_is_read_and_the_rest_is_the_clients_own() -> None:
    read = facts(job("job-0001", custom='{"bid":"b-1","_bid":"b-2","_cb":"complete","locale":{"bid":"no"},"track":1}'))
    assert (read.bid, read.callback_bid, read.callback, read.track) == ("b-1", "b-2", "complete", 1)
    assert checked_facts(job("job-0001", custom='{"bid":null,"locale":"de"}')).bid is None


def test_a_batch_that_a_job_brings_along_is_kept_as_it_was_said() -> None:
    assert bytes(facts(job("job-0001", custom='{"_batch": {"jobs": [1.0]}}')).batch) == b'{"jobs": [1.0]}'
    assert bytes(facts(job("job-0001", custom='{"batch": 7}')).batch) == b""


def test_the_last_of_equal_keys_counts() -> None:
    assert facts(job("job-0001", custom='{"bid":"b-1","bid":null}')).bid is None


@pytest.mark.parametrize(
    "custom",
    ['{"bid":1}', '{"_cb":"later"}', '{"unique_for":"long"}', '{"unique_until":"end"}', '{"expires_in":"soon"}'],
)
def test_a_known_key_of_the_wrong_type(custom: str) -> None:
    assert facts(job("job-0001", custom=custom)) is NO_FACTS
    with pytest.raises(Refused, match=r"^invalid custom: "):
        checked_facts(job("job-0001", custom=custom))


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_a_lock_has_a_length(seconds: str) -> None:
    with pytest.raises(Refused, match="invalid custom: unique_for must be more than 0 seconds"):
        checked_facts(job("job-0001", custom=f'{{"unique_for":{seconds}}}'))
    assert checked_facts(job("job-0001", custom='{"unique_for":0.5}')).unique_for == 0.5


def test_an_end_is_a_time() -> None:
    assert checked_facts(job("job-0001", custom='{"expires_at":"2030-01-01T00:00:00Z"}')).expires_at
    for text in ("tomorrow", "0001-13-01T00:00:00Z"):
        with pytest.raises(Refused, match=r"^invalid custom: expires_at: "):
            checked_facts(job("job-0001", custom=f'{{"expires_at":"{text}"}}'))
