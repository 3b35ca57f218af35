"""What a process and its descendants cost, read from /proc: CPU seconds, memory now and at its peak.

A server's Redis is its child, so it is counted; so is what its children did before they ended (a snapshot
that Redis forked), because the kernel adds their CPU to the parent that waited for them. Ticks are 10 ms on
Linux as usually built: a window of a second is exact to one percent.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
BYTES_PER_KIB = 1024
KIB_PER_MIB = 1024
# Fields of /proc/PID/stat counted from the one after the name, which is in brackets and may hold anything.
PARENT = 1
CPU_FIELDS = slice(11, 15)  # user, system, and the same of the children waited for
# The first eight of the line `cpu` in /proc/stat; idle and waiting for the disk are not work.
IDLE_FIELDS = (3, 4)
CPU_FIELD_COUNT = 8


def process_ids(root: int) -> list[int]:
    """List the process and all its living descendants, parents before children."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[PARENT]), []).append(int(entry.name))
    found = [root]
    for parent in found:
        found += children.get(parent, [])
    return found


def cpu_seconds(root: int) -> float:
    """Add up user and system time of the tree since it began."""
    ticks = 0
    for process_id in process_ids(root):
        ticks += sum(int(field) for field in _stat(process_id)[CPU_FIELDS])
    return ticks / TICKS_PER_SECOND


def rss_mib(root: int, *, peak: bool = False) -> float:
    """Add up the resident memory of the tree, now or at each process's own peak."""
    label = "VmHWM:" if peak else "VmRSS:"
    kib = sum(_status_kib(process_id, label) for process_id in process_ids(root))
    return kib / KIB_PER_MIB


def machine_busy_seconds() -> float:
    """Give the CPU seconds that all cores together have worked, stolen time included, since boot."""
    line = (PROC / "stat").read_text().splitlines()[0]
    fields = [int(field) for field in line.split()[1:][:CPU_FIELD_COUNT]]
    return (sum(fields) - sum(fields[i] for i in IDLE_FIELDS)) / TICKS_PER_SECOND


def _stat(process_id: int) -> list[str]:
    try:
        text = (PROC / str(process_id) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(")") + 2 :].split()


def _status_kib(process_id: int, label: str) -> int:
    try:
        lines = (PROC / str(process_id) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(label))


@dataclass(slots=True)
class Usage:
    """A window of time: what the server's tree used in it, and how many cores strangers kept busy meanwhile.

    Everything that a benchmark starts descends from its own process, so whatever the machine did beyond
    that tree was somebody else's doing. A run with busy strangers is worth less, and says so.
    """

    process_id: int
    wall_seconds: float = 0.0
    server_cpu_seconds: float = 0.0
    others_cores: float = 0.0

    def __enter__(self) -> Self:
        self.others_cores = self._others()
        self.server_cpu_seconds = cpu_seconds(self.process_id)
        self.wall_seconds = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall_seconds = time.perf_counter() - self.wall_seconds
        self.server_cpu_seconds = cpu_seconds(self.process_id) - self.server_cpu_seconds
        others = self._others() - self.others_cores
        self.others_cores = max(others, 0.0) / self.wall_seconds

    def _others(self) -> float:
        return machine_busy_seconds() - cpu_seconds(os.getpid())
