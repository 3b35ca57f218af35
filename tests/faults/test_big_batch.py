"""A batch of very many jobs, and a server that is killed again and again on the way: its callbacks come once.

SHOPFLOOR_KILL_SEED repeats a failing run as far as a run against the clock can be repeated.
"""

import json
import os
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from shopfloor.cli.address import parse_address
from shopfloor.cli.connection import Connection
from shopfloor.errors import ServerUnreachable
from shopfloor.wire.client import command, json_command
from tests.cli.programs import Program, start

KILLS = 20
CHUNK = 500
SINGLE_ACKS = 50
"""Of each chunk, so many are acknowledged one by one, the rest by one ACKB."""
DELAY_SECONDS_MAX = 0.05
REPLY_SECONDS = 60.0
FLAGS = ("--durability", "process", "--fetch-seconds", "0.05", "--batch-seconds", "0.5")
CALLBACKS: dict[str, dict[str, Any]] = {
    name: {"jobtype": name, "args": [], "queue": "callbacks"} for name in ("complete", "success")
}

pytestmark = pytest.mark.faults


class Killed:
    """A server on one folder that is killed whenever so much has been done, and started again."""

    def __init__(self, folder: Path, steps: Sequence[int], dice: random.Random) -> None:
        self._folder = folder
        self._steps = sorted(steps, reverse=True)
        self._dice = dice
        self.kills = 0
        self._program: Program
        self._timer: threading.Timer | None = None
        self.connection: Connection
        self.start()

    def start(self) -> None:
        """Start the server and connect."""
        self._program = start(self._folder, *FLAGS)
        self._program.wait_for("shopfloor serves")
        self.connection = Connection(parse_address(self._program.url(), "test"), REPLY_SECONDS)

    def progress(self, done: int) -> None:
        """Say how much has been done: it may be time for a kill, in a moment."""
        if self._timer is None and self._steps and done >= self._steps[-1]:
            self._steps.pop()
            self._timer = threading.Timer(self._dice.uniform(0, DELAY_SECONDS_MAX), self._program.process.kill)
            self._timer.start()

    def asked(self, line: bytes) -> str | bytes | None:
        """Ask until the server lives to answer; what it did before a kill is done already."""
        while True:
            try:
                return self.connection.ask(line)
            except ServerUnreachable:
                self.restart()

    def asked_json(self, line: bytes) -> Any:
        """Ask likewise, for JSON."""
        return json.loads(self.asked(line) or b"null")

    def restart(self) -> None:
        """Bring the server back after a kill."""
        if self._timer is not None:
            self._timer.join()
            self._timer = None
        self.stop()
        self.kills += 1
        self.start()

    def finish(self) -> None:
        """Kill it as often as was meant, although there is nothing left to do: some work is done in larger steps."""
        if self._timer is not None:
            self.restart()
        while self._steps:
            self._steps.pop()
            self.restart()

    def stop(self) -> None:
        """Kill what still runs."""
        self.connection.close()
        self._program.process.kill()
        self._program.process.wait()


@pytest.fixture
def dice() -> random.Random:
    seed = int(os.environ.get("SHOPFLOOR_KILL_SEED", random.randrange(1 << 32)))
    print(f"SHOPFLOOR_KILL_SEED={seed}")
    return random.Random(seed)


def chunks(jids: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(jids), CHUNK):
        yield jids[at : at + CHUNK]


def push_all(server: Killed, bid: str, jids: Sequence[str]) -> None:
    for number, some in enumerate(chunks(jids)):
        jobs = [{"jid": jid, "jobtype": "Work", "args": [], "custom": {"bid": bid}} for jid in some]
        line = json_command("PUSHB", jobs)
        assert server.asked_json(line) == {}
        server.progress(number * CHUNK)


def acknowledge(server: Killed, jids: Sequence[str]) -> None:
    for jid in jids[:SINGLE_ACKS]:
        line = json_command("ACK", {"jid": jid})
        server.asked(line)
    if len(jids) > SINGLE_ACKS:
        line = json_command("ACKB", {"jids": list(jids[SINGLE_ACKS:])})
        server.asked(line)


def work_all(server: Killed, jids: Sequence[str]) -> None:
    """Fetch and acknowledge; jobs whose fetch was answered to nobody are held all the same, and come at the end."""
    wanted = json_command("FETCHB", {"queues": ["default"], "count": CHUNK})
    left = dict.fromkeys(jids)
    while told := server.asked_json(wanted):
        got = [job["jid"] for job in told]
        acknowledge(server, got)
        for jid in got:
            del left[jid]
        server.progress(2 * len(jids) - len(left))
    for some in chunks(list(left)):
        acknowledge(server, some)


def status(server: Killed, bid: str) -> dict[str, Any]:
    found: dict[str, Any] = server.asked_json(command("BATCH STATUS", bid.encode()))
    return found


def call_back(server: Killed) -> list[str]:
    """Work the callbacks off; answer which they were."""
    called = []
    line = json_command("FETCHB", {"queues": ["callbacks"], "count": 10})
    while told := server.connection.ask_json(line):
        for job in told:
            called.append(job["custom"]["_cb"])
            server.connection.ask(json_command("ACK", {"jid": job["jid"]}))
    return called


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(20_000, marks=pytest.mark.timeout(300)),
        pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)]),
    ],
)
def test_callbacks_come_once_though_the_server_is_killed_again_and_again(
    tmp_path: Path, dice: random.Random, count: int
) -> None:
    jids = [f"job-{number:07}" for number in range(count)]
    # Progress goes from 0 to twice the count: first all are pushed, then all are worked off.
    server = Killed(tmp_path, dice.sample(range(count // 50, 2 * count - count // 50), KILLS), dice)
    try:
        named = server.connection.ask(json_command("BATCH NEW", CALLBACKS))
        assert isinstance(named, bytes)
        bid = named.decode()
        push_all(server, bid, jids)
        assert (status(server, bid)["total"], status(server, bid)["pending"]) == (count, count)
        server.asked(command("BATCH COMMIT", bid.encode()))
        work_all(server, jids)
        server.finish()
        assert server.kills == KILLS
        told = status(server, bid)
        assert (told["total"], told["pending"], told["complete_st"], told["success_st"]) == (count, 0, "1", "")
        assert call_back(server) == ["complete", "success"]
        server.restart()
        assert call_back(server) == []
        assert status(server, bid)["success_st"] == "2"
        assert server.connection.info()["server"]["batches_repaired"] == 0
    finally:
        server.stop()
