"""The figures of the server as Prometheus collects them: one function a family of metrics.

Nothing is kept here. What happened is in the broker's `Counts`; what is now was just asked for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from shopfloor.broker.counts import Counts, Event, Histogram
from shopfloor.broker.glance import Watched
from shopfloor.broker.reports import Vitals
from shopfloor.broker.upkeep import Tally

HELP: Final[tuple[tuple[Event, str], ...]] = (
    ("pushed", "Jobs that clients pushed and that were taken."),
    ("started", "Jobs that were given to workers."),
    ("done", "Jobs that were acknowledged."),
    ("failed", "Runs that failed, after which the job is tried again or leaves."),
    ("died", "Runs that failed and after which the job is dead."),
    ("expired", "Jobs that were discarded because their time was over before they began."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything that one collection shows."""

    counts: Counts
    commits: Histogram
    rounds: int
    watched: Watched
    vitals: Vitals
    tally: Tally


class ServerCollector(Collector):
    """One reading, as the library asks for it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterable[Metric]:
        """Yield every family."""
        reading = self._reading
        yield from _happened(reading.counts)
        yield from _queues(reading.watched)
        yield from _places(reading.watched)
        yield from _server(reading)


def _happened(counts: Counts) -> Iterator[Metric]:
    """What happened on this server since it began; jobs that other servers on the store handled are theirs."""
    for event, told in HELP:
        family = CounterMetricFamily(f"shopfloor_jobs_{event}", told, labels=("queue", "jobtype"))
        for kind, number in counts.totals[event].items():
            family.add_metric(kind, number)
        yield family
    runs = HistogramMetricFamily("shopfloor_job_run_seconds", "From reservation to ACK or FAIL.", labels=("jobtype",))
    for jobtype, histogram in counts.runs.items():
        runs.add_metric((jobtype,), *_buckets(histogram))
    yield runs
    waits = HistogramMetricFamily("shopfloor_job_wait_seconds", "From queue to reservation.", labels=("queue",))
    for queue, histogram in counts.waits.items():
        waits.add_metric((queue,), *_buckets(histogram))
    yield waits


def _queues(watched: Watched) -> Iterator[Metric]:
    size = GaugeMetricFamily("shopfloor_queue_jobs", "Jobs waiting in a queue; the largest queues.", labels=("queue",))
    latency = GaugeMetricFamily("shopfloor_queue_latency_seconds", "Age of a queue's oldest job.", labels=("queue",))
    paused = GaugeMetricFamily("shopfloor_queue_paused", "1 where a queue gives out no jobs.", labels=("queue",))
    for queue in watched.queues:
        size.add_metric((queue.name,), queue.size)
        latency.add_metric((queue.name,), queue.age_seconds)
        paused.add_metric((queue.name,), float(queue.paused))
    yield from (size, latency, paused)
    yield GaugeMetricFamily("shopfloor_queues", "Queues that are known.", value=watched.totals.queues)


def _places(watched: Watched) -> Iterator[Metric]:
    figures = watched.totals.figures
    places = GaugeMetricFamily("shopfloor_jobs", "Jobs by the place where they rest.", labels=("place",))
    places.add_metric(("queued",), watched.totals.enqueued)
    for place in ("working", "scheduled", "retries", "dead"):
        places.add_metric((place,), getattr(figures, place))
    yield places
    yield CounterMetricFamily("shopfloor_processed", "Runs that ended, of all servers and times.", figures.processed)
    yield CounterMetricFamily("shopfloor_failures", "Runs that failed, of all servers and times.", figures.failures)
    workers = GaugeMetricFamily("shopfloor_workers", "Worker processes by state.", labels=("state",))
    states = Counter(worker.state for worker in watched.workers)
    for state in ("running", "quiet", "terminate"):
        workers.add_metric((state,), states[state])
    yield workers
    late = GaugeMetricFamily(
        "shopfloor_upkeep_lag_seconds", "How long the most overdue job has been due.", labels=("place",)
    )
    for timed, seconds in watched.late_seconds.items():
        late.add_metric((timed,), seconds)
    yield late


def _server(reading: Reading) -> Iterator[Metric]:
    vitals, store, tally = reading.vitals, reading.watched.store, reading.tally
    about = {"version": vitals.version, "store": store.engine, "durability": store.durability}
    yield InfoMetricFamily("shopfloor_server", "What serves.", value=about)
    yield GaugeMetricFamily("shopfloor_uptime_seconds", "Time since the start.", value=vitals.uptime_seconds)
    yield GaugeMetricFamily("shopfloor_connections", "Command connections.", value=vitals.connections)
    memory = vitals.memory_megabytes * 1_000_000
    yield GaugeMetricFamily("shopfloor_memory_bytes", "Memory of the process.", value=memory)
    yield CounterMetricFamily("shopfloor_commands", "Commands that were carried out.", vitals.commands)
    yield CounterMetricFamily("shopfloor_rounds", "Rounds, each with one commit at most.", reading.rounds)
    commits = HistogramMetricFamily(
        "shopfloor_commit_seconds", "Time in which the store committed, of every eighth round."
    )
    commits.add_metric((), *_buckets(reading.commits))
    yield commits
    trouble = float(bool(store.facts.get("trouble")))
    yield GaugeMetricFamily("shopfloor_store_trouble", "1 where the store has trouble.", value=trouble)
    reaped = CounterMetricFamily("shopfloor_reaped", "What was given up by upkeep.", labels=("what",))
    reaped.add_metric(("reservations",), tally.reservations_reaped)
    reaped.add_metric(("workers",), tally.workers_reaped)
    yield reaped


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    """Give the counts as the library wants them: growing, with the sum of all values."""
    told: list[tuple[str, float]] = []
    upto = 0
    for bound, number in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        upto += number
        told.append(("+Inf" if bound == float("inf") else repr(bound), upto))
    return told, histogram.total
