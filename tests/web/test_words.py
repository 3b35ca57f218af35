"""How values are written for people."""

import pytest

from shopfloor.web import words


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 ms"),
        (0.25, "250 ms"),
        (2.34, "2.3 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3_600, "1 h"),
        (5_400, "1 h 30 min"),
        (90_000, "1 d 1 h"),
        (86_400 * 1500, "1,500 d"),
        (-61, "-1 min 1 s"),
    ],
)
def test_spans(seconds: float, written: str) -> None:
    assert words.span(seconds) == written


def test_moments_relative_to_now() -> None:
    assert words.relative(100, 100.5) == "now"
    assert words.relative(160, 100) == "in 1 min"
    assert words.relative(40, 100) == "1 min ago"
    assert words.moment(0) == "1970-01-01 00:00:00 UTC"
    assert words.moment(1e15) == "9999-12-31 23:59:59 UTC"


def test_unseen_letters_are_shown() -> None:
    assert words.visible("a\u202eb\u200bc\x00d\te\nf") == "a\\u202eb\\u200bc\\u0000d\te\nf"


def test_numbers_and_nouns() -> None:
    assert words.plural(1, "job") == "1 job"
    assert words.plural(1234, "job") == "1,234 jobs"
    assert words.plural(2, "process", "processes") == "2 processes"
    assert words.cut("abcdef", 4) == "abc…"
    assert words.seconds_of("nonsense") is None
