"""Jobs as tables show them: a line each, their texts cut, their arguments hidden where a setting says so."""

from dataclasses import dataclass
from typing import Final

from shopfloor.core.job import Held
from shopfloor.web import words
from shopfloor.web.limits import CUT_CHARACTERS

HIDDEN: Final = "hidden by a setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """One job in a table."""

    jid: str
    jobtype: str
    queue: str
    arguments: str
    at: float
    """When it is due, is thrown away, or was put into its queue; 0 where that is not known."""
    failed: int
    """How often it has failed."""
    error: str
    wid: str
    reserved_at: float
    expires_at: float
    cancelled: bool

    @classmethod
    def of(cls, held: Held, *, hides_arguments: bool) -> "JobLine":
        """Describe a job."""
        job, failure = held.job, held.job.failure
        return cls(
            jid=job.jid,
            jobtype=job.jobtype,
            queue=job.queue,
            arguments=HIDDEN if hides_arguments else words.cut(arguments_of(held), CUT_CHARACTERS),
            at=held.at or words.seconds_of(job.enqueued_at) or 0.0,
            failed=0 if failure is None else failure.retry_count + 1,
            error="" if failure is None else words.cut(f"{failure.errtype}: {failure.message}", CUT_CHARACTERS),
            wid=held.wid,
            reserved_at=held.reserved_at,
            expires_at=held.expires_at,
            cancelled=held.cancelled,
        )


def arguments_of(held: Held) -> str:
    """Give the arguments as the client wrote them."""
    return bytes(held.job.args).decode(errors="replace")
