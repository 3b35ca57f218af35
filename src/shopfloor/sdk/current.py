"""The client that `f.push(…)` uses: the one that was chosen, else one for the server that the environment names."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from weakref import WeakKeyDictionary

from shopfloor.errors import ShopfloorError
from shopfloor.sdk.async_client import AsyncClient
from shopfloor.sdk.client import DEFAULTS, Client, ClientSettings
from shopfloor.sdk.order import Order


class Pushes(Protocol):
    """What `f.push(…)` needs: a `Client`, or what a test puts in its place."""

    @property
    def settings(self) -> ClientSettings:
        """How the client behaves."""
        ...

    def push(self, order: Order) -> str:
        """Push a job; answer its jid."""
        ...

    def push_bulk(self, orders: list[Order]) -> list[str]:
        """Push many jobs; answer their jids."""
        ...


class PushesLater(Protocol):
    """What `await f.apush(…)` needs."""

    async def push(self, order: Order) -> str:
        """Push a job; answer its jid."""
        ...


class Chosen:
    """Owns the clients of this process that nobody passes around."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._url: str | None = None
        self._settings = DEFAULTS
        self._client: Pushes | None = None
        self._asynchronous: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()
        self._everywhere: Pushes | None = None

    def connect(self, url: str | None, settings: ClientSettings) -> Client:
        """Choose the server for every push that names no client."""
        client = Client(url, settings)
        with self._lock:
            self._url, self._settings, self._client = url, settings, client
            self._asynchronous = WeakKeyDictionary()
        return client

    def client(self) -> Pushes:
        """Answer the client of this process, made when it is first needed."""
        if self._everywhere is not None:
            return self._everywhere
        with self._lock:
            if self._client is None:
                self._client = Client(self._url, self._settings)
            return self._client

    def asynchronous(self) -> PushesLater:
        """Answer the client of the running event loop."""
        if self._everywhere is not None:
            return _AtOnce(self._everywhere)
        return self._of_the_loop()

    def connected(self) -> Client:
        """Answer the client of this process where a whole one is needed, for batches and workflows."""
        client = self.client()
        if not isinstance(client, Client):
            raise ShopfloorError(f"this needs a server, and there is only {client!r}")
        return client

    def connected_asynchronously(self) -> AsyncClient:
        """Answer the client of the running event loop where a whole one is needed."""
        if self._everywhere is not None and not isinstance(self._everywhere, Client):
            raise ShopfloorError(f"this needs a server, and there is only {self._everywhere!r}")
        return self._of_the_loop()

    def _of_the_loop(self) -> AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._asynchronous.get(loop)
        if client is None:
            chosen = self._everywhere
            url = chosen.address.url() if isinstance(chosen, Client) else self._url
            client = self._asynchronous[loop] = AsyncClient(url, self._settings)
        return client

    @contextmanager
    def replaced(self, stand_in: Pushes) -> Iterator[None]:
        """Let every push of the process go somewhere else for a while, as tests do."""
        before, self._everywhere = self._everywhere, stand_in
        try:
            yield
        finally:
            self._everywhere = before


class _AtOnce:
    """A blocking client where an asynchronous one is expected; for stand-ins, which do not block."""

    def __init__(self, inner: Pushes) -> None:
        self._inner = inner

    async def push(self, order: Order) -> str:
        return self._inner.push(order)


CHOSEN = Chosen()


def connect(url: str | None = None, settings: ClientSettings = DEFAULTS) -> Client:
    """Choose the server, and the middleware, for every `push` of this process that names no client.

    Without a call of it the first push connects to where FAKTORY_PROVIDER or FAKTORY_URL say, or to this machine.
    """
    return CHOSEN.connect(url, settings)
