"""The workloads, one a file. A new one is a file with a `WORKLOAD` and its row here."""

from typing import Any

from benchmarks.workload import Workload
from benchmarks.workloads import batch, bulk, deep, idle, load, mixed, start

WORKLOADS: tuple[Workload[Any], ...] = (
    load.WORKLOAD,
    mixed.WORKLOAD,
    bulk.WORKLOAD,
    batch.WORKLOAD,
    deep.WORKLOAD,
    idle.WORKLOAD,
    start.WORKLOAD,
)
