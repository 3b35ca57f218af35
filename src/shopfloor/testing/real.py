"""A real server within the test's process, in a thread of its own: its store is in memory, and its clock travels."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast

import structlog
import uvloop
from structlog.typing import FilteringBoundLogger

from shopfloor.cli.build import build_server
from shopfloor.config import Binding, Settings, StorageUrl
from shopfloor.sdk.client import Client, ClientSettings
from shopfloor.sdk.current import CHOSEN
from shopfloor.sdk.jobs import JobFunction
from shopfloor.sdk.worker.settings import WorkerSettings
from shopfloor.sdk.worker.worker import Worker
from shopfloor.testing.clock import TravellingClock

START_SECONDS_MAX = 20.0

QUICK: Mapping[str, Any] = {
    "storage": StorageUrl("memory://"),
    "command_binding": Binding("127.0.0.1", 0),
    "schedule_seconds": 0.01,
    "fetch_seconds": 0.05,
    "drain_seconds": 1.0,
}
"""What a server of a test does otherwise than one of the world: it is never waited for."""


@dataclass(slots=True)
class ServerThread:
    """A server at work. `start`, then `stop`."""

    clock: TravellingClock = field(default_factory=TravellingClock)
    port: int = 0
    start_seconds: float = 0.0
    _ready: threading.Event = field(default_factory=threading.Event)
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: asyncio.Event | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, and return when clients are served."""
        began = time.perf_counter()
        self._thread = threading.Thread(target=self._run, name="shopfloor-server", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS_MAX):
            raise TimeoutError("the server of the tests did not start")
        self.start_seconds = time.perf_counter() - began

    def stop(self) -> None:
        """Stop, and return when it has."""
        if self._loop is not None and self._stopping is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = build_server(replace(Settings(), **QUICK), _silent_log(), None)
        server.broker.ticks.clock = self.clock
        await server.start()
        self._loop, self._stopping, self.port = asyncio.get_running_loop(), asyncio.Event(), server.port
        self._ready.set()
        await self._stopping.wait()
        await server.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class RealJobs:
    """A server that was empty when the test began, and a client through which every push of the process goes."""

    url: str
    client: Client
    clock: TravellingClock
    targets: Sequence[str | JobFunction[..., Any]] = ()

    def wait_for_due(self) -> None:
        """Return when no job that is due by the clock is left in `scheduled` and `retries`."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while any(self._first_due(place) <= self.clock() for place in ("scheduled", "retries")):
            if time.monotonic() > deadline:
                raise TimeoutError("jobs that are due are not enqueued")
            time.sleep(0.005)

    def _first_due(self, place: Literal["scheduled", "retries"]) -> float:
        first = self.client.jobs_in(place, count=1)["jobs"]
        return datetime.fromisoformat(first[0]["at"]).timestamp() if first else float("inf")

    def work(self, *targets: str | JobFunction[..., Any], queues: Sequence[str] = ("default",)) -> int:
        """Carry out what is in the queues until they are empty; answer how many runs there were."""
        settings = WorkerSettings(queues=queues, processes=0, until_empty=True, stop_seconds=5.0)
        worker = Worker(targets or self.targets, replace(settings, client=self.client.settings), self.url)
        with asyncio.Runner() as runner:
            runner.run(worker.serve())
        return worker.jobs_ended


@contextmanager
def real(server: ServerThread, targets: Sequence[str | JobFunction[..., Any]] = ()) -> Iterator[RealJobs]:
    """Empty a server for a test, and let every push of the process go there."""
    url = f"tcp://127.0.0.1:{server.port}"
    with Client(url, ClientSettings(clock=server.clock)) as client, CHOSEN.replaced(client):
        client.flush()
        yield RealJobs(url=url, client=client, clock=server.clock, targets=targets)


def _silent_log() -> FilteringBoundLogger:
    wrapper = structlog.make_filtering_bound_logger("critical")
    quiet = structlog.wrap_logger(structlog.ReturnLogger(), processors=[], wrapper_class=wrapper)
    return cast(FilteringBoundLogger, quiet)
