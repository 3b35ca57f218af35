"""The pages of scheduled jobs, retries and dead jobs: what differs between them, and what they show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shopfloor.broker.search import Counted
from shopfloor.core.criteria import EVERYTHING, Criteria
from shopfloor.core.job import TimedPlace
from shopfloor.core.mutation import Command
from shopfloor.web import words
from shopfloor.web.views.jobs import JobLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What can be done with the jobs of a place: a word for addresses, its command, and how buttons call it."""

    word: str
    command: Command
    label: str
    destroys: bool = False


RETRY: Final = Action(word="retry", command="requeue", label="Run now")
KILL: Final = Action(word="kill", command="kill", label="Move to dead", destroys=True)
DISCARD: Final = Action(word="discard", command="discard", label="Discard", destroys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceKind:
    """One of the three places."""

    place: TimedPlace
    path: str
    title: str
    about: str
    time_head: str
    nothing: str
    actions: tuple[Action, ...]
    has_errors: bool = True


KINDS: Final = (
    PlaceKind(
        place="retries",
        path="/retries",
        title="Retries",
        about="Jobs that failed and are tried again by themselves, the next one first.",
        time_head="Next try",
        nothing="No job waits for another try.",
        actions=(RETRY, KILL, DISCARD),
    ),
    PlaceKind(
        place="scheduled",
        path="/scheduled",
        title="Scheduled",
        about="Jobs that are put into their queues later, the next one first.",
        time_head="Due",
        nothing="No job is scheduled.",
        actions=(RETRY, KILL, DISCARD),
        has_errors=False,
    ),
    PlaceKind(
        place="dead",
        path="/morgue",
        title="Dead",
        about="Jobs that used up their retries, the last one first. They are kept until the time shown.",
        time_head="Kept until",
        nothing="No job is dead.",
        actions=(RETRY, DISCARD),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an operation on everything that matches would do."""

    action: Action
    meant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """See `templates/place.html`."""

    kind: PlaceKind
    total: int
    lines: Sequence[JobLine]
    criteria: Criteria
    filtered: bool
    query: Mapping[str, str]
    """The words of the address that say what is looked for."""
    searched: str
    after: str
    """Where the next page begins; empty where there is none."""
    is_first: bool
    preview: Preview | None


def searched(looked: int, total: int, shown: int, *, goes_on: bool) -> str:
    """Say how far a search came."""
    found = f"{words.plural(shown, 'job')} found"
    if goes_on:
        return f"{found}; searched {words.count(looked)} of {words.count(total)}."
    return f"{found}; that was all."


def meant(counted: Counted, total: int) -> str:
    """Say how many jobs an operation is about, as far as that is known."""
    if counted.whole:
        return words.plural(counted.meant, "job")
    return (
        f"at least {words.plural(counted.meant, 'job')} (found among the first {words.count(counted.looked)};"
        f" all {words.count(total)} will be looked at)"
    )


def criteria_of(given: Mapping[str, str]) -> Criteria:
    """Read what is looked for from the words of an address."""
    cleaned = {name: given.get(name, "").strip()[:CRITERION_LETTERS_MAX] for name in CRITERIA}
    return Criteria(
        jid=cleaned["jid"],
        jobtype=cleaned["type"],
        queue=cleaned["queue"],
        error=cleaned["error"],
        argument=cleaned["argument"],
    )


def query_of(criteria: Criteria) -> Mapping[str, str]:
    """Write it back into an address."""
    if criteria == EVERYTHING:
        return {}
    given = (criteria.jid, criteria.jobtype, criteria.queue, criteria.error, criteria.argument)
    return {name: text for name, text in zip(CRITERIA, given, strict=True) if text}


CRITERIA: Final = ("jid", "type", "queue", "error", "argument")
CRITERION_LETTERS_MAX: Final = 500
