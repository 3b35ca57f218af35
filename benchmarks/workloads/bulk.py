"""PUSHB: many jobs per command, over one connection, the next command sent when the last was answered."""

import time
from dataclasses import dataclass

from benchmarks.connection import Connection, bulk_pushes
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, latencies, more
from benchmarks.servers import ServerSpec, running
from benchmarks.workload import Workload, costs, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How many jobs, in commands of what size."""

    jobs: int = option(100_000, "jobs that are pushed")
    size: int = option(1_000, "jobs per PUSHB")


def run(spec: ServerSpec, settings: Settings) -> list[Measurement]:
    """Push everything in bulk into a fresh server; the commands are encoded before the clock starts."""
    commands = list(bulk_pushes("bulk", settings.jobs, settings.size))
    with running(spec) as server, Connection(server.port) as connection:
        with server.watch() as usage:
            durations = [_push(connection, command) for command in commands]
        if (queued := connection.total("total_enqueued")) != settings.jobs:
            raise BenchmarkError(f"{queued} jobs are queued after {settings.jobs} pushes")
        return [
            more("jobs_per_second", settings.jobs / usage.wall_seconds),
            *latencies("pushb", durations),
            *costs(server, usage, settings.jobs),
        ]


def _push(connection: Connection, command: bytes) -> int:
    """Send one PUSHB, of which nothing may be refused; give the nanoseconds until its reply."""
    began = time.perf_counter_ns()
    refused = connection.call(command)
    taken = time.perf_counter_ns() - began
    if refused != b"{}":
        raise BenchmarkError(f"PUSHB was answered {refused!r}")
    return taken


WORKLOAD = Workload(
    name="bulk",
    summary="PUSHB of many jobs at a time over one connection",
    settings=Settings(),
    quick=Settings(jobs=250, size=100),
    run=run,
)
