"""The closed set of changes: values that a store can tell apart and keep."""

import typing

import pytest
from msgspec import Struct

from shopfloor.core import changes
from shopfloor.core.changes import ABSENT, Change, Clear, Conflict, Put, Record, Take
from tests.jobs import job


def test_every_change_is_a_frozen_value() -> None:
    with pytest.raises(AttributeError):
        Take("job-0001", "queued").jid = "other"  # type: ignore[misc]
    assert Put(job("job-0001"), "queued") == Put(job("job-0001"), "queued")
    assert Clear("dead") != Clear("retries")


def test_every_change_of_the_module_is_in_the_set() -> None:
    structs = {
        value
        for value in vars(changes).values()
        if isinstance(value, type) and issubclass(value, Struct) and value.__module__ == changes.__name__
    }
    assert structs == {*typing.get_args(Change), Conflict, Record}


def test_an_absent_record_has_no_value_and_version_zero() -> None:
    assert (ABSENT.value, ABSENT.version) == (None, 0)
