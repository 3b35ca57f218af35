"""What the tests of foreign clients share: a server, the client under test, and workers that end."""

import functools
import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.foreign.clients import EVERY_CLIENT, Client, make_ready
from tests.foreign.programs import Event, Working, environment_for, run
from tests.foreign.raw import Wire
from tests.foreign.servers import Server, running_server

WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class Bench:
    """A client at a server: what a test drives."""

    client: Client
    server: Server
    folder: Path
    workers: list[Working] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, command: str, told: Any = None, *, password: str | None = None) -> tuple[int, list[Event]]:
        """Run one of the client's sub-commands; return its exit code and what it said."""
        environment = {**environment_for(self.server, password=password), **self.client.environment()}
        return run(self.client.invocation(command), told, environment)

    def told(self, command: str, told: Any = None) -> Event:
        """Run a sub-command that must succeed; return the last thing it said."""
        code, events = self.run(command, told)
        assert code == 0, events
        return events[-1]

    def produce(self, *jobs: dict[str, Any]) -> list[str]:
        """Let the client push these jobs one by one; return the jids it gave them."""
        code, events = self.run("produce", jobs)
        assert code == 0, events
        return [event["jid"] for event in events]

    def work(self, queue: str, *, wid: str = "a-foreign-worker") -> Working:
        """Start the client's worker on a queue and wait until it is about to fetch."""
        environment = {**environment_for(self.server), **self.client.environment()}
        complaints = self.folder / f"worker-{next(self._numbers)}.stderr"
        worker = Working(self.client.invocation("work"), {"wid": wid, "queue": queue}, environment, complaints)
        self.workers.append(worker)
        worker.wait_for("ready")
        return worker


def wait_until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Look again and again until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(LOOK_SECONDS)


def _name(client: Client) -> str:
    return client.name


@pytest.fixture(scope="session")
def complaint_of_building() -> Callable[[Client], str]:
    """Build each client at most once a session: one that cannot be built is not tried again each time."""

    @functools.cache
    def build(client: Client) -> str:
        try:
            make_ready(client)
        except (pytest.fail.Exception, OSError, subprocess.SubprocessError) as failure:
            return str(failure) or repr(failure)
        return ""

    return build


@pytest.fixture(params=EVERY_CLIENT, ids=_name)
def client(request: pytest.FixtureRequest, complaint_of_building: Callable[[Client], str]) -> Client:
    chosen: Client = request.param
    if complaint := complaint_of_building(chosen):
        pytest.fail(complaint, pytrace=False)
    return chosen


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Start the server without password and TLS, unless a test parametrizes these settings."""
    chosen: dict[str, Any] = getattr(request, "param", {})
    return chosen


@pytest.fixture
def server(tmp_path: Path, settings: dict[str, Any]) -> Iterator[Server]:
    with running_server(tmp_path / "server", **settings) as running:
        yield running


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with server.connect() as connected:
        yield connected


@pytest.fixture
def bench(client: Client, server: Server, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(client=client, server=server, folder=tmp_path)
    yield bench
    for worker in bench.workers:
        worker.kill()
