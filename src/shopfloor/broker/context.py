"""What every verb works with: the store, the rules, the limits, the time of the round and the dice."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from shopfloor.broker.counts import Counts
from shopfloor.broker.moment import Moment
from shopfloor.broker.ticks import Ticks
from shopfloor.core.lifecycle import Rules
from shopfloor.core.retry import Dice
from shopfloor.store.port import Store


class BrokerLimits(Struct, frozen=True, kw_only=True):
    """How long and how much; each is a setting of the same name."""

    fetch_seconds: float = 2.0
    worker_seconds: float = 60.0
    worker_grace_seconds: float = 15.0
    job_bytes_max: int = 4 * 1024 * 1024
    queue_name_bytes_max: int = 255
    dead_jobs_max: int = 1_000_000
    track_seconds: float = 1800.0
    latency_calls_per_second_max: int = 1000
    batch_open_seconds: float = 1800.0
    batch_kept_seconds: float = 86_400.0
    batches_reopen: Literal["strict", "lenient"] = "strict"
    backup_dir: Path = Path("backups")


@dataclass(eq=False, slots=True)
class Session:
    """One connection as the verbs know it."""

    wid: str = ""
    understands: tuple[str, ...] = ()
    closed: bool = False
    deaf: bool = False
    """The client takes no more jobs: it has closed its end, or the connection is gone."""


@dataclass(slots=True, kw_only=True)
class Context:
    """Shared by all groups of verbs; owned by the `Broker`."""

    ticks: Ticks
    rules: Rules
    limits: BrokerLimits
    dice: Dice
    log: FilteringBoundLogger
    push_refusal: str = ""
    """Why no job is taken at present (memory, for example); empty when jobs are taken."""
    counts: Counts = field(default_factory=Counts)
    """What has happened here, for those who watch from outside."""
    quiet: set[str] = field(default_factory=set)
    """Wids that were told to be quiet or to terminate, as of their last BEAT or the last reaping here."""

    @property
    def strict(self) -> bool:
        """Whether a batch takes nothing more once it is committed (setting `batches_reopen`)."""
        return self.limits.batches_reopen == "strict"

    @property
    def store(self) -> Store:
        """Where jobs rest."""
        return self.ticks.store

    @property
    def moment(self) -> Moment:
        """The time of this round."""
        return self.ticks.moment
