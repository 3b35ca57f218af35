"""A blocking connection to a server, one command at a time: a socket around `wire.client`."""

import json
import os
import socket
import ssl
from typing import Any

from shopfloor.errors import ProtocolBroken, Refused, ServerUnreachable
from shopfloor.wire.address import Address
from shopfloor.wire.client import ClientWire, Reply, command
from shopfloor.wire.handshake import PROTOCOL_VERSION, Hello

READ_BYTES = 262_144
CLOSED_EARLY = "closed the connection without a greeting; a TLS port is addressed as tcp+tls://host:port"


def introduce(address: Address, wid: str = "", labels: tuple[str, ...] = ()) -> Hello:
    """Say who we are: a client, or a worker where there is a `wid`."""
    return Hello(
        version=PROTOCOL_VERSION,
        wid=wid,
        hostname=socket.gethostname(),
        pid=os.getpid(),
        labels=labels,
        username=address.username,
        understands=("cancel",) if wid else (),
    )


class Link:
    """An identified connection. Raises `ServerUnreachable` when it breaks, `Refused` where the server says no."""

    def __init__(self, address: Address, seconds: float, trust: ssl.SSLContext | None = None) -> None:
        """Connect; with `tcp+tls` the server's certificate must please `trust`, the machine's own unless given."""
        self.address = address
        self.certificate_ends_at: float | None = None
        """When the server's certificate runs out, seconds since 1970; None without TLS."""
        self._seconds = seconds
        self._wire = ClientWire(introduce(address), address.password)
        self._replies: list[Reply] = []
        self._socket = self._connect(trust)
        try:
            self._login()
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Let go of the connection. May be called twice."""
        self._socket.close()

    def request(self, line: bytes, seconds: float | None = None) -> Reply:
        """Send a command and return its reply; `seconds` is how long that may take where it is no quick one."""
        self._wire.send(line)
        self._socket.settimeout(self._seconds if seconds is None else seconds)
        return self._next_reply()

    def ask(self, line: bytes, seconds: float | None = None) -> str | bytes | None:
        """Send a command and return its reply; a refusal is raised."""
        reply = self.request(line, seconds)
        if isinstance(reply, Refused):
            raise reply
        return reply

    def ask_json(self, line: bytes, seconds: float | None = None) -> Any:
        """Send a command whose reply is JSON and return what that says."""
        reply = self.ask(line, seconds)
        try:
            return json.loads(reply or b"null")
        except (ValueError, RecursionError) as error:
            raise ProtocolBroken(f"{self.address} answered what is no JSON: {str(error).lower()}") from error

    def info(self) -> dict[str, Any]:
        """Ask for INFO."""
        told = self.ask_json(command("INFO"))
        if not isinstance(told, dict):
            raise ProtocolBroken(f"{self.address} answered INFO with what is no object")
        return told

    def _connect(self, trust: ssl.SSLContext | None) -> socket.socket:
        address = self.address
        try:
            plain = socket.create_connection((address.host, address.port), timeout=self._seconds)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise unreachable(address, error) from error
        if not address.tls:
            return plain
        try:
            secure = (trust or ssl.create_default_context()).wrap_socket(plain, server_hostname=address.host)
        except OSError as error:
            plain.close()
            raise unreachable(address, error) from error
        shown = secure.getpeercert() or {}
        self.certificate_ends_at = ssl.cert_time_to_seconds(str(shown["notAfter"])) if shown else None
        return secure

    def _login(self) -> None:
        check_login(self.address, self._wire, self._next_reply())

    def _next_reply(self) -> Reply:
        try:
            while not self._replies:
                self._socket.sendall(self._wire.bytes_to_send())
                data = self._socket.recv(READ_BYTES)
                if not data:
                    raise ended(self.address, self._wire)
                self._replies = self._wire.receive(data)
        except OSError as error:
            raise unreachable(self.address, error) from error
        except ProtocolBroken as error:
            raise ProtocolBroken(f"{self.address}: {error}") from error
        return self._replies.pop(0)


def check_login(address: Address, wire: ClientWire, reply: Reply) -> None:
    """Raise `Refused` with a useful sentence where the server did not take our HELLO."""
    if not isinstance(reply, Refused):
        return
    if wire.password_wanted and not address.password:
        raise Refused(f"{address} wants a password: put it in the URL, tcp://:password@host:port")
    raise Refused(f"{address} refused: {reply.message.lower()}")


def ended(address: Address, wire: ClientWire) -> ServerUnreachable:
    """Say that the server hung up."""
    return ServerUnreachable(f"{address} {'closed the connection' if wire.greeted else CLOSED_EARLY}")


def unreachable(address: Address, error: OSError) -> ServerUnreachable:
    """Say in one sentence why a server could not be reached."""
    if isinstance(error, TimeoutError):
        return ServerUnreachable(f"no answer from {address} in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ServerUnreachable(f"{address}: certificate not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return ServerUnreachable(f"{address}: no TLS there, or none that fits: {reason}")
    return ServerUnreachable(f"cannot reach {address}: {(error.strerror or str(error)).lower()}")
