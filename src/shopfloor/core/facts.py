"""What the server reads in a job's `custom`: the keys by which a job takes part in the features (reference 2.3)."""

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from shopfloor.core.job import NOTHING, Job
from shopfloor.core.timestamps import parse_timestamp
from shopfloor.errors import Refused

Callback = Literal["complete", "success", "death"]


class Facts(Struct, frozen=True, kw_only=True, gc=False):
    """The known keys of `custom`; what is absent or null has its default. Others are the client's own business."""

    bid: str | None = None
    """The batch that the job is a member of."""
    callback_bid: str | None = msgspec.field(name="_bid", default=None)
    """The batch that the job is a callback of."""
    callback: Callback | None = msgspec.field(name="_cb", default=None)
    batch: Raw = msgspec.field(name="_batch", default=NOTHING)
    """A batch that begins with this job: what BATCH NEW would be told."""
    unique_for: float | None = None
    unique_until: Literal["success", "start"] | None = None
    expires_at: str | None = None
    expires_in: float | None = None
    track: Any = None
    """Whether the job is tracked; any true value means yes."""
    throttle: Any = None
    """A key of its own by which the job is throttled, if it is a text."""


NO_FACTS = Facts()
_decoder = msgspec.json.Decoder(Facts)


def facts(job: Job) -> Facts:
    """Read the facts of a job; one whose `custom` the features cannot read takes part in none."""
    if job.custom is NOTHING:
        return NO_FACTS
    try:
        return _decoder.decode(job.custom)
    except msgspec.MsgspecError:
        return NO_FACTS


def checked_facts(job: Job) -> Facts:
    """Read the facts of a job that is pushed; raise `Refused` where a known key has a value that means nothing."""
    if job.custom is NOTHING:
        return NO_FACTS
    try:
        found = _decoder.decode(job.custom)
    except msgspec.MsgspecError as error:
        raise Refused(f"invalid custom: {error}") from error
    if found.unique_for is not None and not found.unique_for > 0:
        raise Refused(f"invalid custom: unique_for must be more than 0 seconds, not {found.unique_for}")
    if found.expires_at:
        try:
            parse_timestamp(found.expires_at)
        except (ValueError, OverflowError) as error:
            raise Refused(f"invalid custom: expires_at: {error}") from error
    return found
