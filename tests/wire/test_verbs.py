"""Reading command lines: what each verb takes, and with which words it refuses the rest."""

import pytest

from shopfloor.core.mutation import Filter, Mutation
from shopfloor.core.payload import PushedJob
from shopfloor.core.retry import FailReport
from shopfloor.errors import Refused
from shopfloor.wire.commands import (
    Ack,
    AckBulk,
    Beat,
    Command,
    End,
    Fail,
    Fetch,
    FetchBulk,
    Flush,
    Info,
    JobCancel,
    JobGet,
    JobList,
    Mutate,
    Push,
    PushBulk,
    QueueLatency,
    QueuePause,
    QueuePeek,
    QueueRemove,
    Requeue,
    StoreBackup,
    TrackGet,
)
from shopfloor.wire.verbs import WireLimits, read_command

LIMITS = WireLimits(job_bytes_max=50, bulk_jobs_max=2, queues_per_fetch_max=3, latency_queues_max=2, peek_jobs_max=5)


def listing(**said: object) -> JobList:
    """Give a JOB LIST that asks for nothing but what is said."""
    asked: dict[str, object] = {
        "place": "dead",
        "count": 5,
        "after": None,
        "filter": Filter(),
        "latest_first": False,
    }
    return JobList(**(asked | said))  # type: ignore[arg-type]


def mutate(command: str, target: str, **wanted: object) -> Mutate:
    return Mutate(Mutation(command=command, target=target, filter=Filter(**wanted)))  # type: ignore[arg-type]


READ: list[tuple[str, Command]] = [
    ("END", End()),
    ("INFO", Info()),
    ("INFO and more", Info()),
    ("FLUSH", Flush()),
    ("FLUSH now", Flush()),
    ("PUSH null", Push(PushedJob())),
    ('PUSH {"jid":"a", "queue": "q"}', Push(PushedJob(jid="a", queue="q"))),
    ("PUSHB []", PushBulk([])),
    ("PUSHB null", PushBulk([])),
    ('PUSHB [{"jid":"a"}]', PushBulk([PushedJob(jid="a")])),
    ("FETCH a", Fetch(("a",))),
    ("FETCH a b c", Fetch(("a", "b", "c"))),
    ("FETCH ", Fetch(("",))),
    ("FETCH a  b", Fetch(("a", "", "b"))),
    ('FETCHB {"queues":["a","b"],"count":2}', FetchBulk(("a", "b"), 2)),
    ('FETCHB {"queues":["a"]}', FetchBulk(("a",), 1)),
    ('ACK {"jid":"a"}', Ack("a")),
    ('ACK { "jid" : "a" }', Ack("a")),
    ('ACK {"jid":null}', Ack("")),
    ('ACK {"jid":""}', Ack("")),
    ('ACK {"jid":"a","other":"b","more":null}', Ack("a")),
    ('ACK {"other":"b","jid":null}', Ack("")),
    ('ACK {"jid":"a\\ud83d"}', Ack("a\ufffd")),
    ('ACKB {"jids":["a","b"]}', AckBulk(("a", "b"))),
    (
        'FAIL {"jid":"a","errtype":"E","message":"m","backtrace":["x",null]}',
        Fail(FailReport(jid="a", errtype="E", message="m", backtrace=("x", ""))),
    ),
    ('FAIL {"jid":"a","retry_in":1.5}', Fail(FailReport(jid="a", errtype="", message="", retry_in=1.5))),
    ('FAIL {"JID":"a","Message":"m","extra":1}', Fail(FailReport(jid="a", errtype="", message="m"))),
    (
        'FAIL {"jid":"a","errtype":null,"message":"\\ud83d","backtrace":null}',
        Fail(FailReport(jid="a", errtype="", message="\ufffd")),
    ),
    ('REQUEUE {"jid":"a"}', Requeue("a")),
    ('BEAT {"wid":"w"}', Beat("w", "", 0)),
    ('BEAT {"wid":"w","current_state":"quiet","rss_kb":7,"extra":[]}', Beat("w", "quiet", 7)),
    ('BEAT {"WID":"w","current_state":null,"rss_kb":null}', Beat("w", "", 0)),
    ("BEAT {}", Beat("", "", 0)),
    ("BEAT null", Beat("", "", 0)),
    ('MUTATE {"cmd":"clear","target":"dead"}', mutate("clear", "dead")),
    ('MUTATE {"cmd":"kill","target":"retries","filter":null}', mutate("kill", "retries")),
    ('MUTATE {"cmd":"requeue","target":"scheduled","filter":{}}', mutate("requeue", "scheduled")),
    (
        'MUTATE {"CMD":"discard","Target":"dead","filter":{"Jids":["a",null],"regexp":"*x*","jobtype":"T"}}',
        mutate("discard", "dead", jids=("a", ""), pattern="*x*", jobtype="T"),
    ),
    (
        'MUTATE {"cmd":"discard","target":"dead","filter":{"jids":null,"regexp":null,"jobtype":null}}',
        mutate("discard", "dead"),
    ),
    ("QUEUE PAUSE a", QueuePause(("a",), paused=True)),
    ("QUEUE pause a", QueuePause(("a",), paused=True)),
    ("QUEUE Resume a  b ", QueuePause(("a", "b"), paused=False)),
    ("QUEUE RESUME *", QueuePause(None, paused=False)),
    ("QUEUE PAUSE * a", QueuePause(None, paused=True)),
    ("QUEUE PAUSE a *", QueuePause(("a", "*"), paused=True)),
    ("QUEUE REMOVE a b", QueueRemove(("a", "b"))),
    ("QUEUE REMOVE *", QueueRemove(None)),
    ("QUEUE LATENCY", QueueLatency(())),
    ("QUEUE LATENCY a ", QueueLatency(("a", ""))),
    ("QUEUE LATENCY a *", QueueLatency(("a", "*"))),
    ("QUEUE PEEK a", QueuePeek("a", 1, 0)),
    ("QUEUE PEEK a 5", QueuePeek("a", 5, 0)),
    ("QUEUE peek a 1 900", QueuePeek("a", 1, 900)),
    ("JOB GET a", JobGet("a")),
    ("JOB cancel a", JobCancel("a")),
    ("JOB LIST dead", listing()),
    ("JOB list retries ", listing(place="retries")),
    (
        'JOB LIST scheduled {"count":2,"after":[1.5,"a"],"filter":{"jobtype":"T"},"latest_first":true}',
        listing(place="scheduled", count=2, after=(1.5, "a"), filter=Filter(jobtype="T"), latest_first=True),
    ),
    ("STORE BACKUP nightly-2024.db", StoreBackup("nightly-2024.db")),
]


@pytest.mark.parametrize(("line", "command"), READ, ids=[line for line, _ in READ])
def test_a_command_is_read(line: str, command: Command) -> None:
    assert read_command(line.encode(), LIMITS) == command


def test_bytes_that_are_no_text_are_read_as_replacement_characters() -> None:
    assert read_command(b'ACK {"jid":"a\xff"}', LIMITS) == Ack("a\ufffd")
    assert read_command(b'BEAT {"wid":"\xff"}', LIMITS) == Beat("\ufffd", "", 0)
    assert read_command(b"FETCH \xff", LIMITS) == Fetch(("\ufffd",))
    assert read_command(b"FETCH " + 1000 * b"\xff", LIMITS) == Fetch((1000 * "\ufffd",))


NEEDS_A_QUEUE = "must call fetch with at least one queue"
DEEP = "[" * 100_000

REFUSED: list[tuple[str, str]] = [
    ("", "unknown command "),
    (" INFO", "unknown command "),
    ("info", "unknown command info"),
    ("FOO bar", "unknown command FOO"),
    ("HELLO {}", "unknown command HELLO"),
    ("INFO\t", "unknown command INFO\t"),
    ("PUSH", "PUSH needs a job"),
    ("PUSH " + "x" * 51, "job is too large: 51 bytes, the limit is 50"),
    ("PUSHB", "PUSHB needs a list of jobs"),
    ("PUSHB [{},{},{}]", "too many jobs: 3, the limit is 2"),
    ("FETCH", NEEDS_A_QUEUE),
    ("FETCH a b c d", "too many queues: 4, the limit is 3"),
    ('FETCHB {"queues":[]}', NEEDS_A_QUEUE),
    ('FETCHB {"queues":["a","b","c","d"]}', "too many queues: 4, the limit is 3"),
    ('FETCHB {"queues":["a"],"count":0}', "cannot fetch 0 jobs: the limits are 1 and 2"),
    ('FETCHB {"queues":["a"],"count":3}', "cannot fetch 3 jobs: the limits are 1 and 2"),
    ("FETCHB a", "invalid FETCHB a"),
    ("FETCHB", "invalid FETCHB "),
    ("ACK", "ACK needs a jid"),
    ("ACK ", "invalid ACK "),
    ("ACK null", "invalid ACK null"),
    ("ACK {}", "invalid ACK {}"),
    ('ACK {"JID":"a"}', 'invalid ACK {"JID":"a"}'),
    ('ACK {"jid":5}', 'invalid ACK {"jid":5}'),
    ('ACK {"jid":"a","n":5}', 'invalid ACK {"jid":"a","n":5}'),
    ('ACK ["a"]', 'invalid ACK ["a"]'),
    ('ACK {"jid":"a"} x', 'invalid ACK {"jid":"a"} x'),
    ('ACK {"x":' + DEEP, 'invalid ACK {"x":' + DEEP),
    ("ACKB []", "invalid ACKB []"),
    ('ACKB {"jids":["a",5]}', 'invalid ACKB {"jids":["a",5]}'),
    ('ACKB {"jids":["a","b","c"]}', "too many jids: 3, the limit is 2"),
    ("FAIL", "FAIL needs a jid"),
    ("FAIL {}", "missing JID"),
    ("FAIL null", "missing JID"),
    ('FAIL {"jid":null}', "missing JID"),
    ('FAIL {"jid":""}', "missing JID"),
    ("FAIL x", "invalid FAIL x"),
    ('FAIL {"jid":"a","retry_in":-1}', 'invalid FAIL {"jid":"a","retry_in":-1}'),
    ('FAIL {"jid":5}', 'invalid FAIL {"jid":5}'),
    ('FAIL {"jid":"a","backtrace":"x"}', 'invalid FAIL {"jid":"a","backtrace":"x"}'),
    ('FAIL {"jid":"a","backtrace":[5]}', 'invalid FAIL {"jid":"a","backtrace":[5]}'),
    ('FAIL {"jid":"a","other":NaN}', 'invalid FAIL {"jid":"a","other":NaN}'),
    ("REQUEUE {}", "invalid REQUEUE {}"),
    ("REQUEUE", "invalid REQUEUE "),
    ("BEAT", "BEAT needs a wid"),
    ("BEAT x", "invalid BEAT x"),
    ('BEAT {"wid":5}', 'invalid BEAT {"wid":5}'),
    ('BEAT {"wid":"w","rss_kb":1.5}', 'invalid BEAT {"wid":"w","rss_kb":1.5}'),
    ('BEAT {"rss_kb":1' + "0" * 30 + "}", 'invalid BEAT {"rss_kb":1' + "0" * 30 + "}"),
    ("MUTATE", "invalid format"),
    ("MUTATE ", "invalid format"),
    ('MUTATE {"cmd": "clear","target":"dead"}', "invalid format"),
    ('MUTATE {"cmd":"clear","target":"dead"} ', "invalid format"),
    ("MUTATE null", "unknown mutate operation"),
    ('MUTATE {"cmd":"CLEAR","target":"dead"}', "unknown mutate operation"),
    ('MUTATE {"cmd":"bad","target":"bad"}', "unknown mutate operation"),
    ('MUTATE {"cmd":"clear"}', "invalid target for mutation command"),
    ('MUTATE {"cmd":"clear","target":"Dead"}', "invalid target for mutation command"),
    ('MUTATE {"cmd":"clear","target":"working"}', "invalid target for mutation command"),
    ("QUEUE", "QUEUE needs a subcommand"),
    ("QUEUE ", "QUEUE needs a subcommand"),
    ("QUEUE PAUSE", "QUEUE PAUSE needs a queue"),
    ("QUEUE resume  ", "QUEUE RESUME needs a queue"),
    ("QUEUE REMOVE", "QUEUE REMOVE needs a queue"),
    ("QUEUE unpause a", "no such QUEUE subcommand: UNPAUSE"),
    ("QUEUE LATENCY *", "QUEUE LATENCY does not support wildcards"),
    ("QUEUE LATENCY a b c", "too many queues: 3, the limit is 2"),
    ("QUEUE PEEK", "QUEUE PEEK takes a queue, a count and an offset"),
    ("QUEUE PEEK ", "QUEUE PEEK takes a queue, a count and an offset"),
    ("QUEUE PEEK a 1 2 3", "QUEUE PEEK takes a queue, a count and an offset"),
    ("QUEUE PEEK a x", "not a number: x"),
    ("QUEUE PEEK a -1", "not a number: -1"),
    ("QUEUE PEEK a ²", "not a number: ²"),
    ("QUEUE PEEK a 1 1" + "0" * 20, "not a number: 1" + "0" * 20),
    ("QUEUE PEEK a 0", "cannot peek at 0 jobs: the limits are 1 and 5"),
    ("QUEUE PEEK a 6", "cannot peek at 6 jobs: the limits are 1 and 5"),
    ("JOB", "no such JOB subcommand: "),
    ("JOB find a", "no such JOB subcommand: FIND"),
    ("JOB GET", "JOB GET needs a jid"),
    ("JOB CANCEL ", "JOB CANCEL needs a jid"),
    ("JOB LIST", "JOB LIST takes one of scheduled, retries, dead"),
    ("JOB LIST queued", "JOB LIST takes one of scheduled, retries, dead"),
    ('JOB LIST dead {"count":0}', "cannot list 0 jobs: the limits are 1 and 5"),
    ('JOB LIST dead {"count":6}', "cannot list 6 jobs: the limits are 1 and 5"),
    ('JOB LIST dead {"filter":{"jids":["a","b","c","d","e","f"]}}', "too many jids: 6, the limit is 5"),
    ("JOB LIST dead x", "invalid JOB LIST x"),
    ("STORE", "no such STORE subcommand: "),
    ("STORE RESTORE x", "no such STORE subcommand: RESTORE"),
    (
        "STORE BACKUP ../x",
        "a backup cannot be called '../x': use letters, digits, dots, dashes and underscores",
    ),
]


@pytest.mark.parametrize(("line", "message"), REFUSED, ids=[line[:60] for line, _ in REFUSED])
def test_a_line_that_is_no_command_is_refused_with_the_words_of_the_protocol(line: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        read_command(line.encode(), LIMITS)
    assert (caught.value.code, caught.value.message) == ("ERR", message)


@pytest.mark.parametrize(
    "line",
    [
        'MUTATE {"cmd":5}',
        "MUTATE x",
        "MUTATE []",
        'MUTATE {"cmd":"bad","target":"dead","filter":5}',
        'MUTATE {"cmd":"clear","target":"dead","filter":{"jids":"a"}}',
        'MUTATE {"cmd":"clear","target":"dead","filter":{"regexp":5}}',
        "MUTATE " + DEEP,
    ],
)
def test_a_mutation_of_a_wrong_type_is_refused_before_its_words_are_looked_at(line: str) -> None:
    with pytest.raises(Refused) as caught:
        read_command(line.encode(), LIMITS)
    assert caught.value.message not in ("invalid format", "unknown mutate operation", "")


@pytest.mark.parametrize("line", ["PUSH ", "PUSH {", "PUSH []", "PUSHB ", "PUSHB {}", "PUSHB [5]", 'PUSH {"jid":5}'])
def test_a_push_of_something_else_than_jobs_says_that_the_json_is_invalid(line: str) -> None:
    with pytest.raises(Refused, match=r"^invalid JSON: "):
        read_command(line.encode(), LIMITS)


@pytest.mark.parametrize("after", ['[1e999,"a"]', '["x","a"]', "5"])
def test_a_listing_goes_on_after_a_time_and_a_jid_only(after: str) -> None:
    with pytest.raises(Refused, match=r"^invalid JOB LIST "):
        read_command(f'JOB LIST dead {{"after":{after}}}'.encode(), LIMITS)


def test_a_listing_is_as_long_as_is_usual_where_that_is_allowed() -> None:
    command = read_command(b"JOB LIST dead", WireLimits())
    assert isinstance(command, JobList)
    assert command.count == 100


def test_tracking_reads_what_follows() -> None:
    assert read_command(b"TRACK GET job-0001", LIMITS) == TrackGet("job-0001")
