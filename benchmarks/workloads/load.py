"""Faktory's own load program: half its connections push, half fetch and ack, one job in a hundred fails.

It counts a fetch that came back empty as a pop, so how many jobs were really settled is asked of the server.
"""

import os
import re
import subprocess
from dataclasses import dataclass

from benchmarks import tools
from benchmarks.connection import Connection
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, fact, more, prefixed
from benchmarks.servers import ADDRESS, Server, ServerSpec, running
from benchmarks.workload import Workload, costs, option

SUMMARY = re.compile(r"Processed (\d+) pushes and (\d+) pops in ([\d.]+) seconds")
LOAD_SECONDS_MAX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much, over how many connections; each connection count gets a fresh server."""

    jobs: int = option(30_000, "jobs that are pushed, and popped")
    connections: tuple[int, ...] = option((10, 50), "connection counts, one run each")


def run(spec: ServerSpec, settings: Settings) -> list[Measurement]:
    """Run the program once per connection count."""
    measurements = []
    for connections in settings.connections:
        with running(spec) as server:
            measurements += prefixed(f"c{connections}", _once(server, settings.jobs, connections))
    return measurements


def _once(server: Server, jobs: int, connections: int) -> list[Measurement]:
    command = [str(tools.find("load")), str(jobs), str(connections)]
    environment = dict(os.environ, FAKTORY_URL=f"tcp://{ADDRESS}:{server.port}")
    with server.watch() as usage:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX, check=False
        )
    summary = SUMMARY.search(done.stdout)
    if done.returncode or summary is None:
        raise BenchmarkError(f"load failed: {done.stdout}{done.stderr}")
    pushed, popped, seconds = int(summary[1]), int(summary[2]), float(summary[3])
    with Connection(server.port) as connection:
        settled = connection.total("total_processed")
    return [
        more("jobs_per_second", jobs / seconds),
        *costs(server, usage, pushed),
        fact("empty_pops", popped - settled),
    ]


WORKLOAD = Workload(
    name="load",
    summary="Faktory's own load program: push, fetch and ack of every job, half the connections each way",
    settings=Settings(),
    quick=Settings(jobs=300, connections=(4,)),
    run=run,
)
