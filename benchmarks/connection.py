"""The smallest client that can measure: blocking sockets, commands encoded beforehand, no reply decoded."""

import json
import random
import socket
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from benchmarks.errors import BenchmarkError
from benchmarks.servers import ADDRESS

# A PUSHB on a busy machine may take seconds; nothing here may hang for ever.
REPLY_SECONDS_MAX = 120.0
JID_MARK = b'"jid":"'
JID_DIGITS = 24
RANDOM_BYTES = 20  # the jid's, and an argument of sixteen digits
JOB = (
    b'{"jid":"%b","jobtype":"SomeJob","queue":"default","args":[[%d,"%b",3]],'
    b'"created_at":"2026-01-01T00:00:00.000000Z","retry":25}'
)
FETCH = b"FETCH default\r\n"


class Connection:
    """One connection that has said HELLO: as a worker when given a wid, else as a producer."""

    def __init__(self, port: int, *, wid: str = "") -> None:
        self._socket = socket.create_connection((ADDRESS, port), timeout=REPLY_SECONDS_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb", buffering=1 << 18)
        self.reply()
        self.call(hello(wid))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self._socket.close()

    def send(self, command: bytes) -> None:
        """Send one command, or several in a row, and read nothing."""
        self._socket.sendall(command)

    def reply(self) -> bytes | None:
        """Read one reply; None is the null bulk. An error reply, or the end of the stream, raises."""
        line = self._reader.readline()
        if line.startswith(b"+"):
            return line[1:-2]
        if line.startswith(b"$-1"):
            return None
        if line.startswith(b"$"):
            body: bytes = self._reader.read(int(line[1:-2]) + 2)
            return body[:-2]
        raise BenchmarkError(f"the server answered {line!r}")

    def call(self, command: bytes) -> bytes | None:
        """Send one command and read its reply."""
        self._socket.sendall(command)
        return self.reply()

    def pipeline(self, commands: Sequence[bytes]) -> list[bytes | None]:
        """Send all the commands at once, then read all their replies."""
        self._socket.sendall(b"".join(commands))
        return [self.reply() for _ in commands]

    def expect(self, command: bytes) -> bytes:
        """Call, and take a null reply for a fault."""
        reply = self.call(command)
        if reply is None:
            raise BenchmarkError(f"nothing came back for {command[:40]!r}")
        return reply

    def total(self, *path: str) -> int:
        """Read one number of INFO's `faktory` object, as in `total("sets", "working")`."""
        node = json.loads(self.expect(b"INFO\r\n"))["faktory"]
        for name in path:
            node = node[name]
        return int(node)


def hello(wid: str) -> bytes:
    """Encode the HELLO of a worker or, with an empty wid, of a producer."""
    fields = {"hostname": "benchmark", "wid": wid, "pid": 1, "labels": ["benchmark"], "v": 2}
    return b"HELLO %b\r\n" % json.dumps(fields, separators=(",", ":")).encode()


def jobs(series: str, count: int) -> Iterator[bytes]:
    """Encode that many jobs, the same ones for the same name of a series; two series have no jid in common.

    Jids and an argument are random, as in life: a store that compresses must not find ten million equal jobs.
    """
    dice = random.Random(series)
    for number in range(count):
        digits = dice.randbytes(RANDOM_BYTES).hex().encode()
        yield JOB % (digits[:JID_DIGITS], number, digits[JID_DIGITS:])


def pushes(series: str, count: int) -> list[bytes]:
    """Encode that many PUSH commands."""
    return [b"PUSH %b\r\n" % job for job in jobs(series, count)]


def bulk_pushes(series: str, count: int, size: int) -> Iterator[bytes]:
    """Encode PUSHB commands of `size` jobs each, the last one smaller if it does not come out even."""
    encoded = jobs(series, count)
    for start in range(0, count, size):
        some = [next(encoded) for _ in range(min(size, count - start))]
        yield b"PUSHB [%b]\r\n" % b",".join(some)


def ack(job: bytes) -> bytes:
    """Encode the ACK of a job as FETCH gave it."""
    start = job.index(JID_MARK) + len(JID_MARK)
    return b'ACK {"jid":"%b"}\r\n' % job[start : job.index(b'"', start)]
