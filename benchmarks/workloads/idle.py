"""Thousands of parked workers and no work: what it costs the server that everybody keeps asking.

Each worker has its own wid and one connection. It sends FETCH again when one came back empty, and a BEAT
before it when one is due, as real workers do; with one connection each, 2,000 of them stay within Faktory's
limit of 2,000.
"""

import resource
import selectors
import socket
import time
from dataclasses import dataclass

from benchmarks import process_tree
from benchmarks.connection import FETCH, hello
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, fact, less
from benchmarks.servers import ADDRESS, ServerSpec, running
from benchmarks.workload import Workload, option

CONNECT_SECONDS_MAX = 10.0
RECEIVE_BYTES_MAX = 4_096
LINE_END = b"\r\n"
# The server inherits the limit on open files, and needs some for its store.
SPARE_FILES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How many, how long."""

    workers: int = option(2_000, "parked workers, each with a wid and a connection")
    settle_seconds: float = option(5.0, "time between the last HELLO and the window")
    window_seconds: float = option(20.0, "length of the window")
    beat_seconds: float = option(15.0, "time between two BEATs of a worker")


class ParkedWorker:
    """One worker's connection: how many replies it waits for, and when its next BEAT is due."""

    def __init__(self, port: int, number: int, next_beat: float) -> None:
        self.wid = f"idle-{number:08d}"
        self.next_beat = next_beat
        self.socket = socket.create_connection((ADDRESS, port), timeout=CONNECT_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._waiting = 1
        self._read_to_end()  # the greeting; the reply to HELLO is one line as well
        self.socket.sendall(hello(self.wid))
        self._read_to_end()
        self.socket.setblocking(False)

    def ask(self, now: float, beat_seconds: float) -> bool:
        """Send FETCH, and BEAT before it when one is due; tell whether one was."""
        due = now >= self.next_beat
        if due:
            self.next_beat = now + beat_seconds
            self.socket.sendall(b'BEAT {"wid":"%b"}\r\n%b' % (self.wid.encode(), FETCH))
        else:
            self.socket.sendall(FETCH)
        self._waiting = 2 if due else 1
        return due

    def read(self) -> bool:
        """Take in what came; tell whether all replies are here. Only OK and empty fetches are expected."""
        came = self.socket.recv(RECEIVE_BYTES_MAX)
        if not came:
            raise BenchmarkError(f"the server hung up on {self.wid}")
        self._received += came
        if self._received.count(LINE_END) < self._waiting:
            return False
        if not set(self._received.split(LINE_END)) <= {b"", b"+OK", b"$-1", b'+HI {"v":2}'}:
            raise BenchmarkError(f"the server answered {self._received!r} to {self.wid}")
        self._received = b""
        return True

    def answer(self, now: float, beat_seconds: float) -> tuple[int, int]:
        """Read, and ask again when everything is here; give how many fetches and beats that sent."""
        if not self.read():
            return 0, 0
        return 1, int(self.ask(now, beat_seconds))

    def _read_to_end(self) -> None:
        while not self.read():
            pass


def run(spec: ServerSpec, settings: Settings) -> list[Measurement]:
    """Park the workers on a fresh server and watch it for a while."""
    _raise_file_limit(settings.workers)
    with running(spec) as server:
        workers = _park(server.port, settings)
        try:
            _attend(workers, settings.settle_seconds, settings.beat_seconds)
            with server.watch() as usage:
                fetches, beats = _attend(workers, settings.window_seconds, settings.beat_seconds)
        finally:
            for worker in workers:
                worker.socket.close()
        return [
            less("server_cpu_cores", usage.server_cpu_seconds / usage.wall_seconds),
            less("peak_rss_mib", process_tree.rss_mib(server.process_id, peak=True)),
            fact("fetches_per_second", fetches / usage.wall_seconds),
            fact("beats_per_second", beats / usage.wall_seconds),
            fact("others_cores", usage.others_cores),
        ]


def _park(port: int, settings: Settings) -> list[ParkedWorker]:
    """Connect everyone; first beats are spread over the interval, as if they had started one by one."""
    began = time.monotonic()
    workers = []
    for number in range(settings.workers):
        first_beat = began + settings.beat_seconds * number / settings.workers
        workers.append(ParkedWorker(port, number, first_beat))
        # At once, not all at the end: Faktory's Redis refuses hundreds of new connections in one moment.
        workers[-1].ask(began, settings.beat_seconds)
    return workers


def _attend(workers: list[ParkedWorker], seconds: float, beat_seconds: float) -> tuple[int, int]:
    """Answer every empty fetch with the next one for that long; give the number of fetches and beats sent."""
    fetches = beats = 0
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.socket, selectors.EVENT_READ, worker)
        while (left := end - time.monotonic()) > 0:
            ready = selector.select(left)
            now = time.monotonic()
            for key, _ in ready:
                fetched, beaten = key.data.answer(now, beat_seconds)
                fetches += fetched
                beats += beaten
    return fetches, beats


def _raise_file_limit(workers: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = workers + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchmarkError(f"{workers} workers need {needed} open files, the limit here is {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


WORKLOAD = Workload(
    name="idle",
    summary="CPU of the server while thousands of workers are parked and beat",
    settings=Settings(),
    quick=Settings(workers=20, settle_seconds=0.1, window_seconds=2.5, beat_seconds=1.0),
    run=run,
)
