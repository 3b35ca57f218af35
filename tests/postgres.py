"""A PostgreSQL of the tests' own: started when a test first wants one, in a folder of its own, ended with the tests."""

import atexit
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from shopfloor.config.values import StorageUrl

HINT = "run scripts/install-test-tools postgres"
START_SECONDS = 60.0
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off")
"""For tests of what is done, not of what survives."""
USUAL = ("listen_addresses=127.0.0.1", "max_connections=200", "shared_buffers=64MB", "unix_socket_directories=")
UNPRIVILEGED = "nobody"
"""PostgreSQL does not run as root."""
PR_SET_PDEATHSIG = 1


def program(name: str) -> str:
    """Find one of PostgreSQL's programs; Debian keeps most of them off the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: -int(place.parent.name))
    found = shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ.get("PATH", "")]))
    if found is None:
        raise RuntimeError(f"{name} of PostgreSQL is not installed: {HINT}")
    return found


class Cluster:
    """A database server. `stop` and `start` as often as a test likes; what is in it stays."""

    def __init__(self, settings: Sequence[str] = FAST) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shopfloor-postgres-"))
        self.settings = settings
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self.folder, UNPRIVILEGED)
        init = [program("initdb"), "-D", self._data, "--no-sync", "-A", "trust", "-U", "shopfloor", "-E", "UTF8"]
        subprocess.run([*init, "--locale=C"], check=True, capture_output=True, user=_user(), group=_group())

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = [word for setting in (*USUAL, *self.settings) for word in ("-c", setting)]
        command = [program("postgres"), "-D", self._data, "-p", str(self.port), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, user=_user(), group=_group(), preexec_fn=_end_with_us
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"postgres does not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it: SIGINT is a fast stop, SIGQUIT an immediate one, as after a crash. May be called twice."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(START_SECONDS)

    def remove(self) -> None:
        """End it and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, schema: str, more: str = "", port: int = 0) -> StorageUrl:
        """Say where a store in that schema is; `port` of something that stands in between."""
        return StorageUrl(f"postgresql://shopfloor@127.0.0.1:{port or self.port}/postgres?schema={schema}{more}")

    def _answers(self) -> bool:
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0


@cache
def cluster() -> Cluster:
    """The one that most tests share, each with a schema of its own."""
    shared = Cluster()
    atexit.register(shared.remove)
    shared.start()
    return shared


def url_of(folder: Path, more: str = "", port: int = 0) -> StorageUrl:
    """The store that stands for a folder: the same one for the same folder, another one for another."""
    place = str(folder.resolve()).encode()
    return cluster().url(f"t_{sha256(place).hexdigest()[:20]}", more, port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _user() -> str | None:
    return UNPRIVILEGED if os.geteuid() == 0 else None


def _group() -> str | None:
    return "nogroup" if os.geteuid() == 0 else None


def _end_with_us() -> None:
    """Let the kernel end it when the tests are killed; no exit handler runs then."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
