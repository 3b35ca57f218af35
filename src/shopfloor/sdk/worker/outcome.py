"""How a run ended, and how a handler steers that: by what it returns and what it raises."""

import traceback
from typing import Literal

import msgspec
from msgspec import Struct

from shopfloor.errors import ShopfloorError
from shopfloor.sdk.arguments import encode_arguments
from shopfloor.sdk.jobs import Manner
from shopfloor.sdk.running import CurrentJob

Fate = Literal["done", "failed", "dead", "discarded", "returned"]

BACKTRACE_LINES_MAX = 50
"""What a Faktory keeps of one."""


class Retry(ShopfloorError):
    """Raise it to have the job tried again in `in_` seconds. It counts as a failure: one retry is used."""

    def __init__(self, in_: float, reason: str = "") -> None:
        super().__init__(reason or f"again in {in_} s")
        self.in_ = in_


class Discard(ShopfloorError):
    """Raise it to drop the job: it is not tried again, and counts as lost in its batch."""


class Cancel(Discard):
    """Raise it when `current_job().cancelled`; the job is dropped."""


class JobTimeout(Exception):
    """Raised in a function that takes longer than its `timeout`. It counts as a failure, unless it is caught."""


class WorkerStops(BaseException):
    """Raised in a function that did not end in time when its worker stopped. The job is given back."""


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a run. `returned`: given back, without having been tried."""

    jid: str
    fate: Fate
    errtype: str = ""
    message: str = ""
    backtrace: tuple[str, ...] = ()
    retry_in: float | None = None
    result: bytes = b""
    """What the handler returned, as JSON, where the job is tracked."""


def succeeded(job: CurrentJob, returned: object) -> Outcome:
    """The handler returned; of a tracked job that is its result."""
    if returned is None or not job.is_tracked:
        return Outcome(jid=job.jid, fate="done")
    text = encode_arguments([returned], ("the result",), job.jobtype)
    return Outcome(jid=job.jid, fate="done", result=bytes(text)[1:-1])


def raised(jid: str, error: BaseException, manner: Manner) -> Outcome:
    """The handler, or what surrounds it, raised."""
    if isinstance(error, WorkerStops):
        return Outcome(jid=jid, fate="returned")
    if isinstance(error, (Discard, *manner.discard_on)):
        return _told(jid, "discarded", error)
    if isinstance(error, Retry):
        return msgspec.structs.replace(_told(jid, "failed", error), retry_in=max(error.in_, 0.0), backtrace=())
    return _told(jid, "dead" if isinstance(error, manner.dead_on) else "failed", error)


def _told(jid: str, fate: Fate, error: BaseException) -> Outcome:
    lines = [
        line for entry in traceback.format_tb(error.__traceback__)[-BACKTRACE_LINES_MAX:] for line in entry.splitlines()
    ]
    return Outcome(
        jid=jid,
        fate=fate,
        errtype=type(error).__name__,
        message=str(error),
        backtrace=tuple(line.strip() for line in lines[-BACKTRACE_LINES_MAX:]),
    )
