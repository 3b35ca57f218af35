"""Which jobs criteria find."""

import msgspec
import pytest

from shopfloor.core.criteria import EVERYTHING, Criteria, Finder
from shopfloor.core.job import Failure, Job
from shopfloor.errors import Refused
from tests.jobs import job


def finds(criteria: Criteria, held: Job) -> bool:
    return Finder(criteria).finds(held)


def failed(message: str, errtype: str = "IOError") -> Job:
    failure = Failure(failed_at="", message=message, errtype=errtype, retry_count=0, remaining=1)
    return msgspec.structs.replace(job("picture-1"), failure=failure)


def test_no_criteria_find_everything() -> None:
    assert finds(EVERYTHING, job("picture-1"))


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        (Criteria(jid="picture-1"), True),
        (Criteria(jid="picture"), False),
        (Criteria(jobtype="Work"), True),
        (Criteria(jobtype="work"), False),
        (Criteria(jobtype="W*k"), True),
        (Criteria(jobtype="R*"), False),
        (Criteria(queue="mail"), True),
        (Criteria(queue="m*"), True),
        (Criteria(queue="default"), False),
        (Criteria(jobtype="Work", queue="default"), False),
    ],
)
def test_names(criteria: Criteria, found: bool) -> None:
    assert finds(criteria, job("picture-1", "mail")) is found


def test_only_the_star_makes_a_pattern() -> None:
    odd = msgspec.structs.replace(job("picture-1"), jobtype="List[int]?\\")
    assert finds(Criteria(jobtype="List[int]?\\"), odd)
    assert finds(Criteria(jobtype="*[int]?\\*"), odd)
    assert not finds(Criteria(jobtype="*[abc]?\\*"), odd)


def test_a_pattern_that_is_too_long_is_refused() -> None:
    with pytest.raises(Refused):
        Finder(Criteria(queue="*" * 3000))


def test_errors_are_found_by_type_and_message_in_any_case() -> None:
    assert finds(Criteria(error="ioerror: disk FULL"), failed("Disk full"))
    assert not finds(Criteria(error="memory"), failed("Disk full"))
    assert not finds(Criteria(error="disk"), job("picture-1"))


def test_arguments_are_found_as_written_and_as_meant() -> None:
    written = job("picture-1", args='["caf\\u00e9.jpg", 640]')
    assert finds(Criteria(argument="caf\\u00e9"), written)
    assert finds(Criteria(argument="café.jpg"), written)
    assert not finds(Criteria(argument="dog"), written)
    assert finds(Criteria(argument="640"), written)
    assert not finds(Criteria(argument="café"), job("picture-1", args="[1]"))
