"""A blocking connection to a server, one command at a time: a socket around `wire.client`."""

import json
import os
import socket
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shopfloor.cli.address import Address
from shopfloor.errors import ProtocolBroken, Refused, ServerUnreachable
from shopfloor.wire.client import ClientWire, Reply, command
from shopfloor.wire.handshake import PROTOCOL_VERSION, Hello

READ_BYTES = 262_144
CLOSED_EARLY = "closed the connection without a greeting; a TLS port is addressed as tcp+tls://host:port"


class Connection:
    """An identified connection. Raises `ServerUnreachable` when it breaks, `Refused` where the server says no."""

    def __init__(self, address: Address, seconds: float, authorities: Path | None = None) -> None:
        self.address = address
        self.certificate_ends_at: float | None = None
        """When the server's certificate runs out, seconds since 1970; None without TLS."""
        self._seconds = seconds
        hello = Hello(
            version=PROTOCOL_VERSION, hostname=socket.gethostname(), pid=os.getpid(), username=address.username
        )
        self._wire = ClientWire(hello, address.password.reveal())
        self._replies: list[Reply] = []
        self._socket = self._connect(authorities)
        try:
            self._login()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection. May be called twice."""
        self._socket.close()

    def ask(self, line: bytes, seconds: float | None = None) -> str | bytes | None:
        """Send a command and return its reply; `seconds` is how long that may take where it is no quick one."""
        self._wire.send(line)
        self._socket.settimeout(self._seconds if seconds is None else seconds)
        reply = self._next_reply()
        if isinstance(reply, Refused):
            raise reply
        return reply

    def ask_json(self, line: bytes, seconds: float | None = None) -> Any:
        """Send a command whose reply is JSON and return what that says."""
        reply = self.ask(line, seconds)
        try:
            return json.loads(reply or b"null")  # unlike msgspec, it reads integers of any length
        except (ValueError, RecursionError) as error:
            raise ProtocolBroken(f"{self.address} answered what is no JSON: {str(error).lower()}") from error

    def info(self) -> dict[str, Any]:
        """Ask for INFO."""
        told = self.ask_json(command("INFO"))
        if not isinstance(told, dict):
            raise ProtocolBroken(f"{self.address} answered INFO with what is no object")
        return told

    def _connect(self, authorities: Path | None) -> socket.socket:
        address = self.address
        try:
            plain = socket.create_connection((address.host, address.port), timeout=self._seconds)
        except OSError as error:
            raise self._unreachable(error) from error
        if not address.tls:
            return plain
        try:
            secure = _trust(address, authorities).wrap_socket(plain, server_hostname=address.host)
        except OSError as error:
            plain.close()
            raise self._unreachable(error) from error
        shown = secure.getpeercert() or {}
        self.certificate_ends_at = ssl.cert_time_to_seconds(str(shown["notAfter"])) if shown else None
        return secure

    def _login(self) -> None:
        reply = self._next_reply()
        if not isinstance(reply, Refused):
            return
        if self._wire.password_wanted and not self.address.password:
            raise Refused(f"{self.address} wants a password: put it in the URL, tcp://:password@host:port")
        raise Refused(f"{self.address} refused: {reply.message.lower()}")

    def _next_reply(self) -> Reply:
        try:
            while not self._replies:
                self._socket.sendall(self._wire.bytes_to_send())
                data = self._socket.recv(READ_BYTES)
                if not data:
                    ended = "closed the connection" if self._wire.greeted else CLOSED_EARLY
                    raise ServerUnreachable(f"{self.address} {ended}")
                self._replies = self._wire.receive(data)
        except OSError as error:
            raise self._unreachable(error) from error
        except ProtocolBroken as error:
            raise ProtocolBroken(f"{self.address}: {error}") from error
        return self._replies.pop(0)

    def _unreachable(self, error: OSError) -> ServerUnreachable:
        if isinstance(error, TimeoutError):
            return ServerUnreachable(f"no answer from {self.address} in time")
        if isinstance(error, ssl.SSLCertVerificationError):
            return ServerUnreachable(f"{self.address}: certificate not trusted: {error.verify_message}")
        if isinstance(error, ssl.SSLError):
            reason = (error.reason or str(error)).replace("_", " ").lower()
            return ServerUnreachable(f"{self.address}: no TLS there, or none that fits: {reason}")
        return ServerUnreachable(f"cannot reach {self.address}: {(error.strerror or str(error)).lower()}")


def _trust(address: Address, authorities: Path | None) -> ssl.SSLContext:
    """Trust the machine's authorities, those of a file, or just the certificate that the server here has."""
    if authorities is not None or address.certificate is None:
        return ssl.create_default_context(cafile=authorities)
    context = ssl.create_default_context(cafile=address.certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False  # it is this very certificate or none
    return context
