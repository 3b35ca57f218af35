"""A client that pipelines: commands go out without waiting, and what was answered is known when the server dies."""

import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from shopfloor.errors import Refused
from shopfloor.wire.client import ClientWire, Reply, command, json_command
from shopfloor.wire.handshake import Hello

WAIT_SECONDS = 30.0
CHUNK_BYTES = 1 << 20
STOPPING = "shutdown in progress"

Answered = Callable[[Reply], None]
_Body = TypeVar("_Body")


class Pipeline:
    """One identified connection on a plain socket."""

    def __init__(self, port: int, wid: str = "") -> None:
        self._wire = ClientWire(Hello(version=2, wid=wid))
        self._waiting: deque[Answered] = deque()
        self.broken = False
        self.refused = 0
        """Commands that a stopping server did not begin: they count as unanswered."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        greeted: list[Reply] = []
        self._waiting.append(greeted.append)
        while not greeted:
            self.listen()
            assert not self.broken, "the server did not greet"
        assert greeted == ["OK"], greeted

    @property
    def unanswered(self) -> int:
        """Count the commands that have no reply yet."""
        return len(self._waiting)

    def send(self, line: bytes, answered: Answered) -> None:
        """Take a command; it leaves with the next `flush`."""
        self._wire.send(line)
        self._waiting.append(answered)

    def flush(self) -> None:
        """Send what was taken."""
        data = self._wire.bytes_to_send()
        if not data:
            return
        try:
            self.socket.sendall(data)
        except (ConnectionError, BrokenPipeError):
            self.broken = True

    def listen(self) -> None:
        """Wait for bytes, and hand every reply in them to whoever waits for it."""
        try:
            data = self.socket.recv(CHUNK_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self.broken = True
            return
        for reply in self._wire.receive(data):
            waiting = self._waiting.popleft()
            if isinstance(reply, Refused) and reply.message == STOPPING:
                self.refused += 1
            else:
                waiting(reply)
        self.flush()

    def drain(self) -> None:
        """Take every reply that the server still sent before it went, and close."""
        while not self.broken:
            self.listen()
        self.socket.close()

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def ask_many(self, lines: Sequence[bytes]) -> list[Reply]:
        """Send commands together and wait for all of their replies."""
        replies: list[Reply] = []
        for line in lines:
            self.send(line, replies.append)
        self.flush()
        while len(replies) < len(lines):
            self.listen()
            assert not self.broken, f"the server hung up after {len(replies)} of {len(lines)} replies"
        return replies

    def ask(self, verb: str, argument: object = None) -> Reply:
        """Send one command whose argument is text, JSON or nothing; answer its reply."""
        return self.ask_many([line(verb, argument)])[0]

    def ask_json(self, verb: str, argument: object = None) -> Any:
        """Send one command and answer the JSON of its reply."""
        return read_json(self.ask(verb, argument))

    def __enter__(self) -> "Pipeline":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


def line(verb: str, argument: object = None) -> bytes:
    """Write a command line."""
    if argument is None:
        return command(verb)
    return command(verb, argument.encode()) if isinstance(argument, str) else json_command(verb, argument)


def read_json(reply: Reply) -> Any:
    """Read the JSON of a bulk reply; fail where it is another one."""
    assert isinstance(reply, bytes), reply
    return msgspec.json.decode(reply)


def refusal(reply: Reply) -> str:
    """Answer the text of an error reply; fail where it is another one."""
    assert isinstance(reply, Refused), reply
    return reply.message
