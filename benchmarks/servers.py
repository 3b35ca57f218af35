"""The servers under measurement: how each is named, started fresh, known to be ready, and stopped."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import process_tree, tools
from benchmarks.errors import BenchmarkError
from benchmarks.process_tree import Usage

ADDRESS = "127.0.0.1"
GREETING = b"+HI "
# A server that reads ten million jobs back may take its time; one that never answers must not hang us.
BOOT_SECONDS_MAX = 900.0
STOP_SECONDS_MAX = 300.0
GREETING_SECONDS_MAX = 5.0
POLL_SECONDS = 0.002
LOG_TAIL_BYTES = 2_000
# What follows `shopfloor:` in a name; the first is what the server does when nothing is said.
SHOPFLOOR_FLAGS: Mapping[str, str] = {
    "commit": "--durability commit",
    "process": "--durability process",
    "none": "--durability none",
    "memory": "--storage memory://",
}
SHOPFLOOR = (
    f"{shlex.quote(sys.executable)} -m shopfloor serve -b {ADDRESS}:{{port}} -w :0"
    " -d {directory} -c {directory} -e development "
)
FAKTORY = f" -b {ADDRESS}:{{port}} -w {ADDRESS}:{{web_port}} -d {{directory}} -e development"
LABELLED = re.compile(r"[\w.:-]+=")
STORED = re.compile(r"shopfloor:(\w+://\S+)")
PASSWORD = re.compile(r"(//[^/:@]*):[^/@]*@")
NAMES_HELP = (
    "faktory | shopfloor[:commit|process|none|memory][@CHECKOUT] | shopfloor:STORAGE-URL"
    " | [LABEL=]COMMAND with {port} and, if it likes, {web_port} and {directory} in it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """A server by name: the command that starts it, {port}, {web_port} and {directory} to be filled in."""

    name: str
    command: str
    python_path: Path | None = None


def describe(name: str) -> ServerSpec:
    """Turn a name from the command line into a description, or raise an error that lists the forms."""
    if "{port}" in name:
        label, command = name.split("=", 1) if LABELLED.match(name) else (name, name)
        return ServerSpec(name=label, command=command)
    if name == "faktory":
        return ServerSpec(name=name, command=shlex.quote(str(tools.find("faktory"))) + FAKTORY)
    if stored := STORED.fullmatch(name):
        return ServerSpec(name=PASSWORD.sub(r"\1@", name), command=SHOPFLOOR + f"--storage {shlex.quote(stored[1])}")
    kind, _, checkout = name.partition("@")
    product, _, variant = kind.partition(":")
    flags = SHOPFLOOR_FLAGS.get(variant or "commit")
    if product == "shopfloor" and flags:
        source = Path(checkout) / "src" if checkout else tools.ROOT / "src"
        return ServerSpec(name=name, command=SHOPFLOOR + flags, python_path=source.resolve())
    raise BenchmarkError(f"no such server: {name} (one of: {NAMES_HELP})")


@dataclass(slots=True)
class Server:
    """A server in a folder of its own. After `start` it greets on `port`; after `stop` it may start again."""

    spec: ServerSpec
    directory: Path
    port: int = 0
    boot_seconds: float = 0.0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def process_id(self) -> int:
        assert self.process is not None, "the server was never started"
        return self.process.pid

    def start(self) -> None:
        """Start the server on free ports and wait until it greets; `boot_seconds` is how long that took."""
        self.port, web_port = _free_ports(2)
        filled = {"port": self.port, "web_port": web_port, "directory": self.directory}
        command = [word.format_map(filled) for word in shlex.split(self.spec.command)]
        began = time.perf_counter()
        with self._log.open("ab") as log:
            try:
                self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment())
            except OSError as error:
                raise BenchmarkError(f"{self.spec.name} cannot be started: {error}") from error
        while not self._greets():
            if self.process.poll() is not None or time.perf_counter() - began > BOOT_SECONDS_MAX:
                raise BenchmarkError(f"{self.spec.name} does not greet:\n{self._log_tail()}")
            time.sleep(POLL_SECONDS)
        self.boot_seconds = time.perf_counter() - began

    def stop(self) -> None:
        """Ask the server to end, wait, and kill what is left of its tree. Harmless when it never ran."""
        if self.process is None or self.process.poll() is not None:
            return
        tree = process_tree.process_ids(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _end_all(tree)

    def watch(self) -> Usage:
        """Open a window over the server's tree: `with server.watch() as usage: …`."""
        return Usage(self.process_id)

    @property
    def _log(self) -> Path:
        return self.directory.parent / "server.log"

    def _log_tail(self) -> str:
        return self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self.spec.python_path is not None:
            environment["PYTHONPATH"] = str(self.spec.python_path)
        return environment

    def _greets(self) -> bool:
        try:
            with socket.create_connection((ADDRESS, self.port), timeout=GREETING_SECONDS_MAX) as peer:
                return peer.recv(len(GREETING)) == GREETING
        except OSError:
            return False


@contextmanager
def running(spec: ServerSpec) -> Iterator[Server]:
    """Run a fresh server in a temporary folder (under TMPDIR) for as long as the block lasts."""
    home = Path(tempfile.mkdtemp(prefix="benchmark-"))
    server = Server(spec=spec, directory=home / "data")
    server.directory.mkdir()
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server((ADDRESS, 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def _end_all(process_ids: list[int]) -> None:
    """Wait for descendants that outlive their parent to finish what they write, then kill them."""
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while any(map(_alive, process_ids)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for process_id in filter(_alive, process_ids):
        os.kill(process_id, signal.SIGKILL)


def _alive(process_id: int) -> bool:
    return (process_tree.PROC / str(process_id)).exists()
