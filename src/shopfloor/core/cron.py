"""Cron entries: jobs that come by themselves, by a schedule.

An entry is a record. Up to `last_at` everything is settled; what the schedule names after it and is not later than now
is due. Whoever fires a moment writes `last_at` and the job in one transition that expects the record unchanged: so a
moment is fired once, however many servers look. The jid of the job follows from the entry's name and the moment.

A moment that is noticed late is *missed*. What becomes of missed moments is the entry's `catch_up`:

    none    they are left out
    last    the last one is fired, if it is within the window, where there is one
    all     those within the window are fired, one job each
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from itertools import takewhile
from typing import Literal

import msgspec
from msgspec import Struct

from shopfloor.core.cron_definition import CatchUp, Definition
from shopfloor.core.job import Job
from shopfloor.core.payload import accept, decode_pushed
from shopfloor.core.schedule import Schedule, read_schedule
from shopfloor.core.timestamps import format_timestamp
from shopfloor.errors import Refused

CRON = "cron"
"""The kind of record under which entries are noted."""
LATE_SECONDS = 60.0
"""A moment noticed later than this is missed; the shortest schedule has one a minute."""
MISSED_MAX = 1_440
"""Missed moments that are looked at, and fired at most: as many as a day has minutes."""
WINDOW_SECONDS_DEFAULT = 86_400.0
"""How far back `all` reaches unless told."""
AHEAD_SECONDS_MAX = 86_400.0
"""A `last_at` further ahead than this was written by a clock that was wrong."""
HISTORY_MAX = 10

Source = Literal["file", "api"]


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a moment; `due_at` is 0 where somebody ran the entry by hand."""

    what: Literal["fired", "skipped", "refused"]
    at: float
    due_at: float = 0.0
    jid: str = ""
    reason: str = ""


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry: what was asked for, and how far it is."""

    definition: Definition
    source: Source
    fields: str
    """The schedule as five fields."""
    last_at: float
    paused: bool = False
    """Whether it is paused now; its definition says how it began."""
    fired: int = 0
    skipped: int = 0
    refused: int = 0
    history: tuple[Outcome, ...] = ()
    """The latest outcomes, last first."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.definition.name

    @property
    def schedule(self) -> Schedule:
        """When it is due."""
        return Schedule(self.fields, self.definition.zone)


class Due(Struct, frozen=True):
    """The moments to fire now, in order; before them, `skipped` are left out, the last of which was `skipped_at`."""

    moments: tuple[float, ...] = ()
    skipped: int = 0
    skipped_at: float = 0.0


NOTHING_DUE = Due()


def entered(before: Entry | None, definition: Definition, source: Source, now: float) -> Entry:
    """Make an entry, or change the one of that name; raise `Refused` for a schedule that is none.

    Nothing before now is made up for by a new entry, nor by a changed schedule. Whether it is paused stays as it is
    unless the definition says something new about that.
    """
    fields = read_schedule(definition.schedule, definition.zone, now).fields
    if before is None:
        return Entry(definition=definition, source=source, fields=fields, last_at=now, paused=definition.paused)
    is_same = before.fields == fields and before.definition.zone == definition.zone
    is_sound = before.last_at <= now + AHEAD_SECONDS_MAX
    said = definition.paused != before.definition.paused
    return msgspec.structs.replace(
        before,
        definition=definition,
        source=source,
        fields=fields,
        last_at=before.last_at if is_same and is_sound else now,
        paused=definition.paused if said else before.paused,
    )


def paused(entry: Entry) -> Entry:
    """Stop an entry from firing."""
    return msgspec.structs.replace(entry, paused=True)


def resumed(entry: Entry, now: float) -> Entry:
    """Let an entry fire again, from now on: what a pause left out was not missed."""
    if not entry.paused:
        return entry
    return msgspec.structs.replace(entry, paused=False, last_at=max(entry.last_at, now))


def next_at(entry: Entry, after: float) -> float | None:
    """Say when the entry fires next, its jitter included; None where it never does, or is paused.

    It never does on a machine that does not know its zone (any more).
    """
    if entry.paused:
        return None
    try:
        moment = next(entry.schedule.after(after), None)
    except Refused:
        return None
    return None if moment is None else fires_at(entry, moment)


def fires_at(entry: Entry, moment: float) -> float:
    """Add an entry's jitter to a moment: always the same for that moment, whoever reckons."""
    jitter = entry.definition.jitter
    if not jitter:
        return moment
    number = int.from_bytes(_digest(entry.name, f"jitter {moment:.0f}")[:6])
    return moment + jitter * number / 2**48


def due(entry: Entry, now: float) -> Due:
    """Decide which moments are fired now, and how many are left out."""
    if entry.paused:
        return NOTHING_DUE
    named = entry.schedule.latest(min(entry.last_at, now), now, MISSED_MAX)
    come = tuple(takewhile(lambda moment: fires_at(entry, moment) <= now, named))
    if not come:
        return NOTHING_DUE
    moments = _caught_up(entry, come, now)
    left_out = come[: len(come) - len(moments)]
    return Due(moments, len(left_out), left_out[-1] if left_out else 0.0)


def fired(entry: Entry, moment: float, now: float, jid: str) -> Entry:
    """The moment's job is put."""
    outcome = Outcome(what="fired", at=now, due_at=moment, jid=jid)
    return _settled(msgspec.structs.replace(entry, fired=entry.fired + 1), outcome)


def refused(entry: Entry, moment: float, now: float, reason: str) -> Entry:
    """The moment's job is not taken; it is not tried again."""
    outcome = Outcome(what="refused", at=now, due_at=moment, reason=reason)
    return _settled(msgspec.structs.replace(entry, refused=entry.refused + 1), outcome)


def skipped(entry: Entry, decided: Due, now: float) -> Entry:
    """Leave out what was missed."""
    outcome = Outcome(what="skipped", at=now, due_at=decided.skipped_at)
    return _settled(msgspec.structs.replace(entry, skipped=entry.skipped + decided.skipped), outcome)


def job_for(entry: Entry, jid: str, now: float) -> Job:
    """Make the job of a firing."""
    pushed = decode_pushed(bytes(entry.definition.job))
    pushed.jid = jid
    job, _ = accept(pushed, now, format_timestamp(now))
    return job


def jid_at(name: str, moment: float) -> str:
    """Name the job of a moment: firing it again would be the very same push."""
    return _jid(_digest(name, f"at {moment:.0f}"))


def jid_by_hand(name: str, version: int, now: float) -> str:
    """Name the job of an entry that is run by hand; each run writes a version of its own."""
    return _jid(_digest(name, f"run {version} {now!r}"))


def describe(entry: Entry) -> dict[str, object]:
    """Tell an entry as CRON LIST shows it."""
    upcoming = next_at(entry, entry.last_at)
    told: dict[str, object] = {
        **msgspec.structs.asdict(entry.definition),
        "paused": entry.paused,
        "source": entry.source,
        "next_at": None if upcoming is None else format_timestamp(upcoming),
        "fired": entry.fired,
        "skipped": entry.skipped,
        "refused": entry.refused,
        "history": [_told(outcome) for outcome in entry.history],
    }
    return told


def encode(entry: Entry) -> bytes:
    """Write the record."""
    return msgspec.json.encode(entry)


_decoder = msgspec.json.Decoder(Entry)


def decode(value: bytes) -> Entry:
    """Read a record that `encode` wrote."""
    return _decoder.decode(value)


def _caught_up(entry: Entry, come: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Choose from the moments that have come those that are fired: always a tail of them."""
    catch_up: CatchUp = entry.definition.catch_up
    on_time = _within(entry, come, now - LATE_SECONDS)
    if catch_up == "none":
        return on_time
    window = entry.definition.window
    if catch_up == "all":
        return _within(entry, come, now - max(window or WINDOW_SECONDS_DEFAULT, LATE_SECONDS))
    return on_time or (_within(entry, come[-1:], now - window) if window else come[-1:])


def _within(entry: Entry, come: tuple[float, ...], earliest: float) -> tuple[float, ...]:
    """Leave off the moments at the head that were to fire before `earliest`."""
    first = next((index for index, moment in enumerate(come) if fires_at(entry, moment) >= earliest), len(come))
    return come[first:]


def _settled(entry: Entry, outcome: Outcome) -> Entry:
    history = (outcome, *entry.history)[:HISTORY_MAX]
    return msgspec.structs.replace(entry, last_at=outcome.due_at or entry.last_at, history=history)


def _told(outcome: Outcome) -> dict[str, object]:
    told: dict[str, object] = {"what": outcome.what, "at": format_timestamp(outcome.at)}
    if outcome.due_at:
        told["due_at"] = format_timestamp(outcome.due_at)
    if outcome.jid:
        told["jid"] = outcome.jid
    if outcome.reason:
        told["reason"] = outcome.reason
    return told


def _digest(name: str, what: str) -> bytes:
    return sha256(f"{name} {what}".encode()).digest()


def _jid(digest: bytes) -> str:
    return "cron-" + urlsafe_b64encode(digest[:12]).decode()
