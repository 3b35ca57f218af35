"""What may befall a worker: no job is lost, and none runs twice at a time while its worker lives."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.servers import ADDRESS, Server, describe, running
from shopfloor import AsyncClient, Client
from tests.sdk import shop
from tests.sdk.proxy import Proxy
from tests.sdk.working import SHOP, counts, is_settled, until, working

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

QUICK = " --fetch-seconds 0.2 --worker-seconds 4 --reap-seconds 0.1"
PATIENT, HASTY = " --worker-grace-seconds 4", " --worker-grace-seconds 0.5"
"""A worker that has to be given up is given up soon; one that only lost its connections has time to come back."""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Run a server for the test; marked `hasty` it soon gives up workers that are not connected."""
    grace = getattr(request, "param", PATIENT)
    spec = describe("shopfloor:process")
    with running(replace(spec, command=spec.command + QUICK + grace)) as server:
        yield server


hasty = pytest.mark.parametrize("server", [HASTY], indirect=True, ids=["hasty"])


@pytest.fixture
def url(server: Server) -> str:
    return f"tcp://{ADDRESS}:{server.port}"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger"
    monkeypatch.setenv(shop.LEDGER, str(path))
    return path


def runs(ledger: Path) -> Counter[str]:
    return Counter(entry.jid for entry in shop.entries(ledger) if entry.word == "done")


def assert_none_overlaps(ledger: Path) -> None:
    """No job began while a run of it, in a process that lived, was under way."""
    under_way: dict[str, int] = defaultdict(int)
    for entry in shop.entries(ledger):
        if entry.word == "begin":
            assert not under_way[entry.jid] or not is_alive(under_way[entry.jid]), entry
            under_way[entry.jid] = entry.process
        else:
            under_way[entry.jid] = 0


def is_alive(process: int) -> bool:
    """Say whether it runs: one that ended is still listed until somebody asks how, which an orphan may wait for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_child_that_is_killed_gives_its_jobs_back_at_once(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, processes=2, threads=2) as worker:
            jids = await client.push_bulk([shop.nap.order(0.3) for _ in range(12)])
            await until(lambda: len(shop.entries(ledger)) >= 4)
            os.kill(worker.child_ids[0], signal.SIGKILL)
            await until(lambda: len(runs(ledger)) == len(jids))
            await until(lambda: is_settled(client))
            assert (await client.info())["faktory"]["total_failures"] == 0

    asyncio.run(main())
    assert sum(runs(ledger).values()) == 12  # those that were killed had not been done
    assert_none_overlaps(ledger)


def test_a_job_that_kills_its_child_again_and_again_fails(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, threads=1):
            poison = await client.push(shop.die.order())
            good = await client.push_bulk([shop.add.order(1, 1) for _ in range(5)])
            await until(lambda: len(runs(ledger)) == len(good))
            await until(lambda: is_settled(client))
            told = await client.get(poison)
            assert told is not None
            assert (told["place"], told["job"]["failure"]["errtype"]) == ("retries", "WorkerDied")

    asyncio.run(main())
    assert Counter(entry.word for entry in shop.entries(ledger)) == {"begin": 4, "done": 5}


def test_a_job_that_hangs_is_killed_with_its_child_and_the_others_run_again(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url, threads=2):
            hanging = await client.push(shop.hang.order())
            beside = await client.push(shop.nap.order(1.0))
            await until(lambda: runs(ledger)[beside] == 1)
            await until(lambda: is_settled(client))
            told = await client.get(hanging)
            assert told is not None
            assert (told["place"], told["job"]["failure"]["errtype"]) == ("retries", "JobTimeout")

    asyncio.run(main())
    assert_none_overlaps(ledger)


def test_beats_survive_a_child_that_holds_the_interpreter(url: str, ledger: Path) -> None:
    async def main() -> None:
        async with AsyncClient(url) as client, working(url) as worker:
            await client.push(shop.nap.order(0.1))
            await until(lambda: len(runs(ledger)) == 1)
            jid = await client.push(shop.nap.order(0.5))
            await until(lambda: len(shop.entries(ledger)) == 3)
            for child in worker.child_ids:  # longer than the server waits for a beat
                os.kill(child, signal.SIGSTOP)
            await asyncio.sleep(4.5)
            told = await client.get(jid)
            assert told is not None
            assert told["place"] == "working"
            for child in worker.child_ids:
                os.kill(child, signal.SIGCONT)
            await until(lambda: is_settled(client))

    asyncio.run(main())
    assert max(runs(ledger).values()) == 1


def test_a_worker_whose_connections_break_again_and_again_loses_nothing(server: Server, url: str, ledger: Path) -> None:
    proxy = Proxy(server.port)

    async def main() -> None:
        async with AsyncClient(url) as client, working(proxy.url, threads=4, beat_seconds=0.1):
            jids = await client.push_bulk([shop.nap.order(0.005) for _ in range(600)])
            for number in range(12):
                await until(lambda wanted=40 * number: len(runs(ledger)) >= wanted)
                proxy.cut_once() if number % 2 else proxy.cut_everything()
            await until(lambda: len(runs(ledger)) == len(jids))
            await until(lambda: is_settled(client))

    try:
        asyncio.run(main())
    finally:
        proxy.close()
    assert_none_overlaps(ledger)


@hasty
def test_a_job_whose_delivery_was_lost_comes_back_soon(server: Server, url: str, ledger: Path) -> None:
    proxy = Proxy(server.port)

    async def main() -> None:
        async with AsyncClient(url) as client, working(proxy.url, beat_seconds=0.1):
            await client.push(shop.add.order(1, 1))
            await until(lambda: len(runs(ledger)) == 1)
            proxy.cut_when(lambda reply: b"jobtype" in reply)
            await client.push(shop.add.order(1, 1))
            await until(lambda: proxy.cuts >= 1)
            proxy.cut_when(lambda reply: False)
            await until(lambda: len(runs(ledger)) == 2)
            await until(lambda: is_settled(client))

    try:
        asyncio.run(main())
    finally:
        proxy.close()


def test_a_server_that_restarts_under_load(server: Server, ledger: Path) -> None:
    proxy = Proxy(server.port)

    async def main() -> None:
        async with AsyncClient(proxy.url) as client, working(proxy.url, processes=2, threads=4):
            jids = await client.push_bulk([shop.nap.order(0.01) for _ in range(400)])
            for number in (1, 2):
                await until(lambda wanted=120 * number: len(runs(ledger)) >= wanted)
                assert server.process is not None
                server.process.kill()
                await asyncio.to_thread(server.process.wait)
                proxy.cut_everything()
                await asyncio.to_thread(server.start)
                proxy.move_to(server.port)
            await until(lambda: len(runs(ledger)) == len(jids))
            await until(lambda: is_settled(client))
            assert (await counts(client))["dead"] == 0

    try:
        asyncio.run(main())
    finally:
        proxy.close()
    assert_none_overlaps(ledger)


@hasty
def test_a_parent_that_is_killed_takes_its_children_along_and_its_jobs_come_back(url: str, ledger: Path) -> None:
    command = [sys.executable, "-m", "shopfloor", "work", SHOP, "--processes", "2", "--url", url]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    async def main() -> None:
        async with AsyncClient(url) as client:
            jids = await client.push_bulk([shop.nap.order(1.0) for _ in range(10)])
            await until(lambda: len(shop.entries(ledger)) >= 2)
            first.kill()
            await asyncio.to_thread(first.wait)
            async with working(url, threads=10):
                await until(lambda: len(runs(ledger)) == len(jids))
                await until(lambda: is_settled(client))

    try:
        asyncio.run(main())
    finally:
        first.kill()
        first.wait()
    assert_none_overlaps(ledger)


def test_a_worker_on_the_command_line_stops_in_an_orderly_way(url: str, ledger: Path) -> None:
    command = [sys.executable, "-m", "shopfloor", "work", f"{SHOP}:nap", "--url", url, "--threads", "2"]
    with Client(url) as client:
        client.push_bulk([shop.nap.order(0.4) for _ in range(6)])
        worker = subprocess.Popen(command, stderr=subprocess.PIPE)
        asyncio.run(until(lambda: len(shop.entries(ledger)) >= 2))
        worker.send_signal(signal.SIGUSR1)
        worker.send_signal(signal.SIGTERM)
        _, said = worker.communicate(timeout=40)
        assert worker.returncode == 0, said
        assert b"Current thread" in said
        done, left = len(runs(ledger)), client.info()["faktory"]
        assert done >= 2
        assert done + left["total_enqueued"] == 6
        assert left["sets"]["working"] == left["sets"]["retries"] == 0
