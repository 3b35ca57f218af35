"""`shopfloor move` on real files, and what it refuses."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shopfloor.config import Settings, StorageUrl
from shopfloor.core.changes import Note, Put
from shopfloor.core.lifecycle import Rules
from shopfloor.store.conformance.jobs import NOW, job
from shopfloor.store.moving.move import BEGUN, MOVE
from shopfloor.store.open import open_store
from tests.cli.programs import Shell

JOBS = 4_000


def _url(path: Path) -> str:
    return str(StorageUrl.of_file(path))


async def _fill(path: Path, jobs: int) -> None:
    store = open_store(Settings(storage=StorageUrl.of_file(path), durability="process"), Rules())
    await store.open()
    await store.commit([(Put(job(f"job-{number:05}"), "queued"),) for number in range(jobs)], (), NOW)
    await store.close()


def _jids(path: Path) -> list[str]:
    async def read() -> list[str]:
        store = open_store(Settings(storage=StorageUrl.of_file(path), durability="process"), Rules())
        await store.open()
        jids = [held.job.jid for held in await store.peek("default", 0, 1_000_000)]
        await store.close()
        return jids

    return asyncio.run(read())


def test_everything_is_moved_and_counted(bare: Shell, tmp_path: Path) -> None:
    asyncio.run(_fill(tmp_path / "a.db", 30))
    words = ("move", "--from", _url(tmp_path / "a.db"), "--to", _url(tmp_path / "b.db"), "--json")
    tried = bare(*words, "--dry-run")
    assert (tried.code, json.loads(tried.out)["counts"]["queued"]) == (0, 30)
    said = bare(*words)
    told = json.loads(said.out)
    assert (said.code, told["moved"], told["counts"]["queued"]) == (0, True, 30)
    assert told["digests"]["queue default"].startswith("30 of ")
    assert _jids(tmp_path / "b.db") == _jids(tmp_path / "a.db") == [f"job-{number:05}" for number in range(30)]
    again = bare(*words)
    assert again.code == 4
    assert "the target is not empty: 30 jobs" in again.complaints[0]


@pytest.mark.parametrize(
    ("origin", "target", "says"),
    [
        ("sqlite://{folder}/a.db", "sqlite://{folder}/a.db", "--to: is the store that --from names"),
        ("memory://", "sqlite://{folder}/a.db", "--from: expected the URL of a store that lasts, got memory://"),
        ("sqlite://{folder}/a.db", "hush", "--to: expected the URL of a store that lasts"),
        ("env:NO_SUCH_VARIABLE", "sqlite://{folder}/a.db", "--from: names the variable NO_SUCH_VARIABLE"),
        ("sqlite://{folder}/a.db", "reddis://:hush@h", "storage: no store is called 'reddis'"),
    ],
)
def test_what_cannot_be_moved(bare: Shell, tmp_path: Path, origin: str, target: str, says: str) -> None:
    urls = [url.replace("{folder}", str(tmp_path)) for url in (origin, target)]
    said = bare("move", "--from", urls[0], "--to", urls[1])
    assert said.code == 2
    assert says in said.complaints[0]
    assert not any("hush@" in line for line in said.complaints)
    assert list(tmp_path.glob("*.db")) == []


def test_a_file_that_a_server_has_open_is_refused(bare: Shell, tmp_path: Path) -> None:
    store = open_store(Settings(storage=StorageUrl.of_file(tmp_path / "a.db"), durability="process"), Rules())

    async def try_it() -> None:
        await store.open()
        said = await asyncio.to_thread(bare, "move", "--from", _url(tmp_path / "a.db"), "--to", _url(tmp_path / "b.db"))
        assert said.code == 4
        assert "is in use by another server" in said.complaints[0]
        await store.close()

    asyncio.run(try_it())


def test_a_move_that_is_killed_goes_on_and_no_server_serves_from_half_of_it(bare: Shell, tmp_path: Path) -> None:
    origin, target = tmp_path / "a.db", tmp_path / "b.db"
    asyncio.run(_fill(origin, JOBS))
    program = [sys.executable, "-m", "shopfloor", "move", "--from", _url(origin), "--to", _url(target)]
    killed = 0
    for wait in (0.0, 0.02, 0.05, 0.1):
        running = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not target.exists() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(wait)  # somewhere in the middle; wherever it is, the next one must go on
        running.send_signal(signal.SIGKILL)
        killed += running.wait() == -signal.SIGKILL
    assert killed
    said = bare("move", "--from", _url(origin), "--to", _url(target), "--json")
    done = said.code == 0 or "the target is not empty" in said.complaints[0]
    assert done, said.complaints
    assert _jids(target) == [f"job-{number:05}" for number in range(JOBS)]


def test_no_server_serves_from_half_of_a_move(bare: Shell, tmp_path: Path) -> None:
    async def begin() -> None:
        store = open_store(Settings(storage=StorageUrl.of_file(tmp_path / "b.db"), durability="process"), Rules())
        await store.open()
        await store.commit([(Note(MOVE, BEGUN, b"sqlite:///a.db", 0),)], (), NOW)
        await store.close()

    asyncio.run(begin())
    said = bare("serve", "--storage", _url(tmp_path / "b.db"), "--command-binding", "localhost:0", "-w", ":0")
    assert said.code == 4
    assert "the store is half of a move from sqlite:///a.db" in said.complaints[0]
