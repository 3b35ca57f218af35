"""What a `[[cron]]` table or CRON PUT says of an entry, and reading it.

    {"name": "report", "schedule": "0 6 * * mon-fri", "zone": "Europe/Berlin", "catch_up": "last",
     "window": 7200, "jitter": 30, "paused": false, "job": {"type": "Report", "args": [], "queue": "low"}}

Only `schedule` and the job's `type` must be there. The job's keys are those of Faktory's file.
"""

import re
from hashlib import sha256
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from shopfloor.core.facts import checked_facts
from shopfloor.core.job import NOTHING
from shopfloor.core.leniency import valid_utf8, without_lone_surrogates
from shopfloor.core.payload import Integer, accept, decode_pushed
from shopfloor.core.schedule import read_schedule
from shopfloor.errors import Refused

CatchUp = Literal["none", "last", "all"]

ZONE_DEFAULT = "UTC"
ENTRY_BYTES_MAX = 65_536
"""What Faktory advises for a job; CRON LIST shows all entries in one reply."""
NAME_CHARACTERS_MAX = 100
"""Names stand in commands, log lines and tables."""
JITTER_SECONDS_MAX = 3_600
"""More would mix up the moments of an hourly entry."""
WINDOW_SECONDS_MAX = 31 * 86_400
"""What was missed a month ago is nobody's hurry."""

_NAME = re.compile(r"[A-Za-z0-9._:-]+", re.ASCII)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._:-]+", re.ASCII)

Window = Annotated[float, Meta(ge=0, le=WINDOW_SECONDS_MAX)]
Jitter = Annotated[float, Meta(ge=0, le=JITTER_SECONDS_MAX)]


class Definition(Struct, frozen=True, kw_only=True):
    """An entry as it was asked for. `job` is the JSON of a job without a jid; window 0 is the policy's own."""

    name: str
    schedule: str
    zone: str
    catch_up: CatchUp
    window: float
    jitter: float
    paused: bool
    job: Raw


class JobText(Struct, kw_only=True, forbid_unknown_fields=True):
    """The job of an entry as it is written; `type` is Faktory's word in files, `jobtype` that of the protocol."""

    type: str | None = None
    jobtype: str | None = None
    queue: str | None = None
    retry: Integer | None = None
    args: Raw = NOTHING
    reserve_for: Integer | None = None
    backtrace: Integer | None = None
    custom: Raw = NOTHING


class EntryText(Struct, kw_only=True, forbid_unknown_fields=True):
    """An entry as it is written."""

    schedule: str
    job: JobText
    name: str | None = None
    zone: str | None = None
    catch_up: CatchUp = "none"
    window: Window = 0.0
    jitter: Jitter = 0.0
    paused: bool = False


_entries = msgspec.json.Decoder(EntryText)


def read_definition(text: bytes, now: float) -> Definition:
    """Read an entry; raise `Refused` where it is none, or could never fire."""
    if len(text) > ENTRY_BYTES_MAX:
        raise Refused(f"cron entry is too large: {len(text)} bytes, the limit is {ENTRY_BYTES_MAX}")
    try:
        said = _entries.decode(without_lone_surrogates(valid_utf8(text)).replace(b"\r", b" "))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(f"invalid cron entry: {error}") from error
    zone = said.zone or ZONE_DEFAULT
    read_schedule(said.schedule, zone, now)
    jobtype = said.job.type or said.job.jobtype or ""
    return Definition(
        name=check_name(said.name or _derived_name(jobtype, said)),
        schedule=said.schedule,
        zone=zone,
        catch_up=said.catch_up,
        window=said.window,
        jitter=said.jitter,
        paused=said.paused,
        job=_job(jobtype, said.job),
    )


def check_name(name: str) -> str:
    """Return `name` if an entry may be called that, else raise `Refused`."""
    if len(name) > NAME_CHARACTERS_MAX or _NAME.fullmatch(name) is None:
        raise Refused(
            f'invalid cron entry: "{name}" is no name: up to {NAME_CHARACTERS_MAX} letters, digits and . _ : - are'
        )
    return name


def _derived_name(jobtype: str, said: EntryText) -> str:
    """Name an entry after what it does and when: the same words give the same name wherever they are read."""
    args = bytes(said.job.args) or b"[]"
    text = b"\n".join((jobtype.encode(), " ".join(said.schedule.split()).encode(), args))
    return f"{_NOT_IN_NAMES.sub('-', jobtype)[:80]}-{sha256(text).hexdigest()[:8]}"


def _job(jobtype: str, said: JobText) -> Raw:
    """Write the job as a client would push it, and refuse now what would be refused whenever it fires."""
    told: dict[str, object] = {"jobtype": jobtype, "args": said.args or Raw(b"[]")}
    for key in ("queue", "retry", "reserve_for", "backtrace"):
        value = getattr(said, key)
        if value is not None:
            told[key] = value
    if said.custom:
        told["custom"] = said.custom
    text = msgspec.json.encode(told)
    pushed = decode_pushed(text)
    pushed.jid = "to be given"
    job, _ = accept(pushed, 0.0, "")
    checked_facts(job)
    return Raw(text)
