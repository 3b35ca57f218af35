"""Unique jobs: which jobs are equal, and how long a lock lasts."""

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopfloor.core import unique
from shopfloor.core.changes import Claim, Release
from shopfloor.core.facts import facts
from shopfloor.core.timestamps import SECONDS_MAX
from shopfloor.errors import Refused
from tests.jobs import NOW, job


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[1, 2]", "[ 1 ,2]"),
        ('[{"a":1,"b":[{"c":2,"d":3}]}]', '[{"b":[{"d":3,"c":2}],"a":1}]'),
        ("[1]", "[1.0]"),
        ("[1]", "[1e0]"),
        ("[100]", "[1E+2]"),
        ("[0.5]", "[5e-1]"),
        ("[0]", "[-0.0]"),
        ("[0]", "[0e99]"),
        ('["\\u00e9"]', '["é"]'),
        ('["\\ud83d\\ude00"]', '["😀"]'),
        ('["a\\/b"]', '["a/b"]'),
        ("[12345678901234567890123]", "[12345678901234567890123.0]"),
        ("[1e1000000000000000000]", "[1E1000000000000000000]"),
        ('[{"a":1,"a":2}]', '[{"a":2}]'),
    ],
)
def test_arguments_that_mean_the_same_are_equal(one: str, other: str) -> None:
    assert unique.lock(job("job-0001", args=one)) == unique.lock(job("job-0002", args=other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[1]", '["1"]'),
        ("[1]", '["1e0"]'),
        ("[1]", "[-1]"),
        ("[1]", "[10]"),
        ("[1]", "[true]"),
        ("[null]", "[]"),
        ("[[1],2]", "[[1,2]]"),
        ("[1,2]", "[2,1]"),
        ('["e\\u0301"]', '["é"]'),
        ("[9007199254740993]", "[9007199254740992]"),
        ("[0.1]", "[0.1000000000000000055]"),
        ("[{}]", "[[]]"),
    ],
)
def test_arguments_that_mean_something_else_differ(one: str, other: str) -> None:
    assert unique.lock(job("job-0001", args=one)) != unique.lock(job("job-0001", args=other))


def test_type_and_queue_are_part_of_what_is_equal() -> None:
    one = job("job-0001")
    assert unique.lock(one) != unique.lock(msgspec.structs.replace(one, jobtype="Other"))
    assert unique.lock(one) != unique.lock(msgspec.structs.replace(one, queue="other"))
    assert unique.lock(msgspec.structs.replace(one, jobtype='a",[],"b')) != unique.lock(one)


def test_the_name_of_a_lock_stays_the_same_from_version_to_version() -> None:
    args = '[{"b":1.50,"a":"é"}]'
    text = '["Work",[{"a":"\\u00e9","b":15e-1}],"default"]'
    assert unique.canonical(args.encode()) == '[{"a":"\\u00e9","b":15e-1}]'
    assert unique.lock(job("job-0001", args=args)) == "unique:" + _sha256(text)


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def test_a_lock_lasts_for_unique_for() -> None:
    one = job("job-0001", custom='{"unique_for":0.5}')
    assert unique.claim(one, facts(one), 0.0, NOW) == Claim(unique.lock(one), "job-0001", NOW + 0.5, NOW)


def test_the_lock_of_a_scheduled_job_lasts_for_its_delay_as_well() -> None:
    one = job("job-0001", custom='{"unique_for":600}')
    assert unique.claim(one, facts(one), NOW + 3600, NOW).until == NOW + 4200


def test_no_lock_outlasts_the_calendar() -> None:
    one = job("job-0001", custom='{"unique_for":1e300}')
    assert unique.claim(one, facts(one), 0.0, NOW).until == SECONDS_MAX


def test_a_lock_is_released_in_the_name_of_its_job() -> None:
    one = job("job-0001")
    assert unique.release(one) == Release(unique.lock(one), "job-0001")


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, '["\\u12"]'])
def test_a_text_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="invalid JSON: "):
        unique.lock(job("job-0001", args=text))


TEXTS = st.text(st.characters(exclude_categories=()), max_size=4)
NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_texts_are_equal_exactly_where_their_values_are(one: Any, other: Any) -> None:
    assert (unique.canonical(_spelt(one)) == unique.canonical(_spelt(other))) == _same(one, other)


@given(VALUES)
def test_the_one_form_is_the_same_however_it_is_spelt(value: Any) -> None:
    assert unique.canonical(_spelt(value)) == unique.canonical(_spelt(value, backwards=True))
    assert unique.canonical(unique.canonical(_spelt(value)).encode()) == unique.canonical(_spelt(value))


def _spelt(value: Any, *, backwards: bool = False) -> bytes:
    """Write a value with every number as a decimal, and keys in either order."""

    def text(part: Any) -> str:
        if isinstance(part, dict):
            items = reversed(part.items()) if backwards else part.items()
            return "{" + ", ".join(f"{json.dumps(key)}: {text(inner)}" for key, inner in items) + "}"
        if isinstance(part, list):
            return "[" + ",".join(map(text, part)) + "]"
        if isinstance(part, Decimal) or (isinstance(part, int) and not isinstance(part, bool)):
            return f"{part}.000" if backwards and isinstance(part, int) else f"{part}"
        return json.dumps(part)

    return text(value).encode()


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON means it: True is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def test_a_lock_is_forgotten_by_claiming_it_for_nobody() -> None:
    """The claim is the guard: it fails where somebody has the lock, and then nothing is released."""
    assert unique.forget("unique:a", NOW) == (Claim("unique:a", "", NOW, NOW), Release("unique:a", ""))
