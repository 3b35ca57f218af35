"""How values are written for people: numbers, spans of time, moments, and texts that strangers chose."""

import re
from datetime import UTC, datetime

from shopfloor.core.timestamps import SECONDS_MAX, parse_timestamp

MINUTE, HOUR, DAY = 60, 3_600, 86_400

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
"""Letters that are not seen, or that turn the writing around: with them a name can pretend to be another one."""


def visible(text: str) -> str:
    """Write unseen letters as `\\u202e`, so that a text shows what it is; tabs and line ends stay."""
    return _UNSEEN.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text)


def cut(text: str, letters: int) -> str:
    """Shorten a long text."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def count(number: int) -> str:
    """Write a number of things with separators."""
    return f"{number:,}"


def span(seconds: float) -> str:
    """Write how long something takes or took, in its two largest units."""
    if seconds < 0:
        return f"-{span(-seconds)}"
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{int(seconds)} s"
    whole = int(seconds)
    if whole < HOUR:
        return _two(whole // MINUTE, "min", whole % MINUTE, "s")
    if whole < DAY:
        return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
    return _two(whole // DAY, "d", whole % DAY // HOUR, "h")


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{count(large)} {unit} {small} {small_unit}" if small else f"{count(large)} {unit}"


def relative(at: float, now: float) -> str:
    """Say how long ago something was, or when it will be."""
    seconds = at - now
    if abs(seconds) < 1:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def moment(at: float) -> str:
    """Write a time for people, to the second, in UTC."""
    return datetime.fromtimestamp(min(at, SECONDS_MAX), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def seconds_of(text: str) -> float | None:
    """Read a time that a client wrote into a job; None where it is none."""
    try:
        return parse_timestamp(text)
    except (ValueError, OverflowError):
        return None


def plural(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
