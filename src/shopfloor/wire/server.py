"""The server's end of a connection, without a socket: bytes in, messages out.

First comes one line that must be a HELLO, then commands. After `Hangup` nothing more is read.
"""

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
        self._read = self._hello
        self._over = False

    def receive(self, data: bytes) -> list[Message]:
        """Take what arrived and return the messages that are complete now; a refusal is a message too."""
        messages: list[Message] = []
        if self._over:
            return messages
        try:
            for line in self._lines.feed(data):
                messages.append(self._read(line))
                if type(messages[-1]) is Hangup:
                    self._over = True
                    break
        except Hangup as hangup:
            self._over = True
            messages.append(hangup)
        return messages

    def _hello(self, line: bytes) -> Message:
        try:
            hello = read_hello(line)
        except Hangup as hangup:
            return hangup
        self._lines.bytes_max = self.limits.line_bytes_max
        self._read = self._command
        return hello

    def _command(self, line: bytes) -> Message:
        try:
            return read_command(line, self.limits)
        except Refused as refused:
            return refused
