"""The client's end of a connection: greeting, login, replies in order, and a peer that is no server of ours."""

import json

import pytest

from shopfloor.errors import ProtocolBroken, Refused, ServerUnreachable
from shopfloor.wire import client
from shopfloor.wire.client import ClientWire, Reply, command, json_command
from shopfloor.wire.handshake import (
    Challenge,
    Hello,
    check_password,
    first_digest,
    further_digest,
    greeting,
    read_hello,
)

PRODUCER = Hello(version=2)
PLAIN = greeting(None)


def _open(*, reply_bytes_max: int = client.REPLY_BYTES_MAX) -> ClientWire:
    """Make an end whose HELLO was accepted."""
    wire = ClientWire(PRODUCER, reply_bytes_max=reply_bytes_max)
    assert wire.receive(PLAIN + b"+OK\r\n") == ["OK"]
    wire.bytes_to_send()
    return wire


def _told(replies: list[Reply]) -> list[object]:
    """Make refusals comparable."""
    return [(reply.code, reply.message) if isinstance(reply, Refused) else reply for reply in replies]


def test_nothing_is_sent_before_the_greeting() -> None:
    wire = ClientWire(PRODUCER)
    assert (wire.greeted, wire.bytes_to_send()) == (False, b"")
    assert (wire.receive(PLAIN), wire.greeted) == ([], True)
    assert wire.bytes_to_send() == b'HELLO {"wid":"","v":2}\r\n'
    assert wire.bytes_to_send() == b""


def test_commands_given_before_the_greeting_follow_hello() -> None:
    wire = ClientWire(PRODUCER)
    wire.send(b"INFO")
    wire.send(b"FLUSH")
    assert wire.bytes_to_send() == b""
    wire.receive(PLAIN)
    assert wire.bytes_to_send().splitlines()[1:] == [b"INFO", b"FLUSH"]
    wire.send(b"END")
    assert wire.bytes_to_send() == b"END\r\n"


def test_a_worker_says_all_that_is_known_of_it() -> None:
    hello = Hello(
        version=2,
        wid="w-1",
        hostname="box",
        pid=7,
        labels=("eu", "gpu"),
        username="joe",
        rss_kb=99,
        understands=("cancel",),
    )
    wire = ClientWire(hello)
    wire.receive(PLAIN)
    line = wire.bytes_to_send().removesuffix(b"\r\n")
    assert read_hello(line) == hello


def test_the_password_is_proven_and_not_sent() -> None:
    asked = Challenge("55104dc76695721d", 4321)
    wire = ClientWire(PRODUCER, "foobar")
    wire.receive(greeting(asked))
    assert wire.password_wanted
    line = wire.bytes_to_send().removesuffix(b"\r\n")
    assert b"foobar" not in line
    check_password(read_hello(line), further_digest(first_digest("foobar", asked.salt), asked.iterations - 1))


def test_the_password_is_kept_where_nobody_asks_for_it() -> None:
    wire = ClientWire(PRODUCER, "foobar")
    wire.receive(PLAIN)
    assert not wire.password_wanted
    assert "pwdhash" not in json.loads(wire.bytes_to_send().partition(b" ")[2])


def test_a_hash_that_was_made_elsewhere_is_sent_as_it_is() -> None:
    wire = ClientWire(Hello(version=2, pwdhash="cafe"))
    wire.receive(PLAIN)
    assert read_hello(wire.bytes_to_send().removesuffix(b"\r\n")).pwdhash == "cafe"


def test_a_wrong_password_is_the_first_reply() -> None:
    wire = ClientWire(PRODUCER, "wrong")
    wire.receive(greeting(Challenge("5a17", 4000)))
    assert _told(wire.receive(b"-ERR Invalid password\r\n")) == [("ERR", "Invalid password")]


def test_each_kind_of_reply() -> None:
    replies = _open().receive(
        b"+OK\r\n$-1\r\n$2\r\n{}\r\n$0\r\n\r\n-ERR Job not found x\r\n-NOTUNIQUE Job not unique\r\n-BARE\r\n+\r\n"
    )
    assert _told(replies) == [
        "OK",
        None,
        b"{}",
        b"",
        ("ERR", "Job not found x"),
        ("NOTUNIQUE", "Job not unique"),
        ("BARE", ""),
        "",
    ]


def test_a_body_may_hold_line_ends_and_any_bytes() -> None:
    assert _open().receive(b"$6\r\na\r\n\xff$1\r\n+OK\r\n") == [b"a\r\n\xff$1", "OK"]


def test_text_that_is_not_utf_8_is_read_all_the_same() -> None:
    assert _told(_open().receive(b"+\xffOK\r\n-ERR \xfe\r\n")) == ["\ufffdOK", ("ERR", "\ufffd")]


def test_replies_that_come_byte_by_byte() -> None:
    whole = PLAIN + b"+OK\r\n$5\r\nhello\r\n$-1\r\n-ERR no\r\n"
    wire = ClientWire(PRODUCER)
    replies: list[Reply] = []
    for at in range(len(whole)):
        replies += wire.receive(whole[at : at + 1])
    assert _told(replies) == ["OK", b"hello", None, ("ERR", "no")]


def test_a_bare_line_feed_ends_a_line() -> None:
    assert _open().receive(b"+OK\n") == ["OK"]


@pytest.mark.parametrize("line", [b"PUSH {}\nFLUSH", b"QUEUE PAUSE a\r"])
def test_a_command_cannot_smuggle_in_another(line: bytes) -> None:
    wire = _open()
    with pytest.raises(Refused, match="a command is one line"):
        wire.send(line)
    assert wire.bytes_to_send() == b""


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "is no Faktory server"),
        (b"-ERR too many connections: 9\r\n", "does not greet"),
        (b"+HI there\r\n", "greets in an unknown way"),
        (b'+HI {"v":"2"}\r\n', "greets in an unknown way"),
        (b'+HI {"v":2,"s":"\xff"}\r\n', "greets in an unknown way"),
        (b'+HI {"v":' + b"[" * 5000 + b"\r\n", "greets in an unknown way"),
        (b'+HI {"v":3}\r\n', "speaks version 3, not 2"),
        (b'+HI {"v":2,"i":0,"s":"ab"}\r\n', "hashed 0 times"),
        (b'+HI {"v":2,"i":1000000000000,"s":"ab"}\r\n', "hashed 1000000000000 times"),
        (b"\x16\x03\x01" * 40_000, "a line of more than 65536 bytes"),
    ],
)
def test_a_peer_that_does_not_greet_as_a_server_does(sent: bytes, says: str) -> None:
    wire = ClientWire(PRODUCER, "secret")
    with pytest.raises(ProtocolBroken, match=says):
        wire.receive(sent)
    assert wire.bytes_to_send() == b""


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b":1\r\n", "no reply of this protocol: ':1'"),
        (b"*1\r\n", "no reply of this protocol"),
        (b"\r\n", "no reply of this protocol: ''"),
        (b"$-2\r\n", "sent no length"),
        (b"$\r\n", "sent no length"),
        (b"$1e3\r\n", "sent no length"),
        (b"$" + b"9" * 16 + b"\r\n", "sent no length"),
        (b"$101\r\n", "announced 101 bytes, the limit is 100"),
        (b"$2\r\nabcd\r\n", "longer than announced"),
        (b"+" + b"x" * 70_000, "a line of more than 65536 bytes"),
        (b"+" + b"x" * 70_000 + b"\r\n", "a line of more than 65536 bytes"),
        (b"x" * 100 + b"\r\n", "…"),
    ],
)
def test_a_peer_that_stops_speaking_the_protocol(sent: bytes, says: str) -> None:
    with pytest.raises(ProtocolBroken, match=says):
        _open(reply_bytes_max=100).receive(sent)


def test_a_broken_protocol_counts_as_a_server_that_cannot_be_reached() -> None:
    assert issubclass(ProtocolBroken, ServerUnreachable)


def test_commands_as_lines() -> None:
    assert command("INFO") == b"INFO"
    assert command("QUEUE PAUSE", b"a b") == b"QUEUE PAUSE a b"
    assert json_command("PUSH", {"args": ["a b"]}) == b'PUSH {"args":["a b"]}'


def test_a_mutation_holds_no_space() -> None:
    line = json_command("MUTATE", {"filter": {"jobtype": "Send Mail", "regexp": '*"a b"*'}})
    assert line.count(b" ") == 1
    assert json.loads(line.partition(b" ")[2])["filter"]["jobtype"] == "Send Mail"
