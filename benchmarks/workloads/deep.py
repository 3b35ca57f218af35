"""A deep queue: what push, fetch and ack cost on millions of waiting jobs, against an empty server.

Both servers are of one kind, live at the same time and are measured in turns, so that a noisy machine
disturbs both alike: first one operation at a time, then in a pipeline. Then the deep one is stopped and
started, and must still hold its jobs.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import process_tree
from benchmarks.connection import FETCH, Connection, ack, bulk_pushes, pushes
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, fact, latencies, less, more, prefixed
from benchmarks.process_tree import BYTES_PER_KIB, KIB_PER_MIB
from benchmarks.servers import Server, ServerSpec, running
from benchmarks.workload import MICROSECONDS_PER_SECOND, Workload, option

BYTES_PER_MIB = BYTES_PER_KIB * KIB_PER_MIB
OPERATIONS = ("push", "fetch", "ack")
# Two commands on their way: the server has the next one at hand while this side encodes.
FILL_IN_FLIGHT = 2
Durations = dict[str, list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How deep, and how closely it is looked at."""

    jobs: int = option(10_000_000, "jobs that wait in the deep queue")
    size: int = option(1_000, "jobs per PUSHB while filling")
    turns: int = option(5, "turns of deep and empty")
    operations: int = option(2_000, "jobs per turn that are pushed, fetched and acknowledged one at a time")
    pipeline: int = option(100, "commands sent at once in the pipelined part")


def run(spec: ServerSpec, settings: Settings) -> list[Measurement]:
    """Fill one server, compare it with an empty one, and start it again on what it kept."""
    with running(spec) as deep, running(spec) as empty:
        measurements = _fill(deep, empty, settings)
        measurements += _compare(deep, empty, settings)
        empty.stop()
        return measurements + _restart(deep, empty.boot_seconds, settings.jobs)


def _fill(deep: Server, empty: Server, settings: Settings) -> list[Measurement]:
    with Connection(deep.port) as connection, deep.watch() as usage:
        waiting = 0
        for command in bulk_pushes("deep", settings.jobs, settings.size):
            connection.send(command)
            waiting += 1
            if waiting == FILL_IN_FLIGHT:
                _refused_nothing(connection.reply())
                waiting -= 1
        for _ in range(waiting):
            _refused_nothing(connection.reply())
    cpu = usage.server_cpu_seconds / settings.jobs * MICROSECONDS_PER_SECOND
    rss = process_tree.rss_mib(deep.process_id)
    kept = rss - process_tree.rss_mib(empty.process_id)
    return [
        more("fill_jobs_per_second", settings.jobs / usage.wall_seconds),
        less("fill_cpu_microseconds_per_job", cpu),
        less("deep.rss_mib", rss),
        less("deep.peak_rss_mib", process_tree.rss_mib(deep.process_id, peak=True)),
        less("deep.rss_bytes_per_job", kept * BYTES_PER_MIB / settings.jobs),
        fact("others_cores_while_filling", usage.others_cores),
    ]


def _refused_nothing(reply: bytes | None) -> None:
    if reply != b"{}":
        raise BenchmarkError(f"PUSHB was answered {reply!r}")


def _compare(deep: Server, empty: Server, settings: Settings) -> list[Measurement]:
    """Measure both in turns. A ratio is of the medians of one turn, so that a bad second spoils one only."""
    samples: dict[str, Durations] = {"deep": _no_durations(), "empty": _no_durations()}
    ratios: dict[str, list[float]] = {}
    for turn in range(settings.turns):
        medians = {}
        for name, server in (("deep", deep), ("empty", empty)):
            measured = _measure(server, f"turn{turn}", settings)
            medians[name] = {operation: statistics.median(taken) for operation, taken in measured.items()}
            for operation, taken in measured.items():
                samples[name][operation] += taken
        for operation in medians["deep"]:
            ratios.setdefault(operation, []).append(medians["deep"][operation] / medians["empty"][operation])
    figures = [less(f"ratio.{name}_p50", statistics.median(values)) for name, values in ratios.items()]
    for name, durations in samples.items():
        for operation, taken in durations.items():
            figures += prefixed(name, latencies(operation, taken))
    return figures


def _no_durations() -> Durations:
    return {name: [] for operation in OPERATIONS for name in (operation, f"pipelined_{operation}")}


def _measure(server: Server, series: str, settings: Settings) -> Durations:
    """Push, fetch and acknowledge: job by job, then in pipelines (whose durations are per command)."""
    durations = _no_durations()
    singles = pushes(f"{series}-single", settings.operations)
    several = pushes(f"{series}-several", settings.operations)
    with Connection(server.port, wid="benchmark-deep") as connection:
        for push in singles:
            _one(connection, push, durations)
        for start in range(0, settings.operations, settings.pipeline):
            _many(connection, several[start : start + settings.pipeline], durations)
    return durations


def _one(connection: Connection, push: bytes, durations: Durations) -> None:
    began = time.perf_counter_ns()
    connection.call(push)
    pushed = time.perf_counter_ns()
    job = connection.expect(FETCH)
    fetched = time.perf_counter_ns()
    acknowledge = ack(job)
    encoded = time.perf_counter_ns()
    connection.call(acknowledge)
    ended = time.perf_counter_ns()
    for operation, taken in zip(OPERATIONS, (pushed - began, fetched - pushed, ended - encoded), strict=True):
        durations[operation].append(taken)


def _many(connection: Connection, commands: Sequence[bytes], durations: Durations) -> None:
    count = len(commands)
    began = time.perf_counter_ns()
    connection.pipeline(commands)
    pushed = time.perf_counter_ns()
    fetched = connection.pipeline([FETCH] * count)
    got = time.perf_counter_ns()
    acks = [ack(job) for job in fetched if job is not None]
    if len(acks) != count:
        raise BenchmarkError(f"{count - len(acks)} of {count} fetches came back empty")
    encoded = time.perf_counter_ns()
    connection.pipeline(acks)
    ended = time.perf_counter_ns()
    for operation, taken in zip(OPERATIONS, (pushed - began, got - pushed, ended - encoded), strict=True):
        durations[f"pipelined_{operation}"].append(taken // count)


def _restart(deep: Server, empty_boot_seconds: float, jobs: int) -> list[Measurement]:
    """Stop the deep server, start it on the same folder, and count what is still there."""
    began = time.perf_counter()
    deep.stop()
    stopped = time.perf_counter()
    stored = sum(path.stat().st_size for path in Path(deep.directory).rglob("*") if path.is_file())
    deep.start()
    with Connection(deep.port) as connection:
        queued = connection.total("total_enqueued")
    return [
        less("jobs_missing_after_restart", jobs - queued),
        less("stop_seconds", stopped - began),
        less("stored_bytes_per_job", stored / jobs),
        less("deep.boot_seconds", deep.boot_seconds),
        less("empty.boot_seconds", empty_boot_seconds),
        less("ratio.boot_seconds", deep.boot_seconds / empty_boot_seconds),
        less("deep.rss_mib_after_restart", process_tree.rss_mib(deep.process_id)),
    ]


WORKLOAD = Workload(
    name="deep",
    summary="push, fetch and ack on a deep queue against an empty one; memory; restart",
    settings=Settings(),
    quick=Settings(jobs=500, size=100, turns=1, operations=20, pipeline=10),
    run=run,
)
