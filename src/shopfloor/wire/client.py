"""The client's end of a connection, without a socket: bytes in, replies out.

The order of events: the server greets, `receive` takes the greeting and puts HELLO into what is to be sent,
and the first reply is the server's answer to it. From then on there is one reply per command, in the order of
the commands. A shell around it (a blocking socket, a thread, an event loop) only carries bytes:

    wire = ClientWire(Hello(version=2), password)
    replies = wire.receive(socket.recv(65536)); socket.sendall(wire.bytes_to_send())

Whatever the peer sends becomes a reply or raises `ProtocolBroken`, after which nothing more can be read.
"""

from typing import Any

import msgspec
from msgspec import Struct

from shopfloor.errors import ProtocolBroken, Refused
from shopfloor.wire.handshake import PROTOCOL_VERSION, Hello, password_hash

Reply = str | bytes | None | Refused
"""A simple reply is text, a bulk reply bytes, a null one None, an error a `Refused` that is not raised."""

LINE_BYTES_MAX = 65_536
"""A greeting, a simple reply, an error or a length; none of ours is longer than a few hundred bytes."""
REPLY_BYTES_MAX = 256 * 1024 * 1024
"""No server sends more at once: it is four times the longest line that one takes by default."""
ITERATIONS_MAX = 1_000_000
"""Half a second of hashing. Servers ask for some thousand rounds; more would only keep us busy."""


class _Greeting(Struct):
    v: int
    i: int = 1
    s: str = ""


class ClientWire:
    """Turns commands into bytes, and what a server sends into replies."""

    __slots__ = (
        "_body",
        "_buffer",
        "_held_back",
        "_hello",
        "_output",
        "_password",
        "_searched",
        "greeted",
        "password_wanted",
        "reply_bytes_max",
    )

    def __init__(self, hello: Hello, password: str = "", reply_bytes_max: int = REPLY_BYTES_MAX) -> None:
        self.reply_bytes_max = reply_bytes_max
        self.greeted = False
        self.password_wanted = False
        """Whether the greeting asked for a password; known once `greeted`."""
        self._hello = hello
        self._password = password
        self._buffer = bytearray()
        self._searched = 0
        self._body: int | None = None
        """The length of the bulk body that is being read; None where a line is expected."""
        self._output = bytearray()
        self._held_back = bytearray()

    def send(self, line: bytes) -> None:
        """Take a command, without its line end; what is sent before the greeting came follows HELLO."""
        if b"\n" in line or b"\r" in line:
            raise Refused("a command is one line")
        target = self._output if self.greeted else self._held_back
        target += line + b"\r\n"

    def bytes_to_send(self) -> bytes:
        """Hand out what is to be sent now, once."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def receive(self, data: bytes) -> list[Reply]:
        """Take what arrived and return the replies that are complete now, the answer to HELLO first.

        Raises `ProtocolBroken` where that is no greeting, or no reply, of this protocol.
        """
        self._buffer += data
        replies: list[Reply] = []
        while True:
            if self._body is not None:
                body = self._take_body(self._body)
                if body is None:
                    return replies
                self._body = None
                replies.append(body)
                continue
            line = self._take_line()
            if line is None:
                return replies
            if not self.greeted:
                self._greet(line)
            elif line[:1] == b"$":
                self._begin_bulk(line, replies)
            else:
                replies.append(_short_reply(line))

    def _take_line(self) -> bytes | None:
        """Cut off a line; only new bytes are searched, so that one that comes byte by byte costs no more."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(buffer)
        if max(end, self._searched) > LINE_BYTES_MAX:
            raise ProtocolBroken(f"the server sent a line of more than {LINE_BYTES_MAX} bytes")
        if end < 0:
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        self._searched = 0
        return line.removesuffix(b"\r")

    def _begin_bulk(self, line: bytes, replies: list[Reply]) -> None:
        if line == b"$-1":
            replies.append(None)
            return
        digits = line[1:]
        if not digits.isdigit() or len(digits) > 15:
            raise ProtocolBroken(f"the server sent no length: {_shown(line)}")
        self._body = int(digits)
        if self._body > self.reply_bytes_max:
            raise ProtocolBroken(f"the server announced {self._body} bytes, the limit is {self.reply_bytes_max}")

    def _take_body(self, length: int) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < length + 2:
            return None
        if buffer[length : length + 2] != b"\r\n":
            raise ProtocolBroken("the server sent a reply that is longer than announced")
        body = bytes(buffer[:length])
        del buffer[: length + 2]
        return body

    def _greet(self, line: bytes) -> None:
        """Answer the greeting with HELLO, and with the password where it is asked for."""
        if line.startswith(b"-"):
            raise ProtocolBroken(f"the server does not greet: {_shown(line)}")
        if not line.startswith(b"+HI "):
            raise ProtocolBroken(f"what answers there is no Faktory server: {_shown(line)}")
        try:
            said = msgspec.json.decode(line[4:], type=_Greeting)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolBroken(f"the server greets in an unknown way: {_shown(line)}") from error
        if said.v != PROTOCOL_VERSION:
            raise ProtocolBroken(f"the server speaks version {said.v}, not {PROTOCOL_VERSION}")
        if not 1 <= said.i <= ITERATIONS_MAX:
            raise ProtocolBroken(f"the server wants the password hashed {said.i} times")
        self.greeted = True
        self.password_wanted = bool(said.s)
        shown = password_hash(self._password, said.s, said.i) if said.s else ""
        self._output += _hello_line(self._hello, shown) + self._held_back
        self._held_back.clear()


def command(verb: str, argument: bytes = b"") -> bytes:
    """Write a command line."""
    return verb.encode(errors="replace") + (b" " + argument if argument else b"")


def json_command(verb: str, argument: object) -> bytes:
    """Write a command line whose argument is JSON, for MUTATE without a space in it (reference 1.5)."""
    text = msgspec.json.encode(argument)
    return command(verb, text.replace(b" ", b"\\u0020") if verb == "MUTATE" else text)


def _hello_line(hello: Hello, pwdhash: str) -> bytes:
    """Write HELLO; what was not said is left out, but `wid`, which the oldest clients always send."""
    said: dict[str, Any] = {"wid": hello.wid, "pid": hello.pid, "hostname": hello.hostname}
    said |= {"labels": hello.labels, "pwdhash": pwdhash or hello.pwdhash, "username": hello.username}
    said |= {"rss_kb": hello.rss_kb, "understands": hello.understands}
    shown = {key: value for key, value in said.items() if value or key == "wid"}
    return command("HELLO", msgspec.json.encode({**shown, "v": hello.version})) + b"\r\n"


def _short_reply(line: bytes) -> Reply:
    kind, text = line[:1], line[1:].decode(errors="replace")
    if kind == b"+":
        return text
    if kind == b"-":
        code, _, message = text.partition(" ")
        return Refused(message, code)
    raise ProtocolBroken(f"the server sent no reply of this protocol: {_shown(line)}")


def _shown(line: bytes) -> str:
    """Quote what a peer sent so that it can be shown on one line."""
    return repr(line[:60])[1:] + ("…" if len(line) > 60 else "")
