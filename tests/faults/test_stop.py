"""An orderly stop under load: code 0, every answer in the file, and an answer for whoever was waiting."""

import random
import signal
import time
from pathlib import Path

import pytest

from shopfloor.config.settings import Durability
from tests.faults.ledger import Ledger
from tests.faults.load import Client, run_load
from tests.faults.pipeline import Pipeline, line
from tests.faults.processes import Ended, ServerProcess
from tests.faults.wire_contents import read_contents

STOPS = 8
CLIENTS = 4
FETCH_SECONDS = 4.5
"""The longest that the setting allows."""
FLAGS = ("--hot-jobs-max", "1000", "--fetch-seconds", "0.01")

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the store is to be."""
    made = tmp_path / "store"
    made.mkdir()
    return made


@pytest.mark.parametrize("durability", ["commit", "process", "none"])
def test_everything_answered_is_there_after_a_stop(folder: Path, durability: Durability) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    ledger = Ledger()
    clients = [Client(number, ledger, random.Random(dice.random())) for number in range(CLIENTS)]
    for _ in range(STOPS):
        with ServerProcess(folder, *FLAGS, durability=durability) as server:
            _compare(server, ledger)
            for client in clients:
                client.connect(server.port())
            run_load(clients, dice.uniform(0.02, 0.3))
            server.terminate()
            for client in clients:
                client.pipe.drain()
            assert server.ended() == Ended(code=0, stderr="")
        assert [path.name for path in folder.iterdir()] == ["shopfloor.db"]
    with ServerProcess(folder, *FLAGS, durability=durability) as server:
        _compare(server, ledger)
    assert ledger.finished


def _compare(server: ServerProcess, ledger: Ledger) -> None:
    with Pipeline(server.port()) as pipe:
        ledger.compare(read_contents(pipe, ledger.entries))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: signal.Signals(number).name)
def test_parked_fetchers_are_answered(tmp_path: Path, number: signal.Signals) -> None:
    """Workers that wait for a job learn at once that there is none, and what they send next is refused, not lost.

    At once is sooner than their fetch would end. On a busy machine that may need a second or third look.
    """
    took = []
    for attempt in range(3):
        folder = tmp_path / f"store-{attempt}"
        folder.mkdir()
        took.append(_stopped_beside_parked_fetchers(folder, number))
        if took[-1] < FETCH_SECONDS - 0.5:
            return
    raise AssertionError(f"the stops took {took} seconds")


def _stopped_beside_parked_fetchers(folder: Path, number: signal.Signals) -> float:
    """Answer how long it took."""
    with ServerProcess(folder, "--fetch-seconds", str(FETCH_SECONDS)) as server:
        pipes = [Pipeline(server.port(), f"w{number}") for number in range(20)]
        replies: list[object] = []
        for pipe in pipes:
            pipe.send(line("FETCH", "empty"), replies.append)
            pipe.flush()
        _wait_until_all_are_read(server, commands=len(pipes))
        began = time.monotonic()
        server.terminate(number)
        for pipe in pipes:
            pipe.drain()
        assert replies == [None] * len(pipes)
        assert server.ended() == Ended(code=0, stderr="")
        return time.monotonic() - began


def _wait_until_all_are_read(server: ServerProcess, commands: int) -> None:
    """The server counts a command when it begins it, so those who count themselves come last."""
    with Pipeline(server.port()) as pipe:
        asked = 0
        while True:
            asked += 1
            if pipe.ask_json("INFO")["server"]["command_count"] >= commands + asked:
                return


def test_a_stop_during_a_backup_leaves_a_whole_one_or_none(folder: Path) -> None:
    jobs = [{"jid": f"job-{number:05}", "jobtype": "W", "args": ["x" * 20_000], "queue": "q"} for number in range(2000)]
    with ServerProcess(folder, durability="process") as server:
        with Pipeline(server.port()) as pipe:
            for start in range(0, len(jobs), 500):
                assert pipe.ask("PUSHB", jobs[start : start + 500]) == b"{}"
            replies: list[object] = []
            pipe.send(b"STORE BACKUP one.db", replies.append)
            pipe.flush()
            _wait_for_a_part(folder / "backups")
            server.terminate()
            pipe.drain()
        assert server.ended() == Ended(code=0, stderr="")
    names = [path.name for path in (folder / "backups").iterdir()]
    assert names == (["one.db"] if replies and isinstance(replies[0], bytes) else [])
    with ServerProcess(folder) as server, Pipeline(server.port()) as pipe:
        assert pipe.ask_json("INFO")["faktory"]["queues"] == {"q": len(jobs)}


def _wait_for_a_part(backups: Path) -> None:
    deadline = time.monotonic() + 60
    while not (backups.exists() and any(backups.iterdir())):
        assert time.monotonic() < deadline, "no backup began"
