"""What BATCH NEW says: read, checked, and made into batches and jobs."""

import json
from typing import Any

import pytest
from msgspec import Raw

from shopfloor.core import batch, batch_definition
from shopfloor.core.batch import Batch
from shopfloor.core.batch_definition import read_definition, with_keys
from shopfloor.core.facts import facts
from shopfloor.core.job import NOTHING
from shopfloor.errors import Refused
from tests.jobs import NOW, job

JOB = {"jobtype": "After", "args": [1]}


def made(definition: dict[str, Any], bid: str = "b-owner") -> Batch:
    return batch_definition.made(bid, read_definition(json.dumps(definition).encode()), NOW)


def test_a_plain_batch_is_open_and_has_what_new_said() -> None:
    one = made({"bid": "", "parent_bid": "b-0", "description": "a b", "complete": JOB, "success": JOB, "death": None})
    assert (one.parent_bid, one.description, one.committed, one.total) == ("b-0", "a b", False, 0)
    assert (one.created_at, one.changed_at, one.deadline, one.death) == (NOW, NOW, 0.0, NOTHING)
    assert json.loads(bytes(one.complete)) == JOB


def test_a_batch_that_brings_jobs_along_is_committed() -> None:
    assert (made({"jobs": [JOB, JOB]}).committed, made({"jobs": [JOB, JOB]}).total) == (True, 2)
    assert made({"jobs": []}).committed
    assert not made({"jobs": None}).committed


def test_a_deadline_is_so_many_seconds_from_now() -> None:
    assert made({"deadline_in": 90}).deadline == NOW + 90
    for seconds in (0, -1):
        with pytest.raises(Refused, match="deadline_in must be more than 0 seconds"):
            made({"deadline_in": seconds})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "invalid batch"),
        (b"[]", "invalid batch"),
        (b'{"description":1}', "invalid batch"),
        (b'{"jobs":{}}', "invalid batch"),
        (b'{"complete":"After"}', "a callback is a job or a batch"),
        (b'{"success":{"jobtype":"A"}}', "jobs must have an args parameter"),
        (b'{"success":{"jobs":null,"description":"nothing"}}', "jobs must have a jobtype parameter"),
        (b'{"success":{"jobtype":"A","args":[],"jid":"short"}}', "jobs must have a reasonable jid parameter"),
        (b'{"death":{"jobtype":"A","args":[],"custom":{"unique_for":"x"}}}', "invalid custom"),
        (b'{"jobs":[{"args":[]}]}', "jobs must have a jobtype parameter"),
        (b'{"success":{"jobs":[{"args":[]}]}}', "jobs must have a jobtype parameter"),
        (b'{"success":{"jobs":[],"complete":{"args":[]}}}', "jobs must have a jobtype parameter"),
    ],
)
def test_what_could_not_be_enqueued_later_is_refused_now(text: bytes, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        read_definition(text)


def test_callbacks_are_not_declared_without_end() -> None:
    def nested(depth: int) -> bytes:
        return b'{"jobs":[],"success":' * depth + b'{"jobtype":"A","args":[]}' + b"}" * depth

    read_definition(nested(batch.DEPTH_MAX))
    with pytest.raises(Refused, match="callbacks nest deeper than 100"):
        read_definition(nested(batch.DEPTH_MAX + 1))
    with pytest.raises(Refused, match="invalid batch"):
        read_definition(b'{"jobs":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_a_callback_names_its_batch_and_is_no_member() -> None:
    one = made({"complete": JOB, "success": JOB | {"jid": "given-jid", "custom": {"a": 1, "bid": "b-9"}}})
    enqueued, due = batch_definition.callback_job(one, "complete", NOW)
    assert (enqueued.jid, enqueued.jobtype, bytes(enqueued.args), due) == ("b-owner-complete", "After", b"[1]", 0.0)
    assert json.loads(bytes(enqueued.custom)) == {"_bid": "b-owner", "_cb": "complete"}
    enqueued, _ = batch_definition.callback_job(one, "success", NOW)
    assert enqueued.jid == "given-jid"
    assert facts(enqueued).bid is None
    assert (facts(enqueued).callback_bid, facts(enqueued).callback) == ("b-owner", "success")
    assert json.loads(bytes(enqueued.custom))["a"] == 1


def test_a_callback_of_a_nested_batch_names_its_parent_too() -> None:
    enqueued, _ = batch_definition.callback_job(made({"complete": JOB, "parent_bid": "b-0"}), "complete", NOW)
    assert json.loads(bytes(enqueued.custom))["_pbid"] == "b-0"


def test_a_callback_may_be_scheduled() -> None:
    one = made({"complete": JOB | {"at": "2023-11-14T23:13:20Z"}})
    assert batch_definition.callback_job(one, "complete", NOW)[1] == NOW + 3600


def test_a_callback_that_is_a_batch() -> None:
    step = {"jobs": [JOB, JOB | {"jid": "given-jid", "custom": {"_bid": "b-9", "_cb": "death"}}], "success": JOB}
    one = made({"complete": JOB, "success": step | {"parent_bid": "b-9"}})
    assert batch_definition.declared(one, "complete") is None
    assert batch_definition.declared(one, "death") is None
    definition = batch_definition.declared(one, "success")
    assert definition is not None
    born = batch_definition.made_by(one, "success", definition, NOW)
    assert (born.origin_bid, born.origin_callback, born.parent_bid) == ("b-owner", "success", "")
    assert born.bid == batch_definition.born_bid(one, "success") != batch_definition.born_bid(one, "complete")
    assert (born.committed, born.total) == (True, 2)
    (first, _), (second, _) = batch_definition.declared_jobs(born, definition, NOW)
    assert (first.jid, second.jid) == (f"{born.bid}-0", "given-jid")
    assert (facts(first).bid, facts(second).bid, facts(second).callback_bid) == (born.bid, born.bid, None)


def test_a_batch_without_jobs_brings_none() -> None:
    assert batch_definition.declared_jobs(made({}), read_definition(b"{}"), NOW) == []


def test_names_of_batches_look_as_clients_expect() -> None:
    assert batch_definition.bid_of(bytes(10)) == "b-AAAAAAAAAAAAAA"
    assert len(batch_definition.bid_of(bytes(range(246, 256)))) == 16
    assert batch_definition.bid_of(b"\xff" * 32) == "b-_____________w"
    assert batch_definition.bid_of(batch_definition.drawn_again(bytes(10))) == "b-AdRIr9koBlRYzw"


def test_a_job_gets_another_jid() -> None:
    assert batch_definition.renamed(job("job-0001"), "job-0002") == job("job-0002")


@pytest.mark.parametrize(
    ("custom", "expected"),
    [
        (NOTHING, b'{"k":"v"}'),
        (Raw(b"null"), b'{"k":"v"}'),
        (Raw(b"{ }"), b'{"k":"v"}'),
        (Raw(b'{"n": 1.0}'), b'{"n": 1.0,"k":"v"}'),
    ],
)
def test_what_a_client_wrote_stays_as_it_is(custom: Raw, expected: bytes) -> None:
    assert bytes(with_keys(custom, {"k": "v"})) == expected


def test_a_batch_begins_with_a_job_that_is_pushed() -> None:
    first = job("job-0001", custom='{"n":1.0,"_batch":{},"bid":"b-outer"}')
    definition = read_definition(json.dumps({"jobs": [JOB], "success": JOB}).encode())
    begun = batch_definition.made_with("b-1", definition, first, NOW)
    assert (begun.committed, begun.total, begun.parent_bid) == (True, 2, "b-outer")
    alone = batch_definition.made_with("b-1", read_definition(b'{"parent_bid":"b-9"}'), first, NOW)
    assert (alone.committed, alone.total, alone.parent_bid) == (True, 1, "b-9")
    assert batch_definition.made_with("b-1", definition, job("job-0001", custom='{"_batch":{}}'), NOW).parent_bid == ""


def test_the_job_that_a_batch_began_with_is_a_plain_member() -> None:
    member = batch_definition.first_member(job("job-0001", custom='{"n":1.0,"_batch":{"jobs":[]},"x":[1]}'), "b-1")
    assert bytes(member.custom) == b'{"n":1.0,"x":[1],"bid":"b-1"}'


def test_a_job_in_a_definition_brings_no_batch_along() -> None:
    text = json.dumps({"jobs": [JOB | {"custom": {"_batch": {}}}]}).encode()
    with pytest.raises(Refused, match="a job in it cannot bring a batch along"):
        read_definition(text)
