"""The job that is being carried out: what a handler can ask of it and say about it while it runs."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from shopfloor.errors import ShopfloorError

Report = Mapping[str, object]
"""What TRACK SET is told of a job: percent, desc, result, reserve_until."""


class FailureSoFar(Struct, frozen=True, kw_only=True):
    """What the server knows of a job's earlier failures."""

    retry_count: int = 0
    remaining: int = 0
    failed_at: str = ""
    message: str = ""
    errtype: str = ""


class Fetched(Struct, frozen=True, kw_only=True):
    """A job as it comes from the server."""

    jid: str
    jobtype: str
    args: Raw
    queue: str = "default"
    retry: int = 25
    reserve_for: int = 0
    custom: Mapping[str, Any] | None = None
    failure: FailureSoFar | None = None


class CurrentJob:
    """The job that is running here. `current_job()` answers it within a handler and within middleware."""

    __slots__ = ("_fetched", "_now", "_report", "cancelled", "custom")

    def __init__(self, fetched: Fetched, report: Callable[[str, Report], None], now: Callable[[], float]) -> None:
        self._fetched = fetched
        self._report = report
        self._now = now
        self.custom: Mapping[str, Any] = fetched.custom or {}
        """What was pushed along with the job; other keys may be in it than your own."""
        self.cancelled = False
        """Whether somebody cancelled the job while it runs. Look at it now and then, and raise `Cancel`."""

    @property
    def jid(self) -> str:
        """The job's name, the same in every attempt."""
        return self._fetched.jid

    @property
    def jobtype(self) -> str:
        """What kind of job it is."""
        return self._fetched.jobtype

    @property
    def queue(self) -> str:
        """The queue that it came from."""
        return self._fetched.queue

    @property
    def attempt(self) -> int:
        """The number of this run, 1 for the first; runs that were given back without a failure do not count."""
        failure = self._fetched.failure
        return 1 if failure is None else failure.retry_count + 2

    @property
    def failure(self) -> FailureSoFar | None:
        """What is known of the attempts before."""
        return self._fetched.failure

    @property
    def is_tracked(self) -> bool:
        """Whether the server keeps a record of it (the option `track`)."""
        return bool(self.custom.get("track"))

    def progress(self, percent: float, note: str = "") -> None:
        """Say how far it is; whoever pushed it with `track` can ask. Returns at once."""
        self._report(self.jid, {"percent": int(percent)} | ({"desc": note} if note else {}))

    def extend(self, seconds: float) -> None:
        """Ask the server to leave the job with this worker for so long from now. Returns at once."""
        until = datetime.fromtimestamp(self._now() + seconds, UTC).isoformat().replace("+00:00", "Z")
        self._report(self.jid, {"reserve_until": until})


CURRENT_JOB: ContextVar[CurrentJob | None] = ContextVar("shopfloor_current_job", default=None)


def current_job() -> CurrentJob:
    """Answer the job that is running here; raise `ShopfloorError` where none is."""
    job = CURRENT_JOB.get()
    if job is None:
        raise ShopfloorError("no job is running here: current_job() is for handlers and middleware")
    return job


_fetched = msgspec.json.Decoder(Fetched)


def read_fetched(text: bytes) -> Fetched:
    """Read a job as the server sent it; raise `msgspec.MsgspecError` where it is none."""
    return _fetched.decode(text)
