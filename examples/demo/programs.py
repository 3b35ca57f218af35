"""The programs of the demo: the server, a worker in Python, a worker in Node, and how each is started and killed."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLS = ROOT / ".tools"
PACKAGES = TOOLS / "demo"
START_SECONDS_MAX = 20.0
# A real server gives a silent worker 60 s and one that lost its connection 15 s; nobody should wait for that here.
IMPATIENCE = ("--worker-seconds", "5", "--worker-grace-seconds", "2", "--reap-seconds", "0.5")


class DemoFailed(Exception):
    """Something is not as the demo promises."""


def prepare_node() -> None:
    """Find or install Node, and install the client's package from npm, once."""
    done = subprocess.run([str(ROOT / "scripts" / "install-test-tools"), "node"], check=False)
    if done.returncode != 0:
        raise DemoFailed("there is no Node; with ARGS=--python-only the demo does without")
    lock = (HERE / "package-lock.json").read_bytes()
    stamp, digest = PACKAGES / "stamp", hashlib.sha256(lock).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    PACKAGES.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, PACKAGES)
    npm = [str(TOOLS / "bin" / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    if subprocess.run(npm, cwd=PACKAGES, env=node_environment(), check=False).returncode != 0:
        raise DemoFailed("npm could not install faktory-worker; with ARGS=--python-only the demo does without")
    stamp.write_text(digest)


def node_environment() -> dict[str, str]:
    """Let Node be found first, and its packages where `prepare_node` puts them."""
    path = os.pathsep.join([str(TOOLS / "bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "NODE_PATH": str(PACKAGES / "node_modules")}


@dataclass(kw_only=True)
class Programs:
    """What runs, in a folder of its own; `with` sees to it that nothing is left running."""

    folder: Path
    with_node: bool
    port: int = 0
    server: subprocess.Popen[bytes] | None = None
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> "Programs":
        """Choose a port that is free."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything: the server in the orderly way, to see that it can."""
        for name in list(self.workers):
            self.kill_worker(name)
        if self.server is not None:
            self.server.terminate()
            if self.server.wait(START_SECONDS_MAX) != 0:
                raise DemoFailed(f"the server ended with code {self.server.returncode}\n{self.log_tail()}")

    @property
    def store(self) -> Path:
        """The file in which the server keeps everything."""
        return self.folder / "shopfloor.db"

    def start_server(self) -> float:
        """Start the server on our port and folder; return the seconds until it greeted."""
        command = [sys.executable, "-m", "shopfloor", "serve", "-b", f"127.0.0.1:{self.port}", "-w", ":0"]
        command += ["-d", str(self.folder), "-c", str(self.folder), *IMPATIENCE]
        began = time.monotonic()
        with self._log("server").open("ab") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log, env=_without_settings())
        while not self._greets():
            if self.server.poll() is not None or time.monotonic() - began > START_SECONDS_MAX:
                raise DemoFailed(f"the server did not start\n{self.log_tail()}")
            time.sleep(0.01)
        return time.monotonic() - began

    def kill_server(self) -> None:
        """End the server as a loss of power would end it: it gets no chance to write or say anything."""
        assert self.server is not None
        self.server.kill()
        self.server.wait()
        self.server = None

    def start_worker(self, name: str) -> None:
        """Start a worker process, `python` or `node`."""
        diary, port = str(self._diary(name)), str(self.port)
        command, environment = [sys.executable, str(HERE / "worker.py"), port, diary], dict(os.environ)
        if name == "node":
            command = [str(TOOLS / "bin" / "node"), str(HERE / "worker.js"), diary]
            environment = {**node_environment(), "FAKTORY_URL": f"tcp://127.0.0.1:{port}"}
        with self._log(name).open("ab") as log:
            self.workers[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def kill_worker(self, name: str) -> None:
        """End a worker process without a word to the server."""
        worker = self.workers.pop(name)
        worker.kill()
        worker.wait()

    def check_workers(self) -> None:
        """Say so where a worker ended by itself."""
        for name, worker in self.workers.items():
            if worker.poll() is not None:
                raise DemoFailed(f"the {name} worker ended by itself\n{_tail(self._log(name))}")

    def notes(self, name: str) -> list[tuple[str, str]]:
        """Read a worker's diary: (`done` or `failed`, jid), in order."""
        path = self._diary(name)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(word, jid) for word, _, jid in (line.partition(" ") for line in lines)]

    def log_tail(self) -> str:
        """Show what the server said last."""
        return _tail(self._log("server"))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _diary(self, name: str) -> Path:
        return self.folder / f"{name}.diary"

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as peer:
                return peer.recv(4) == b"+HI "
        except OSError:
            return False


def _without_settings() -> dict[str, str]:
    """Leave out settings of the machine: the demo's server is to be the same everywhere."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("SHOPFLOOR_", "FAKTORY_"))}


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else "it said nothing"
