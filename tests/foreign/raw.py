"""A plain socket that speaks the protocol, so that a test can look at the server without a client library."""

import hashlib
import json
import socket
import ssl
from types import TracebackType
from typing import Any, Self

READ_SECONDS = 45.0


class RefusedError(Exception):
    """The server answered a line with an error."""


class Wire:
    """One identified connection; `ask` sends a line and returns the reply, null as None."""

    def __init__(self, port: int, *, password: str = "", trust: ssl.SSLContext | None = None) -> None:
        connection = socket.create_connection(("127.0.0.1", port), timeout=READ_SECONDS)
        if trust is not None:
            connection = trust.wrap_socket(connection, server_hostname="127.0.0.1")
        self._socket = connection
        self._reader = connection.makefile("rb")
        greeting = json.loads(self._read_reply().removeprefix("HI "))
        hello: dict[str, Any] = {"v": 2}
        if "s" in greeting:
            hello["pwdhash"] = _hash(password, greeting["s"], greeting["i"])
        self.ask(f"HELLO {json.dumps(hello)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def ask(self, line: str) -> str:
        """Send one line and return its reply as text; a null reply is the empty text."""
        self._socket.sendall(line.encode() + b"\r\n")
        return self._read_reply()

    def info(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.ask("INFO"))
        return answer

    def size_of(self, place: str) -> int:
        """Count the jobs in `scheduled`, `retries`, `dead` or `working`."""
        return int(self.info()["faktory"]["sets"][place])

    def size_of_queue(self, name: str) -> int:
        return int(self.info()["faktory"]["queues"].get(name, 0))

    def workers(self) -> int:
        return int(self.info()["faktory"]["tasks"]["Workers"]["size"])

    def push(self, **job: Any) -> None:
        assert self.ask(f"PUSH {json.dumps(job)}") == "OK"

    def fetch(self, queue: str) -> dict[str, Any] | None:
        """Take the next job of that queue; None when none came for the two seconds that a server waits."""
        job: dict[str, Any] | None = json.loads(self.ask(f"FETCH {queue}") or "null")
        return job

    def ack(self, jid: str) -> None:
        assert self.ask(f"ACK {json.dumps({'jid': jid})}") == "OK"

    def requeue_retries(self) -> None:
        assert self.ask('MUTATE {"cmd":"requeue","target":"retries","filter":{}}') == "OK"

    def set_state(self, wid: str, state: str) -> None:
        """Beat in the worker's name: the server then repeats that state to the worker itself."""
        answer = self.ask(f"BEAT {json.dumps({'wid': wid, 'current_state': state})}")
        assert json.loads(answer) == {"state": state}

    def _read_reply(self) -> str:
        line = self._reader.readline().decode()
        if not line.endswith("\r\n"):
            raise ConnectionError(f"the server closed the connection after {line!r}")
        kind, rest = line[0], line[1:-2]
        if kind == "-":
            raise RefusedError(rest)
        if kind == "+":
            return rest
        assert kind == "$", f"not a reply of this protocol: {line!r}"
        if int(rest) < 0:
            return ""
        body = self._reader.read(int(rest) + 2)
        assert body.endswith(b"\r\n")
        return body[:-2].decode()


def _hash(password: str, salt: str, iterations: int) -> str:
    digest = (password + salt).encode()
    for _ in range(iterations):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()
