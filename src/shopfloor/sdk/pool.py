"""The connections of a blocking client: as many as are in use at once, kept for the next who asks."""

import os
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shopfloor.errors import ServerUnreachable
from shopfloor.sdk.link import Link
from shopfloor.wire.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect to, and how."""

    address: Address
    seconds: float
    trust: ssl.SSLContext | None = None


class Pool:
    """Lends links. A child process that inherits one begins with an empty one: sockets are not shared."""

    def __init__(self, target: Target, links_max: int) -> None:
        self._target = target
        self._room = threading.BoundedSemaphore(links_max)
        self._idle: deque[Link] = deque()
        self._pid = os.getpid()

    @contextmanager
    def lend(self) -> Iterator[tuple[Link, bool]]:
        """Lend a link, and say whether it was in use before; one whose use raised is not used again."""
        if not self._room.acquire(timeout=self._target.seconds):
            raise ServerUnreachable(f"every connection to {self._target.address} is in use")
        try:
            link, used = self._take()
            try:
                yield link, used
            except BaseException:
                link.close()
                raise
            self._idle.append(link)
        finally:
            self._room.release()

    def close(self) -> None:
        """Close what is idle; what is lent is closed by nobody until it comes back."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> tuple[Link, bool]:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._idle.clear()
        try:
            return self._idle.pop(), True
        except IndexError:
            return Link(self._target.address, self._target.seconds, self._target.trust), False
