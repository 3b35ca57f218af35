"""Cutting a stream of bytes into lines (reference 1.1: LF ends a line, one CR before it is dropped)."""

from collections.abc import Iterable, Iterator

from shopfloor.errors import Hangup


class LineReader:
    """Collects bytes and hands out complete lines, without their ends.

    A line longer than `bytes_max` raises `Hangup`: there is no telling where the next command begins. The
    limit may be changed between two lines, also while they are being handed out.
    """

    __slots__ = ("_rest", "bytes_max")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Take what arrived and hand out the lines that are complete now; go through all of them, once."""
        if not self._rest and data.find(b"\n") == len(data) - 1 and 0 < len(data) <= self.bytes_max:
            return (data[:-2] if data.endswith(b"\r\n") else data[:-1],)
        return self._joined(data)

    def _joined(self, data: bytes) -> Iterator[bytes]:
        """Only new bytes are searched: a line that comes byte by byte costs no more than its length."""
        head, newline, tail = data.partition(b"\n")
        self._rest += head
        self._check(len(self._rest))
        if not newline:
            return
        yield _without_return(bytes(self._rest))
        *lines, last = tail.split(b"\n")
        self._rest = bytearray(last)
        for line in lines:
            self._check(len(line))
            yield _without_return(line)
        self._check(len(last))

    def _check(self, length: int) -> None:
        if length > self.bytes_max:
            raise Hangup(f"line is too long: the limit is {self.bytes_max} bytes")


def _without_return(line: bytes) -> bytes:
    return line[:-1] if line.endswith(b"\r") else line
