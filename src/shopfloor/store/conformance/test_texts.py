"""A job comes back byte for byte as it was put, whatever its arguments are."""

import msgspec
import pytest

from shopfloor.core.job import Failure, Job
from shopfloor.core.payload import encode
from shopfloor.store.conformance.jobs import NOW, job
from shopfloor.store.conformance.subject import Subject

TEXTS = (
    "[9007199254740993,-9223372036854775809,123456789012345678901234567890]",
    "[1.0,1,1e3,1E+3,0.1000,-0.0,1e400]",
    '[{"b":1,"a":{"z":1,"y":2}},{"a":1,"a":2}]',
    '["\\u00e9","é","\\/","/","\\ud83d\\udd27","🔧","\\u2028","\\u0000"]',
    "[ 1 ,\t2 , [ ] ]",
    '["' + "x" * 70_000 + '"]',
    "[" * 100 + "]" * 100,
    "[null,true,false]",
    '["\'; DROP TABLE jobs; --","%s","\\""]',
)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_arguments_survive_byte_for_byte(store: Subject, text: str) -> None:
    wanted = job("a", args=text, custom='{"n":' + text + "}")
    store.put(wanted, place="scheduled", at=NOW)
    found = store.find("a")
    assert found is not None
    assert bytes(found.job.args) == text.encode()
    assert bytes(found.job.custom) == b'{"n":' + text.encode() + b"}"
    assert encode(found.job) == encode(wanted)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_arguments_survive_a_restart(durable: Subject, text: str) -> None:
    jobs = [job(f"a{number}", args=text) for number in range(3)]
    durable.put(*jobs)
    durable.reopen()
    assert [encode(held.job) for held in durable.reserve("default", count=3)] == list(map(encode, jobs))


def test_every_field_of_a_job_survives(durable: Subject) -> None:
    wanted = Job(
        retry=-1,
        failure=Failure(
            retry_count=7,
            remaining=-3,
            failed_at="2023-11-14T22:13:20.000001Z",
            next_at="2023-11-14T22:13:20.000002Z",
            message="it's \x00 ünd 🔧",
            errtype="Error\n",
            backtrace=("a", "", "\x7f"),
        ),
        custom=msgspec.Raw(b'{"k":[1.0]}'),
        jid="j" * 500,
        queue="q" * 255,
        jobtype="Täsk",
        created_at="whatever it was",
        enqueued_at="",
        at="2023-11-14T22:13:20+01:00",
        args=msgspec.Raw(b"[]"),
        reserve_for=3600,
        backtrace=12,
        crashes=2,
    )
    durable.put(wanted, place="retries", at=NOW + 0.25)
    durable.reopen()
    held = durable.find("j" * 500)
    assert held is not None
    assert (held.job, held.at) == (wanted, NOW + 0.25)


@pytest.mark.parametrize("jid", ["jid with spaces", "ünïcode", "quote'\"\\", "nul\x00nul", "🔧" * 20, "%", "A", "a"])
def test_any_jid_is_found_again(store: Subject, jid: str) -> None:
    store.put(job("other"), job(jid), job(jid.swapcase() + "x"))
    held = store.find(jid)
    assert held is not None
    assert held.job.jid == jid
    assert store.peek("default")[1] == jid
