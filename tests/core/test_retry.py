"""When a failed job runs again, and what is kept of its failure."""

import msgspec
import pytest

from shopfloor.core import retry
from shopfloor.core.job import Failure
from shopfloor.core.retry import FailReport, backoff_seconds, failed, retry_at, retry_seconds
from shopfloor.core.timestamps import format_timestamp
from tests.jobs import NOW, job

REPORT = FailReport(jid="job-0001", errtype="Oops", message="it broke", backtrace=("a.py:1", "b.py:2"))


def lowest(faces: int) -> int:
    return 0


def highest(faces: int) -> int:
    return faces - 1


@pytest.mark.parametrize(("count", "least", "most"), [(0, 15, 44), (1, 16, 74), (2, 31, 118), (24, 331791, 332516)])
def test_the_wait_grows_with_the_fourth_power_of_the_count(count: int, least: int, most: int) -> None:
    assert (backoff_seconds(count, lowest), backoff_seconds(count, highest)) == (least, most)


def test_a_worker_that_knows_better_says_when_to_try_again() -> None:
    once = failed(job("job-0001"), REPORT, NOW)
    assert retry_seconds(once, REPORT, lowest) == 15
    assert retry_seconds(once, FailReport(jid="job-0001", retry_in=0.5), lowest) == 0.5


def test_twenty_five_retries_take_about_twenty_days() -> None:
    middle = sum(backoff_seconds(count, lambda faces: faces // 2) for count in range(25))
    assert 20 < middle / 86_400 < 21


def test_the_wait_has_a_bound_that_dates_can_hold() -> None:
    assert backoff_seconds(10**9, highest) == backoff_seconds(retry.BACKOFF_COUNT_MAX, highest)


def test_the_first_failure_is_counted_as_zero_and_keeps_all_retries() -> None:
    assert failed(job("job-0001", retry=3), REPORT, NOW).failure == Failure(
        retry_count=0,
        remaining=3,
        failed_at=format_timestamp(NOW),
        message="it broke",
        errtype="Oops",
        backtrace=("a.py:1", "b.py:2"),
    )


def test_a_later_failure_counts_up_and_keeps_the_time_of_the_first() -> None:
    first = retry_at(failed(job("job-0001", retry=2), REPORT, NOW), NOW + 20)
    second = failed(first, FailReport(jid="job-0001", message="again"), NOW + 60).failure
    assert second is not None
    assert (second.retry_count, second.remaining) == (1, 1)
    assert second.failed_at == format_timestamp(NOW)
    assert (second.errtype, second.message, second.backtrace) == ("unknown", "again", ())


def test_a_job_that_dies_still_says_when_it_was_last_to_be_retried() -> None:
    last = failed(retry_at(failed(job("job-0001", retry=1), REPORT, NOW), NOW + 20), REPORT, NOW + 60)
    assert last.failure is not None
    assert last.failure.next_at == format_timestamp(NOW + 20)


def test_the_retries_left_do_not_fall_below_zero() -> None:
    one = failed(job("job-0001", retry=0), REPORT, NOW)
    two = failed(one, REPORT, NOW)
    assert two.failure is not None
    assert two.failure.remaining == 0


@pytest.mark.parametrize("number", [-1, -7])
def test_a_job_without_retries_shows_its_negative_number_as_what_is_left(number: int) -> None:
    one = failed(job("job-0001", retry=number), REPORT, NOW)
    two = failed(one, REPORT, NOW)
    for failure in (one.failure, two.failure):
        assert failure is not None
        assert failure.remaining == number


def test_a_failure_is_written_in_the_order_of_the_protocol_without_what_is_empty() -> None:
    bare = msgspec.json.encode(failed(job("job-0001"), FailReport(jid="job-0001"), NOW).failure)
    assert list(msgspec.json.decode(bare)) == ["failed_at", "message", "errtype", "retry_count", "remaining"]
    full = msgspec.json.encode(retry_at(failed(job("job-0001"), REPORT, NOW), NOW).failure)
    assert list(msgspec.json.decode(full)) == [
        "failed_at",
        "next_at",
        "message",
        "errtype",
        "backtrace",
        "retry_count",
        "remaining",
    ]


def test_texts_are_trimmed_and_an_empty_one_is_unknown() -> None:
    failure = failed(job("job-0001"), FailReport(jid="job-0001", errtype="  ", message=" x\t"), NOW).failure
    assert failure is not None
    assert (failure.errtype, failure.message) == ("unknown", "x")


def test_long_texts_are_cut_at_bytes_without_splitting_a_character() -> None:
    report = FailReport(jid="job-0001", errtype="é" * 60, message="x" + "é" * 600, backtrace=("é" * 900,) * 60)
    failure = failed(job("job-0001"), report, NOW).failure
    assert failure is not None
    assert failure.errtype == "é" * 50
    assert failure.message == "x" + "é" * 499
    assert failure.backtrace == ("é" * 500,) * 50
