"""A worker process as the server knows it: when it lives, and what it was told (reference 3.8)."""

from typing import Literal

import msgspec
from msgspec import Struct

WORKER = "worker"
"""The kind of record under which workers are noted."""

State = Literal["running", "quiet", "terminate"]
_ORDER: tuple[State, ...] = ("running", "quiet", "terminate")


class Worker(Struct, frozen=True, kw_only=True):
    """One worker process. Its record begins with the first HELLO of its wid and ends when it is dead."""

    wid: str
    hostname: str = ""
    pid: int = 0
    labels: tuple[str, ...] = ()
    started_at: float
    beat_at: float
    left_at: float = 0.0
    """When its last connection broke; 0 while it is connected."""
    rss_kb: int = 0
    state: State = "running"
    cancels: tuple[str, ...] = ()
    """Jids that it holds and that somebody asked to cancel; told at its next BEAT if it understands that."""


def joined(worker: Worker | None, arriving: Worker) -> Worker:
    """A connection of that wid says HELLO: the first one makes the record, later ones join it."""
    if worker is None:
        return arriving
    return msgspec.structs.replace(worker, beat_at=arriving.beat_at, left_at=0.0)


def beaten(worker: Worker, state: str, rss_kb: int, now: float) -> Worker:
    """A BEAT arrived: states only move forward, whatever is not one of them means running."""
    asked: State = "running"
    for known in _ORDER:
        if state == known:
            asked = known
    state_now = max(worker.state, asked, key=_ORDER.index)
    return msgspec.structs.replace(worker, beat_at=now, left_at=0.0, rss_kb=rss_kb, state=state_now)


def asked(worker: Worker, state: State) -> Worker:
    """Somebody wants it to be quiet or to terminate; states only move forward."""
    return msgspec.structs.replace(worker, state=max(worker.state, state, key=_ORDER.index))


def told(worker: Worker) -> Worker:
    """It has heard which of its jobs are to be cancelled."""
    return msgspec.structs.replace(worker, cancels=())


def left(worker: Worker, now: float) -> Worker:
    """Its last connection to a server broke."""
    return msgspec.structs.replace(worker, left_at=now)


def stayed(worker: Worker) -> Worker:
    """Another server still has a connection of it."""
    return msgspec.structs.replace(worker, left_at=0.0)


def told_to_cancel(worker: Worker, jid: str) -> Worker:
    """One more of its jobs is to be cancelled."""
    return msgspec.structs.replace(worker, cancels=(*worker.cancels, jid))


class Patience(Struct, frozen=True, kw_only=True):
    """How long a worker may be silent, or away after its last connection broke."""

    silence_seconds: float
    grace_seconds: float
    heard_since: float = 0.0
    """What came before is not held against it: the server, or its store, could not hear then."""


def is_dead(worker: Worker, now: float, patience: Patience) -> bool:
    """Say whether it stopped beating, or lost its last connection and did not come back in time."""
    if worker.left_at and now - max(worker.left_at, patience.heard_since) > patience.grace_seconds:
        return True
    return now - max(worker.beat_at, patience.heard_since) > patience.silence_seconds


def encode(worker: Worker) -> bytes:
    """Write the record."""
    return msgspec.json.encode(worker)


_decoder = msgspec.json.Decoder(Worker)


def decode(value: bytes) -> Worker:
    """Read a record that `encode` wrote."""
    return _decoder.decode(value)
