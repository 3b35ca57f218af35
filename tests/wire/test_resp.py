"""Replies as bytes."""

import pytest

from shopfloor.errors import Refused
from shopfloor.wire import resp


def test_the_fixed_replies_are_those_of_the_protocol() -> None:
    assert (resp.OK, resp.NULL) == (b"+OK\r\n", b"$-1\r\n")


def test_a_bulk_reply_announces_its_bytes() -> None:
    assert resp.bulk("é".encode()) == b"$2\r\n\xc3\xa9\r\n"
    assert resp.bulk(b"") == b"$0\r\n\r\n"


def test_json_is_written_on_one_line_without_spaces() -> None:
    assert resp.bulk_json({"state": "quiet"}) == b'$17\r\n{"state":"quiet"}\r\n'
    assert resp.bulk_json({}) == b"$2\r\n{}\r\n"


def test_an_error_begins_with_its_code() -> None:
    assert resp.error(Refused("unknown command FOO")) == b"-ERR unknown command FOO\r\n"
    assert resp.error(Refused("Job not unique", "NOTUNIQUE")) == b"-NOTUNIQUE Job not unique\r\n"


@pytest.mark.parametrize("text", ["a\r\n+OK", "a\n+OK", "a\r+OK", "a\0b"])
def test_no_line_end_gets_into_an_error(text: str) -> None:
    reply = resp.error(Refused(f"Job not found {text}"))
    assert reply.endswith(b"\r\n")
    assert not set(reply[:-2]) & set(b"\r\n\0")


def test_a_long_error_is_cut() -> None:
    assert resp.error(Refused("é" * 10_000)) == b"-ERR " + "é".encode() * 600 + "…\r\n".encode()


def test_half_a_character_does_not_break_an_error() -> None:
    assert resp.error(Refused("a\ud83db")) == b"-ERR a?b\r\n"
