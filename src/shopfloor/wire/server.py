"""The server's end of a connection, without a socket: bytes in, messages out.

First comes one line that must be a HELLO, then commands. After `Hangup` nothing more is read.
"""

from collections.abc import Callable

from shopfloor.errors import Hangup, Refused
from shopfloor.wire.commands import Command
from shopfloor.wire.handshake import HELLO_BYTES_MAX, Hello, read_hello
from shopfloor.wire.lines import LineReader
from shopfloor.wire.verbs import WireLimits, read_command

Message = Hello | Command | Refused


class ServerWire:
    """Turns what a client sends into messages, in order; a `Hangup` is the last one."""

    __slots__ = ("_lines", "_over", "_read", "limits")

    def __init__(self, limits: WireLimits) -> None:
        self.limits = limits
        self._lines = LineReader(HELLO_BYTES_MAX)
        self._read: Callable[[bytes, WireLimits], Message] = self._hello
        self._over = False

    def receive(self, data: bytes) -> list[Message]:
        """Take what arrived and return the messages that are complete now; a refusal is a message too."""
        messages: list[Message] = []
        if self._over:
            return messages
        try:
            for line in self._lines.feed(data):
                try:
                    messages.append(self._read(line, self.limits))
                except Hangup:
                    raise
                except Refused as refused:
                    messages.append(refused)
        except Hangup as hangup:
            self._over = True
            messages.append(hangup)
        return messages

    def _hello(self, line: bytes, limits: WireLimits) -> Message:
        hello = read_hello(line)
        self._lines.bytes_max = limits.line_bytes_max
        self._read = read_command
        return hello
