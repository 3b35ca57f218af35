"""What each transition means to a job."""

import pytest

from shopfloor.core import lifecycle
from shopfloor.core.changes import Transition
from shopfloor.core.fate import Event, fate
from shopfloor.core.job import Held
from shopfloor.core.lifecycle import Rules
from shopfloor.core.retry import FailReport
from tests.jobs import DAY, NOW, job

RULES = Rules()
REPORT = FailReport(jid="job-0001")
WORKING = Held(job("job-0001"), "working", 0.0, 1, "w1")
RETRYING = Held(job("job-0001"), "retries", NOW, 1)
DEAD = Held(job("job-0001"), "dead", NOW, 1)
LAST = Held(job("job-0001", retry=0), "working", 0.0, 1, "w1")
TRIED = Held(job("job-0001", retry=-1), "working", 0.0, 1, "w1")


def _failed(held: Held) -> Transition:
    return lifecycle.fail(held, REPORT, NOW, lambda faces: 0, RULES)


@pytest.mark.parametrize(
    ("held", "transition", "event"),
    [
        (WORKING, lifecycle.acknowledge(WORKING, DAY), "left"),  # whoever acknowledges names the event
        (WORKING, _failed(WORKING), "failed"),
        (LAST, _failed(LAST), "failed_for_good"),
        (TRIED, _failed(TRIED), "died"),
        (WORKING, lifecycle.give_back(WORKING, NOW), "returned"),
        (WORKING, lifecycle.crash(WORKING, REPORT, NOW, RULES), "returned"),
        (WORKING, lifecycle.cancel(WORKING), None),
        (RETRYING, lifecycle.requeue(RETRYING, NOW), None),
        (RETRYING, lifecycle.kill(RETRYING, NOW, RULES), "died"),
        (RETRYING, lifecycle.discard(RETRYING), "left"),
        (DEAD, lifecycle.discard(DEAD), None),
        (DEAD, lifecycle.requeue(DEAD, NOW), None),
    ],
)
def test_the_fate_of_a_job_is_read_off_its_transition(held: Held, transition: Transition, event: Event | None) -> None:
    assert fate(held, transition) == event
