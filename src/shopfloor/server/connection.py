"""One client's connection: from bytes to verbs, and replies back in the order of the commands.

Reading stops while a client has many commands waiting, and commands wait while it does not read its replies: one
that sends without end, or never listens, costs no more than these bounds.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import islice
from socket import SO_KEEPALIVE, SOL_SOCKET
from typing import Protocol, cast

from msgspec import Struct

from shopfloor.broker.broker import Broker
from shopfloor.broker.calls import Call
from shopfloor.broker.context import Session
from shopfloor.broker.reports import Vitals
from shopfloor.config import masked
from shopfloor.errors import Hangup, Refused, StoreError, StoreUnavailable
from shopfloor.server.dispatch import ROWS
from shopfloor.server.login import Login
from shopfloor.wire import resp
from shopfloor.wire.commands import End, Fetch, FetchBulk
from shopfloor.wire.handshake import Hello, greeting
from shopfloor.wire.server import Message, ServerWire
from shopfloor.wire.verbs import WireLimits

WAITING_COMMANDS_MAX = 1000
"""Commands read ahead of one connection; a pipelining client gains nothing from more."""
ROUND_COMMANDS_MAX = 200
"""Commands of one connection in a round: some milliseconds, which is what others wait for one that pipelines."""


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """How long and how much; each is a setting of the same name."""

    handshake_seconds: float = 2.0
    output_bytes_max: int = 64 * 1024 * 1024
    slow_peer_seconds: float = 30.0


class House(Protocol):
    """What a connection needs of the server it belongs to."""

    broker: Broker
    wire_limits: WireLimits
    connection_limits: ConnectionLimits
    login: Login
    commands: int
    stopping: bool

    def joined(self, connection: "Connection") -> None:
        """A connection was made."""

    def left(self, connection: "Connection") -> None:
        """A connection ended."""

    def refusal(self) -> str:
        """Say why one more client cannot be served; empty where it can."""

    def vitals(self) -> Vitals:
        """Say how the server process does."""


class Connection(asyncio.Protocol):
    """A client's connection; also the source of its calls for `Ticks`."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.broker = house.broker
        self.session = Session()
        self._wire = ServerWire(house.wire_limits)
        self._transport: asyncio.Transport
        self._pending: deque[Message] = deque()
        self._under_way: deque[Call] = deque()
        self._announced = False
        self._reading = True
        self._writable = True
        self._ending = False
        self._known = False
        self._admitted = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        limits = self.house.connection_limits
        self._transport = cast(asyncio.Transport, transport)
        socket = transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
        self._transport.set_write_buffer_limits(high=limits.output_bytes_max)
        self.house.joined(self)
        self._challenge = self.house.login.challenge()
        self._transport.write(greeting(self._challenge))
        self._timer = asyncio.get_running_loop().call_later(limits.handshake_seconds, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Read messages and have them carried out with the next round."""
        if self._ending:
            self._refuse_while_stopping()
            return
        messages = self._wire.receive(data)
        is_free = self._admitted and self._writable and not self._under_way and not self._pending
        if is_free and len(messages) == 1 and self._begin(messages[0]):
            return  # as nearly all do: nothing of this client was waiting or under way
        if not self._known and messages:
            self._introduce(messages)
        elif messages:
            self._pending += messages
        if len(self._pending) > WAITING_COMMANDS_MAX and self._reading:
            self._reading = False
            self._transport.pause_reading()
        self._announce()

    def _begin(self, message: Message) -> bool:
        """Begin one command with the next round; False where it is not a command that a verb carries out."""
        row = ROWS.get(type(message))
        if row is None:
            return False
        self.house.commands += 1
        call = Call(row.verb(self, message), self)
        self._under_way.append(call)
        self.broker.ticks.begin(call)
        return True

    def eof_received(self) -> bool:
        """A client that closes its end still has carried out, and answered, what it sent before; it is given no job."""
        self._ending = True
        self.session.deaf = True
        waits = next((at for at, message in enumerate(self._pending) if isinstance(message, Fetch | FetchBulk)), None)
        if waits is not None:
            self._pending = deque(islice(self._pending, waits))
        encrypted = self._transport.get_extra_info("sslcontext") is not None  # TLS cannot be closed by halves
        is_fetching = any(call.wait is not None for call in self._under_way)
        return self._admitted and bool(self._pending or self._under_way) and not is_fetching and not encrypted

    def connection_lost(self, error: Exception | None) -> None:
        """End whatever waits; what was begun finishes, and what it reserved goes back."""
        self._cancel_timer()
        self._ending = True
        self.session.closed = self.session.deaf = True
        self._pending.clear()
        self.broker.ticks.abandon(self._under_way)
        self.house.left(self)

    def pause_writing(self) -> None:
        """The client does not read: carry out no more until it does, and give it only so long."""
        self._writable = False
        seconds = self.house.connection_limits.slow_peer_seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def resume_writing(self) -> None:
        """The client has read what was waiting."""
        self._cancel_timer()
        self._writable = True
        self._announce()

    def start(self) -> Iterable[Call]:
        """Begin the commands that may share a round (see `broker.ticks.Source`)."""
        self._announced = False
        begun: list[Call] = []
        while self._pending and len(self._under_way) < ROUND_COMMANDS_MAX:
            message = self._pending[0]
            kind = type(message)
            row = ROWS.get(kind)
            if row is not None and begun and not row.joins:
                break
            self._pending.popleft()
            if row is None:
                self._answer_at_once(message)
                continue
            self.house.commands += kind is not Hello
            call = Call(row.verb(self, message), self)
            self._under_way.append(call)
            begun.append(call)
            if not row.joins:
                break
        if not self._reading and len(self._pending) <= WAITING_COMMANDS_MAX:
            self._reading = True
            self._transport.resume_reading()
        if not begun:
            self.settle()
        return begun

    def settle(self) -> None:
        """Send the replies that are due, in the order of the commands."""
        under_way = self._under_way
        replies: list[bytes] = []
        while under_way and under_way[0].done:
            call = under_way.popleft()
            replies.append(call.result if call.error is None else self._excuse(call.error))
        if self.session.closed:
            return
        if replies:
            self._transport.write(replies[0] if len(replies) == 1 else b"".join(replies))
        if not under_way:
            if self._pending:
                self._announce()
            elif self._ending:
                self._transport.close()

    def vitals(self) -> Vitals:
        """Say how the server process does."""
        return self.house.vitals()

    def close_soon(self) -> None:
        """Finish what is under way, take nothing more, and close."""
        self._ending = True
        if self._pending:
            self._pending.clear()
            self._refuse_while_stopping()
        if not self._under_way and not self._pending and not self.session.closed:
            self._transport.close()

    def abort(self) -> None:
        """Close now, whatever is under way."""
        self._transport.abort()

    def _refuse_while_stopping(self) -> None:
        """Say to a client that asks for more why it gets no answer (reference 1.3); the connection ends with it."""
        if self.house.stopping and self._admitted and not self._pending:
            self._pending.append(Hangup("shutdown in progress"))
            self._announce()

    def _announce(self) -> None:
        """Ask for a turn in the next round, once; nothing begins before the password was checked."""
        if not self._admitted:
            return
        if self._pending and not self._under_way and not self._announced and self._writable:
            self._announced = True
            self.broker.ticks.ready(self)

    def _introduce(self, messages: list[Message]) -> None:
        """The first message must be a good HELLO; those behind it wait until it is accepted."""
        first, *rest = messages
        if not isinstance(first, Hello):
            self._admitted = True
            self._pending.append(first)
            return
        self._known = True
        self._cancel_timer()
        self.house.login.check(first, self._challenge, lambda error: self._admit(first, error, rest))

    def _admit(self, hello: Hello, error: Hangup | None, rest: list[Message]) -> None:
        if self.session.closed or self._ending:
            return
        self._admitted = True
        if error is not None:
            self._pending.appendleft(error)
        else:
            self._pending.extendleft(reversed([hello, *self._cap(), *rest]))
        self._announce()

    def _cap(self) -> list[Message]:
        """One client too many is told so behind a good `+OK` (reference 1.2, 6)."""
        refusal = self.house.refusal()
        return [Hangup(refusal)] if refusal else []

    def _answer_at_once(self, message: Message) -> None:
        """A refusal takes its place among the replies; END and `Hangup` end the connection behind them."""
        if isinstance(message, Refused) and message.message:
            self._under_way.append(Call.refused(message, self))
        if isinstance(message, Hangup | End):
            self._ending = True
            self._pending.clear()

    def _excuse(self, error: Exception) -> bytes:
        if isinstance(error, Refused):
            return resp.error(error)
        if isinstance(error, StoreUnavailable):
            return resp.error(Refused(masked(f"store unavailable, try again: {error}")))
        if isinstance(error, StoreError):
            return resp.error(Refused(masked(f"store error: {error}")))
        return resp.error(Refused("internal error"))

    def _too_slow(self) -> None:
        self._transport.abort()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
