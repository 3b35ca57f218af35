"""Which jobs a MUTATE means."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopfloor.core.mutation import PATTERN_BYTES_MAX, Filter, Glob, Matcher
from shopfloor.errors import Refused
from tests.jobs import job


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("", "", True),
        ("", "a", False),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("abc", "xabc", False),
        ("*", "", True),
        ("*", "anything", True),
        ("a*", "abc", True),
        ("a*", "bac", False),
        ("*c", "abc", True),
        ("*c", "cb", False),
        ("a*c", "ac", True),
        ("a*c", "abcbc", True),
        ("a*c", "abcb", False),
        ("ab*ba", "aba", False),
        ("*b*", "abc", True),
        ("*b*", "ac", False),
        ("*a*b*c*", "xaxbxcx", True),
        ("*a*b*c*", "xcxbxax", False),
        ("*a*a", "a", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("*a?", "xab", True),
        ("a?c", "a\nc", True),
        ("[abc]", "b", True),
        ("[abc]", "d", False),
        ("[a-c]x", "bx", True),
        ("[c-a]x", "bx", True),
        ("[^a-c]", "b", False),
        ("[^a-c]", "d", True),
        ("*[0-9]", "x7", True),
        ("*[0-9]", "7x", False),
        ("[abc", "c", True),
        ("[]", "a", False),
        ("[^]", "a", True),
        (r"[\]]", "]", True),
        (r"[a\-c]", "b", False),
        (r"[a\-c]", "-", True),
        ("[a-]", "-", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"a\?*", "a?b", True),
        (r"*\]", "x]", True),
        ("\\", "\\", True),
        ("[\\", "\\", True),
        (".+$", ".+$", True),
        (".+$", "aa$", False),
        ("é*", "été", True),
    ],
)
def test_a_pattern_is_a_glob_and_not_a_regular_expression(pattern: str, text: str, fits: bool) -> None:
    assert Glob.parse(pattern).matches(text.encode()) is fits


@given(
    pattern=st.text("ab*?", max_size=8),
    text=st.text("ab", max_size=10),
)
def test_stars_and_question_marks_mean_what_they_mean_in_file_names(pattern: str, text: str) -> None:
    assert Glob.parse(pattern).matches(text.encode()) is fnmatch.fnmatchcase(text, pattern)


@given(pattern=st.text("ab*?[]^-\\é", max_size=20), text=st.binary(max_size=20))
def test_every_text_is_a_pattern(pattern: str, text: bytes) -> None:
    Glob.parse(pattern).matches(text)


def test_a_pattern_of_many_stars_takes_no_longer_than_the_text_is_long() -> None:
    glob, text = Glob.parse("*a" * 20 + "*b"), b"a" * 100_000
    began = time.perf_counter()
    glob.matches(text)
    assert time.perf_counter() - began < 1  # backtracking would take longer than the universe has


def test_a_pattern_has_a_longest_length() -> None:
    Glob.parse("x" * PATTERN_BYTES_MAX)
    with pytest.raises(Refused, match=r"^pattern is too long: 2049 bytes, the limit is 2048$"):
        Glob.parse("x" * (PATTERN_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (Filter(), True),
        (Filter(jobtype="Work"), True),
        (Filter(jobtype="Wor"), False),
        (Filter(pattern=r'*"args":\["x",1\]*'), True),
        (Filter(pattern=r'*"args":\["x", 1\]*'), False),
        (Filter(pattern='*"jobtype":"Work"*'), True),
        (Filter(pattern="x"), False),
        (Filter(jobtype="Work", pattern='*"jid":"job-0001"*'), True),
        (Filter(jobtype="Other", pattern="*"), False),
        (Filter(jobtype="Work", pattern='*"jid":"job-0002"*'), False),
    ],
)
def test_type_and_pattern_combine_and_patterns_see_compact_json(wanted: Filter, meant: bool) -> None:
    assert Matcher.of(wanted).matches(job("job-0001", args='[ "x" , 1 ]')) is meant
