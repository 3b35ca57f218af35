"""What a workload is: a name, settings that become flags, and a function from a server to its figures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from benchmarks import process_tree
from benchmarks.measurement import Measurement, fact, less
from benchmarks.process_tree import Usage
from benchmarks.servers import Server, ServerSpec

S = TypeVar("S")
MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload(Generic[S]):
    """A kind of work. `settings` is the real thing, `quick` a tiny one that only shows that it still runs."""

    name: str
    summary: str
    settings: S
    quick: S
    run: Callable[[ServerSpec, S], list[Measurement]]


def option(default: Any, explanation: str) -> Any:
    """Declare a setting of a workload: a dataclass field whose explanation becomes the help of its flag."""
    return field(default=default, metadata={"help": explanation})


def costs(server: Server, usage: Usage, jobs: int) -> list[Measurement]:
    """State what the server's tree paid for the jobs of a window, and how disturbed that window was."""
    return [
        less("server_cpu_microseconds_per_job", usage.server_cpu_seconds / jobs * MICROSECONDS_PER_SECOND),
        less("peak_rss_mib", process_tree.rss_mib(server.process_id, peak=True)),
        fact("others_cores", usage.others_cores),
    ]
