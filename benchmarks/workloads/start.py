"""Push to start on an idle server: from the moment a PUSH is sent until a parked worker holds the job."""

import time
from dataclasses import dataclass

from benchmarks.connection import FETCH, Connection, ack, pushes
from benchmarks.measurement import Measurement, latencies
from benchmarks.servers import ServerSpec, running
from benchmarks.workload import Workload, costs, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How many times, and how long the worker has been parked each time."""

    jobs: int = option(5_000, "jobs, one at a time")
    parked_seconds: float = option(0.001, "pause before the PUSH, so that the worker is surely parked")


def run(spec: ServerSpec, settings: Settings) -> list[Measurement]:
    """Let one producer push to one parked worker, again and again."""
    with (
        running(spec) as server,
        Connection(server.port, wid="benchmark-start") as worker,
        Connection(server.port) as producer,
    ):
        with server.watch() as usage:
            taken = [
                _push_to_start(worker, producer, push, settings.parked_seconds)
                for push in pushes("start", settings.jobs)
            ]
        return [
            *latencies("push_to_start", [started for started, _ in taken]),
            *latencies("push_to_reply_and_start", [answered for _, answered in taken]),
            *costs(server, usage, settings.jobs),
        ]


def _push_to_start(worker: Connection, producer: Connection, push: bytes, parked_seconds: float) -> tuple[int, int]:
    """Park, push, read the worker's side first, then the producer's; give the nanoseconds until each."""
    worker.send(FETCH)
    time.sleep(parked_seconds)
    began = time.perf_counter_ns()
    producer.send(push)
    job = worker.reply()
    while job is None:  # the park ended by itself just before the push
        job = worker.call(FETCH)
    started = time.perf_counter_ns() - began
    producer.reply()
    answered = time.perf_counter_ns() - began
    worker.call(ack(job))
    return started, answered


WORKLOAD = Workload(
    name="start",
    summary="latency from a PUSH to the parked worker that gets the job, on an idle server",
    settings=Settings(),
    quick=Settings(jobs=20),
    run=run,
)
