"""What somebody looks for among held jobs: each word given must hold."""

import msgspec
from msgspec import Struct

from shopfloor.core.job import Job
from shopfloor.core.mutation import Glob

_STAR = "*"


class Criteria(Struct, frozen=True, kw_only=True):
    """Words that a job is found by; an empty one says nothing.

    `jid` is the whole jid. `jobtype` and `queue` are the whole name, or a pattern with `*`. `error` stands somewhere
    in the failure's type or message, in whatever case; `argument` somewhere in the JSON text of the arguments.
    """

    jid: str = ""
    jobtype: str = ""
    queue: str = ""
    error: str = ""
    argument: str = ""


EVERYTHING = Criteria()


class Finder:
    """Criteria made ready."""

    def __init__(self, criteria: Criteria) -> None:
        """Raise `Refused` where a pattern is too long."""
        self._jid = criteria.jid
        self._jobtype = _name(criteria.jobtype)
        self._queue = _name(criteria.queue)
        self._error = criteria.error.casefold()
        self._argument = criteria.argument.encode(errors="replace")

    def finds(self, job: Job) -> bool:
        """Say whether the job is one of those that are looked for."""
        return (
            (not self._jid or job.jid == self._jid)
            and _fits(self._jobtype, job.jobtype)
            and _fits(self._queue, job.queue)
            and (not self._error or self._error in _error_text(job))
            and (not self._argument or _has_argument(job, self._argument))
        )


def _name(words: str) -> Glob | str:
    """A star makes a pattern; the other signs of a glob do not, since types may be called `List[int]`."""
    if _STAR not in words:
        return words
    escaped = "".join(f"\\{letter}" if letter in "?[]\\" else letter for letter in words)
    return Glob.parse(escaped)


def _fits(wanted: Glob | str, name: str) -> bool:
    if isinstance(wanted, str):
        return not wanted or wanted == name
    return wanted.matches(name.encode())


def _error_text(job: Job) -> str:
    failure = job.failure
    return "" if failure is None else f"{failure.errtype}: {failure.message}".casefold()


def _has_argument(job: Job, needle: bytes) -> bool:
    """Look into the client's own text, and where it has escapes also into what they stand for."""
    text = bytes(job.args)
    if needle in text:
        return True
    return b"\\" in text and needle in msgspec.json.encode(msgspec.json.decode(text))
