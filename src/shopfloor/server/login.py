"""Checking the password of a HELLO without holding up the job traffic.

A client of version 2 makes the server hash 4,000 to 8,095 times, some milliseconds of pure Python. That work is cut
in slices with rounds in between, and done for one client at a time, so that a crowd of (wrong) logins delays only
logins.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable

from shopfloor.errors import Hangup
from shopfloor.wire import handshake
from shopfloor.wire.handshake import Challenge, Hello

SLICE_ROUNDS = 400
"""About 0.2 ms of work between two turns of the event loop."""

Verdict = Callable[[Hangup | None], None]


class Login:
    """Asks for the password and judges the answer; without a password everybody is let in."""

    def __init__(self, password: str) -> None:
        self.password = password
        self._queue: deque[tuple[Hello, Challenge, Verdict]] = deque()
        self._digest = b""
        self._left = 0

    def challenge(self) -> Challenge | None:
        """Make the challenge of one connection."""
        return handshake.challenge(secrets.randbits(75)) if self.password else None

    def check(self, hello: Hello, asked: Challenge | None, verdict: Verdict) -> None:
        """Judge an answer and say so to `verdict`, at once or later."""
        if asked is None:
            verdict(None)
            return
        self._queue.append((hello, asked, verdict))
        if len(self._queue) == 1:
            self._begin()

    def _begin(self) -> None:
        hello, asked, _ = self._queue[0]
        self._digest = handshake.first_digest(self.password, asked.salt)
        self._left = handshake.rounds(hello, asked) - 1
        self._go_on()

    def _go_on(self) -> None:
        count = min(SLICE_ROUNDS, self._left)
        self._digest = handshake.further_digest(self._digest, count)
        self._left -= count
        if self._left:
            asyncio.get_running_loop().call_soon(self._go_on)
            return
        hello, _, verdict = self._queue.popleft()
        try:
            handshake.check_password(hello, self._digest)
        except Hangup as hangup:
            verdict(hangup)
        else:
            verdict(None)
        if self._queue:
            asyncio.get_running_loop().call_soon(self._begin)
