"""What a batch costs: the ACK of a member of a large batch beside the ACK of a job without one, turn and turn about.

Each job is fetched before the clock starts, and both kinds share one server and the same minutes, so that whatever
else the machine does is the same for both. `alone` sends an ACK when the last was answered, and so shows what a worker
waits for; `together` sends as many as there are connections at once, and so shows what the server pays.
"""

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.connection import Connection, bulk_pushes
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, latencies, less, prefixed
from benchmarks.servers import ServerSpec, running
from benchmarks.workload import Workload, option

PUSH_SIZE = 1_000
NEW = (
    b'BATCH NEW {"complete":{"jobtype":"Complete","args":[],"queue":"callbacks"},'
    b'"success":{"jobtype":"Success","args":[],"queue":"callbacks"}}\r\n'
)
PLAIN, MEMBER = "plain", "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How large a batch, and how many ACKs of it are timed."""

    jobs: int = option(100_000, "jobs in the batch")
    acks: int = option(10_000, "ACKs timed of each kind, in each manner")
    turn: int = option(250, "ACKs of one kind before it is the other's turn")
    connections: int = option(25, "connections that send an ACK at the same time")


@dataclass(slots=True)
class Samples:
    """Nanoseconds per ACK: one figure an ACK alone, one a turn together."""

    alone: list[int] = field(default_factory=list)
    together: list[int] = field(default_factory=list)


def run(spec: ServerSpec, settings: Settings) -> list[Measurement]:
    """Fill a server with a batch and with as many other jobs as are needed, then acknowledge some of each."""
    samples = {PLAIN: Samples(), MEMBER: Samples()}
    with running(spec) as server, ExitStack() as opened:
        connections = [opened.enter_context(Connection(server.port)) for _ in range(settings.connections)]
        _fill(connections[0], settings)
        for _ in range(settings.acks // settings.turn):
            for kind, found in samples.items():
                found.alone += _alone(connections[0], kind, settings.turn)
                found.together.append(_together(connections, kind, settings.turn))
    measured: list[Measurement] = []
    for kind, found in samples.items():
        measured += prefixed(kind, latencies("ack", found.alone))
        measured.append(less(f"{kind}.together_microseconds_per_ack", statistics.median(found.together) / 1_000))
    return [*measured, *_ratios(samples)]


def _ratios(samples: dict[str, Samples]) -> Iterator[Measurement]:
    plain, member = samples[PLAIN], samples[MEMBER]
    yield less("alone_p50_ratio", statistics.median(member.alone) / statistics.median(plain.alone))
    yield less("together_ratio", statistics.median(member.together) / statistics.median(plain.together))


def _fill(connection: Connection, settings: Settings) -> None:
    bid = connection.expect(NEW).decode()
    custom = f'"custom":{{"bid":"{bid}"}},"queue":"{MEMBER}"'.encode()
    for command in bulk_pushes(MEMBER, settings.jobs, PUSH_SIZE):
        _push(connection, command.replace(b'"queue":"default"', custom))
    for command in bulk_pushes(PLAIN, 2 * settings.acks, PUSH_SIZE):
        _push(connection, command.replace(b'"queue":"default"', f'"queue":"{PLAIN}"'.encode()))
    connection.call(f"BATCH COMMIT {bid}\r\n".encode())


def _push(connection: Connection, command: bytes) -> None:
    refused = connection.call(command)
    if refused != b"{}":
        raise BenchmarkError(f"PUSHB was answered {refused!r}")


def _acks(connection: Connection, queue: str, count: int) -> list[bytes]:
    """Fetch jobs and encode their ACKs."""
    wanted = json.dumps({"queues": [queue], "count": count}).encode()
    told = json.loads(connection.expect(b"FETCHB %b\r\n" % wanted))
    if len(told) != count:
        raise BenchmarkError(f"{len(told)} jobs were fetched of {count}")
    return [f'ACK {{"jid":"{job["jid"]}"}}\r\n'.encode() for job in told]


def _alone(connection: Connection, queue: str, count: int) -> list[int]:
    durations = []
    for command in _acks(connection, queue, count):
        began = time.perf_counter_ns()
        connection.call(command)
        durations.append(time.perf_counter_ns() - began)
    return durations


def _together(connections: Sequence[Connection], queue: str, count: int) -> int:
    commands = _acks(connections[0], queue, count)
    began = time.perf_counter_ns()
    for start in range(0, count, len(connections)):
        some = list(zip(connections, commands[start : start + len(connections)], strict=False))
        for connection, command in some:
            connection.send(command)
        for connection, _ in some:
            connection.reply()
    return (time.perf_counter_ns() - began) // count


WORKLOAD = Workload(
    name="batch",
    summary="ACKs of members of a large batch beside ACKs of other jobs",
    settings=Settings(),
    quick=Settings(jobs=200, acks=50, turn=25, connections=5),
    run=run,
)
