"""The web port: HTTP on a socket of its own, in the event loop that the jobs are in.

uvicorn's connection does the talking. Its server is left out: that one takes the process's signals, looks ten times a
second whether it should end, and leaves with `sys.exit`. What is added is a time by which a request must be there.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Any

from msgspec import Struct
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from shopfloor.web import limits

BACKLOG = 128
STOP_SECONDS = 2.0
"""Time for answers under way when the server stops."""


class Binding(Struct, frozen=True, kw_only=True):
    """Where to listen."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class _Connection(H11Protocol):
    """One visitor's connection; it is closed where a request does not come whole in time."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # there is none before the first request
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._wait_no_more()
        elif self._patience is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._patience = self.loop.call_later(limits.REQUEST_SECONDS, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class WebListener:
    """Serves one application on one port. `start`, then `stop`; `stop` may be called twice."""

    def __init__(self, app: ASGIApp, binding: Binding) -> None:
        self.port = binding.port
        self._binding = binding
        self._state = ServerState()
        self._listener: asyncio.Server | None = None
        self._config = Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=limits.CONNECTIONS_MAX,
            timeout_keep_alive=int(limits.IDLE_SECONDS),
            h11_max_incomplete_event_size=limits.HEADER_BYTES_MAX,
        )

    async def start(self) -> None:
        """Listen; once this returns, visitors are served."""
        self._config.load()
        binding = self._binding
        self._listener = await asyncio.get_running_loop().create_server(
            self._connection,
            binding.host or None,
            binding.port,
            ssl=binding.tls,
            ssl_handshake_timeout=limits.TLS_SECONDS if binding.tls else None,
            backlog=BACKLOG,
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Answer what was asked, for a short while, and close every connection."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = set(self._state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*late, return_exceptions=True)
        for connection in list(self._state.connections):
            connection.transport.abort()

    def _connection(self) -> asyncio.Protocol:
        state: dict[str, Any] = {}
        return _Connection(config=self._config, server_state=self._state, app_state=state)
