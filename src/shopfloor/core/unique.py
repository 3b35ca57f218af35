"""Unique jobs: while one of them holds the lock, an equal one is not taken (reference 4.3).

Two jobs are equal where type, queue and arguments are. Arguments are compared as JSON means them, not as a client
happened to write them: keys in any order, strings by their code points, numbers by their value (1, 1.0 and 1e0 are
one; integers of any length are exact). The lock is a `Claim` in the transition that takes the job in. It ends with
the job, or with its fetch, or after `unique_for`, whatever comes first.
"""

import json
import re
from hashlib import sha256
from typing import Any

from shopfloor.core.changes import Claim, Release, Transition
from shopfloor.core.facts import Facts
from shopfloor.core.job import Job
from shopfloor.core.timestamps import SECONDS_MAX
from shopfloor.errors import Refused

NOBODY = ""
"""Who claims a lock only to release it: no job has this jid."""

_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,18}))?", re.ASCII)


class _Number(str):
    """A number in its one form, told apart from a text that reads the same."""

    __slots__ = ()


def claim(job: Job, known: Facts, due: float, now: float) -> Claim:
    """Take the lock of a job that is pushed; a scheduled one keeps it for its delay and `unique_for`."""
    assert known.unique_for is not None
    until = min(max(now, due) + known.unique_for, SECONDS_MAX)
    return Claim(lock(job), job.jid, until, now)


def release(job: Job) -> Release:
    """End the lock of a job, if it has it."""
    return Release(lock(job), job.jid)


def forget(key: str, now: float) -> Transition:
    """End a lock whose time is over, although its owner never came back for it; one that was claimed anew stays."""
    return (Claim(key, NOBODY, now, now), Release(key, NOBODY))


def lock(job: Job) -> str:
    """Name the lock that all jobs equal to this one share."""
    identity = f"[{json.dumps(job.jobtype)},{canonical(bytes(job.args))},{json.dumps(job.queue)}]"
    return f"unique:{sha256(identity.encode()).hexdigest()}"


def canonical(text: bytes) -> str:
    """Write a JSON text in the one form that all texts of the same meaning share; raise `Refused` for none."""
    try:
        return _written(json.loads(text, strict=False, parse_int=_number, parse_float=_number))
    except ValueError as error:
        raise Refused(f"invalid JSON: {error}") from error
    except RecursionError as error:
        raise Refused("invalid JSON: nested too deeply") from error


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join([f"{json.dumps(key)}:{_written(value[key])}" for key in sorted(value)]) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return value if isinstance(value, _Number) else json.dumps(value)


def _number(text: str) -> _Number:
    """Write a number as digits without zeros at either end and a power of ten."""
    match = _NUMBER.fullmatch(text)
    if match is None:  # a power that no value can have: the text must do
        return _Number(text.lower())
    sign, whole, fraction, power = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    bare = digits.rstrip("0")
    if not bare:
        return _Number("0")
    return _Number(f"{sign}{bare}e{int(power or 0) - len(fraction) + len(digits) - len(bare)}")
