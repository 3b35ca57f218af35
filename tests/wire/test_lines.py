"""Cutting a stream of bytes into lines."""

import pytest

from shopfloor.errors import Hangup
from shopfloor.wire.lines import LineReader


def lines(reader: LineReader, *chunks: bytes) -> list[bytes]:
    return [line for chunk in chunks for line in reader.feed(chunk)]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"INFO\n"], [b"INFO"]),
        ([b"INFO\r\n"], [b"INFO"]),
        ([b"INFO\r\r\n"], [b"INFO\r"]),
        ([b"\n\r\n"], [b"", b""]),
        ([b"a\nb\r\nc\n"], [b"a", b"b", b"c"]),
        ([b"IN", b"FO", b"\n"], [b"INFO"]),
        ([b"INFO\r", b"\n"], [b"INFO"]),
        ([b"a\nb", b"c\nd\n", b"e\n"], [b"a", b"bc", b"d", b"e"]),
        ([b"a\nb\nc", b"\n"], [b"a", b"b", b"c"]),
        ([b"a\rb\n"], [b"a\rb"]),
        ([b"", b"a\n", b""], [b"a"]),
        ([b"no end"], []),
    ],
)
def test_a_line_ends_with_a_line_feed_and_one_return_before_it_is_dropped(
    chunks: list[bytes], expected: list[bytes]
) -> None:
    assert lines(LineReader(100), *chunks) == expected


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 11 + b"\n"], [b"x" * 6, b"x" * 6], [b"ok\n" + b"x" * 11]])
def test_a_line_that_is_too_long_ends_the_connection(chunks: list[bytes]) -> None:
    with pytest.raises(Hangup, match=r"^line is too long: the limit is 10 bytes$"):
        lines(LineReader(10), *chunks)


def test_a_line_as_long_as_the_limit_is_read_however_it_is_cut() -> None:
    assert lines(LineReader(10), b"x" * 10 + b"\n") == [b"x" * 10]
    assert lines(LineReader(10), b"x" * 5, b"x" * 5, b"\n") == [b"x" * 10]
    assert lines(LineReader(10), b"a\n" + b"x" * 10 + b"\nb\n") == [b"a", b"x" * 10, b"b"]


@pytest.mark.parametrize("late", [b"ok\n" + b"x" * 11 + b"\nok\n", b"ok\n" + b"x" * 11])
def test_lines_before_the_one_that_is_too_long_are_handed_out(late: bytes) -> None:
    handed_out: list[bytes] = []
    with pytest.raises(Hangup):
        handed_out.extend(LineReader(10).feed(late))
    assert handed_out == [b"ok"]


def test_the_limit_may_grow_while_lines_are_handed_out() -> None:
    reader = LineReader(10)
    handed_out = iter(reader.feed(b"first\n" + b"x" * 20 + b"\n"))
    assert next(handed_out) == b"first"
    reader.bytes_max = 20
    assert list(handed_out) == [b"x" * 20]


def test_a_limit_that_is_lowered_holds_for_the_lines_that_came_along() -> None:
    reader = LineReader(100)
    lines = iter(reader.feed(b"first\n" + b"x" * 20 + b"\n"))
    assert next(lines) == b"first"
    reader.bytes_max = 10
    with pytest.raises(Hangup):
        next(lines)
