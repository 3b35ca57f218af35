"""Safe to kill: whatever moment SIGKILL comes at, what was acknowledged is there afterwards, once, and no more.

SHOPFLOOR_KILLS is the number of kills of all tests here together; SHOPFLOOR_KILL_SEED repeats a failing run as far
as a run against the clock can be repeated.
"""

import os
import random
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from shopfloor.config.settings import Durability
from shopfloor.store.embedded.check import check
from tests.faults.ledger import Ledger
from tests.faults.load import Client, run_load
from tests.faults.pipeline import Pipeline
from tests.faults.processes import ServerProcess
from tests.faults.wire_contents import read_contents

KILLS = int(os.environ.get("SHOPFLOOR_KILLS", "200"))
CLIENTS = 4
BURST_SECONDS = (0.02, 0.2)
FLAGS = ("--hot-jobs-max", "1000", "--fetch-seconds", "0.01", "--schedule-seconds", "0.05", "-l", "info")
"""Few jobs stay in memory, so that others rest on the shelf; and no fetch holds up the commands behind it for long."""

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.mark.parametrize("durability", ["process", "commit"])
def test_killed_at_random_moments(tmp_path: Path, durability: Durability) -> None:
    seed = int(os.environ.get("SHOPFLOOR_KILL_SEED", random.randrange(1 << 32)))
    print(f"SHOPFLOOR_KILL_SEED={seed}")
    dice = random.Random(seed)
    ledger = Ledger()
    clients = [Client(number, ledger, random.Random(dice.random())) for number in range(CLIENTS)]
    folder = tmp_path / "store"
    folder.mkdir()
    copy = tmp_path / "copy"
    for _ in range(KILLS // 2):
        shutil.copytree(folder, copy)
        with ServerProcess(folder, *FLAGS, durability=durability) as server:
            _check_the_file(copy)
            _check_through_the_wire(server.port(), ledger)
            _work_until_killed(server, clients, dice.uniform(*BURST_SECONDS))
    with ServerProcess(folder, *FLAGS, durability=durability) as server:
        _check_through_the_wire(server.port(), ledger)
    print(f"{ledger.finished} jobs finished, {len(ledger.entries)} left")
    assert ledger.finished


def _work_until_killed(server: ServerProcess, clients: list[Client], seconds: float) -> None:
    for client in clients:
        client.connect(server.port())
    run_load(clients, seconds)
    server.kill()
    for client in clients:
        client.pipe.drain()


def _check_through_the_wire(port: int, ledger: Ledger) -> None:
    may_work = [entry.jid for entry in ledger.entries.values()]
    with Pipeline(port) as pipe:
        ledger.compare(read_contents(pipe, may_work))


def _check_the_file(copy: Path) -> None:
    """Read a copy of the file as the kill left it, row by row: sound, and no job in it twice. Then drop it."""
    file = copy / "shopfloor.db"
    if file.exists():
        check(file)
        with closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            doubled = list(connection.execute("SELECT jid FROM jobs GROUP BY jid HAVING count(*) > 1"))
        assert not doubled
    shutil.rmtree(copy)
