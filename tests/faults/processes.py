"""A real server process on a file of its own: started, killed, stopped, and what it said when it would not start."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from shopfloor.config.settings import Durability

START_SECONDS = 60.0
STOP_SECONDS = 45.0
LOOK_SECONDS = 0.005
ROOT = Path(__file__).parents[2]
SERVE = ("-m", "shopfloor")
"""What Python runs; `tests.faults.sick_disk` takes its place where the disk is to fail on cue."""


class Ended(Struct, frozen=True, kw_only=True):
    """How a server process ended by itself."""

    code: int
    stderr: str

    def complaint(self) -> str:
        """Answer the one line that it said on stderr; fail where it said more, or less."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert "Traceback" not in self.stderr
        return lines[0]


class ServerProcess:
    """One run of `shopfloor serve` on the store in a folder. It has started when this is made."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        durability: Durability = "commit",
        program: Sequence[str] = SERVE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.file = folder / "shopfloor.db"
        self._out = _beside(folder, "out")
        self._err = _beside(folder, "err")
        command = [sys.executable, *program, "serve", "-b", "127.0.0.1:0", "-w", ":0", "-d", str(folder)]
        command += ["-c", str(folder), "-e", "development", "--durability", durability, *flags]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                command, stdout=out, stderr=err, cwd=ROOT, env={**_environment(), **(environment or {})}
            )

    def port(self) -> int:
        """Wait until it serves; answer where."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = re.search(r"shopfloor serves .*address=\S*:(\d+)", self._out.read_text())
            if found:
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(LOOK_SECONDS)
        raise AssertionError(f"the server did not come up; it said:\n{self.said()}")

    def kill(self) -> None:
        """End it at once, with a signal that no process can catch."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to stop."""
        self._process.send_signal(number)

    def ended(self) -> Ended:
        """Wait until it has ended."""
        code = self._process.wait(STOP_SECONDS)
        return Ended(code=code, stderr=self._err.read_text())

    def said(self) -> str:
        """Read all that it wrote so far."""
        return self._out.read_text() + self._err.read_text()

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, *unused: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.kill()


def refused_start(folder: Path, *flags: str, durability: Durability = "commit") -> Ended:
    """Start a server that is to end by itself."""
    with ServerProcess(folder, *flags, durability=durability) as server:
        return server.ended()


def _beside(folder: Path, ending: str) -> Path:
    """Logs are beside the folder, not in it: it may be full, or read-only."""
    return folder.with_name(f"{folder.name}.{ending}")


def _environment() -> dict[str, str]:
    """Drop what may name another server, and what makes asyncio slow; our tests can be imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FAKTORY", "SHOPFLOOR"))}
    kept.pop("PYTHONASYNCIODEBUG", None)
    return kept
