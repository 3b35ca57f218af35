"""Producers and workers at once, each operation timed, by our own generator in Go, in `../generator`.

Faktory's load program counts, but does not time its operations; and it stops on pops, empty ones included.
This one stops the clock when the last job has been acknowledged. A backlog pushed beforehand keeps fetches
from parking, so that the latency of a fetch is that of a fetch and not of waiting for work.
"""

import json
import subprocess
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import tools
from benchmarks.connection import Connection, bulk_pushes
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, less, more, prefixed
from benchmarks.servers import ADDRESS, Server, ServerSpec, running
from benchmarks.workload import Workload, costs, option

GENERATOR_SECONDS_MAX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much, by whom."""

    jobs: int = option(30_000, "jobs that are pushed, fetched and acknowledged while the clock runs")
    connections: tuple[int, ...] = option((10, 50), "connection counts, one run each, half of them workers")
    queues: int = option(5, "queues")
    backlog: int = option(2_000, "jobs that wait when the clock starts, and when it stops")


def run(spec: ServerSpec, settings: Settings) -> list[Measurement]:
    """Run the generator once per connection count, each time on a fresh server."""
    measurements = []
    for connections in settings.connections:
        with running(spec) as server:
            measurements += prefixed(f"c{connections}", _once(server, settings, connections))
    return measurements


def _once(server: Server, settings: Settings, connections: int) -> list[Measurement]:
    command = [str(tools.find("generator")), "-address", f"{ADDRESS}:{server.port}"]
    for name, value in {**asdict(settings), "connections": connections}.items():
        command += [f"-{name}", str(value)]
    with Connection(server.port) as connection:
        for bulk in bulk_pushes("backlog", settings.backlog, settings.backlog):
            connection.expect(bulk)
    with server.watch() as usage:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GENERATOR_SECONDS_MAX, check=False)
    if done.returncode:
        raise BenchmarkError(f"the generator failed: {done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout)
    with Connection(server.port) as connection:
        settled = connection.total("total_processed")
    if settled < settings.jobs:
        raise BenchmarkError(f"the server says that it settled {settled} jobs of {settings.jobs}")
    return [
        more("jobs_per_second", settings.jobs / report["seconds"]),
        *[
            less(f"{operation}_{figure}", value)
            for operation, figures in report["operations"].items()
            for figure, value in figures.items()
        ],
        *costs(server, usage, settings.jobs),
    ]


WORKLOAD = Workload(
    name="mixed",
    summary="producers and workers at once, with the latency of every operation",
    settings=Settings(),
    quick=Settings(jobs=200, connections=(4,), queues=2, backlog=20),
    run=run,
)
