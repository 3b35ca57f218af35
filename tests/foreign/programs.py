"""Runs a client's small program and reads the JSON lines that it prints, one event a line."""

import json
import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.foreign.servers import Server, end_at_once

PRODUCE_SECONDS = 60.0
EVENT_SECONDS = 60.0

Event = Mapping[str, Any]


def environment_for(server: Server, *, password: str | None = None) -> dict[str, str]:
    """Tell a client where the server is by the variables that all clients know, and nothing else of ours."""
    # A machine may name its own certificates in SSL_CERT_FILE; here that variable means that TLS is wanted.
    kept = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    environment = {name: value for name, value in kept.items() if not name.startswith("FAKTORY")}
    environment["FAKTORY_URL"] = server.url(password=password)
    if server.authority is not None:
        environment["SSL_CERT_FILE"] = str(server.authority)
    return environment


def run(command: Sequence[str], told: Any, environment: Mapping[str, str]) -> tuple[int, list[Event]]:
    """Run a sub-command to its end; what it is told goes in as JSON, its exit code and events come out."""
    finished = subprocess.run(
        command,
        input=json.dumps(told),
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=PRODUCE_SECONDS,
        check=False,
    )
    events = [json.loads(line) for line in finished.stdout.splitlines()]
    if not events:
        raise AssertionError(f"{command} said nothing but:\n{finished.stderr}")
    return finished.returncode, events


class Working:
    """A worker that runs in the background until it ends by itself or is stopped."""

    def __init__(self, command: Sequence[str], told: Any, environment: Mapping[str, str], complaints: Path) -> None:
        self._complaints = complaints
        with complaints.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, json.dumps(told)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                start_new_session=True,
            )
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, name: str, seconds: float = EVENT_SECONDS) -> Event:
        """Return the next event of that name; events of other names before it are passed over."""
        while True:
            try:
                event = self._events.get(timeout=seconds)
            except queue.Empty:
                raise AssertionError(f"no {name!r} within {seconds} s; {self._last_words()}") from None
            if event is None:
                raise AssertionError(f"the worker ended before {name!r}; {self._last_words()}")
            if event["event"] == name:
                return event
            if event["event"] == "refused":
                raise AssertionError(f"no {name!r}, the worker gave up: {event['message']}")

    def wait_for_the_end(self, seconds: float = EVENT_SECONDS) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s; {self._last_words()}") from None

    def kill(self) -> None:
        """End the worker and its children at once; harmless when it has ended."""
        end_at_once(self.process)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def _last_words(self) -> str:
        return f"its standard error:\n{self._complaints.read_text(errors='replace')[-4000:]}"
