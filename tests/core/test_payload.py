"""What clients push: read as Faktory reads it, kept byte for byte, refused with its words."""

import re

import msgspec
import pytest
from msgspec import Raw

from shopfloor.core import payload
from shopfloor.core.job import Failure, Job
from shopfloor.core.payload import INTEGER_MAX, accept, decode_pushed, decode_pushed_many
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import Refused
from tests.jobs import NOW, job

NOW_TEXT = format_timestamp(NOW)


def taken(text: str | bytes) -> Job:
    """Push a text and return the job that came of it."""
    return accept(decode_pushed(text.encode() if isinstance(text, str) else text), NOW, NOW_TEXT)[0]


def refusal(text: str | bytes) -> str:
    with pytest.raises(Refused) as caught:
        taken(text)
    assert caught.value.code == "ERR"
    return caught.value.message


def with_keys(keys: str) -> str:
    return '{"jid":"job-0001","jobtype":"Work","args":[],' + keys + "}"


def test_a_job_with_the_least_keys_gets_the_defaults() -> None:
    written = payload.encode_for_worker(taken('{"jid":"12345678","jobtype":"T","args":[]}'))
    assert msgspec.json.decode(written) == {
        "retry": 25,
        "jid": "12345678",
        "queue": "default",
        "jobtype": "T",
        "created_at": NOW_TEXT,
        "enqueued_at": NOW_TEXT,
        "args": [],
    }


@pytest.mark.parametrize(
    "keys",
    [
        '"queue":"","created_at":"","at":"","reserve_for":0,"backtrace":0,"custom":{},"failure":null',
        '"queue":null,"created_at":null,"at":null,"reserve_for":null,"backtrace":null,"custom":null,"retry":null',
        '"custom":{ },"enqueued_at":"2001-01-01T00:00:00Z"',
        '"priority":5,"unknown":{"deep":[1]}',
    ],
)
def test_null_and_empty_and_unknown_keys_are_as_if_they_were_not_there(keys: str) -> None:
    assert payload.encode(taken(with_keys(keys))) == payload.encode(taken(with_keys('"retry":25')))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("null", "jobs must have a reasonable jid parameter"),
        ("{}", "jobs must have a reasonable jid parameter"),
        ('{"jid":""}', "jobs must have a reasonable jid parameter"),
        ('{"jid":"1234567","jobtype":"T","args":[]}', "jobs must have a reasonable jid parameter"),
        ('{"jid":"12345678","args":[]}', "jobs must have a jobtype parameter"),
        ('{"jid":"12345678","jobtype":"","args":[]}', "jobs must have a jobtype parameter"),
        ('{"jid":"12345678","jobtype":"T"}', "jobs must have an args parameter"),
        ('{"jid":"12345678","jobtype":"T","args":null}', "jobs must have an args parameter"),
        (with_keys('"reserve_for":86401'), "jobs cannot be reserved for more than one day"),
        (with_keys('"reserve_for":86401,"at":"x"'), "jobs cannot be reserved for more than one day"),
        (
            with_keys('"queue":"a b"'),
            r'cannot get "a b" queue: queue names must match \A[a-zA-Z0-9._-]+\z',
        ),
    ],
)
def test_what_is_missing_is_named_in_the_order_of_the_protocol(text: str, message: str) -> None:
    assert refusal(text) == message


def test_the_length_of_a_jid_is_counted_in_bytes() -> None:
    assert taken('{"jid":"éééé","jobtype":"T","args":[]}').jid == "éééé"


@pytest.mark.parametrize("name", ["default", "a", "A.b_c-9", "..."])
def test_queues_may_have_letters_digits_dots_underscores_and_hyphens(name: str) -> None:
    assert taken(with_keys(f'"queue":"{name}"')).queue == name


@pytest.mark.parametrize("name", ["a b", "é", "a/b", "a\\n", "*", "\u0661"])
def test_queues_may_not_have_other_names_even_when_the_job_is_scheduled(name: str) -> None:
    keys = f'"queue":"{name}","at":"2030-01-01T00:00:00Z"'
    assert refusal(with_keys(keys)).endswith(r"queue names must match \A[a-zA-Z0-9._-]+\z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        '"x"',
        "{} x",
        "{}{}",
        "\ufeff{}",
        "{'jid':1}",
        '{"jid":5}',
        '{"jid":"12345678","jobtype":[]}',
        '{"queue":1}',
        '{"at":5}',
        '{"args":{}}',
        '{"args":"x"}',
        '{"args":5}',
        '{"args":true}',
        '{"custom":[]}',
        '{"custom":"x"}',
        '{"custom":1}',
        '{"failure":[]}',
        '{"failure":{"retry_count":"1"}}',
        '{"FAILURE":5}',
        '{"retry":"5"}',
        '{"retry":25.5}',
        '{"retry":25.0}',
        '{"retry":1e1}',
        '{"retry":true}',
        '{"reserve_for":"60"}',
        '{"backtrace":1.0}',
        '{"args":[NaN]}',
        '{"args":[Infinity]}',
        '{"args":[-Infinity]}',
        '{"args":[1,]}',
        '{"args":[],}',
        '{"args":[01]}',
        '{"args":[1.]}',
        '{"args":[.5]}',
        '{"args":[+1]}',
        '{"args":[tru]}',
        '{"args":/* */[]}',
        '{"args":["a\tb"]}',
        '{"args":["a\x01b"]}',
        '{"args":["\\x"]}',
        '{"args":["\\u12G4"]}',
        '{"args":["x]}',
        '{"unknown":NaN}',
        '{"unknown":[1,]}',
        '{"unknown":"a\tb"}',
        '{"unkn\town":1}',
        '{"unknown":1,}',
    ],
)
def test_what_go_does_not_read_as_a_job_is_refused(text: str) -> None:
    assert refusal(text).startswith("invalid JSON: ")
    with pytest.raises(Refused, match=r"^invalid JSON: "):
        decode_pushed_many(f"[{text}]".encode() if text else b"")


def test_an_integer_that_clients_could_not_hold_is_refused() -> None:
    assert taken(with_keys(f'"retry":{INTEGER_MAX}')).retry == INTEGER_MAX
    for number in (INTEGER_MAX + 1, -INTEGER_MAX - 1, 10**30, 10**5000):
        for key in ("retry", "reserve_for", "backtrace"):
            assert refusal(with_keys(f'"{key}":{_digits(number)}')).startswith("invalid JSON: ")


def _digits(number: int) -> str:
    return "1" + "0" * 5000 if number == 10**5000 else str(number)


def test_nesting_has_a_depth_at_which_it_is_refused() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert refusal(with_keys(f'"custom":{{"a":{deep}}}')) == "invalid JSON: nested too deeply"
    with pytest.raises(Refused, match=r"^invalid JSON: nested too deeply$"):
        decode_pushed_many(f'[{{"unknown":{deep}}}]'.encode())


@pytest.mark.parametrize(
    "args",
    [
        "[9007199254740993,12345678901234567890123]",
        "[1.0,1e2,-0.0,1E300]",
        '{"b":1,"a":{"z":[],"y":null}}',
        '["\\u00e9\\/\\"","<&>"]',
        "[ 1 ,\t2 ]",
        '["é日本"]',
    ],
)
def test_arguments_survive_byte_for_byte(args: str) -> None:
    args = f"[{args}]"
    one = taken(f'{{"jid":"job-0001","jobtype":"T","args": {args} ,"custom":{{"a":{args}}},"Extra":1}}')
    assert bytes(one.args).decode() == args
    assert bytes(one.custom).decode() == f'{{"a":{args}}}'
    stored = payload.decode(payload.encode(one))
    assert payload.encode_for_worker(stored) == payload.encode_for_worker(one)


def test_no_carriage_return_gets_into_a_job() -> None:
    one = taken(b'{"jid":"job-0001",\r"jobtype":"T","args":[1,\r2]}')
    assert bytes(one.args) == b"[1, 2]"


def test_broken_utf8_and_half_characters_become_replacement_characters() -> None:
    one = taken(b'{"jid":"job-\xff0001","jobtype":"T\\ud83d","args":["\xfe"]}')
    assert (one.jid, one.jobtype, bytes(one.args).decode()) == ("job-\ufffd0001", "T\ufffd", '["\ufffd"]')


def test_keys_may_be_in_any_case_and_the_last_spelling_counts() -> None:
    one = taken('{"JID":"job-0001","jobType":"T","jobtype":"U","ARGS":[1],"Retry":3,"Queue":"q"}')
    assert (one.jid, one.jobtype, bytes(one.args), one.retry, one.queue) == ("job-0001", "U", b"[1]", 3, "q")


FAILURE = (
    '{"Retry_Count":2,"remaining":1,"failed_at":"f","next_at":"n","message":"m","errtype":"e",'
    '"backtrace":["b",null],"other":1}'
)


def test_a_failure_that_a_client_brings_along_is_kept() -> None:
    assert taken(with_keys(f'"failure":{FAILURE}')).failure == Failure(
        retry_count=2, remaining=1, failed_at="f", next_at="n", message="m", errtype="e", backtrace=("b", "")
    )
    empty = Failure(retry_count=0, remaining=0, failed_at="")
    assert taken(with_keys('"failure":{}')).failure == empty
    assert taken(with_keys('"Failure":{"Message":null}')).failure == empty
    assert taken(with_keys('"Failure":null')).failure is None


def test_a_time_to_come_schedules_the_job_as_it_is() -> None:
    pushed = decode_pushed(with_keys('"at":"2023-11-14T23:13:20.5Z"').encode())
    one, due = accept(pushed, NOW, NOW_TEXT)
    assert (one.at, one.enqueued_at, due) == ("2023-11-14T23:13:20.5Z", "", NOW + 3600.5)


def test_a_time_that_is_over_enqueues_the_job_at_once_and_stays_in_it() -> None:
    one, due = accept(decode_pushed(with_keys('"at":"2001-01-01T00:00:00Z"').encode()), NOW, NOW_TEXT)
    assert (one.at, one.enqueued_at, due) == ("2001-01-01T00:00:00Z", NOW_TEXT, 0.0)


@pytest.mark.parametrize("at", ["tomorrow", "2030-01-01 00:00:00Z", "2030-02-30T00:00:00Z"])
def test_a_time_that_is_none_is_refused_with_its_text(at: str) -> None:
    assert refusal(with_keys(f'"at":"{at}"')).startswith(f"invalid timestamp for 'at': \"{at}\": ")


def test_a_bulk_push_is_a_list_of_jobs() -> None:
    jobs = decode_pushed_many(b'[{"jid":"a","args":[1],"custom":{"b":2}},null,{"JID":"c"}]')
    assert [one.jid for one in jobs] == ["a", None, "c"]
    assert (bytes(jobs[0].args), bytes(jobs[0].custom)) == (b"[1]", b'{"b":2}')
    assert [one.jid for one in decode_pushed_many(b'[{"jid":"a"},{"jid":"b"}]')] == ["a", "b"]
    assert decode_pushed_many(b"null") == decode_pushed_many(b"[]") == []


@pytest.mark.parametrize("text", [b"{}", b"5", b'[{"jid":"a"},5]', b'[{"jid":"a"},{"args":{}}]', b"[{},]"])
def test_one_element_of_a_wrong_type_refuses_the_whole_list(text: bytes) -> None:
    with pytest.raises(Refused, match=r"^invalid JSON: "):
        decode_pushed_many(text)


def test_a_job_of_a_bulk_push_does_not_keep_the_whole_line_alive() -> None:
    line = b'[{"jid":"a","args":[1],"custom":{"b":2}},{"args":"%b"}]'
    args = decode_pushed_many(line.replace(b'"%b"', b'["' + b"x" * 100 + b'"]'))[0].args
    assert len(memoryview(args).obj) == len(b"[1]")  # type: ignore[arg-type]


def test_how_often_workers_died_of_a_job_is_kept_and_not_shown() -> None:
    crashed = msgspec.structs.replace(job("job-0001"), crashes=2)
    assert payload.decode(payload.encode(crashed)).crashes == 2
    assert payload.encode_for_worker(crashed) == payload.encode_for_worker(job("job-0001"))


def test_a_compact_text_has_no_spaces_outside_of_strings() -> None:
    text = payload.compact(job("job-0001", args='[ "a b" , 1 ]', custom='{ "c" : 2 }'))
    assert b'"args":["a b",1]' in text
    assert b'"custom":{"c":2}' in text
    assert not re.search(rb"[,:{\[] ", text.replace(b"a b", b""))


@pytest.mark.parametrize(
    ("again", "repeated"),
    [
        (job("job-0001", args='["x", 1]'), True),
        (job("job-0001", args='[ "x",1 ]'), True),
        (job("job-0001", args='["x",2]'), False),
        (job("job-0001", "other", args='["x", 1]'), False),
        (msgspec.structs.replace(job("job-0001", args='["x", 1]'), jobtype="Other"), False),
        (msgspec.structs.replace(job("job-0001", args='["x", 1]'), retry=1, custom=Raw(b'{"a":1}')), True),
    ],
)
def test_a_push_repeats_a_job_of_the_same_type_queue_and_arguments(again: Job, repeated: bool) -> None:
    assert payload.is_repeated(again, job("job-0001", args='["x", 1]')) is repeated


@pytest.mark.parametrize("args", ["[1e400]", "[-1.5E+999]"])
def test_a_number_that_no_worker_could_read_is_refused(args: str) -> None:
    with pytest.raises(Refused, match="invalid JSON"):
        decode_pushed(f'{{"jid":"12345678","jobtype":"T","args":{args}}}'.encode())


@pytest.mark.parametrize("args", ['["1e400"]', "[1e300]", "[" + "9" * 400 + "]"])
def test_large_numbers_that_can_be_read_are_taken(args: str) -> None:
    pushed = decode_pushed(f'{{"jid":"12345678","jobtype":"T","args":{args}}}'.encode())
    assert bytes(pushed.args).decode() == args
