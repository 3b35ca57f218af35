"""Reading what people type: time spans, times, JSON, names of queues."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from shopfloor.core.payload import queue_name
from shopfloor.core.timestamps import format_timestamp, parse_timestamp
from shopfloor.errors import Refused

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.ASCII)
_UNITS: Final[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
SPAN_SECONDS_MAX = 100 * 365 * 86_400
"""A century: later than that no job is due, and it keeps dates within what clients can hold."""


def span(text: str) -> float:
    """Read a time span such as `90`, `5m`, `1.5h`, `2d` as seconds."""
    match = _SPAN.fullmatch(text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if not 0 <= seconds <= SPAN_SECONDS_MAX:
        raise click.BadParameter(f"{text!r} is no time span: say 90, 90s, 5m, 2h or 7d")
    return seconds


def moment(text: str) -> str:
    """Read a time such as `2030-01-31T08:00:00Z`, or `2030-01-31 08:00` of the local clock, as RFC 3339."""
    try:
        parse_timestamp(text)
    except (ValueError, OverflowError):
        return _local_moment(text)
    return text


def _local_moment(text: str) -> str:
    try:
        return format_timestamp(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        says = f"{text!r} is no time: say 2030-01-31T08:00:00Z, or 2030-01-31 08:00"
        raise click.BadParameter(says) from None


def json_text(text: str) -> msgspec.Raw:
    """Take a JSON text as it is typed, so that large integers and 1.0 survive."""
    try:
        return as_json(text)
    except ValueError:
        if text.startswith("--"):
            raise click.UsageError(f"no such option: {text}", click.get_current_context()) from None
        says = f"{text!r} is no JSON; a text stands in double quotes, as in '\"{text}\"'"
        raise click.BadParameter(says) from None


def queue(name: str) -> str:
    """Take the name of a queue; the server would read one with a space in it as two."""
    try:
        return queue_name(name)
    except Refused:
        says = f"{name!r} is no queue: letters, digits, dots, dashes and underscores"
        raise click.BadParameter(says) from None


def as_json(text: str) -> msgspec.Raw:
    """Check that a text is JSON and lay it out on one line; raise ValueError otherwise."""
    try:
        encoded = text.encode()
        msgspec.json.decode(encoded, type=msgspec.Raw)
        return msgspec.Raw(msgspec.json.format(encoded, indent=-1))
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ValueError(str(error).lower()) from None


def in_seconds(seconds: float) -> str:
    """Name the time that is so many seconds from now."""
    return format_timestamp(datetime.now(UTC).timestamp() + seconds)
