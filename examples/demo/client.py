"""A client of the Faktory work protocol in one page: it pushes, fetches, acknowledges, and outlives a restart.

Nothing but the standard library is needed. What is left out to keep it short is the password (see `HELLO` in
docs/reference/protocol.md).
"""

import json
import os
import secrets
import socket
import time
from typing import Any

RECONNECT_SECONDS_MAX = 30.0
REPLY_SECONDS_MAX = 10.0
NAP_SECONDS = 0.1


class Refused(Exception):
    """The server answered `-ERR …`."""


class Client:
    """One connection. With `worker`, a word of your choice, it is a worker's."""

    def __init__(self, port: int, worker: str = "") -> None:
        self._port = port
        self._worker = worker
        self._wire: Any = None
        self.wid = ""
        self.repeated = 0
        self._begin_anew()

    def ask(self, verb: str, argument: object = None) -> Any:
        """Send one command and return its reply; connect first, or again, where that is needed.

        A command whose reply never came is simply sent again. That is safe: a PUSH of a job that is held already
        adds nothing, and an ACK of a job that is gone is no error. A lost reply to FETCH may have been a job, which
        the server believes to be ours: so we go on under a new wid, and it gives back what the old one had.
        """
        text = argument if isinstance(argument, str) else json.dumps(argument, separators=(",", ":"))
        line = verb if argument is None else f"{verb} {text}"
        deadline = time.monotonic() + RECONNECT_SECONDS_MAX
        while True:
            try:
                if self._wire is None:
                    self._connect()
                return self._exchange(line)
            except OSError:
                self._wire = None
                self.repeated += 1
                if verb == "FETCH":
                    self._begin_anew()
                if time.monotonic() > deadline:
                    raise
                time.sleep(NAP_SECONDS)

    def _begin_anew(self) -> None:
        if self._worker:
            self.wid = f"{self._worker}-{secrets.token_hex(8)}"

    def _connect(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=REPLY_SECONDS_MAX)
        self._wire = connection.makefile("rwb")
        self._read()  # the server speaks first: +HI {"v":2}
        hello = {"v": 2, "wid": self.wid, "hostname": socket.gethostname(), "pid": os.getpid()}
        self._exchange("HELLO " + json.dumps(hello))

    def _exchange(self, line: str) -> Any:
        self._wire.write(line.encode() + b"\r\n")
        self._wire.flush()
        return self._read()

    def _read(self) -> Any:
        """Read a reply: `+text`, `-ERR text`, or `$length` and so many bytes, which are JSON; `$-1` is nothing."""
        line = self._wire.readline().decode().rstrip("\r\n")
        kind, text = line[:1], line[1:]
        if kind == "+":
            return text
        if kind == "-":
            raise Refused(text)
        if kind != "$":
            raise ConnectionError("the server closed the connection")
        if text == "-1":
            return None
        body = self._wire.read(int(text) + 2)
        if len(body) < int(text) + 2:
            raise ConnectionError("the server closed the connection")
        return json.loads(body)
