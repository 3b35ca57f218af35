"""A life of a store, in which every kind of change happens, for tests that look at it behind each step."""

from shopfloor.core.changes import Amend, Change, Claim, Clear, Count, Note, Pause, Put, Release, Take
from shopfloor.store.conformance.jobs import DAY, NOW, job
from shopfloor.store.conformance.subject import Subject
from shopfloor.store.port import Reserve

Step = Change | Reserve

SCRIPT: tuple[Step, ...] = (
    Put(job("a", args="[1.0]"), "queued"),
    Put(job("b"), "queued"),
    Put(job("c"), "queued"),
    Put(job("d", "other"), "queued"),
    Put(job("s1"), "scheduled", NOW + 2),
    Put(job("s2"), "scheduled", NOW + 1),
    Put(job("r1"), "retries", NOW + 1),
    Put(job("x1"), "dead", NOW + 9),
    Put(job("x2"), "dead", NOW + 9),
    Reserve(("default",), "w1"),
    Put(job("e"), "queued"),
    Put(job("f"), "queued", front=True),
    Reserve(("default",), "", 2),
    Amend("a", "w1", NOW + 77, cancelled=True),
    Note("batch", "b1", b"one", 0),
    Note("batch", "b1", b"two", 1),
    Note("batch", "b2", b"one", 0),
    Note("batch", "b2", None, 1),
    Claim("unique:a", "one", NOW + 60, NOW),
    Claim("unique:b", "two", NOW + 60, NOW),
    Release("unique:b", "two"),
    Count("processed", DAY, 3),
    Count("failures", DAY),
    Take("c", "queued"),
    Put(job("c"), "queued"),
    Pause("other", True),
    Pause("new", True),
    Pause("new", False),
    Take("a", "working", "w1"),
    Put(job("a"), "queued", front=True),
    Take("s2", "scheduled"),
    Put(job("s2"), "queued"),
    Reserve(("new", "other", "default"), "w2", 9),
    Clear("dead", count=1),
    Clear("queued", "other"),
    Put(job("d", "other"), "queued"),
    Take("d", "queued"),
    Clear("working"),
)


def carry_out(store: Subject, step: Step) -> list[str]:
    """Do one step of a script; answer what came of it."""
    if isinstance(step, Reserve):
        return [held.job.jid for held in store.commit([], [step]).reserved[0]]
    return [store.why(step)]
