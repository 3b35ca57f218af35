"""StatsD: what is sent for what happened, over real sockets."""

import asyncio
import re
import socket
from collections import Counter
from pathlib import Path

import pytest

from shopfloor.broker import counts as counting
from shopfloor.broker.counts import Counts
from shopfloor.core.job import Held
from shopfloor.server import statsd
from shopfloor.server.statsd import Differences, Lines, Statsd, Target, packed
from tests.broker.shop import silent_log
from tests.jobs import job
from tests.serving import PATIENCE_SECONDS, Serving, run, serving
from tests.stores import MEMORY

LINE = re.compile(r"faktory\.[A-Za-z0-9._-]+:[0-9.e+-]+\|(c|g|ms)(\|@[0-9.]+)?(\|#[^|\s]+)?")


async def _received(listener: socket.socket, wanted: str) -> set[str]:
    """Read datagrams until a line with these words has come."""
    loop, lines = asyncio.get_running_loop(), set[str]()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(wanted in line for line in lines):
            datagram = await loop.sock_recv(listener, 65_536)
            assert len(datagram) <= statsd.UNIX_BYTES_MAX
            lines |= set(datagram.decode().split("\n"))
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return lines


async def _work(house: Serving) -> None:
    client = await house.client("worker-1")
    await client.ask('PUSH {"jid":"picture-1","jobtype":"Resize|x:1","args":[]}')
    await client.ask('PUSH {"jid":"picture-2","jobtype":"Resize","args":[],"queue":"low"}')
    await client.ask('PUSH {"jid":"picture-3","jobtype":"Resize","args":[],"queue":"low"}')
    await client.ask("FETCH default")
    await client.ask("FETCH low")
    house.clock.now += 2
    await client.ask('ACK {"jid":"picture-1"}')
    await client.ask('FAIL {"jid":"picture-2"}')


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_what_happens_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily) -> None:
    async def test() -> None:
        monkeypatch.setattr(statsd, "FLUSH_SECONDS", 0.05)
        monkeypatch.setattr(statsd, "GAUGE_FLUSHES", 1)
        async with serving(MEMORY, tmp_path) as house:
            with socket.socket(family, socket.SOCK_DGRAM) as listener:
                listener.setblocking(False)
                target = _target(listener, tmp_path / "s")
                sending = Statsd(house.server.broker, house.server.vitals, target, silent_log())
                sending.start()
                lines = await _received(listener, "faktory.enqueued:0|g")
                await _work(house)
                lines |= await _received(listener, "jobs.failed")
                lines |= await _received(listener, "enqueued.low:1|g")
                await sending.stop()
                await sending.stop()
        tags = "|#env:prod,queue:default,jobtype:Resize_x:1"
        assert f"faktory.jobs.count:1|c{tags}" in lines
        assert f"faktory.jobs.perform:2000|ms{tags}" in lines
        assert "faktory.jobs.failed:1|c|#env:prod,queue:low,jobtype:Resize" in lines
        assert "faktory.queue.size:1|g|#env:prod,queue:low" in lines
        assert "faktory.retries:1|g|#env:prod" in lines
        assert sum(int(line.split("|")[0].rpartition(":")[2]) for line in lines if "jobs.pushed" in line) >= 2

    run(test())


def _target(listener: socket.socket, path: Path) -> Target:
    if listener.family == socket.AF_UNIX:
        listener.bind(str(path))
        return Target(path=str(path), tags=("env:prod",))
    listener.bind(("127.0.0.1", 0))
    return Target(host="127.0.0.1", port=listener.getsockname()[1], tags=("env:prod",))


def test_nobody_there_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who comes later gets what happens from then on."""

    async def test() -> None:
        monkeypatch.setattr(statsd, "FLUSH_SECONDS", 0.02)
        async with serving(MEMORY, tmp_path) as house:
            path = tmp_path / "s"
            target = Target(path=str(path), queue_latency=("low",))
            sending = Statsd(house.server.broker, house.server.vitals, target, silent_log())
            sending.start()
            await _work(house)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
                listener.setblocking(False)
                listener.bind(str(path))
                lines = await _received(listener, "latency.low")
            assert not any("latency.default" in line for line in lines)
            await sending.stop()

    run(test())


def test_counters_are_sent_as_what_they_grew_by_and_of_many_times_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SPENT_MAX", 4)
    counts = Counts()
    differences = Differences(counts, Lines(Target()))
    held = Held(job=job("picture-1"), place="working", at=0.0, position=0, reserved_at=10.0)
    for _ in range(16):
        counts.done(held, 10.5)
    written = Counter(line.decode() for line in differences.read())
    tags = f"|#queue:{held.job.queue},jobtype:{held.job.jobtype}"
    assert written == {f"faktory.jobs.count:16|c{tags}": 1, f"faktory.jobs.perform:500|ms|@0.25{tags}": 4}
    assert differences.read() == []
    counts.done(held, 10.5)
    assert f"faktory.jobs.count:1|c{tags}".encode() in differences.read()


def test_lines_are_put_together_as_far_as_they_fit() -> None:
    lines = [b"a" * 5, b"b" * 5, b"c" * 20, b"d"]
    assert list(packed(lines, 11)) == [b"aaaaa\nbbbbb", b"c" * 20, b"d"]
    assert list(packed([], 11)) == []
