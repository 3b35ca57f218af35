"""StatsD: what `/metrics` tells whoever asks is sent here, once a second, under the names of Faktory Enterprise.

The figures are those of the broker's `Counts`; nothing is counted a second time. A datagram that the system does not
take at once is dropped, so that no round ever waits for whoever collects them.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from shopfloor.broker.asks import Verb
from shopfloor.broker.broker import Broker
from shopfloor.broker.counts import Counts, Event, Kind
from shopfloor.broker.glance import Watched
from shopfloor.broker.reports import Vitals
from shopfloor.errors import ShopfloorError

FLUSH_SECONDS: Final = 1.0
GAUGE_FLUSHES: Final = 30
"""Gauges are sent every 30 seconds, as Faktory Enterprise does."""
UDP_BYTES_MAX: Final = 1_432
"""What fits into one packet of an Ethernet, as those who collect recommend."""
UNIX_BYTES_MAX: Final = 8_192
QUEUES_MAX: Final = 100
"""Queues that have gauges of their own, those with most jobs first."""

COUNTERS: Final[Mapping[str, tuple[Event, ...]]] = {
    "jobs.count": ("done", "failed", "died"),
    "jobs.failed": ("failed", "died"),
    "jobs.expired": ("expired",),
    "jobs.pushed": ("pushed",),
    "jobs.fetched": ("started",),
}
_NOT_IN_TAGS = re.compile(r"[|,#\s\x00-\x1f\x7f]")


class Target(Struct, frozen=True, kw_only=True):
    """Where to send, and how. A `path` is that of a unix socket; otherwise it is host and port."""

    host: str = ""
    port: int = 8125
    path: str = ""
    namespace: str = "faktory."
    tags: tuple[str, ...] = ()
    queue_latency: tuple[str, ...] = ()
    """Queues whose latency is wanted; empty means those with most jobs."""


class Lines:
    """Writes lines: a name, a value, a type, tags."""

    def __init__(self, target: Target) -> None:
        self._namespace = target.namespace
        self._tags = target.tags

    def line(self, name: str, value: float, kind: str, **tags: str) -> bytes:
        """Write one; what a stranger called a queue or type cannot make another line of it."""
        told = [*self._tags, *[f"{key}:{_NOT_IN_TAGS.sub('_', text)}" for key, text in tags.items()]]
        ends = f"|#{','.join(told)}" if told else ""
        return f"{self._namespace}{name}:{value:.12g}|{kind}{ends}".encode(errors="replace")


class Differences:
    """What the counters have grown by since they were last read here."""

    def __init__(self, counts: Counts, lines: Lines) -> None:
        self._counts = counts
        self._lines = lines
        self._told: dict[tuple[str, Kind], int] = {}
        self.read()

    def read(self) -> list[bytes]:
        """Write down what has happened, and how long the jobs ran, of many a sample."""
        self._counts.fold()
        spent, self._counts.spent = self._counts.spent or {}, {}
        written: list[bytes] = []
        for name, events in COUNTERS.items():
            for kind, grown in self._grown(name, events):
                written.append(self._lines.line(name, grown, "c", queue=kind[0], jobtype=kind[1]))
                if name == "jobs.count":
                    written += self._times(kind, spent.get(kind, ()), grown)
        return written

    def _times(self, kind: Kind, seconds: Sequence[float], runs: int) -> Iterator[bytes]:
        rate = "ms" if len(seconds) >= runs else f"ms|@{len(seconds) / runs:.6g}"
        for one in seconds:
            yield self._lines.line("jobs.perform", one * 1000, rate, queue=kind[0], jobtype=kind[1])

    def _grown(self, name: str, events: Sequence[Event]) -> Iterator[tuple[Kind, int]]:
        for kind in sorted({kind for event in events for kind in self._counts.totals[event]}):
            total = sum(self._counts.totals[event].get(kind, 0) for event in events)
            before = self._told.get((name, kind), 0)
            if total > before:
                self._told[name, kind] = total
                yield kind, total - before


def gauges(lines: Lines, watched: Watched, ages: Mapping[str, float], connections: int) -> Iterator[bytes]:
    """Write what is: places, queues, connections. Both forms of the queues' names are sent, as Faktory does."""
    figures = watched.totals.figures
    for name in ("processed", "failures", "scheduled", "retries", "dead", "working"):
        yield lines.line(name, getattr(figures, name), "g")
    yield lines.line("busy", figures.working, "g")
    yield lines.line("enqueued", watched.totals.enqueued, "g")
    yield lines.line("ops.connections", connections, "g")
    for queue in watched.queues:
        yield lines.line(f"enqueued.{queue.name}", queue.size, "g")
        yield lines.line("queue.size", queue.size, "g", queue=queue.name)
    for queue_name, seconds in ages.items():
        yield lines.line(f"latency.{queue_name}", seconds, "g")
        yield lines.line("queue.latency", seconds, "g", queue=queue_name)


def packed(lines: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Put lines together into datagrams; one that is too long by itself goes alone."""
    held = b""
    for line in lines:
        if held and len(held) + 1 + len(line) > most:
            yield held
            held = b""
        held = held + b"\n" + line if held else line
    if held:
        yield held


class Statsd:
    """Sends until it is stopped. `start` after the server; `stop` before it."""

    def __init__(self, broker: Broker, vitals: Callable[[], Vitals], target: Target, log: FilteringBoundLogger) -> None:
        self._broker = broker
        self._vitals = vitals
        self._target = target
        self._log = log
        self._lines = Lines(target)
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._fails = False
        self.dropped = 0
        """Datagrams that the system did not take at once."""

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name="statsd")

    async def stop(self) -> None:
        """Send no more. May be called twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._broker.context.counts.spent = None
        self._close()

    async def _run(self) -> None:
        differences = Differences(self._broker.context.counts, self._lines)
        flush = 0
        while True:
            try:
                await self._send(await self._gauges() if flush % GAUGE_FLUSHES == 0 else [])
                flush += 1
                await asyncio.sleep(FLUSH_SECONDS)
                await self._send(differences.read())
            except (OSError, ShopfloorError) as error:
                self._failed(error)
                await asyncio.sleep(FLUSH_SECONDS)

    async def _gauges(self) -> list[bytes]:
        watched, ages = await self._broker.ticks.run(self._look())
        return list(gauges(self._lines, watched, ages, self._vitals().connections))

    def _look(self) -> Verb[tuple[Watched, Mapping[str, float]]]:
        watched = yield from self._broker.glances.watched(QUEUES_MAX)
        if not self._target.queue_latency:
            return watched, {queue.name: queue.age_seconds for queue in watched.queues}
        return watched, (yield from self._broker.queues.ages(self._target.queue_latency))

    async def _send(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        if self._socket is None:
            self._socket = await self._opened()
        most = UNIX_BYTES_MAX if self._target.path else UDP_BYTES_MAX
        for datagram in packed(lines, most):
            try:
                self._socket.send(datagram)
            except BlockingIOError:
                self.dropped += 1
        self._fails = False

    async def _opened(self) -> socket.socket:
        """Open a socket that never blocks; names are looked up in a thread."""
        target, family = self._target, socket.AF_UNIX
        address: Any = target.path
        if not target.path:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
            family, address = found[0][0], found[0][4]
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.connect(address)
        except OSError:
            opened.close()
            raise
        return opened

    def _failed(self, error: Exception) -> None:
        """Say once that nobody takes the figures, and try a new socket with the next ones."""
        if not self._fails:
            self._log.warning("statsd cannot be reached; figures are lost until it can", error=str(error))
        self._fails = True
        self._close()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
