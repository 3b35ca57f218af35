"""Running the command: in this process by click's runner, or as a program of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from shopfloor.cli.address import parse_address
from shopfloor.cli.connection import Connection
from shopfloor.cli.main import main

START_SECONDS = 60.0
STOP_SECONDS = 45.0
OURS = ("FAKTORY", "SHOPFLOOR")
ADDRESS = re.compile(r"shopfloor serves .*address=\S*?:(\d+) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    complaints: list[str]

    @property
    def document(self) -> Any:
        """The one JSON document that it wrote."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Shell:
    """A user's surroundings: a home of their own, and the variables that they set."""

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, lines: str = "", variables: Mapping[str, str] | None = None) -> Said:
        """Run a command; `lines` is what it reads."""
        unset: dict[str, str | None] = {name: None for name in os.environ if name.startswith(OURS)}
        environment = {**unset, "HOME": str(self.home), **self.variables, **(variables or {})}
        result = CliRunner().invoke(main, arguments, input=lines, env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(code=result.exit_code, out=result.stdout, complaints=result.stderr.splitlines())

    def done(self, *arguments: str, lines: str = "") -> str:
        """Run a command that must succeed without a complaint; return what it wrote."""
        said = self(*arguments, lines=lines)
        assert (said.code, said.complaints) == (0, []), said
        return said.out

    def told(self, *arguments: str) -> Any:
        """Run a command with --json and return its document."""
        return json.loads(self.done(*arguments, "--json"))

    def connect(self) -> Connection:
        """Connect past the commands."""
        return Connection(parse_address(self.variables["FAKTORY_URL"], "FAKTORY_URL"), 5)


@dataclass(frozen=True, slots=True)
class Program:
    """A server that runs as a process of its own."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def port(self) -> int:
        """The port it said it serves."""
        found = ADDRESS.search(self.log.read_text())
        assert found, self.log.read_text()
        return int(found[1])

    def url(self) -> str:
        """Its address."""
        return f"tcp://127.0.0.1:{self.port}"

    def wait_for(self, text: str) -> str:
        """Wait until its log says something; return the log."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if text in (log := self.log.read_text()):
                return log
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"it never said {text!r}:\n{self.log.read_text()}")


def start(folder: Path, *options: str, variables: Mapping[str, str] | None = None) -> Program:
    """Start `shopfloor serve` on a free port; its log holds both streams."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    command = [sys.executable, "-m", "shopfloor", "serve", "-b", "127.0.0.1:0", "-w", ":0"]
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "-d", str(folder / "data"), "-c", str(folder / "conf"), *options],
            stdout=stream,
            stderr=stream,
            cwd=folder,
            env={**kept, "HOME": str(folder), **(variables or {})},
        )
    return Program(process, log)


@contextlib.contextmanager
def running(folder: Path, *options: str, variables: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run a server that serves; it is stopped, and killed if need be, at the end."""
    program = start(folder, *options, variables=variables)
    try:
        program.wait_for("shopfloor serves")
        yield program
    finally:
        program.process.terminate()
        try:
            program.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            program.process.send_signal(signal.SIGKILL)
            program.process.wait()
