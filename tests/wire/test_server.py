"""The server's end of a connection: which messages come of which bytes."""

import pytest

from shopfloor.errors import Hangup, Refused
from shopfloor.wire.commands import End, Info
from shopfloor.wire.handshake import HELLO_BYTES_MAX, Hello
from shopfloor.wire.server import ServerWire
from shopfloor.wire.verbs import WireLimits

HELLO = b'HELLO {"v":2}\r\n'


def greeted(**limits: int) -> ServerWire:
    wire = ServerWire(WireLimits(**limits))
    wire.receive(HELLO)
    return wire


def test_a_connection_begins_with_hello() -> None:
    wire = ServerWire(WireLimits())
    assert wire.receive(HELLO[:7]) == []
    assert wire.receive(HELLO[7:]) == [Hello(version=2)]
    assert wire.receive(b"INFO\n") == [Info()]


def test_commands_may_come_in_one_go_with_hello() -> None:
    assert ServerWire(WireLimits()).receive(HELLO + b"INFO\r\nEND\n") == [Hello(version=2), Info(), End()]


def test_a_refused_command_is_a_message_among_others() -> None:
    info, refused, end = greeted().receive(b"INFO\nNONSENSE x\nEND\n")
    assert (info, end) == (Info(), End())
    assert isinstance(refused, Refused)
    assert refused.message == "unknown command NONSENSE"


@pytest.mark.parametrize("data", [b"INFO\n", b"\n", b"x" * (HELLO_BYTES_MAX + 1)])
def test_nothing_is_read_after_a_bad_beginning(data: bytes) -> None:
    wire = ServerWire(WireLimits())
    (hangup,) = wire.receive(data)
    assert isinstance(hangup, Hangup)
    assert wire.receive(HELLO) == []


def test_commands_behind_a_bad_hello_are_not_read() -> None:
    messages = ServerWire(WireLimits()).receive(b"HELLO x\nINFO\nINFO\n")
    assert [type(message) for message in messages] == [Hangup]


def test_a_line_that_is_too_long_is_the_last_thing_that_is_read() -> None:
    wire = greeted(line_bytes_max=10)
    info, hangup = wire.receive(b"INFO\n" + b"x" * 11 + b"\nINFO\n")
    assert info == Info()
    assert isinstance(hangup, Hangup)
    assert hangup.message == "line is too long: the limit is 10 bytes"
    assert wire.receive(b"INFO\n") == []


def test_the_limit_before_hello_does_not_hold_for_a_command_in_the_same_chunk() -> None:
    command = b"INFO " + b"x" * HELLO_BYTES_MAX + b"\n"
    assert ServerWire(WireLimits()).receive(HELLO + command) == [Hello(version=2), Info()]


def test_a_second_hello_is_an_unknown_command() -> None:
    (refused,) = greeted().receive(HELLO)
    assert isinstance(refused, Refused)
    assert refused.message == "unknown command HELLO"
