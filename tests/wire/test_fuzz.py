"""Whatever a peer sends becomes messages: nothing is raised, and how the stream was cut does not matter."""

import time
from itertools import pairwise

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shopfloor.core.payload import accept
from shopfloor.errors import Hangup, Refused
from shopfloor.wire import resp
from shopfloor.wire.commands import Push, PushBulk
from shopfloor.wire.server import Message, ServerWire
from shopfloor.wire.verbs import VERBS, WireLimits
from tests.jobs import NOW

LIMITS = WireLimits(
    line_bytes_max=200, job_bytes_max=100, bulk_jobs_max=3, queues_per_fetch_max=3, latency_queues_max=3
)
GOOD = [
    b'HELLO {"v":2,"wid":"w1","labels":["a"]}',
    b'PUSH {"jid":"job-0001","jobtype":"T","args":[1,"x",{"a":null}],"at":"2030-01-01T00:00:00Z"}',
    b'PUSHB [{"jid":"job-0001","jobtype":"T","args":[],"failure":{"retry_count":1}},null]',
    b"FETCH a b",
    b'FETCHB {"queues":["a"],"count":2}',
    b'ACK {"jid":"job-0001"}',
    b'ACKB {"jids":["job-0001"]}',
    b'FAIL {"jid":"job-0001","errtype":"E","message":"\\ud83d\\ude00","backtrace":["x"]}',
    b'REQUEUE {"jid":"job-0001"}',
    b'BEAT {"wid":"w1","current_state":"quiet","rss_kb":1}',
    b'MUTATE {"cmd":"kill","target":"retries","filter":{"jids":["a"],"regexp":"*[a-z]*","jobtype":"T"}}',
    b"QUEUE PAUSE a",
    b"QUEUE LATENCY a b",
    b"QUEUE PEEK a 1 2",
    b"JOB GET job-0001",
    b'JOB LIST dead {"count":2,"after":[1.5,"a"]}',
    b"INFO",
    b"FLUSH",
    b"END",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
JOB_KEYS = ("jid", "JID", "jobtype", "args", "queue", "retry", "reserve_for", "at", "backtrace", "custom", "failure")
WORKER_KEYS = ("wid", "v", "labels", "pid", "rss_kb", "errtype", "message")
OTHER_KEYS = ("cmd", "target", "filter", "jids", "regexp", "queues", "count")
KEYS = st.sampled_from(JOB_KEYS + WORKER_KEYS + OTHER_KEYS)


def _written(value: object) -> bytes:
    return msgspec.json.encode(value)


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    """Make a verb with an argument that may be anything."""
    verb = draw(st.sampled_from(sorted([*VERBS, b"HELLO"])))
    argument = draw(
        st.binary(max_size=30) | st.dictionaries(KEYS, VALUES, max_size=5).map(_written) | VALUES.map(_written)
    )
    return verb + b" " + argument


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Take a good line, cut something out of it and put something else there."""
    line = draw(st.sampled_from(GOOD))
    first = draw(st.integers(0, len(line)))
    last = draw(st.integers(first, min(len(line), first + 6)))
    return line[:first] + draw(st.binary(max_size=6)) + line[last:]


LINES = st.sampled_from(GOOD) | damaged() | commands() | st.binary(max_size=60)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b""])), max_size=8).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


def spoken(message: Message) -> object:
    """Give a message in a form that can be compared."""
    return (type(message), message.code, message.message) if isinstance(message, Refused) else message


def received(*chunks: bytes, greeted: bool = True) -> list[object]:
    """Feed the chunks to a connection and list what it understood."""
    wire = ServerWire(LIMITS)
    if greeted:
        wire.receive(b"HELLO {}\n")
    return [spoken(message) for chunk in chunks for message in wire.receive(chunk)]


@given(STREAMS, st.booleans())
@example(b'ACK {"jid":"\xff"}\n', True)
@example(b'BEAT {"wid":"\\ud83d"}\n', True)
@example(b'HELLO {"v":1' + b"0" * 50 + b"}\n", False)
@example(b"\xef\xbb\xbf\n", True)
@settings(max_examples=600, deadline=None)
def test_no_bytes_raise_anything(stream: bytes, greeted: bool) -> None:
    wire = ServerWire(LIMITS)
    if greeted:
        wire.receive(b"HELLO {}\n")
    for message in wire.receive(stream):
        if isinstance(message, Refused):
            reply = resp.error(message)
            assert reply.endswith(b"\r\n")
            assert not set(reply[:-2]) & set(b"\r\n")


@given(st.lists(LINES, max_size=4))
@settings(max_examples=300, deadline=None)
def test_what_was_pushed_is_taken_or_refused_and_fits_on_one_line(lines: list[bytes]) -> None:
    wire = ServerWire(LIMITS)
    wire.receive(b"HELLO {}\n")
    for message in wire.receive(b"".join(line + b"\n" for line in lines)):
        jobs = [message.job] if isinstance(message, Push) else message.jobs if isinstance(message, PushBulk) else []
        for pushed in jobs:
            try:
                job, _ = accept(pushed, NOW, "now")
            except Refused:
                continue
            assert b"\n" not in (text := msgspec.json.encode(job))
            assert b"\r" not in text


@given(STREAMS, st.lists(st.integers(0, 400), max_size=10), st.booleans())
@example(b"HELLO {}\n" + b"x" * 190 + b"\nINFO\n", [9], False)
@example(b"INFO\n" + b"x" * 201 + b"\nINFO\n", [5, 100], True)
@example(b"INFO\r\n", [5], True)
@settings(max_examples=600, deadline=None)
def test_how_the_stream_is_cut_does_not_change_the_messages(stream: bytes, cuts: list[int], greeted: bool) -> None:
    at = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[first:last] for first, last in pairwise(at)]
    whole = received(stream, greeted=greeted)
    assert received(*chunks, greeted=greeted) == whole
    assert received(*(stream[n : n + 1] for n in range(len(stream))), greeted=greeted) == whole
    assert sum(part[0] is Hangup for part in whole if isinstance(part, tuple)) <= 1


def _seconds_by_the_byte(length: int) -> float:
    """Feed a line of that length byte by byte; of three tries the fastest counts."""
    best = float("inf")
    for _ in range(3):
        wire = ServerWire(WireLimits())
        wire.receive(b"HELLO {}\n")
        began = time.perf_counter()
        for _ in range(length):
            wire.receive(b"x")
        assert len(wire.receive(b"\n")) == 1
        best = min(best, time.perf_counter() - began)
    return best


def test_a_line_that_comes_byte_by_byte_costs_time_in_proportion_to_its_length() -> None:
    # Quadratic reading would take sixteen times as long for four times the bytes.
    assert _seconds_by_the_byte(80_000) < 9 * _seconds_by_the_byte(20_000)
