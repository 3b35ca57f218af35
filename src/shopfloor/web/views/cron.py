"""Cron entries: what they push, when they fire next, and how it went the last time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from shopfloor.core.cron import Entry, Outcome
from shopfloor.errors import Refused
from shopfloor.web import words
from shopfloor.web.limits import CUT_CHARACTERS
from shopfloor.web.views.jobs import HIDDEN

RUNS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """One entry."""

    name: str
    schedule: str
    zone: str
    job: str
    source: str
    paused: bool
    next_at: Sequence[float]
    """The next moments, jitter not included; empty where it is paused or never fires."""
    last: Outcome | None
    """What became of the latest moment."""
    fired: int
    skipped: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CronView:
    """See `templates/cron.html`."""

    lines: Sequence[EntryLine]

    @classmethod
    def of(cls, entries: Sequence[Entry], now: float, *, hides: bool) -> "CronView":
        """Put the page together."""
        return cls(lines=[_line(entry, now, hides=hides) for entry in entries])


def _line(entry: Entry, now: float, *, hides: bool) -> EntryLine:
    definition = entry.definition
    text = bytes(definition.job).decode(errors="replace")
    return EntryLine(
        name=entry.name,
        schedule=definition.schedule,
        zone=definition.zone,
        job=HIDDEN if hides else words.cut(text, CUT_CHARACTERS),
        source=entry.source,
        paused=entry.paused,
        next_at=_next(entry, now),
        last=entry.history[0] if entry.history else None,
        fired=entry.fired,
        skipped=entry.skipped,
        refused=entry.refused,
    )


def _next(entry: Entry, now: float) -> list[float]:
    """Name the next moments; none for a zone that this machine does not know (any more)."""
    if entry.paused:
        return []
    try:
        return list(islice(entry.schedule.after(now), RUNS_SHOWN))
    except Refused:
        return []
