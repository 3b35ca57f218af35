"""Private Redis servers for tests: each in a folder of its own, on a Unix socket, ended with the tests.

Most tests share one, under a prefix of their own; those that stop, fill or break a server start theirs.
"""

import atexit
import ctypes
import hashlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import hiredis

from shopfloor.config import StorageUrl
from shopfloor.store.redis.connection import packed

START_SECONDS = 20.0
STOP_SECONDS = 20.0
PR_SET_PDEATHSIG = 1
MISSING = "redis-server 7 is missing: run scripts/install-test-tools redis-server"


class Redis:
    """One server. After `kill` or `stop` it may `start` again on the same data."""

    def __init__(self, folder: Path, *settings: str, first: str = "") -> None:
        self.folder = folder
        self._first = [first] if first else []
        self.socket = folder / "redis.sock"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        assert program, MISSING
        command = [
            program,
            *self._first,
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(self.folder),
            *self._settings,
        ]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_die_with_the_tests)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.ask("PING") == b"PONG":
                    return
            except (OSError, hiredis.ReplyError):
                pass
            time.sleep(0.005)
        raise AssertionError(f"redis did not come up: {(self.folder / 'redis.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it as a crash does."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is not None and self._process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            self.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> None:
        """Wait until it has ended."""
        assert self._process is not None
        self._process.wait(STOP_SECONDS)

    def ask(self, *command: str | bytes | int) -> object:
        """Send a command, as an operator would, and answer the reply; errors are raised."""
        reader = hiredis.Reader()
        with self.line() as line:
            line.sendall(packed(command))
            while (reply := reader.gets()) is False:
                received = line.recv(65536)
                if not received:
                    raise ConnectionResetError("redis hung up")
                reader.feed(received)
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    @contextmanager
    def line(self) -> Iterator[socket.socket]:
        """Connect to it."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(STOP_SECONDS)
            line.connect(str(self.socket))
            yield line

    def text(self, *command: str | bytes | int) -> str:
        """Send a command and answer its reply, which is a text."""
        reply = self.ask(*command)
        assert isinstance(reply, bytes)
        return reply.decode()

    def url(self, prefix: str = "shopfloor", **options: str | int) -> StorageUrl:
        """Name a data set in it."""
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return StorageUrl(f"redis://{self.socket}?prefix={prefix}{more}")


def _die_with_the_tests() -> None:
    """Have the kernel end it when the tests are killed. Between fork and exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def running(*settings: str) -> Iterator[Redis]:
    """Run a server for as long as the block lasts."""
    home = Path(tempfile.mkdtemp(prefix="shopfloor-redis-"))
    redis = Redis(home, *settings)
    try:
        redis.start()
        yield redis
    finally:
        redis.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def watching(port: int, settings: str) -> Iterator[Redis]:
    """Run a sentinel, which writes what it learns into its settings."""
    home = Path(tempfile.mkdtemp(prefix="shopfloor-sentinel-"))
    (home / "sentinel.conf").write_text(settings)
    sentinel = Redis(home, "--port", str(port), "--bind", "127.0.0.1", "--sentinel", first=str(home / "sentinel.conf"))
    try:
        sentinel.start()
        yield sentinel
    finally:
        sentinel.stop()
        shutil.rmtree(home, ignore_errors=True)


@cache
def shared() -> Redis:
    """Start the server that most tests share. It appends to a file, which is synced when the kernel likes."""
    home = Path(tempfile.mkdtemp(prefix="shopfloor-redis-"))
    redis = Redis(home, "--save", "", "--appendonly", "yes", "--appendfsync", "no")
    redis.start()

    def end() -> None:
        redis.stop()
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(end)
    return redis


def shared_url(folder: Path) -> StorageUrl:
    """Name an empty data set for each folder, and the same for the same one, also by way of a link."""
    return shared().url("t-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16])
