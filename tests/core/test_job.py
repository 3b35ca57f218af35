"""A job as it is written: its keys and their order are the protocol's."""

import msgspec

from shopfloor.core.job import Failure, Job
from tests.jobs import job


def test_the_keys_of_a_job_come_in_the_order_of_the_protocol() -> None:
    full = Job(
        retry=1,
        failure=Failure(retry_count=0, remaining=1, failed_at="x"),
        custom=msgspec.Raw(b'{"a":1}'),
        jid="job-0001",
        queue="default",
        jobtype="Work",
        created_at="c",
        enqueued_at="e",
        at="a",
        args=msgspec.Raw(b"[]"),
        reserve_for=60,
        backtrace=5,
    )
    assert list(msgspec.json.decode(msgspec.json.encode(full))) == [
        "retry",
        "failure",
        "custom",
        "jid",
        "queue",
        "jobtype",
        "created_at",
        "enqueued_at",
        "at",
        "args",
        "reserve_for",
        "backtrace",
    ]


def test_what_a_job_does_not_have_is_not_written() -> None:
    keys = ["retry", "jid", "queue", "jobtype", "created_at", "enqueued_at", "args"]
    assert list(msgspec.json.decode(msgspec.json.encode(job("job-0001")))) == keys
