"""Tracking: how far a job has come, for those who wait for it (reference 4.5).

A record beside the job, which outlives it for a while: clients see not only that a job runs but also how it ended, and
what it left as its result. It is written in the transition in which the job changes, so it is never ahead of it.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from shopfloor.core.fate import Event
from shopfloor.core.job import NOTHING, Held, Place
from shopfloor.core.lifecycle import RESERVE_SECONDS_MAX
from shopfloor.core.timestamps import format_timestamp

TRACK = "track"
"""The kind of record under which tracked jobs are noted, by jid."""

State = Literal["enqueued", "working", "success", "failed", "dead"]

AFTER: Mapping[Event, State] = {
    "succeeded": "success",
    "failed": "failed",
    "failed_for_good": "failed",
    "died": "dead",
    "left": "dead",
    "returned": "enqueued",
    "held_back": "enqueued",
}
"""What a job is, to those who track it, after what happened to it."""

AT: Mapping[Place, State] = {
    "queued": "enqueued",
    "scheduled": "enqueued",
    "working": "working",
    "retries": "failed",
    "dead": "dead",
}
"""What a job is, to those who track it, by where it rests."""


class Track(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a tracked job."""

    state: State
    updated_at: float
    percent: int | None = None
    desc: str | None = None
    result: Raw = NOTHING


class Report(Struct, frozen=True, kw_only=True):
    """What a worker tells of its job: the argument of TRACK SET. None and nothing leave what was there."""

    jid: str
    percent: int | None = None
    desc: str | None = None
    result: Raw = NOTHING
    reserve_until: float = 0.0
    """The reservation is to last until then, seconds since 1970; 0 leaves it."""


def moved(before: Track | None, state: State, now: float) -> Track:
    """The job comes into another state; what was told of it stays."""
    if before is None:
        return Track(state=state, updated_at=now)
    return msgspec.structs.replace(before, state=state, updated_at=now)


def told(before: Track, report: Report, now: float) -> Track:
    """Somebody tells how far the job is; its state stays."""
    return msgspec.structs.replace(
        before,
        updated_at=now,
        percent=before.percent if report.percent is None else report.percent,
        desc=before.desc if report.desc is None else report.desc,
        result=report.result if bytes(report.result) else before.result,
    )


def extended_until(held: Held, report: Report, now: float) -> float:
    """Say until when the reservation lasts: later than before, and at most a day from now, or as it was."""
    return max(held.expires_at, min(report.reserve_until, now + RESERVE_SECONDS_MAX))


def is_over(track: Track, now: float, kept_seconds: float) -> bool:
    """Say whether nobody is told of it any more."""
    return now - track.updated_at > kept_seconds


def status(jid: str, track: Track | None) -> dict[str, object]:
    """Answer TRACK GET."""
    if track is None:
        return {"jid": jid, "state": "unknown", "updated_at": ""}
    shown: dict[str, object] = {"jid": jid, "state": track.state, "updated_at": format_timestamp(track.updated_at)}
    if track.percent is not None:
        shown["percent"] = track.percent
    if track.desc is not None:
        shown["desc"] = track.desc
    if bytes(track.result):
        shown["result"] = track.result
    return shown


def encode(track: Track) -> bytes:
    """Write the record."""
    return msgspec.json.encode(track)


_decoder = msgspec.json.Decoder(Track)


def decode(value: bytes | None) -> Track | None:
    """Read a record that `encode` wrote; None where there is none."""
    return None if value is None else _decoder.decode(value)
